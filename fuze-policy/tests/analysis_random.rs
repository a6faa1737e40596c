//! Proofs against random policies and random requests: what is proven is never seen to fail, and the cells decide as the evaluation does.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use std::sync::Arc;

use common::tools::{both_questions, object, pick, seed_and_rounds};
use fastrand::Rng;
use fuze_policy::agent_tool::verdict;
use fuze_policy::analysis::{
    Counterexample, Lint, Policies, Proof, Property, Reason, Tools, diff, lint, possible, prove,
};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, Effect, Outcome, PolicySet, Source, Step};
use fuze_policy::{Decision, Obligation};
use serde_json::{Map, Value as Json, json};

/// What conditions are put together of.
const ATOMS: [&str; 51] = [
    r#"R.attr.tool_name == "t""#,
    r#"R.attr.tool_name in ["t", "u"]"#,
    r#"R.id != "u""#,
    r#"R.attr.tool_name.startsWith("t")"#,
    r#"R.attr.classification == "special_category""#,
    r#"R.attr.classification != "public""#,
    r#"R.attr.classification.startsWith("p")"#,
    r#"has(R.attr.art9_basis)"#,
    r#"R.attr.art9_basis == "explicit_consent""#,
    r#"R.attr.residency in ["eu", "eea"]"#,
    r#"R.attr.effect == R.attr.egress"#,
    r#"R.attr.depth > 1"#,
    r#"R.attr.depth == 1.5"#,
    r#"P.attr.has_subject"#,
    r#"P.attr.tenant == "acme""#,
    r#"P.attr.tenant == R.attr.args.x"#,
    r#"P.attr.purpose == "care""#,
    r#"P.attr.lawful_basis != P.attr.art22"#,
    r#"P.attr.missing == "a""#,
    r#""b" in P.roles"#,
    r#"R.attr.args.x == "a""#,
    r#"R.attr.args.x > 5"#,
    r#"R.attr.args.x <= 5.5"#,
    r#"7 < R.attr.args.x"#,
    r#"R.attr.args.x"#,
    r#"has(R.attr.args.x)"#,
    r#"R.attr.args.x in ["a", 6, null]"#,
    r#"R.attr.args.x == R.attr.args.y"#,
    r#"R.attr.args.y == null"#,
    r#"R.attr.args.y.z == 1"#,
    r#"has(R.attr.args.y.z)"#,
    r#"R.attr.args.y["z"] != "a""#,
    r#"R.attr.args.x.contains("b")"#,
    r#""a" in R.attr.args.x"#,
    r#"size(R.attr.args) > 1"#,
    r#"V.v"#,
    r#"R.scope == """#,
    r#"P.id == "ann""#,
    r#"R.attr.args.x < (R.attr.residency == "eu" ? 5.5 : 6.0)"#,
    r#"(P.attr.has_subject ? R.attr.args.x : R.attr.args.y) == "a""#,
    r#"R.attr.args.x == (has(R.attr.args.y) ? R.attr.args.y.z : 1)"#,
    r#"(R.attr.args.x > 5 || R.attr.depth > 1) == P.attr.has_subject"#,
    r#"R.attr.tool_name in [R.attr.args.x == "a" ? "t" : "u", "w"]"#,
    r#"size(R.attr.args.x ? "a" : "ab") == 2"#,
    r#"R.attr.args.x.matches("^a")"#,
    r#"size(runtime.effectiveDerivedRoles) > 0"#,
    r#""d" in runtime.effectiveDerivedRoles"#,
    r#"R.attr.args.x.contains(R.scope)"#,
    r#"now() < timestamp("2026-01-01T00:00:00Z")"#,
    r#"timestamp("2026-01-01T00:00:00Z") <= now()"#,
    r#"now() > timestamp("2026-03-01T00:00:00Z")"#,
];

/// What rules say about approval.
const OUTPUTS: [&str; 10] = [
    r#"{"approval": {"approvers": 2}}"#,
    r#"{"approval": {"approvers": 1, "may_approve": ["x", "y"]}}"#,
    r#"{"approval": {"may_approve": ["y", "z"], "trainings": ["t"]}}"#,
    r#"{"approval": {"deadline_seconds": 60}}"#,
    r#"{"approval": {"approvers": P.attr.has_subject ? 3 : 1, "deadline_seconds": R.attr.args.x == "a" ? 9 : 99}}"#,
    r#"R.attr.args.x == "a" ? {"approval": {"approvers": 2}} : {}"#,
    r#"{"approval": {"deadline_seconds": R.attr.args.x}}"#,
    r#"{"approval": {"approvers": size(R.attr.tool_name), "may_approve": ["x", "y"]}}"#,
    r#"V.v ? {} : {"approval": {"trainings": ["u"]}}"#,
    r#"{"aproval": {}}"#,
];

