//! What the flat form decides itself, expression by expression: the value is the interpreter's, and the plain kinds are not left to it.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::build::{Built, Bundle};
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, Decision, Request, RunFacts, ToolFacts};
use serde_json::{Value, json};

const MANIFEST: &str = "format: 1\nglobals: {limit: 5, list: [1, 2], map: {x: {y: 1}}, wide: 4294967296}\n";

/// The arguments of the call that is asked about.
fn args() -> Value {
    json!({
        "b": [true, false], "d": 1.5, "e": [], "esc": "a\"b", "f": false, "l": ["a", "b", "c"], "lm": [{"x": 1}], "m": {"x": {"y": 1}, "z": null}, "n": 5,
        "neg": -3, "nil": null, "ns": [1, 2, 2.5], "s": "text", "t": true, "u": "é", "ip": "10.1.2.3",
    })
}

/// What the flat form says to a condition. `None`: it is left to the interpreter, which decides, or fails.
fn lowered(condition: &str, variables: &Value, args: &Value) -> Option<bool> {
    let rule = json!({
        "name": "r", "actions": ["invoke"], "effect": "EFFECT_ALLOW", "roles": ["a"],
        "condition": {"match": {"expr": condition}},
    });
    let policy = json!({
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {
            "resource": "agent.tool", "version": "default", "rules": [rule],
            "constants": {"local": {"c": 5, "cm": {"x": {"y": 1}}, "cl": ["a", "b"]}}, "variables": {"local": variables},
        },
    });
    let files = Files { policies: vec![Source::new("p.yaml", &policy.to_string())], ..Files::default() };
    let manifest = Source::new("fuze-policy.manifest", MANIFEST);
    let engine = Cerbos::new(&files, Some(&manifest)).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let (roles, args) = (["a".to_owned(), "b".to_owned()], args.to_string());
    let request = Request {
        tool: ToolFacts {
            name: "pay",
            classification: "personal",
            art9_basis: None,
            residency: "eu",
            effect: "once",
            egress: "hosts",
        },
        run: RunFacts {
            tenant: "acme",
            principal: "agent-1",
            roles: &roles,
            purpose: "care",
            lawful_basis: "consent",
            annex_iii: "none",
            art22: "contract",
            has_subject: true,
        },
        call: CallFacts { args: args.as_bytes(), depth: 2 },
    };
    let allowed = |decision: &Decision| *decision != Decision::Deny;
    let found = engine.decide_lowered(&request).map(|verdict| allowed(&verdict.decision));
    let stored = built(&engine, &policy.to_string()).decide_lowered(&request);
    assert_eq!(stored.map(|verdict| allowed(&verdict.decision)), found, "{condition}, stored");
    let interpreted = engine.decide_interpreted(&request).map(|verdict| allowed(&verdict.decision));
    if let Some(found) = found {
        assert_eq!(interpreted, Ok(found), "{condition}");
    }
    found
}

/// The engine as a program has it that was built with this policy.
fn built(engine: &Cerbos, policy: &str) -> Built {
    let bundle = Bundle {
        directory: "",
        policies: vec![("p.yaml", &*policy.to_owned().leak())].leak(),
        schemas: &[],
        manifest: Some(MANIFEST),
        hash: engine.bundle_hash(),
        flat_form: engine.flat_form().leak(),
        named: &[],
        tested: &[],
    };
    assert!(bundle.policies().is_ok(), "the same policies are the same bytes");
    bundle.engine().unwrap()
}

fn none() -> Value {
    json!({})
}

#[track_caller]
fn hold(conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(lowered(condition, &none(), &args()), Some(true), "{condition}");
        let not = format!("!({condition})");
        assert_eq!(lowered(&not, &none(), &args()), Some(false), "{not}");
    }
}

#[track_caller]
fn are_left(conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(lowered(condition, &none(), &args()), None, "{condition}");
    }
}

