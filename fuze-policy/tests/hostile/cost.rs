//! Nothing that a policy or an argument holds makes a decision slow: it is left to the interpreter, which says that it is too costly.

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cel::{Activation, Budget, EvalError, Map, Principal, Program, Resource, Timestamp, Value};
use fuze_policy::{Decision, EngineError};
use serde_json::json;
use std::sync::Arc;

use super::{Asked, engine, rule, tools, try_engine};

/// The flat form leaves it, and the interpreter says that it is too much.
fn too_costly(engine: &Cerbos, asked: &Asked) {
    assert!(engine.decide_lowered(&asked.request()).is_none(), "decided by the flat form");
    match engine.decide_interpreted(&asked.request()) {
        Err(EngineError::Evaluation(why)) => assert!(why.contains("than allowed"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// What memory something takes, all in all: the same each time, as times are not.
fn bytes_of(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).bytes_total
}

const MIB: u64 = 1 << 20;

/// `v0`, and each further one twice the one before.
fn doubling(count: usize) -> String {
    let more: String = (1..=count).map(|at| format!(", v{at}: 'V.v{0} && V.v{0}'", at - 1)).collect();
    format!("  variables: {{local: {{v0: 'R.attr.args.n == 1.0'{more}}}}}\n")
}

fn list(length: usize, of: &str) -> String {
    vec![of; length].join(",")
}

#[test]
fn variables_that_are_written_out_over_a_list() {
    let engine = engine(&[tools(&doubling(8), &[rule("ALLOW", "R.attr.args.l.all(x, V.v8)")])]);
    let asked = |length| Asked::args(format!(r#"{{"l":[{}],"n":1}}"#, list(length, "1")));
    assert!(engine.decide_lowered(&asked(5).request()).is_some());
    // The interpreter keeps what a variable is; the flat form would evaluate 256 of them for each of 4 000 items.
    assert!(engine.decide_lowered(&asked(4_000).request()).is_none());
    assert_eq!(engine.decide_interpreted(&asked(4_000).request()).unwrap().decision, Decision::Allow);
}

#[test]
fn comprehensions_in_one_another() {
    for condition in [
        "R.attr.args.l.all(a, R.attr.args.l.all(b, a == b))",
        "R.attr.args.l.all(a, R.attr.args.l.all(b, R.attr.args.l.all(c, R.attr.args.l.all(d, R.attr.args.l.all(e, a == e)))))",
        "R.attr.args.l.all(a, a in R.attr.args.l && !(2.0 in R.attr.args.l))",
    ] {
        let engine = engine(&[tools("", &[rule("ALLOW", condition)])]);
        too_costly(&engine, &Asked::args(format!(r#"{{"l":[{}]}}"#, list(2_000, "1"))));
    }
}

#[test]
fn patterns_over_a_list() {
    let condition = r#"R.attr.args.l.all(x, R.attr.args.t.matches("(a|b|ab)*c[a-z]{20}$") || true)"#;
    let engine = engine(&[tools("", &[rule("ALLOW", condition)])]);
    let text = "ab".repeat(2_000);
    too_costly(&engine, &Asked::args(format!(r#"{{"l":[{}],"t":"{text}"}}"#, list(4_000, "1"))));
}

/// A key is looked for in all the arguments each time that it is named.
#[test]
fn arguments_that_are_looked_over_again_and_again() {
    let rules: Vec<String> = (0..400).map(|at| rule("DENY", &format!("R.attr.args.z == {at}.5"))).collect();
    let engine = engine(&[tools("", &[rules, vec![rule("ALLOW", "true")]].concat())]);
    let asked = |bytes| Asked::args(format!(r#"{{"a":"{}","z":1}}"#, "x".repeat(bytes)));
    assert!(engine.decide_lowered(&asked(100).request()).is_some());
    assert!(engine.decide_lowered(&asked(100_000).request()).is_none());
    assert_eq!(engine.decide_interpreted(&asked(100_000).request()).unwrap().decision, Decision::Allow);
}

/// Rules multiply by roles and actions, and each is tried for each role of the principal.
#[test]
fn rules_by_the_ten_thousand() {
    let hostile: Vec<String> = (0..100).map(|at| format!("'*{}{at}'", "?*a".repeat(60))).collect();
    let actions: Vec<String> = (0..200).map(|at| format!("'inv**{}oke'", "?".repeat(at))).collect();
    let rule = format!(
        "{{actions: [{}, invoke], effect: EFFECT_ALLOW, roles: [{}]}}",
        actions.join(", "),
        hostile.join(", ")
    );
    let policy = tools("", &[rule]);
    assert!(policy.len() < 100_000, "{}", policy.len());
    let engine = engine(&[policy]);
    let roles: Vec<String> = (0..10).map(|at| format!("{}{at}", "a".repeat(40))).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    too_costly(&engine, &Asked::roles(&roles));
}

/// What a rule says is written out for each action and role.
#[test]
fn outputs_that_are_small_and_say_much() {
    let many: String = (1..12).map(|at| format!(", v{at}: '[V.v{0}, V.v{0}]'", at - 1)).collect();
    let variables = format!("  variables: {{local: {{v0: '[P.id]'{many}}}}}\n");
    let speaking = r#"{actions: [invoke, 'invoke:auto'], effect: EFFECT_DENY, roles: ['*'], output: {when: {ruleActivated: "V.v11"}}}"#;
    let rules: Vec<String> = (0..200)
        .map(|at| speaking.replacen('{', &format!("{{name: r{at}, "), 1).replace("DENY", "ALLOW"))
        .collect();
    let engine = engine(&[tools(&variables, &rules)]);
    too_costly(&engine, &Asked::default());
}

/// Each variable sees those before it.
#[test]
fn variables_by_the_hundred() {
    let count = 240;
    let local: String = (0..count).map(|at| format!("v{at}: P.id, ")).collect();
    let all: Vec<String> = (0..count).map(|at| format!("V.v{at} == P.id")).collect();
    let condition = all.join(" && ");
    let engine =
        engine(&[tools(&format!("  variables: {{local: {{{local}}}}}\n"), &[rule("ALLOW", &condition)])]);
    let asked = Asked::default();
    let bytes = bytes_of(|| {
        assert_eq!(engine.decide_interpreted(&asked.request()).unwrap().decision, Decision::Allow);
    });
    assert!(bytes < MIB, "{bytes}");
}

/// A scope's rules are made ready once, and not for each scope below it.
#[test]
fn scopes_below_scopes() {
    let roles: Vec<String> = (0..100).map(|at| format!("r{at}")).collect();
    let at = |scope: &str| {
        let rules: Vec<String> = (0..5)
            .map(|_| {
                format!(
                    "{{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [{}]}}",
                    roles.join(", ")
                )
            })
            .collect();
        let head = if scope.is_empty() {
            String::new()
        } else {
            format!(
                "  scope: {scope}\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n"
            )
        };
        tools(&head, &rules)
    };
    let load = |depth: usize| {
        let scopes: Vec<String> = (0..=depth).map(|depth| at(&vec!["a"; depth].join("."))).collect();
        bytes_of(|| drop(engine(&scopes)))
    };
    let (few, many) = (load(5), load(40));
    assert!(many < 10 * few, "{many} bytes for 41 scopes, {few} for 6");
}

/// The rows of a whole set have a bound, and what is beyond it is told.
#[test]
fn rows_that_multiply() {
    let names = |count: usize, of: &str| {
        let names: Vec<String> = (0..count).map(|at| format!("{of}{at}")).collect();
        names.join(", ")
    };
    let rule =
        format!("{{actions: [{}], effect: EFFECT_ALLOW, roles: [{}]}}", names(200, "do"), names(240, "r"));
    let policies: Vec<String> = (0..6)
        .map(|at| {
            format!("resourcePolicy:\n  resource: album{at}\n  version: default\n  rules:\n    - {rule}\n")
        })
        .collect();
    assert!(try_engine(&policies[..4]).is_ok());
    let error = try_engine(&policies).unwrap_err();
    assert!(error.contains("200000 combinations") && error.lines().count() == 1, "{error}");
}

/// A DENY is held against those for everybody once, however many there are.
#[test]
fn a_deny_for_many_roles_is_found() {
    let roles: Vec<String> = (0..20_000).map(|at| format!("r{at}")).collect();
    let rule =
        format!("{{actions: [invoke, 'invoke:auto'], effect: EFFECT_DENY, roles: [{}]}}", roles.join(", "));
    let error = try_engine(&[tools("", &[rule])]).unwrap_err();
    assert!(error.contains("deny-for-some-roles") && error.lines().count() == 1, "{error}");
}

fn attributes(json: serde_json::Value) -> Activation {
    let Value::Map(attr) = Value::from(json) else { panic!() };
    let attr: Arc<Map> = attr;
    let resource = Resource { attr, ..Resource::default() };
    Activation::new(Principal::default(), resource, Timestamp::new(1_780_000_000, 0, 0).unwrap())
}

/// Whatever is done with a long text costs its length each time.
#[test]
fn long_texts_cost_their_length() {
    let activation = attributes(json!({
        "l": vec![1; 5_000], "t": "7".repeat(100_000), "u": "7".repeat(100_000), "m": {"7".repeat(100_000): 1},
        "s": "a|".repeat(20_000), "r": "a|".repeat(20_000),
    }));
    for each in [
        "double(R.attr.t) > 0.0 || true",
        "duration(R.attr.t) == duration('1s') || true",
        "isIP(R.attr.t) || true",
        "isCIDR(R.attr.t) || true",
        "R.attr.t.inIPAddrRange('10.0.0.0/8') || true",
        "spiffeID(R.attr.t).path() == '' || true",
        "R.attr.m[R.attr.t] == 1.0",
        "R.attr.t in R.attr.m",
        "pathMatch(R.attr.t, R.attr.u) || true",
        "{R.attr.t: 1}.size() == 1",
    ] {
        let source = format!("R.attr.l.all(x, {each})");
        let found = Program::parse(&source).unwrap().eval(&activation, &mut Budget::default());
        assert!(matches!(found, Err(EvalError::Exhausted(_))), "{source}: {found:?}");
    }
    for source in [
        "cel.bind(h, hierarchy(R.attr.s, '|'), cel.bind(g, hierarchy(R.attr.r, '|'), R.attr.l.all(x, h == g)))",
        "R.attr.l.map(x, R.attr.t).sort().size() == 1",
        "R.attr.l.transformMapEntry(i, v, {R.attr.t: i}).size() == 1",
    ] {
        let found = Program::parse(source).unwrap().eval(&activation, &mut Budget::default());
        assert!(matches!(found, Err(EvalError::Exhausted(_))), "{source}: {found:?}");
    }
}

/// A replacement may name a group many times: it is cut off before it is written, not after.
#[test]
fn a_replacement_does_not_multiply() {
    let activation = attributes(json!({"t": "x".repeat(50_000), "with": "\\0".repeat(5_000)}));
    let program = Program::parse("regex.replace(R.attr.t, '(?s).+', R.attr.with).size() > 0").unwrap();
    let bytes = bytes_of(|| {
        let found = program.eval(&activation, &mut Budget::default());
        assert!(matches!(found, Err(EvalError::Exhausted(_))), "{found:?}");
    });
    assert!(bytes < 32 * MIB, "{bytes}");
    let program = Program::parse(r"regex.replace('ab', '(a)(b)', r'\2\1\0\\') == r'baab\'").unwrap();
    assert!(matches!(program.eval(&activation, &mut Budget::default()), Ok(Value::Bool(true))));
}

/// Patterns are compiled when they are read, which takes a thousand times as long as to write them down.
#[test]
fn patterns_by_the_thousand() {
    // Each of about a thousand states.
    let pattern = "R.id.matches(\"^(a{50}){20}$\")";
    let all = |count: usize| vec![pattern; count].join(" || ");
    assert!(try_engine(&[tools("", &[rule("ALLOW", &all(15))])]).is_ok());
    let error = try_engine(&[tools("", &[rule("ALLOW", &all(25))])]).unwrap_err();
    assert!(error.contains("patterns of this expression") && error.lines().count() == 1, "{error}");
    let rules: Vec<String> = (0..8).map(|_| rule("ALLOW", &all(15))).collect();
    let error = try_engine(&[tools("", &rules)]).unwrap_err();
    assert!(error.contains("patterns of all policies"), "{error}");
    // Those that are too large are told, and not all of them.
    let rules: Vec<String> = (0..400).map(|_| rule("ALLOW", "R.id.matches(\"(a{20}){500}\")")).collect();
    let error = try_engine(&[tools("", &rules)]).unwrap_err();
    assert!((150..300).contains(&error.lines().count()), "{}", error.lines().count());
}
