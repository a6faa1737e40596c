//! Proofs about conditions that compare any two things a request has: each attribute with each, with arguments and with words. Which values
//! can meet is what a proof must not get wrong.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use common::tools::{both_questions, object, pick, seed_and_rounds};
use fastrand::Rng;
use fuze_policy::Decision;
use fuze_policy::agent_tool::verdict;
use fuze_policy::analysis::{Policies, Proof, Property, Tools, diff, prove};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, PolicySet, Source};
use serde_json::{Map, Value as Json, json};

/// Whatever an operator may stand beside.
const OPERANDS: [&str; 25] = [
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
    "P.attr.annex_iii",
    "P.attr.art22",
    "P.attr.has_subject",
    "P.id",
    "R.id",
    "R.scope",
    "R.kind",
    "P.roles",
    "R.attr.args.x",
    "R.attr.args.y",
    "R.attr.args.y.z",
    "R.attr.args.y.z.w",
    "C.special",
    "V.class",
    "V.either",
];

/// What else has to hold: it draws the cells of what is compared elsewhere.
const BESIDE: [&str; 8] = [
    "true",
    "true",
    "R.attr.args.x < 1.0",
    "R.attr.depth < 1.0 && R.attr.args.x < 1.0",
    r#"R.attr.args.x != "a""#,
    r#"R.attr.tool_name == "t""#,
    "R.attr.args.x == R.attr.args.y",
    r#"P.attr.tenant == "acme""#,
];

/// Words that attributes may have by chance.
const WORDS: [&str; 16] = [
    "t",
    "a",
    "ann",
    "acme",
    "globex",
    "agent.tool",
    "default",
    "special_category",
    "public",
    "explicit_consent",
    "consent",
    "eu",
    "other",
    "once",
    "none",
    "read",
];