#[test]
fn every_fact_is_read() {
    hold(&[
        r#"R.attr.tool_name == "pay""#,
        r#"R.id == "pay""#,
        r#"R.attr.classification == "personal""#,
        r#"R.attr.residency == "eu""#,
        r#"R.attr.effect == "once""#,
        r#"R.attr.egress == "hosts""#,
        r#"R.attr.depth == 2.0"#,
        r#"P.id == "agent-1""#,
        r#"P.attr.tenant == "acme""#,
        r#"P.attr.purpose == "care""#,
        r#"P.attr.lawful_basis == "consent""#,
        r#"P.attr.annex_iii == "none""#,
        r#"P.attr.art22 == "contract""#,
        r#"P.attr.has_subject"#,
        r#""a" in P.roles && "b" in P.roles && !("c" in P.roles)"#,
        r#"P.roles[0] == "a" && P.roles[1] == "b""#,
        r#"R.attr["tool_name"] == "pay""#,
        r#"request.resource.attr.tool_name == "pay" && request.principal.attr["tenant"] == "acme""#,
    ]);
    // There is none here, and an error is the interpreter's; so is a member of what is text.
    are_left(&[
        "R.attr.art9_basis == \"x\"",
        "R.attr.nothing == 1",
        "R.attr.tool_name.x == 1",
        "P.attr.tenant.x.y == 1",
    ]);
    are_left(&[
        "R.kind == \"agent.tool\"",
        "R.scope == \"\"",
        "size(R.attr) > 1",
        "R.attr.args == R.attr.args",
    ]);
}

#[test]
fn presence() {
    hold(&[
        "!has(R.attr.art9_basis)",
        "has(R.attr.tool_name)",
        "has(R.attr.args)",
        "has(R.attr.args.s)",
        "!has(R.attr.args.nothing)",
        "has(R.attr.args.m.x.y)",
        "!has(R.attr.args.m.x.z)",
        "!has(R.attr.nothing)",
        "!has(P.attr.nothing)",
        "has(P.attr.tenant)",
        "has(R.attr.args.lm[0].x)",
        "!has(R.attr.args.lm[0].y)",
        "[1].all(x, has(R.attr.args.lm[0].x))",
    ]);
    are_left(&[
        "has(R.attr.args.s.x)",
        "has(R.attr.args.nothing.x)",
        "has(R.attr.nothing.x)",
        "R.attr.nothing.x == 1",
    ]);
}

#[test]
fn arguments_are_looked_into() {
    hold(&[
        r#"R.attr.args.s == "text""#,
        "R.attr.args.t && !R.attr.args.f",
        "R.attr.args.nil == null",
        "R.attr.args.m.z == null",
        "R.attr.args.m.x.y == 1.0",
        r#"R.attr.args["m"].x["y"] == 1.0"#,
        r#"R.attr.args.m["x"]["y"] == 1.0"#,
        r#"R.attr.args.l[0] == "a" && R.attr.args.l[2] == "c""#,
        r#""x" in R.attr.args.m && !("y" in R.attr.args.m)"#,
        r#""s" in R.attr.args"#,
        r#""b" in R.attr.args.l && !("d" in R.attr.args.l)"#,
        "2.5 in R.attr.args.ns && 1 in R.attr.args.ns && !(3 in R.attr.args.ns)",
        "!(1 in R.attr.args.e)",
        "size(R.attr.args.l) == 3 && size(R.attr.args.e) == 0",
    ]);
    // An escape cannot be borrowed; what is not there, and what is out of range, fails.
    are_left(&[
        "R.attr.args.esc == \"x\"",
        "R.attr.args.nothing == 1",
        "R.attr.args.s.x == 1",
        "R.attr.args.l[3] == \"a\"",
        "R.attr.args.l[-1] == \"a\"",
        "R.attr.args.l[0.0] == \"a\"",
        "R.attr.args.m[1] == null",
        "R.attr.args.l == [\"a\"]",
        "R.attr.args.m == {}",
        "R.attr.args.s",
        "size(R.attr.args.m) == 2",
        "size(R.attr.args.n) == 2",
    ]);
}

#[test]
fn values_are_compared() {
    hold(&[
        "R.attr.args.n == 5 && R.attr.args.n == 5.0 && R.attr.args.n == 5u && R.attr.args.n != 6",
        "C.c == 5.0 && G.limit == 5 && G.limit == 5u && 5u == G.limit && G.limit != 6u",
        "1 < 2 && 2u < 3u && 1 < 2u && 1u < 2 && 1.5 < 2 && 1 < 1.5 && 1u < 1.5 && 0.5 < 1u",
        "!(2 < 1) && !(2 < 2) && 2 <= 2 && !(3 <= 2) && 3 > 2 && !(2 > 2) && !(1 > 2) && 2 >= 2 && 3 >= 2 && !(1 >= 2)",
        r#""a" < "b" && !("b" < "a") && "a" <= "a" && "b" > "a" && "a" >= "a""#,
        "false < true && !(true < false) && true <= true && true > false && false >= false",
        r#"true == true && true != false && "a" == "a" && "a" != "b" && null == null"#,
        r#"R.attr.args.n != "5" && R.attr.args.t != 1 && R.attr.args.nil != 0 && R.attr.args.nil != false && R.attr.args.s != true"#,
        r#"R.attr.args.nil != "x" && R.attr.args.s != 1 && R.attr.args.s != null && R.attr.args.t != null && R.attr.args.n != null"#,
        "-1 < 0u && 0u > -1 && G.wide > 4294967295u",
        "R.attr.args.n > 4 && R.attr.args.n >= 5 && R.attr.args.n < 6 && R.attr.args.n <= 5",
        r#"R.attr.args.s > "t" && R.attr.args.s < "u""#,
    ]);
    are_left(&[
        "R.attr.args.s < 1",
        "null < null",
        "R.attr.args.l < 1",
        "[1] == [1]",
        "R.attr.args.n < R.attr.args.s",
        "(R.attr.args.d - R.attr.args.d) / (R.attr.args.d - R.attr.args.d) < 1.0",
    ]);
    // NaN is not even itself, but is no error.
    assert_eq!(lowered("0.0 / 0.0 == 0.0 / 0.0", &none(), &args()), Some(false));
}

