//! Sets and requests written to make a proof wrong: what is called proven is never seen to fail.

use std::sync::Arc;

use fastrand::Rng;
use fuze_policy::agent_tool::Cerbos;
use fuze_policy::analysis::{Property, diff, prove};
use fuze_policy::cel::{Map as Globals, Value};
use fuze_policy::cerbos::{self, CheckInput, CheckParams, Effect, Files, PolicySet, Source};
use serde_json::{Map, Value as Json, json};

use super::common::params;
use super::common::tools::{both_questions, object, pick, seed_and_rounds};
use super::{rule, tools};

/// Conditions that cells could be drawn wrongly for.
const ATOMS: [&str; 67] = [
    r#""b" in P.roles"#,
    r#"!("c" in P.roles)"#,
    r#"size(P.roles) > 1"#,
    r#"size(P.roles) == 3"#,
    r#"P.roles == ["a"]"#,
    r#"P.roles[0] == "a""#,
    r#"P.roles.exists(r, r == "c")"#,
    r#"P.roles.all(r, r != "b")"#,
    r#"P.roles.exists_one(r, r.startsWith("g"))"#,
    r#""gx" in P.roles && "b" in P.roles && "c" in P.roles"#,
    r#"hasIntersection(P.roles, ["x", "b"])"#,
    r#"R.attr.tool_name < "tm""#,
    r#"R.attr.tool_name.endsWith("u")"#,
    r#"R.attr.tool_name.size() == 1"#,
    r#"R.attr.tool_name + "x" == "tx""#,
    r#"R.attr.tool_name.matches("^t$")"#,
    r#"R.id == R.attr.tool_name"#,
    r#"R.kind == "agent.tool""#,
    r#"P.attr.purpose == R.attr.tool_name"#,
    r#"P.attr.tenant != P.attr.purpose"#,
    r#"R.attr.depth >= 1 && R.attr.depth < 2"#,
    r#"R.attr.depth + 1.0 == 2.0"#,
    r#"R.attr.depth == 1u"#,
    r#"R.attr.depth in [1, 3]"#,
    r#"R.attr.depth != 0.0"#,
    r#"R.attr.depth > -1"#,
    r#"R.attr.depth < 0.5"#,
    r#"R.attr.args.x > R.attr.args.y"#,
    r#"R.attr.args.x == 5 || R.attr.args.x == 5.5"#,
    r#"R.attr.args.x * 2.0 == 10.0"#,
    r#"-R.attr.args.x == 5.0"#,
    r#"R.attr.args.x > 5 && R.attr.args.x < 5.0000001"#,
    r#"R.attr.args.x >= 9007199254740993"#,
    r#"R.attr.args.x < 1e308 || R.attr.args.x > 0.0"#,
    r#"has(P.attr.tenant)"#,
    r#"has(R.attr.missing)"#,
    r#"has(R.attr.args)"#,
    r#""x" in R.attr.args"#,
    r#"R.attr.args.size() == 0"#,
    r#"has(R.attr.args.x) && R.attr.args.x == null"#,
    r#"R.attr.args == {}"#,
    r#"R.attr.args.y == {"z": 1}"#,
    r#"R.attr.args.x[0] == "a""#,
    r#"R.attr.args.x.size() == 2"#,
    r#"R.attr.args.x == R.attr.args.x"#,
    r#"R.attr.args[?"x"].orValue("a") == "a""#,
    r#"R.attr["args"]["x"] == "a""#,
    r#"R.attr[R.attr.args.x] == "t""#,
    r#"P.attr[R.attr.args.x] == "acme""#,
    r#"R.attr.exists(k, k == "art9_basis")"#,
    r#"P.attr.all(k, P.attr[k] != "none")"#,
    r#""d" in runtime.effectiveDerivedRoles"#,
    r#"request.principal.attr.tenant == "acme""#,
    r#"request.resource.attr.args.x == "a""#,
    r#"R.scope == "acme""#,
    r#"R.scope == P.attr.tenant"#,
    r#"G.flag"#,
    r#"G.limit > R.attr.args.x"#,
    r#"R.attr.classification in ["special_category", "personal"]"#,
    r#"R.attr.art9_basis < "f""#,
    r#"R.attr.art9_basis.startsWith("e")"#,
    r#"cel.bind(t, R.attr.args.x, t == "a" || t == 5.0)"#,
    r#"[R.attr.args.x, R.attr.args.y].exists(v, v == "a")"#,
    r#"(R.attr.args.x == "a" ? R.attr.args.y : P.attr.has_subject)"#,
    r#"R.attr.args.y.z in ["a", 1]"#,
    r#"R.attr.args.y.z.w == 1"#,
    r#"P.attr.has_subject == R.attr.args.x"#,
];