/// What any comparison may bring together.
const OPERANDS: [&str; 19] = [
    "R.attr.tool_name",
    "R.attr.classification",
    "R.attr.art9_basis",
    "R.attr.residency",
    "R.attr.effect",
    "R.attr.egress",
    "R.attr.depth",
    "P.attr.tenant",
    "P.attr.purpose",
    "P.attr.lawful_basis",
    "P.attr.art22",
    "P.attr.has_subject",
    "P.id",
    "R.scope",
    "P.roles",
    "R.attr.args.x",
    "R.attr.args.x",
    "R.attr.args.y",
    "R.attr.args.y.z",
];

fn atom(rng: &mut Rng) -> String {
    if rng.u8(..3) > 0 {
        return pick(rng, &ATOMS).to_owned();
    }
    let (left, mut right) = (pick(rng, &OPERANDS), pick(rng, &OPERANDS));
    // Texts and lists that are known to be some are not compared.
    if ![left, right].iter().any(|operand| operand.contains(".attr.")) {
        right = "R.attr.args.x";
    }
    match rng.u8(..4) {
        0 | 1 => format!("{left} == {right}"),
        2 => format!("{left} != {right}"),
        _ => format!("{left} in [{right}, {}]", pick(rng, &OPERANDS[..12])),
    }
}

fn condition(rng: &mut Rng, depth: u32) -> String {
    if depth == 0 || rng.u8(..3) == 0 {
        return atom(rng);
    }
    let (a, b) = (condition(rng, depth - 1), condition(rng, depth - 1));
    match rng.u8(..6) {
        0 | 1 => format!("({a} && {b})"),
        2 | 3 => format!("({a} || {b})"),
        4 => format!("!({a})"),
        _ => format!("({a} ? {b} : {})", atom(rng)),
    }
}

struct Rule {
    text: String,
}