#[test]
fn numbers_are_reckoned_with() {
    hold(&[
        "R.attr.args.n + 1.0 == 6.0 && R.attr.args.n - 1.0 == 4.0 && R.attr.args.n * 2.0 == 10.0 && R.attr.args.n / 2.0 == 2.5",
        "C.c + 0.5 == 5.5",
        "G.limit + 1 == 6 && G.limit - 1 == 4 && G.limit * 2 == 10 && G.limit / 2 == 2 && G.limit % 3 == 2",
        "-R.attr.args.n == -5.0 && -R.attr.args.neg == 3.0 && -G.limit == -5",
    ]);
    are_left(&[
        "G.limit / 0 == 0",
        "G.limit % 0 == 0",
        "9223372036854775807 + G.limit == 0",
        "-9223372036854775807 - G.limit == 0",
        "9223372036854775807 * G.limit == 0",
        "R.attr.args.n + 1 == R.attr.args.n",
        "R.attr.args.s + \"x\" == \"textx\"",
        "-R.attr.args.s == \"x\"",
        "-(-9223372036854775807 - G.limit / 5) == 0",
    ]);
}

#[test]
fn logic_absorbs_failures_and_nothing_else() {
    hold(&[
        "R.attr.args.t || R.attr.nothing == 1",
        "R.attr.nothing == 1 || R.attr.args.t",
        "!(R.attr.args.f && R.attr.nothing == 1)",
        "!(R.attr.nothing == 1 && R.attr.args.f)",
        "R.attr.args.t ? R.attr.args.t : R.attr.nothing == 1",
        "R.attr.args.f ? R.attr.nothing == 1 : R.attr.args.t",
        "!R.attr.args.f && R.attr.args.t && 1 == 1",
        "R.attr.args.f || R.attr.args.f || R.attr.args.t",
        "R.attr.args.s == 1 || R.attr.args.t",
        "R.attr.args.s || R.attr.args.t",
    ]);
    are_left(&[
        "R.attr.nothing == 1 || R.attr.args.f",
        "R.attr.nothing == 1 && R.attr.args.t",
        "R.attr.nothing == 1 ? true : true",
        "!(R.attr.nothing == 1)",
        "R.attr.args.s ? true : true",
        // What is not lowered is not looked past: it might be an error that stands beside.
        "R.kind == \"x\" || R.attr.args.f",
    ]);
}