/// Each action alone, for whom a condition holds; a scope whose rules never speak lets `R.scope` be more than one.
fn set(condition: &str) -> Option<PolicySet> {
    let head = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n";
    let rule = |effect: &str, condition: &str| {
        format!(
            "    - actions: ['*']\n      effect: EFFECT_{effect}\n      roles: [a]\n      condition: {{match: {{expr: {}}}}}\n",
            Json::from(condition)
        )
    };
    let locals = "  constants: {local: {special: special_category}}\n  variables:\n    local:\n      class: R.attr.classification\n      \
                  either: 'P.attr.has_subject ? R.attr.residency : R.attr.effect'\n";
    let root = format!("{head}{locals}  rules:\n{}", rule("ALLOW", condition));
    let acme = format!("{head}  scope: acme\n  rules:\n{}", rule("DENY", r#"R.attr.tool_name == "nothing""#));
    PolicySet::load(&[Source::new("root.yaml", &root), Source::new("acme.yaml", &acme)]).ok()
}

/// A request whose arguments like to be what something else in it is.
fn request(rng: &mut Rng) -> CheckInput {
    let tool = pick(rng, &WORDS);
    let class = pick(rng, &["public", "personal", "special_category", "special_category"]);
    let mut attr = object(json!({
        "tool_name": tool, "classification": class, "residency": pick(rng, &["eu", "adequate", "us", "other"]),
        "effect": pick(rng, &["read", "idempotent", "once"]), "egress": pick(rng, &["none", "eu", "any"]), "depth": rng.u8(..3),
    }));
    if class == "special_category" {
        attr.insert("art9_basis".to_owned(), pick(rng, &["explicit_consent", "legal_claims"]).into());
    }
    let tenant = pick(rng, &WORDS);
    let run = object(json!({
        "tenant": tenant, "purpose": pick(rng, &WORDS), "lawful_basis": pick(rng, &["consent", "contract"]),
        "annex_iii": pick(rng, &["none", "migration.polygraph", "consent"]), "art22": pick(rng, &["none", "explicit_consent"]),
        "has_subject": rng.bool(),
    }));
    let id = pick(rng, &WORDS);
    let scope = if tenant == "acme" { "acme" } else { "" };
    let roles = &["a", "b"][..rng.usize(1..=2)];
    let mut values: Vec<Json> = attr.values().chain(run.values()).cloned().collect();
    values.extend([json!(id), json!(scope), json!("agent.tool"), json!(roles)]);
    values.extend([
        json!("a"),
        json!(0),
        json!(0.5),
        json!(-1),
        json!(true),
        Json::Null,
        json!([]),
        json!({}),
    ]);
    let some = |rng: &mut Rng| values[rng.usize(..values.len())].clone();
    let mut args = Map::new();
    for name in ["x", "y"] {
        let value = match rng.u8(..8) {
            0 => continue,
            1 => json!([some(rng)]),
            2 | 3 if name == "y" => json!({"z": some(rng)}),
            4 if name == "y" => json!({"z": {"w": some(rng)}}),
            _ => some(rng),
        };
        args.insert(name.to_owned(), value);
    }
    if rng.u8(..4) == 0 {
        args.insert("y".to_owned(), args.get("x").cloned().unwrap_or_default());
    }
    attr.insert("args".to_owned(), args.into());
    let roles = roles.iter().map(|role| (*role).into()).collect();
    let mut input = both_questions((id, roles, run), (tool, attr));
    input.resource.scope = scope.to_owned();
    input
}

fn is_allowed(set: &PolicySet, input: &CheckInput) -> bool {
    let params = CheckParams::at(Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 });
    let output = cerbos::check(set, input, &params).unwrap();
    verdict(input, &output).is_ok_and(|verdict| verdict.decision == Decision::Allow)
}

/// All that is compared with anything, by some operator, in some company.
#[test]
fn no_two_operands_meet_where_a_proof_says_they_cannot() {
    let (seed, rounds) = seed_and_rounds(3, 1);
    let special = Property::never_auto("special_category");
    let nothing = set("false").unwrap();
    let mut rng = Rng::with_seed(seed);
    let requests: Vec<CheckInput> = (0..400).map(|_| request(&mut rng)).collect();
    let (mut proven, mut broken, mut refused) = (0, 0, 0);
    for (left, right) in
        (0..rounds).flat_map(|_| OPERANDS).flat_map(|left| OPERANDS.map(|right| (left, right)))
    {
        let operator = pick(&mut rng, &["==", "==", "!=", "!=", "<", ">=", "in", "in ["]);
        let end = if operator == "in [" { "]" } else { "" };
        let beside = pick(&mut rng, &BESIDE);
        let condition = format!("{beside} && {left} {operator} {right}{end}");
        let Some(set) = set(&condition) else {
            refused += 1;
            continue;
        };
        let auto = prove(Policies::from(&set).within(20_000), &special);
        let any = diff(&nothing, Policies::from(&set).within(20_000));
        for proof in [&auto, &any] {
            proven += u32::from(proof.is_proven());
            broken += u32::from(proof.counterexample().is_some());
        }
        for input in &requests {
            let is_special = input.resource.attr["classification"] == "special_category";
            if any.is_proven() || auto.is_proven() && is_special {
                assert!(!is_allowed(&set, input), "{condition}: {auto}; {any}: {input:#?}");
            }
        }
    }
    println!("{proven} proven, {broken} broken, {refused} refused");
    assert!(proven > 50 && broken > 200 && refused < 200, "{proven} {broken} {refused}");
}

fn never_alone(condition: &str) -> Proof {
    prove(&set(condition).unwrap_or_else(|| panic!("{condition}")), &Property::never_auto("special_category"))
}

/// What holds only if two things that are compared are the same, in all the ways in which that can be written.
#[test]
fn a_word_of_one_attribute_may_be_the_value_of_another() {
    for condition in [
        "R.attr.args.x == R.attr.classification",
        "R.attr.classification == R.attr.args.x",
        "R.attr.args.y.z == R.attr.classification",
        "R.attr.args.x == R.attr.residency",
        "R.attr.args.x == R.attr.effect",
        "R.attr.args.x == R.attr.egress",
        "R.attr.args.x == R.attr.art9_basis",
        "R.attr.args.x == P.attr.lawful_basis",
        "R.attr.args.x == P.attr.art22",
        "R.attr.args.x == P.attr.has_subject",
        "R.attr.args.x == R.attr.depth",
        "R.attr.tool_name == R.attr.classification",
        "R.attr.tool_name == R.attr.art9_basis",
        "P.attr.tenant == R.attr.residency",
        "P.attr.purpose == R.attr.effect",
        "P.attr.annex_iii == R.attr.egress",
        "P.id == R.attr.classification",
        "P.id == P.attr.lawful_basis",
        "R.attr.args.x == V.class",
        "R.attr.args.x == V.either",
        "R.attr.classification == C.special",
        "R.attr.classification in [R.attr.args.x]",
        "R.attr.args.x in [R.attr.classification]",
        "R.attr.residency in R.attr.args.x",
        "(P.attr.has_subject ? R.attr.residency : R.attr.egress) == R.attr.args.x",
        "R.attr.args.x >= R.attr.classification && R.attr.args.x <= R.attr.classification",
        "R.attr.args.x == R.attr.args.y && R.attr.args.y == R.attr.classification",
        "!(R.attr.args.x != R.attr.residency)",
        // The region below one is not nought.
        "R.attr.args.x != R.attr.depth && R.attr.depth < 1.0 && R.attr.args.x < 1.0",
        "R.attr.args.x == R.attr.depth && R.attr.depth < 1.0",
        // What the request says beside its attributes.
        "R.attr.args.x == R.scope && R.scope != ''",
        "R.attr.args.x == R.kind",
        "R.attr.args.x == P.roles",
        "R.attr.tool_name == R.scope && R.scope == 'acme'",
        "R.attr.purpose == R.kind || P.attr.purpose == R.kind",
    ] {
        let proof = never_alone(condition);
        assert!(!proof.is_proven(), "{condition}: {proof}");
    }
}

/// What cannot meet is proven still.
#[test]
fn words_that_two_attributes_do_not_share_never_meet() {
    for condition in [
        "R.attr.classification == R.attr.effect",
        "R.attr.residency == P.attr.lawful_basis",
        "R.attr.depth == R.attr.classification",
        r#"R.attr.args.x == R.attr.classification && R.attr.args.x == "public""#,
        r#"R.attr.args.x == R.attr.classification && R.attr.args.x != "special_category""#,
        "P.attr.tenant == R.scope && P.attr.tenant == 'globex'",
    ] {
        let proof = never_alone(condition);
        assert!(proof.is_proven(), "{condition}: {proof}");
    }
}

/// The tools that are declared have names that no condition says.
#[test]
fn an_argument_may_say_what_a_declared_tool_is() {
    let tools = r#"{"tools": [{"name": "lookup", "classification": "special_category", "art9_basis": "legal_claims",
        "residency": "eu", "effect": "read", "egress": "none"}]}"#;
    let tools = Tools::from_json(tools).unwrap();
    for operand in ["tool_name", "classification", "art9_basis", "residency", "effect", "egress"] {
        for condition in [
            format!("R.attr.args.x == R.attr.{operand}"),
            format!("!(P.attr.purpose != R.attr.{operand})"),
            format!("R.attr.args.x in [R.attr.{operand}]"),
        ] {
            let set = set(&condition).unwrap();
            let proof =
                prove(Policies::from(&set).for_tools(&tools), &Property::never_auto("special_category"));
            assert!(!proof.is_proven(), "{condition}: {proof}");
        }
    }
}