/// What may be compared with one another.
const OPERANDS: [&str; 16] = [
    "R.attr.tool_name",
    "R.attr.classification",
    "R.attr.art9_basis",
    "R.attr.residency",
    "R.attr.effect",
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
    "R.attr.args.y",
];

fn atom(rng: &mut Rng) -> String {
    if rng.u8(..3) > 0 {
        return pick(rng, &ATOMS).to_owned();
    }
    let operator = pick(rng, &["==", "!="]);
    format!("{} {operator} {}", pick(rng, &OPERANDS), pick(rng, &OPERANDS))
}

fn condition(rng: &mut Rng, depth: u32) -> String {
    if depth == 0 || rng.u8(..3) == 0 {
        return format!("({})", atom(rng));
    }
    let (a, b) = (condition(rng, depth - 1), condition(rng, depth - 1));
    match rng.u8(..5) {
        0 | 1 => format!("({a} && {b})"),
        2 | 3 => format!("({a} || {b})"),
        _ => format!("!{a}"),
    }
}

fn random_rule(rng: &mut Rng) -> String {
    let roles = pick(rng, &["a", "'*'", "'g*'", "gx", "'*y'", "b, c", "'g*x'"]);
    let roles = if rng.u8(..5) == 0 { "derivedRoles: [d]".to_owned() } else { format!("roles: [{roles}]") };
    let actions =
        pick(rng, &["invoke, 'invoke:auto'", "invoke, 'invoke:auto'", "invoke", "'invoke:auto'", "'*'"]);
    let effect = pick(rng, &["ALLOW", "ALLOW", "ALLOW", "DENY"]);
    let condition = match rng.u8(..4) {
        0 => String::new(),
        _ => format!(", condition: {{match: {{expr: {}}}}}", Json::from(condition(rng, 1))),
    };
    format!("{{actions: [{actions}], effect: EFFECT_{effect}, {roles}{condition}}}")
}

/// Policies of all kinds; some of which the engine would refuse as widening, which a proof may not rely on.
fn policies(rng: &mut Rng) -> Vec<String> {
    let mut all = Vec::new();
    let imports = "  importDerivedRoles: [ds]\n";
    let rules: Vec<String> = (0..rng.usize(1..4)).map(|_| random_rule(rng)).collect();
    all.push(tools(imports, &rules));
    if rng.u8(..3) == 0 {
        let consent =
            pick(rng, &["", "  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n"]);
        let rules: Vec<String> = (0..rng.usize(1..3)).map(|_| random_rule(rng)).collect();
        all.push(tools(&format!("{imports}  scope: acme\n{consent}"), &rules));
    }
    if rng.u8(..3) == 0 {
        let scope = pick(rng, &["", "  scope: acme\n"]);
        let parents = pick(rng, &["", "  parentRoles: [a]\n", "  parentRoles: [gx, b]\n"]);
        let actions = pick(rng, &["invoke", "invoke, 'invoke:auto'", "'*'", "view"]);
        let condition = match rng.u8(..3) {
            0 => format!(", condition: {{match: {{expr: {}}}}}", Json::from(condition(rng, 0))),
            _ => String::new(),
        };
        all.push(format!(
            "rolePolicy:\n  role: {}\n  version: default\n{scope}{parents}  rules:\n    - {{resource: {}, allowActions: [{actions}]{condition}}}\n",
            pick(rng, &["a", "b", "c", "gx"]),
            pick(rng, &["agent.tool", "agent.tool", "'agent.*'", "album"]),
        ));
    }
    if rng.u8(..6) == 0 {
        all.push(format!(
            "principalPolicy:\n  principal: ann\n  version: default\n  rules:\n    - resource: agent.tool\n      actions:\n        - {{action: \
             'invoke:auto', effect: EFFECT_{}, condition: {{match: {{expr: {}}}}}}}\n",
            pick(rng, &["ALLOW", "DENY"]),
            Json::from(condition(rng, 0)),
        ));
    }
    all.push(format!(
        "derivedRoles:\n  name: ds\n  definitions:\n    - {{name: d, parentRoles: [{}], condition: {{match: {{expr: {}}}}}}}\n",
        pick(rng, &["a", "'*'", "b", "gx"]),
        Json::from(condition(rng, 0).replace("runtime.effectiveDerivedRoles", "P.roles")),
    ));
    all
}