#[test]
fn texts_are_tested() {
    hold(&[
        r#"R.attr.args.s.startsWith("te") && !R.attr.args.s.startsWith("xt")"#,
        r#"R.attr.args.s.endsWith("xt") && !R.attr.args.s.endsWith("te")"#,
        r#"R.attr.args.s.contains("ex") && !R.attr.args.s.contains("xe")"#,
        r#"R.attr.args.s.matches("^t.*t$") && !R.attr.args.s.matches("^x")"#,
        r#"R.attr.args.ip.inIPAddrRange("10.0.0.0/8") && !R.attr.args.ip.inIPAddrRange("10.2.0.0/16")"#,
        r#"size(R.attr.args.u) == 1 && size(R.attr.args.s) == 4 && R.attr.args.s.size() == 4"#,
        r#"R.attr.tool_name.startsWith("p")"#,
    ]);
    are_left(&[
        r#"R.attr.args.s.inIPAddrRange("10.0.0.0/8")"#,
        r#"R.attr.args.n.startsWith("5")"#,
        r#"R.attr.args.s.lowerAscii() == "text""#,
        r#"R.attr.args.ip.inIPAddrRange(R.attr.args.s)"#,
    ]);
    // Longer text counts against the interpreter's budget.
    for (length, found) in [(4096, Some(true)), (4097, None)] {
        let long = json!({"s": "x".repeat(length)});
        assert_eq!(lowered(r#"R.attr.args.s.startsWith("x")"#, &none(), &long), found);
        assert_eq!(lowered(&format!("size(R.attr.args.s) == {length}"), &none(), &long), found);
    }
}

#[test]
fn lists_are_walked() {
    hold(&[
        r#"R.attr.args.l.exists(x, x == "c") && !R.attr.args.l.exists(x, x == "d")"#,
        r#"R.attr.args.l.all(x, x < "d") && !R.attr.args.l.all(x, x < "c")"#,
        r#"R.attr.args.l.exists_one(x, x == "b") && !R.attr.args.l.exists_one(x, x > "a") && !R.attr.args.l.exists_one(x, x == "d")"#,
        r#"P.roles.exists(x, x == "b") && !P.roles.exists(x, x == "c") && P.roles.all(x, x < "c")"#,
        r#"C.cl.exists(x, x == "b") && !C.cl.all(x, x == "b") && "b" in C.cl && G.list[1] == 2 && C.cl[0] == "a""#,
        r#"["a", "b"].exists(x, x == "b") && "b" in ["a", "b"] && !("c" in ["a", "b"]) && size(["a", "b"]) == 2 && size(P.roles) == 2 && size(C.cl) == 2"#,
        "R.attr.args.e.all(x, x == 1) && !R.attr.args.e.exists(x, x == 1) && !R.attr.args.e.exists_one(x, x == 1)",
        // One that decides, decides beside failures.
        "R.attr.args.ns.exists(x, x == 2.5 || R.attr.nothing == 1)",
        "[1, \"a\", 2].exists(x, x == 2) && ![true, \"a\"].all(x, x != \"a\")",
        "R.attr.args.b.exists(x, x) && !R.attr.args.b.all(x, x) && R.attr.args.b.exists_one(x, x)",
        "[\"a\", true].exists(x, x) && ![\"a\", false].all(x, x)",
        // Loops in loops see the variables of both.
        "R.attr.args.l.exists(x, P.roles.exists(y, x == y && x == \"b\"))",
        "[1].all(a, [2].all(b, [3].all(c, [4].all(d, a < b && b < c && c < d))))",
        // One after another, each begins anew.
        "[1].all(a, a == 1) && [2].all(b, b == 2) && [3].all(c, c == 3) && [4].all(d, d == 4) && [5].all(e, e == 5) && [6].all(f, f == 6)",
    ]);
    are_left(&[
        "[1].all(a, [2].all(b, [3].all(c, [4].all(d, [5].all(e, a < b && d < e)))))",
        "[\"a\", false].exists(x, x)",
        "[\"a\", true].all(x, x)",
        "[\"a\", true].exists_one(x, x)",
        "R.attr.args.l.exists(i, v, i == 0)",
        "R.attr.args.l.filter(x, x == \"a\") == []",
        "R.attr.args.m.exists(k, k == \"x\")",
        "R.attr.args.s.exists(x, x == 1)",
        "1 in R.attr.args.s",
        "1 in R.attr.args.m",
        "[1, R.attr.args.n].exists(x, x == 1)",
    ]);
    // So much work, and no more: four nodes for each item, or the item alone, and what is looked over for it.
    let many = |count: usize| json!({"l": vec![1; count]});
    for (count, found) in [(10_000, Some(true)), (13_000, None)] {
        assert_eq!(lowered("R.attr.args.l.all(x, x == 1)", &none(), &many(count)), found, "{count}");
    }
    for (count, found) in [(45_000, Some(true)), (50_000, None)] {
        let size = format!("size(R.attr.args.l) == {count}");
        assert_eq!(lowered(&size, &none(), &many(count)), found, "{count}");
    }
}

/// What is walked, compared and looked over counts, each as much as it takes: so many times is decided, once more is left.
#[test]
fn work_is_counted() {
    let (some, more) = ("x".repeat(1_000), "x".repeat(1_040));
    let with = |item: Value, count: usize| json!({"l": vec![item; count], "ip": "10.1.2.3", "m": {"a": some}, "o": some, "s": more});
    for (condition, item, most) in [
        ("R.attr.args.l.all(x, true)", json!(1), 24_219),
        ("R.attr.args.l.all(x, x == 1 && x < 2)", json!(1), 6_195),
        ("!R.attr.args.l.exists(x, x == 2)", json!(1), 12_295),
        ("R.attr.args.l.all(x, R.attr.tool_name == \"pay\")", json!(1), 24_219),
        ("R.attr.args.l.all(x, R.attr.tool_name != P.attr.tenant)", json!(1), 12_295),
        ("R.attr.args.l.all(x, R.attr.args.s != R.attr.args.o)", json!(1), 330),
        ("R.attr.args.l.all(x, R.attr.args.s.startsWith(R.attr.args.o))", json!(1), 278),
        ("R.attr.args.l.all(x, R.attr.args.s.matches(\"^x\"))", json!(1), 191),
        ("R.attr.args.l.all(x, R.attr.args.ip.inIPAddrRange(\"10.0.0.0/8\"))", json!(1), 693),
        ("R.attr.args.l.all(x, size(R.attr.args.s) == 1040)", json!(1), 499),
        ("R.attr.args.l.all(x, has(R.attr.args.m.a))", json!(1), 598),
        ("R.attr.args.l.all(x, has(x.a))", json!({"a": 1}), 15_369),
        ("R.attr.args.l.all(x, x.a == 1)", json!({"a": 1}), 9_514),
        (
            "R.attr.args.l.all(x, x[0] == 1)",
            json!([1, "more than sixty-four bytes of text, so that it counts for something"]),
            5_363,
        ),
        ("R.attr.args.l.all(x, \"a\" in x)", json!({"a": 1}), 11_753),
        ("R.attr.args.l.all(x, R.attr.args.o in R.attr.args.m || true)", json!(1), 300),
        ("!(R.attr.args.s in R.attr.args.l)", json!("y"), 1_503),
        ("R.attr.args.l.all(x, \"ip\" in R.attr.args)", json!(1), 402),
        ("size(R.attr.args.l) > 1", json!("y"), 44_401),
    ] {
        let found = |count: usize| lowered(condition, &none(), &with(item.clone(), count)).is_some();
        assert!(found(most), "{condition}, {most}");
        assert!(!found(most + 1), "{condition}, {most} and one");
    }
}

#[test]
fn names_stand_for_what_is_written() {
    let variables = json!({
        "cm": "C.cm", "deep": "V.cm.x.y + 1.0", "list": "R.attr.args.l", "loop": "R.attr.args.l.exists(y, y == \"b\")",
        "flag": "R.attr.args.t",
    });
    for condition in [
        "V.flag",
        "V.deep == 2.0",
        "V.cm.x.y == 1.0",
        "V.list.exists(x, x == \"c\")",
        "[1, 2].all(z, V.loop && z > 0)",
        "[1, 2].exists(z, [3].all(w, V.loop && z == 2 && w == 3))",
        "C.cm.x.y == 1.0 && C.cm[\"x\"].y == 1.0",
        "G.map.x.y == 1 && globals.limit == 5 && constants.c == 5.0 && variables.flag",
    ] {
        assert_eq!(lowered(condition, &variables, &args()), Some(true), "{condition}");
        assert_eq!(lowered(&format!("!({condition})"), &variables, &args()), Some(false), "{condition}");
    }
    are_left(&["G.nothing == 1", "C.cm.y == 1"]);
}

/// What is written out takes a bounded place, however often a variable names another.
#[test]
fn what_grows_is_left() {
    let doubled: serde_json::Map<String, Value> = (0..60)
        .map(|at| {
            let text =
                if at == 0 { "R.attr.args.t".to_owned() } else { format!("V.v{0:02} && V.v{0:02}", at - 1) };
            (format!("v{at:02}"), text.into())
        })
        .collect();
    let doubled = Value::Object(doubled);
    assert_eq!(lowered("V.v10", &doubled, &args()), Some(true));
    assert_eq!(lowered("V.v59", &doubled, &args()), None);
    // A chain of variables is as deep as it is long; what stands side by side is not.
    let chain: serde_json::Map<String, Value> = (0..240)
        .map(|at| {
            let text = if at == 0 { "R.attr.args.t".to_owned() } else { format!("V.v{:03}", at - 1) };
            (format!("v{at:03}"), text.into())
        })
        .collect();
    let chain = Value::Object(chain);
    assert_eq!(lowered("V.v199", &chain, &args()), Some(true));
    assert_eq!(lowered("V.v200", &chain, &args()), None);
    let wide = vec!["R.attr.args.f"; 300].join(" || ");
    assert_eq!(lowered(&format!("{wide} || R.attr.args.t"), &none(), &args()), Some(true));
}