/// -0.0 is equal to 0.0, and there are ways to tell them apart.
#[test]
fn zero_has_two_signs() {
    for condition in [
        "R.attr.args.n == 0.0 && 1.0 / R.attr.args.n < 0.0",
        r#"string(R.attr.args.n) == "-0" && R.attr.args.n == 0"#,
        "R.attr.args.a.n in [0] && 1.0 / R.attr.args.a.n < -1.0",
    ] {
        let (proof, set) = (never_alone(condition), set(condition).unwrap());
        let found = proof.counterexample().unwrap_or_else(|| panic!("{condition}: {proof}"));
        assert!(is_allowed(&set, found.request.as_ref().unwrap()), "{condition}: {found}");
        assert!(found.to_string().contains("-0.0"), "{condition}: {found}");
        let dead = prove(&set, &Property::NoRuleIsDead);
        assert!(dead.is_proven(), "{condition}: {dead}");
        let wider = diff(&self::set("false").unwrap(), &set);
        assert!(wider.counterexample().is_some(), "{condition}: {wider}");
    }
    let proof = never_alone("R.attr.args.n == 0.0 && 1.0 / R.attr.args.n < 0.0 && 1.0 / R.attr.args.n > 0.0");
    assert!(proof.is_proven(), "{proof}");
}