fn load(policies: &[String]) -> Result<PolicySet, String> {
    let sources: Vec<Source> = policies
        .iter()
        .enumerate()
        .map(|(at, body)| {
            Source::new(&format!("{at}.yaml"), &format!("apiVersion: api.cerbos.dev/v1\n{body}"))
        })
        .collect();
    PolicySet::load(&sources).map_err(|error| error.to_string())
}

fn argument(rng: &mut Rng) -> Json {
    let all = [
        json!("special_category"),
        json!("eu"),
        json!("read"),
        json!("consent"),
        json!("explicit_consent"),
        json!(["a"]),
        json!("a"),
        json!("t"),
        json!("tenant"),
        json!("args"),
        json!("acme"),
        json!("y"),
        json!(""),
        json!(1),
        json!(5),
        json!(5.5),
        json!(5.00000001),
        json!(-5),
        json!(6),
        json!(9_007_199_254_740_992.0),
        json!(9_007_199_254_740_994.0),
        json!(true),
        json!(false),
        Json::Null,
        json!([]),
        json!(["a", "b"]),
        json!({}),
        json!({"z": 1}),
        json!({"z": "a"}),
        json!({"z": {"w": 1}}),
    ];
    all[rng.usize(..all.len())].clone()
}

fn request(rng: &mut Rng, set: &PolicySet) -> CheckInput {
    let tool = pick(rng, &["t", "u", "tt", "zu", "mail", "special_category", "acme"]);
    let mut args = Map::new();
    for name in ["x", "y"] {
        if rng.u8(..6) > 0 {
            args.insert(name.to_owned(), argument(rng));
        }
    }
    let basis = pick(rng, &["explicit_consent", "public_health", "legal_claims"]);
    let resource = json!({
        "tool_name": tool, "classification": "special_category", "residency": "eu", "effect": "read", "egress": "none",
        "depth": rng.u8(..5), "args": args, "art9_basis": basis,
    });
    let tenant = pick(rng, &["acme", "acme", "globex", "t"]);
    let principal = json!({
        "tenant": tenant, "purpose": pick(rng, &["care", "t", "acme", "special_category", "eu"]), "lawful_basis": "consent", "annex_iii": "none",
        "art22": pick(rng, &["none", "explicit_consent"]), "has_subject": rng.bool(),
    });
    let mut roles: Vec<Arc<str>> =
        ["a", "b", "c", "gx", "gy", "gxx", "xy", "zz", "g"].iter().map(|role| (*role).into()).collect();
    rng.shuffle(&mut roles);
    roles.truncate(rng.usize(1..=4));
    let mut input =
        both_questions((pick(rng, &["ann", "bob"]), roles, object(principal)), (tool, object(resource)));
    input.resource.scope = scope_of(set, &input);
    input
}

/// 0 denied or halted, 1 with approval, 2 alone.
fn reach(set: &PolicySet, input: &CheckInput, params: &CheckParams) -> u8 {
    let output = cerbos::check(set, input, params).unwrap();
    let [invoke, auto] = ["invoke", "invoke:auto"].map(|action| output.action(action).unwrap());
    if invoke.rests_on_failure || auto.rests_on_failure || invoke.effect == Effect::Deny {
        return 0;
    }
    if auto.effect == Effect::Allow { 2 } else { 1 }
}

