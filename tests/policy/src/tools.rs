//! Policies and requests about tools: what the flat form decides, the interpreter decides.

use fastrand::Rng;
use fuze_policy::agent_tool::{Cerbos, LoadError};
use fuze_policy::cel::Program;
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, EngineError, Request, RunFacts, ToolFacts, Verdict};
use serde_json::{Map, Value, json};

use crate::expression::{ATTRIBUTES, Names, TEXTS, Writer};

/// A run of customer support, without roles.
pub const RUN: RunFacts<'static> = RunFacts {
    tenant: "acme",
    principal: "agent-1",
    roles: &[],
    purpose: "customer-support",
    lawful_basis: "contract",
    annex_iii: "none",
    art22: "none",
    has_subject: true,
};

const TOOLS: [&str; 4] = ["lookup", "pay", "mail", "other"];
const CLASSES: [&str; 4] = ["public", "confidential", "personal", "special_category"];
const ROLES: [&str; 4] = ["a", "b", "c", "stranger"];
const DERIVED: [&str; 2] = ["d0", "d1"];

/// A set that loads, by seed.
pub fn engine(seed: u64) -> Cerbos {
    set(seed).1
}

/// Policies that load, each with its file's name, and their engine, by seed.
pub fn set(seed: u64) -> (Vec<(String, Value)>, Cerbos) {
    let mut rng = Rng::with_seed(seed);
    loop {
        let policies = policies(&mut rng);
        if let Ok(engine) = load(&policies) {
            return (policies, engine);
        }
    }
}

/// Loads policies about tools.
pub fn load(policies: &[(String, Value)]) -> Result<Cerbos, LoadError> {
    let sources = policies.iter().map(|(name, policy)| Source::new(name, &policy.to_string())).collect();
    Cerbos::new(&Files { policies: sources, ..Files::default() }, None)
}

/// Decides by the interpreter, and makes sure that the flat form says nothing else.
pub fn decide(engine: &Cerbos, asked: &Asked) -> Result<Verdict, EngineError> {
    let request = asked.request();
    let interpreted = engine.decide_interpreted(&request);
    if let Some(lowered) = engine.decide_lowered(&request) {
        let interpreted = interpreted.as_ref().map(|verdict| (&verdict.decision, &verdict.rule));
        assert_eq!(interpreted, Ok((&lowered.decision, &lowered.rule)), "{asked:?}");
    }
    interpreted
}

fn pick<'s>(rng: &mut Rng, from: &[&'s str]) -> &'s str {
    from[rng.usize(..from.len())]
}