fn rule(rng: &mut Rng, name: usize) -> Rule {
    let all = [r#"["a"]"#, r#"["a", "c"]"#, r#"["b"]"#, r#"["*"]"#, r#"["g:*"]"#, r#"["*:x"]"#, r#"["?*"]"#];
    let roles = pick(rng, &all);
    let who = if rng.u8(..5) == 0 { "derivedRoles: [d]".to_owned() } else { format!("roles: {roles}") };
    let actions =
        pick(rng, &[r#"["invoke", "invoke:auto"]"#, r#"["invoke"]"#, r#"["invoke:auto"]"#, r#"["*"]"#]);
    let effect = pick(rng, &["ALLOW", "ALLOW", "DENY"]);
    let mut text = format!(
        "    - name: r{name}\n      actions: {actions}\n      effect: EFFECT_{effect}\n      {who}\n"
    );
    match rng.u8(..6) {
        0 => {}
        1 => {
            let list = pick(rng, &["all", "any", "none"]);
            let (a, b) = (condition(rng, 0), condition(rng, 0));
            text.push_str(&format!(
                "      condition:\n        match:\n          {list}:\n            of:\n              - expr: |-\n                  {a}\n              - expr: |-\n                  {b}\n"
            ));
        }
        _ => {
            let condition = condition(rng, 1);
            text.push_str(&format!(
                "      condition:\n        match:\n          expr: |-\n            {condition}\n"
            ));
        }
    }
    if rng.u8(..3) == 0 {
        let when = if effect == "DENY" { "conditionNotMet" } else { "ruleActivated" };
        let output = pick(rng, &OUTPUTS);
        text.push_str(&format!("      output:\n        when:\n          {when}: |-\n            {output}\n"));
    }
    Rule { text }
}

/// A set as its files' heads and rules, so that a rule can be left out.
struct Set {
    files: Vec<(String, Vec<Rule>)>,
    derived: String,
    principal: String,
    /// A role policy's head and rules.
    role: Option<(String, Vec<Rule>)>,
}

fn set(rng: &mut Rng) -> Set {
    let head = |scope: &str, v: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n{scope}  \
             importDerivedRoles: [ds]\n  variables:\n    local:\n      v: |-\n        {v}\n"
        )
    };
    let mut name = 0;
    let mut rules = |rng: &mut Rng, most: usize| -> Vec<Rule> {
        (0..rng.usize(1..=most))
            .map(|_| {
                name += 1;
                rule(rng, name)
            })
            .collect()
    };
    let v = |rng: &mut Rng| pick(rng, &ATOMS).replace("V.v", "true");
    let mut files = vec![(head("", &v(rng)), rules(rng, 3))];
    let consent = "  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n";
    match rng.u8(..4) {
        0 => files.push((head(&format!("  scope: acme\n{consent}"), &v(rng)), rules(rng, 2))),
        1 => files.push((head("  scope: acme\n", &v(rng)), rules(rng, 2))),
        _ => {}
    }
    let principal = if rng.u8(..6) == 0 {
        format!(
            "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: ann\n  version: default\n  rules:\n    - resource: agent.tool\n      \
             actions:\n        - action: invoke:auto\n          effect: EFFECT_{}\n          condition:\n            match:\n              expr: |-\n                {}\n",
            pick(rng, &["ALLOW", "DENY"]),
            condition(rng, 1).replace("V.v", "true"),
        )
    } else {
        String::new()
    };
    let derived = format!(
        "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: ds\n  definitions:\n    - name: d\n      parentRoles: [\"{}\"]\n      condition:\n        \
         match:\n          expr: |-\n            {}\n",
        pick(rng, &["a", "*", "c"]),
        condition(rng, 1).replace("V.v", "true"),
    );
    let role = (rng.u8(..3) == 0).then(|| role_policy(rng));
    Set { files, derived, principal, role }
}

fn role_policy(rng: &mut Rng) -> (String, Vec<Rule>) {
    let head = format!(
        "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: {}\n  version: default\n{}{}",
        pick(rng, &["a", "c"]),
        pick(rng, &["", "  scope: acme\n"]),
        pick(rng, &["", "  parentRoles: [\"b\"]\n"]),
    );
    let rules = (0..rng.usize(1..=3)).map(|at| {
        let actions = pick(rng, &[r#"["invoke", "invoke:auto"]"#, r#"["invoke"]"#, r#"["invoke*"]"#]);
        let mut text =
            format!("    - name: s{at}\n      resource: agent.tool\n      allowActions: {actions}\n");
        if rng.bool() {
            let condition = condition(rng, 1).replace("V.v", "true");
            text.push_str(&format!(
                "      condition:\n        match:\n          expr: |-\n            {condition}\n"
            ));
        }
        Rule { text }
    });
    (head, rules.collect())
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.derived, self.principal)?;
        self.files.iter().chain(&self.role).try_for_each(|(head, rules)| {
            f.write_str(head)?;
            rules.iter().try_for_each(|rule| f.write_str(&rule.text))
        })
    }
}

impl Set {
    fn load(&self, without: Option<&str>) -> PolicySet {
        let mut sources = vec![Source::new("derived.yaml", &self.derived)];
        if !self.principal.is_empty() {
            sources.push(Source::new("principal.yaml", &self.principal));
        }
        for (at, (head, rules)) in self.files.iter().chain(&self.role).enumerate() {
            let kept: Vec<&str> = rules
                .iter()
                .map(|rule| rule.text.as_str())
                .filter(|text| without.is_none_or(|name| !text.contains(&format!("- name: {name}\n"))))
                .collect();
            let rules = if kept.is_empty() { String::new() } else { format!("  rules:\n{}", kept.concat()) };
            sources.push(Source::new(&format!("p{at}.yaml"), &format!("{head}{rules}")));
        }
        PolicySet::load(&sources).unwrap_or_else(|problems| panic!("{problems}\n{sources:#?}"))
    }

    fn has_acme(&self) -> bool {
        self.files.len() > 1 || self.role.as_ref().is_some_and(|(head, _)| head.contains("scope: acme"))
    }
}

/// Before, at and after the times that conditions name: the same for a request and the one that it is compared with.
fn params(input: &CheckInput) -> CheckParams {
    let times = [1_767_225_599, 1_767_225_600, 1_769_904_000, 1_780_000_000];
    let which = input.principal.attr["purpose"].as_str().map_or(0, str::len) + input.principal.roles.len();
    CheckParams::at(Timestamp { seconds: times[which % times.len()], nanoseconds: 0, offset_seconds: 0 })
}

fn argument(rng: &mut Rng) -> Json {
    match rng.u8(..18) {
        0..=2 => json!("a"),
        3 => json!("ab"),
        4 => json!("acme"),
        5 => json!("other"),
        6..=10 => json!([1.0, 5.0, 5.25, 5.5, 6.0, 7.0, 8.0, -1.5][rng.usize(..8)]),
        11 => json!(rng.bool()),
        12 => Json::Null,
        13 => json!(["a", "b"]),
        14 => json!([]),
        15 => json!({"a": 1}),
        _ => json!({"z": ([json!(1), json!("a"), Json::Null])[rng.usize(..3)]}),
    }
}

/// A request as the engine asks it; the scope is put in for each set.
fn request(rng: &mut Rng) -> CheckInput {
    let classification =
        pick(rng, &["public", "confidential", "personal", "special_category", "special_category"]);
    let tool = pick(rng, &["t", "u", "tt", "w"]);
    let mut resource = object(json!({
        "tool_name": tool, "classification": classification, "residency": pick(rng, &["eu", "eea", "adequate", "us", "other"]),
        "effect": pick(rng, &["read", "idempotent", "once"]), "egress": pick(rng, &["none", "eu", "eea", "hosts", "any"]),
        "depth": rng.u8(..4),
    }));
    if classification == "special_category" {
        let basis = pick(rng, &["explicit_consent", "public_health", "legal_claims"]);
        resource.insert("art9_basis".to_owned(), basis.into());
    }
    let principal = object(json!({
        "tenant": pick(rng, &["acme", "globex", "a"]), "purpose": pick(rng, &["care", "mail"]),
        "lawful_basis": pick(rng, &["consent", "contract", "public_task"]), "annex_iii": "none",
        "art22": pick(rng, &["none", "explicit_consent"]), "has_subject": rng.bool(),
    }));
    let mut args = Map::new();
    for name in ["x", "y"] {
        match rng.u8(..8) {
            0 => {}
            // What something else in the request is.
            1..=3 => {
                let all: Vec<&Json> = resource.values().chain(principal.values()).collect();
                args.insert(name.to_owned(), all[rng.usize(..all.len())].clone());
            }
            _ => drop(args.insert(name.to_owned(), argument(rng))),
        }
    }
    resource.insert("args".to_owned(), args.into());
    let mut roles: Vec<Arc<str>> =
        ["0", "a", "aa", "b", "c", "g:x", "g:y", "h:x", "zz"].iter().map(|role| (*role).into()).collect();
    rng.shuffle(&mut roles);
    roles.truncate(rng.usize(1..=4));
    roles.sort();
    both_questions((pick(rng, &["ann", "bob"]), roles, principal), (tool, resource))
}

fn scoped(input: &CheckInput, has_acme: bool) -> CheckInput {
    let mut input = input.clone();
    let acme = has_acme && input.principal.attr["tenant"] == "acme";
    input.resource.scope = if acme { "acme".to_owned() } else { String::new() };
    input
}

/// How far a call may go, and how an approval of it has to be, whoever demands that.
#[derive(Debug, PartialEq)]
struct Came {
    reach: Reach,
    approval: Obligation,
}

#[derive(Debug, PartialEq, PartialOrd)]
enum Reach {
    /// Or the run halts.
    Denied,
    WithApproval,
    Alone,
}

fn decided(set: &PolicySet, input: &CheckInput) -> Came {
    decided_at(set, input, &params(input))
}

fn decided_at(set: &PolicySet, input: &CheckInput, params: &CheckParams) -> Came {
    let output = cerbos::check(set, input, params).unwrap();
    let found = verdict(input, &output).ok();
    let (reach, approval) = match found.map(|verdict| (verdict.decision, verdict.approval)) {
        Some((Decision::Allow, approval)) => (Reach::Alone, approval),
        Some((Decision::RequiresApproval(obligation), _)) => (Reach::WithApproval, Some(obligation)),
        Some((Decision::Deny, _)) | None => (Reach::Denied, None),
    };
    Came { reach, approval: approval.unwrap_or_default() }
}

/// What is really decided about a counterexample, at its time; without one at the time that sets are looked at with.
fn shown(set: &PolicySet, found: &Counterexample, has_acme: bool) -> Came {
    let now = Timestamp { seconds: 1_767_225_600, nanoseconds: 0, offset_seconds: 0 };
    let request = scoped(found.request.as_ref().unwrap(), has_acme);
    assert_eq!(possible(&request), Ok(()), "{found:?}");
    decided_at(set, &request, &CheckParams::at(found.at().unwrap_or(now)))
}

/// Whether one lets through no more than another. Written down here a second time, member by member.
fn at_most(one: &Came, other: &Came) -> bool {
    if one.reach == Reach::Denied || one.reach > other.reach {
        return one.reach == Reach::Denied;
    }
    let (one, other) = (&one.approval, &other.approval);
    let who = other
        .may_approve
        .as_ref()
        .is_none_or(|who| one.may_approve.as_ref().is_some_and(|fewer| fewer.is_subset(who)));
    let until = other.deadline_seconds.is_none_or(|until| one.deadline_seconds.is_some_and(|d| d <= until));
    let nobody = one.may_approve.as_ref().is_some_and(|who| who.is_empty());
    nobody || one.approvers >= other.approvers && who && until && one.trainings.is_superset(&other.trainings)
}

fn sane(proof: &Proof, of: &str) {
    if let Proof::Unknown { reason: Reason::Disagreement { .. }, .. } = proof {
        panic!("{of}: {proof}");
    }
}

const REQUESTS: usize = 150;
const MOST_CASES: u64 = 10_000;

#[test]
fn what_is_proven_is_never_seen_to_fail() {
    let (seed, rounds) = seed_and_rounds(7, 40);
    let special = Property::never_auto("special_category");
    let (mut proven, mut broken, mut shadows, mut deads) = (0, 0, 0, 0);
    for round in 0..rounds {
        let mut rng = Rng::with_seed(seed + round * 1_000_003);
        let (text, other_text) = (set(&mut rng), set(&mut rng));
        let (one, other) = (text.load(None), other_text.load(None));
        let of = format!("round {round}\n{text}\nand the other\n{other_text}");
        // A few sets have hundreds of thousands of cases; the others show as much.
        let within = |set| Policies::from(set).within(MOST_CASES);
        let auto = prove(within(&one), &special);
        let more = diff(&one, within(&other));
        let dead = prove(within(&one), &Property::NoRuleIsDead);
        let same = diff(&one, within(&one));
        let tenants = prove(within(&one), &Property::NothingCrossesTenants);
        for proof in [&auto, &more, &dead, &same, &tenants] {
            sane(proof, &of);
            match proof {
                Proof::Proven { .. } => proven += 1,
                Proof::Counterexample(_) => broken += 1,
                Proof::Unknown { .. } => {}
            }
        }
        assert!(same.counterexample().is_none(), "{of}: {same}");
        if let Some(found) = auto.counterexample() {
            assert_eq!(shown(&one, found, text.has_acme()).reach, Reach::Alone, "{of}: {auto}");
        }
        if let Some(found) = more.counterexample() {
            let after = shown(&other, found, other_text.has_acme());
            let before = shown(&one, found, text.has_acme());
            assert!(!at_most(&after, &before), "{of}: {more}");
        }
        if let Some(found) = tenants.counterexample() {
            assert_ne!(shown(&one, found, text.has_acme()).reach, Reach::Denied, "{of}: {tenants}");
        }
        let findings = lint(within(&one), &Tools::default());
        let shadowed: Vec<String> = findings
            .iter()
            .filter(|finding| finding.lint == Lint::ShadowedRule)
            .filter_map(|finding| {
                let rules =
                    one.rows().iter().map(|row| &row.rule).chain(one.role_rows().map(|row| &row.rule));
                rules.into_iter().find(|rule| rule.place == finding.place)
            })
            .map(|rule| rule.name.as_ref().to_owned())
            .collect();
        shadows += shadowed.len();
        let without: Vec<PolicySet> = shadowed
            .iter()
            .filter(|name| name.starts_with(['r', 's']))
            .map(|name| text.load(Some(name)))
            .collect();
        for _ in 0..REQUESTS {
            let input = request(&mut rng);
            let here = scoped(&input, text.has_acme());
            let reached = decided(&one, &here);
            if auto.is_proven() && here.resource.attr["classification"] == "special_category" {
                assert_ne!(reached.reach, Reach::Alone, "{of}: {here:#?}");
            }
            if more.is_proven() {
                let after = decided(&other, &scoped(&input, other_text.has_acme()));
                assert!(at_most(&after, &reached), "{of}: {here:#?}");
            }
            for less in &without {
                assert_eq!(decided(less, &here), reached, "{of}: {shadowed:?} {here:#?}");
            }
            if let Some(found) = dead.counterexample() {
                deads += 1;
                let mut held = false;
                let mut tell = |step: Step<'_>| {
                    if let Step::Rule { rule: Some(rule), effect, outcome, .. } = step {
                        let turned = rule.effect == Effect::Allow && effect == Some(Effect::Deny);
                        let met = if turned { Outcome::NotHeld } else { Outcome::Held };
                        // An ALLOW that decides by its opposite does so as well where its derived role does not hold.
                        held |= rule.source == found.rule && !rule.inverted && outcome == met;
                    }
                };
                cerbos::check_stepwise(&one, &here, &params(&here), &mut tell).unwrap();
                assert!(!held, "{of}: {dead} {here:#?}");
            }
        }
    }
    println!(
        "{rounds} pairs of sets: {proven} proven, {broken} broken, {shadows} shadowed rules, {deads} requests against dead rules"
    );
    assert!(proven > 20 && broken > 20 && shadows > 3 && deads > 100, "{proven} {broken} {shadows} {deads}");
}