#[test]
fn what_is_proven_of_hostile_sets_is_never_seen_to_fail() {
    let (seed, rounds) = seed_and_rounds(11, 30);
    let special = Property::never_auto("special_category");
    let (mut proven, mut broken, mut refused) = (0, 0, 0_u64);
    for round in 0..rounds {
        let mut rng = Rng::with_seed(seed + round * 1_000_003);
        let texts = [policies(&mut rng), policies(&mut rng)];
        let [Ok(one), Ok(other)] = texts.each_ref().map(|texts| load(texts)) else {
            refused += 1;
            continue;
        };
        let of = || {
            format!(
                "seed {seed} round {round}\n{}\n=====\n{}",
                texts[0].join("---\n"),
                texts[1].join("---\n")
            )
        };
        let (auto, more) = (prove(&one, &special), diff(&one, &other));
        for proof in [&auto, &more] {
            proven += u32::from(proof.is_proven());
            broken += u32::from(proof.counterexample().is_some());
        }
        for _ in 0..150 {
            let input = request(&mut rng, &one);
            let reached = reach(&one, &input, &params());
            assert!(!auto.is_proven() || reached < 2, "{} {auto} {input:#?}", of());
            if more.is_proven() {
                let mut there = input.clone();
                there.resource.scope = scope_of(&other, &there);
                assert!(reach(&other, &there, &params()) <= reached, "{} {more} {input:#?}", of());
            }
        }
    }
    println!("{rounds} pairs of sets, {refused} refused: {proven} proven, {broken} broken");
    assert!(proven > 0 && broken > 0 && refused < rounds, "{proven} {broken} {refused}");
}

/// The scope in which the engine decides a request.
fn scope_of(set: &PolicySet, input: &CheckInput) -> String {
    let tenant = input.principal.attr["tenant"].as_str().unwrap();
    let of_scope = |name: &str| set.policies().iter().any(|p| &*p.scope == tenant && &*p.name == name);
    let by_role = set.role_rows().any(|row| row.resource.matches("agent.tool") && of_scope(&row.role));
    if of_scope("agent.tool") || by_role { tenant.to_owned() } else { String::new() }
}

/// Scopes that a role policy alone makes are decided in, and compared.
#[test]
fn a_role_policy_that_goes_is_a_difference() {
    let root = tools("", &[rule("ALLOW", "true")]);
    let narrowing = "rolePolicy:\n  role: a\n  version: default\n  scope: acme\n  rules:\n    - {resource: agent.tool, allowActions: [invoke]}\n";
    let old = load(&[root.clone(), narrowing.to_owned()]).unwrap();
    let new = load(&[root]).unwrap();
    assert!(diff(&old, &new).counterexample().is_some());
    assert!(diff(&new, &old).is_proven());
}

/// Who is meant by a pattern alone is somebody else than who is meant by name, too.
#[test]
fn a_role_that_is_named_like_a_patterns_is_not_all_of_them() {
    for (pattern, name) in [("g*", "gx"), ("*", "another-role"), ("g*-*", "gx-x")] {
        let allow =
            format!("{{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: ['{pattern}']}}");
        let deny = format!("{{actions: ['invoke:auto'], effect: EFFECT_DENY, roles: [{name}]}}");
        let set = load(&[tools("", &[allow, deny])]).unwrap();
        let proof = prove(&set, &Property::never_auto("special_category"));
        assert!(!proof.is_proven(), "{pattern} {name}: {proof}");
    }
}

/// Globals are the manifest's: a proof about an engine knows them, and one about a set alone rests on none.
#[test]
fn globals_decide_a_proof() {
    let policy = tools("", &[rule("ALLOW", "G.open")]);
    let source = Source::new("a.yaml", &format!("apiVersion: api.cerbos.dev/v1\n{policy}"));
    let files = Files { policies: vec![source], ..Files::default() };
    let special = Property::never_auto("special_category");
    for (open, proven) in [(true, false), (false, true)] {
        let manifest =
            Source::new("fuze-policy.manifest", &format!("format: 1\nglobals: {{open: {open}}}\n"));
        let engine = Cerbos::new(&files, Some(&manifest)).unwrap();
        assert_eq!(prove(&engine, &special).is_proven(), proven, "{open}");
    }
    // What such a set would do with globals of its own is the evaluation's: without any it fails.
    let set = load(&[policy]).unwrap();
    let open: Globals = [("open", Value::Bool(true))].into_iter().collect();
    let with = CheckParams { globals: Arc::new(open), ..params() };
    let mut rng = Rng::with_seed(1);
    let input = request(&mut rng, &set);
    assert_eq!((reach(&set, &input, &params()), reach(&set, &input, &with)), (0, 2));
}