fn policies(rng: &mut Rng) -> Vec<(String, Value)> {
    let roles: Vec<Value> = DERIVED
        .iter()
        .map(|name| json!({"name": name, "parentRoles": ["a", "b"], "condition": condition(rng)}))
        .collect();
    let derived =
        json!({"apiVersion": "api.cerbos.dev/v1", "derivedRoles": {"name": "dr", "definitions": roles}});
    let mut policies = vec![("dr.yaml".to_owned(), derived)];
    for scope in ["", "acme"] {
        let rules: Vec<Value> = (0..rng.usize(1..8)).map(|at| rule(rng, at, scope)).collect();
        let mut body = json!({
            "resource": "agent.tool", "version": "default", "importDerivedRoles": ["dr"], "rules": rules,
            "constants": {"local": {"c0": rng.u32(1..5), "c1": pick(rng, &TEXTS)}},
            "variables": {"local": {"v0": truth(rng), "v1": pick(rng, &["R.attr.args.n", "R.attr.args.m.x", "P.attr.tenant"])}},
        });
        if !scope.is_empty() {
            body["scope"] = scope.into();
            body["scopePermissions"] = "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS".into();
        }
        policies.push((
            format!("p{scope}.yaml"),
            json!({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": body}),
        ));
    }
    policies
}

fn rule(rng: &mut Rng, at: usize, scope: &str) -> Value {
    let actions = match rng.u8(..3) {
        0 => json!(["invoke"]),
        1 => json!(["invoke:auto"]),
        _ => json!(["invoke", "invoke:auto"]),
    };
    let allow = rng.u8(..3) > 0;
    let mut rule = json!({"name": format!("r{at}"), "actions": actions});
    rule["effect"] = if allow { "EFFECT_ALLOW" } else { "EFFECT_DENY" }.into();
    match rng.u8(..4) {
        _ if !allow => rule["roles"] = json!(["*"]),
        0 => rule["derivedRoles"] = json!([pick(rng, &DERIVED)]),
        1 => rule["roles"] = json!(["*"]),
        _ => rule["roles"] = json!([pick(rng, &ROLES[..3])]),
    }
    if rng.u8(..5) > 0 {
        rule["condition"] = condition(rng);
    }
    if allow && scope.is_empty() && rng.u8(..4) == 0 {
        let said = pick(
            rng,
            &[
                "{\"approval\": {\"approvers\": 2}}",
                "{\"approval\": {\"approvers\": C.c0}}",
                "{}",
                "R.attr.depth > 0.0 ? {} : {\"approval\": {\"trainings\": [\"t\"]}}",
            ],
        );
        rule["output"] = json!({"when": {"ruleActivated": said}});
    }
    rule
}

/// A condition of one to three expressions.
pub fn condition(rng: &mut Rng) -> Value {
    let of: Vec<Value> = (0..rng.usize(1..4)).map(|_| json!({"expr": truth(rng)})).collect();
    let how = pick(rng, &["all", "all", "any", "none"]);
    json!({"match": {how: {"of": of}}})
}

/// A condition that reads: on what is declared, on arguments, or both.
fn truth(rng: &mut Rng) -> String {
    loop {
        let text = match rng.u8(..10) {
            0..=2 => format!("R.attr.tool_name == \"{}\"", pick(rng, &TOOLS)),
            3 => {
                format!("R.attr.classification in [\"{}\", \"{}\"]", pick(rng, &CLASSES), pick(rng, &CLASSES))
            }
            4 => format!(
                "P.attr.tenant == \"{}\" && R.attr.tool_name == \"{}\"",
                pick(rng, &["acme", "globex"]),
                pick(rng, &TOOLS)
            ),
            5 => format!("\"{}\" in P.roles", pick(rng, &ROLES)),
            6 => pick(
                rng,
                &[
                    "V.v0",
                    "V.v1 == C.c0",
                    "has(R.attr.art9_basis)",
                    "R.attr.depth < 1.0",
                    "P.attr.nothing == 1",
                    "C.c1 != V.v1",
                ],
            )
            .to_owned(),
            _ => {
                let depth = rng.u32(..3);
                let text = Writer::new(rng, &Names::default()).truth(depth);
                text.replace("R.attr.", "R.attr.args.")
                    .replace("resource.attr.", "resource.attr.args.")
                    .replace("P.attr.", "R.attr.args.")
            }
        };
        if Program::parse(&text).is_ok() {
            return text;
        }
    }
}

/// A request as its parts.
#[derive(Clone, Debug)]
pub struct Asked {
    tool: &'static str,
    classification: &'static str,
    art9: bool,
    tenant: &'static str,
    /// In the order in which they are asked about.
    pub roles: Vec<String>,
    args: String,
    depth: u32,
}

impl Asked {
    /// The request of a seed.
    pub fn new(rng: &mut Rng) -> Self {
        let mut args = Map::new();
        for name in ATTRIBUTES {
            if rng.u8(..4) > 0 {
                args.insert(name.to_owned(), value(rng, 2));
            }
        }
        let mut roles: Vec<String> =
            ROLES.iter().filter(|_| rng.bool()).map(|role| (*role).to_owned()).collect();
        if roles.is_empty() {
            roles.push("a".to_owned());
        }
        Self {
            tool: pick(rng, &TOOLS),
            classification: pick(rng, &CLASSES),
            art9: rng.bool(),
            tenant: pick(rng, &["acme", "globex"]),
            roles,
            args: Value::Object(args).to_string(),
            depth: rng.u32(..2),
        }
    }

    /// As an engine gets it.
    pub fn request(&self) -> Request<'_> {
        Request {
            tool: ToolFacts {
                name: self.tool,
                classification: self.classification,
                art9_basis: self.art9.then_some("explicit_consent"),
                residency: "eu",
                effect: "read",
                egress: "none",
            },
            run: RunFacts {
                tenant: self.tenant,
                principal: "agent-1",
                roles: &self.roles,
                purpose: "care",
                lawful_basis: "consent",
                annex_iii: "none",
                art22: "none",
                has_subject: true,
            },
            call: CallFacts { args: self.args.as_bytes(), depth: self.depth },
        }
    }
}

fn value(rng: &mut Rng, depth: u32) -> Value {
    match rng.u8(..12) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2..=4 => [json!(0), json!(1), json!(-1), json!(2), json!(0.5), json!(1e300), json!(i64::MAX)]
            [rng.usize(..7)]
        .clone(),
        5 if depth > 0 => (0..rng.usize(..4)).map(|_| value(rng, depth - 1)).collect(),
        6 if depth > 0 => json!({"x": value(rng, depth - 1), "y\"": value(rng, depth - 1)}),
        7 => "tab\t\"quote\"".into(),
        _ => TEXTS[rng.usize(..TEXTS.len())].into(),
    }
}
