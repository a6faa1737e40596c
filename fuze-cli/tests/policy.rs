//! `fuze policy`, as a person calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fuze, json};
use serde_json::json as value;

fn guide(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuze-policy/guide").join(name)
}

/// A copy of a set of the guide, with one thing changed.
fn changed(name: &str, file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(guide(name)).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        if path.ends_with(file) {
            assert!(text.contains(from), "{file} has no {from}");
            text = text.replacen(from, to, 1);
        }
        fs::write(directory.path().join(path.file_name().unwrap()), text).unwrap();
    }
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_set_that_is_right_is_said_to_be() {
    let called = json(&fuze(&["policy", "check", "--json", text(&guide("payment"))], 0));
    assert_eq!(called["valid"], true);
    assert_eq!(called["policies"], value!(["resource.agent.tool.vdefault"]));
    assert_eq!(called["bundleHash"].as_str().unwrap().len(), 64);
    // One character more is another set.
    let other = changed("payment", "pay_invoice.yaml", "500\n", "501\n");
    let other = json(&fuze(&["policy", "check", "--json", text(other.path())], 0));
    assert_ne!(other["bundleHash"], called["bundleHash"]);
}

#[test]
fn what_is_wrong_has_a_place_and_a_word_for_it() {
    for (from, to, line, said) in [
        ("actions: [\"invoke:auto\"]", "actions: [\"*\"]", 30, "auto-by-glob"),
        ("effect: EFFECT_ALLOW", "effect: EFFECT_REQUIRES_APPROVAL", 18, "migrate"),
        ("effect: EFFECT_ALLOW", "efect: EFFECT_ALLOW", 18, "efect"),
        ("R.attr.tool_name ==", "R.attribute.tool_name ==", 13, "attribute"),
        ("V.is_payment", "V.is_paid", 24, "is_paid"),
    ] {
        let set = changed("payment", "pay_invoice.yaml", from, to);
        let called = json(&fuze(&["policy", "check", "--json", text(set.path())], 1));
        assert_eq!(called["valid"], false);
        let problems = called["problems"].as_array().unwrap();
        let found = problems.iter().any(|problem| {
            problem["file"] == "pay_invoice.yaml"
                && problem["line"] == line
                && problem["message"].as_str().unwrap().contains(said)
        });
        assert!(found, "{to}: {problems:#?}");
        let shown = fuze(&["policy", "check", text(set.path())], 1);
        assert!(shown.stdout.contains(&format!("pay_invoice.yaml:{line}:")), "{}", shown.stdout);
    }
}

#[test]
fn suites_hold_or_say_what_does_not() {
    let called = json(&fuze(&["policy", "test", "--json", text(&guide("payment"))], 0));
    assert_eq!(
        (&called["holds"], &called["passed"], &called["failed"]),
        (&value!(true), &value!(32), &value!(0))
    );
    let set = changed("payment", "pay_invoice.yaml", "with_approval_eur: 10000", "with_approval_eur: 9000");
    let called = json(&fuze(&["policy", "test", "--json", text(set.path())], 1));
    assert_eq!((&called["holds"], &called["failed"]), (&value!(false), &value!(1)));
    let shown = fuze(&["policy", "test", text(set.path())], 1);
    assert!(shown.stdout.contains("expected EFFECT_ALLOW, found EFFECT_DENY"), "{}", shown.stdout);
    assert!(shown.stdout.contains("accounting · largest · invoke"), "{}", shown.stdout);
    let case = &called["suites"][0]["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["result"] == "failed")
        .unwrap();
    let at = format!("  pay_invoice_test.yaml:{}:{}: ", case["line"], case["column"]);
    assert!(shown.stdout.contains(&at), "{at}\n{}", shown.stdout);
}

#[test]
fn without_a_suite_nothing_is_known() {
    let set = tempfile::tempdir().unwrap();
    fs::copy(guide("payment").join("pay_invoice.yaml"), set.path().join("pay_invoice.yaml")).unwrap();
    let called = fuze(&["policy", "test", text(set.path())], 3);
    assert!(called.stderr.contains("there is no suite"), "{}", called.stderr);
}

fn asked(amount: serde_json::Value) -> serde_json::Value {
    value!({
        "tool": {"name": "pay_invoice", "classification": "confidential", "residency": "eu", "effect": "once", "egress": "hosts"},
        "run": {"tenant": "acme", "principal": "agent-1", "roles": ["accounting"], "purpose": "accounts-payable",
            "lawful_basis": "legal_obligation", "annex_iii": "none", "art22": "none", "has_subject": false},
        "args": {"amount_eur": amount},
    })
}

#[test]
fn a_decision_is_explained_rule_by_rule() {
    let directory = tempfile::tempdir().unwrap();
    let request = directory.path().join("request.json");
    let explain = |amount| {
        fs::write(&request, asked(amount).to_string()).unwrap();
        json(&fuze(&["policy", "explain", "--json", text(&guide("payment")), "--request", text(&request)], 0))
    };
    let waits = explain(value!(700));
    assert_eq!((&waits["decision"], &waits["approvers"]), (&value!("requires_approval"), &value!(2)));
    let auto = &waits["actions"][1];
    assert_eq!((&auto["action"], &auto["effect"]), (&value!("invoke:auto"), &value!("EFFECT_DENY")));
    let steps = auto["steps"].as_array().unwrap();
    let condition = "V.amount_eur > 0.0 && V.amount_eur <= C.without_approval_eur";
    assert!(steps.iter().any(|step| {
        step["kind"] == "condition"
            && step["outcome"] == "not_held"
            && step["text"].as_str().unwrap().starts_with(condition)
    }));
    assert_eq!(explain(value!(7))["decision"], "allow");
    assert_eq!(explain(value!(70_000))["decision"], "deny");
    let failed = explain(value!("seven"));
    assert_eq!(failed["decision"], "error");
    assert!(failed["by"].as_str().unwrap().contains("no such overload"), "{failed}");

    fs::write(&request, asked(value!(7)).to_string().replace("\"tool\"", "\"tol\"")).unwrap();
    let called = fuze(&["policy", "explain", text(&guide("payment")), "--request", text(&request)], 2);
    assert!(called.stderr.contains("tol"), "{}", called.stderr);
    fuze(&["policy", "explain", text(&guide("payment")), "--request", "/nonexistent"], 4);
}

#[test]
fn a_wider_version_is_shown_by_a_request() {
    let wider =
        changed("payment", "pay_invoice.yaml", "with_approval_eur: 10000", "with_approval_eur: 20000");
    let called = json(&fuze(&["policy", "diff", "--json", text(&guide("payment")), text(wider.path())], 1));
    assert_eq!((&called["holds"], &called["properties"][0]["result"]), (&value!(false), &value!("broken")));
    assert!(called["properties"][0]["detail"].as_str().unwrap().contains("amount_eur"));
    let shown = &called["properties"][0]["counterexample"];
    assert!(shown["request"]["args"]["amount_eur"].is_number(), "{shown}");
    assert_eq!(shown["fixtures"]["resource"]["attr"]["args"], shown["request"]["args"]);
    assert_eq!(shown["place"], value!({"file": "pay_invoice.yaml", "line": 16, "column": 7}));
    let called = json(&fuze(&["policy", "diff", "--json", text(wider.path()), text(&guide("payment"))], 0));
    assert_eq!(called["properties"][0]["result"], "proven");
    // One approver less is wider, too.
    let fewer = changed("payment", "pay_invoice.yaml", "\"approvers\": 2", "\"approvers\": 1");
    let called = json(&fuze(&["policy", "diff", "--json", text(&guide("payment")), text(fewer.path())], 1));
    let detail = called["properties"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("two people had to approve, one has to now"), "{detail}");
    let few = json(&fuze(
        &["policy", "diff", "--json", "--cases", "1", text(fewer.path()), text(&guide("payment"))],
        3,
    ));
    assert!(few["properties"][0]["detail"].as_str().unwrap().contains("more than 1 cases"), "{few}");
}

#[test]
fn a_counterexample_reads_as_a_request() {
    let wider =
        changed("payment", "pay_invoice.yaml", "with_approval_eur: 10000", "with_approval_eur: 20000");
    let called = fuze(&["policy", "diff", text(&guide("payment")), text(wider.path())], 1);
    for line in [
        "  pay_invoice.yaml:16:7: what was denied is allowed with approval now",
        "    principal               somebody",
        "    roles                   accounting",
        "    tool                    pay_invoice",
        "    R.attr.args.amount_eur  15000",
        "    R.attr.classification   confidential",
        "    P.attr.tenant           another-tenant",
        "  as it was: denied in the root scope",
        "    invoke  EFFECT_DENY by resource.agent.tool.vdefault",
        "      ✗ EFFECT_ALLOW resource.agent.tool.vdefault#payment (pay_invoice.yaml:16:7): its condition does not hold",
        "  as it shall be: allowed with approval by 2 people of finance-1, finance-2, finance-3, within 86400 seconds in the root scope",
        "      ✓ EFFECT_ALLOW resource.agent.tool.vdefault#payment (pay_invoice.yaml:16:7)",
    ] {
        assert!(called.stdout.lines().any(|printed| printed == line), "{line}\n{}", called.stdout);
    }
    // JSON is in the command that can be pasted alone, and no line is overlong.
    let before = called.stdout.split("  to see why").next().unwrap();
    assert!(!before.contains('{'), "{before}");
    assert!(called.stdout.lines().all(|line| line.chars().count() <= 240), "{}", called.stdout);
    // Where the time decides, it is one of the lines, and of the document.
    let until = |day: &str| {
        let expr = format!(
            "R.attr.tool_name == \"search_catalogue\" && now() < timestamp(\"2026-05-{day}T00:00:00Z\")"
        );
        changed("public", "search_catalogue.yaml", "R.attr.tool_name == \"search_catalogue\"", &expr)
    };
    let (old, new) = (until("01"), until("03"));
    let called = fuze(&["policy", "diff", text(old.path()), text(new.path())], 1);
    let at = |line: &str| {
        line.trim().strip_prefix("at").map(str::trim).is_some_and(|at| at.starts_with("2026-05-0"))
    };
    assert!(called.stdout.lines().any(at), "{}", called.stdout);
    assert!(
        called.stdout.contains("as it was: denied")
            && called.stdout.contains("as it shall be: allowed without approval")
    );
    let called = json(&fuze(&["policy", "diff", "--json", text(old.path()), text(new.path())], 1));
    assert!(
        called["properties"][0]["counterexample"]["at"].as_str().unwrap().starts_with("2026-05-0"),
        "{called}"
    );
}

#[test]
fn what_could_not_be_read_is_a_note() {
    let set = changed(
        "public",
        "search_catalogue.yaml",
        "R.attr.tool_name == \"search_catalogue\"",
        "R.attr.args.q == \"boots\" && R.attr.tool_name.matches(\"(?s)^.*$\")",
    );
    let path = set.path().join("search_catalogue.yaml");
    let mut policy = fs::read_to_string(&path).unwrap();
    for trusted in ["R.attr.classification == \"public\"", "R.attr.effect == \"read\""] {
        policy = policy.replace(trusted, "has(R.attr.args.q)");
    }
    fs::write(&path, policy).unwrap();
    let called = fuze(&["policy", "lint", text(set.path())], 0);
    assert!(
        called.stdout.contains("note: whether this ALLOW excludes") && called.stdout.contains("(not-read)")
    );
    assert!(called.stdout.ends_with("nothing to object to\n"), "{}", called.stdout);
    let called = json(&fuze(&["policy", "lint", "--json", text(set.path())], 0));
    assert_eq!(
        (&called["findings"][0]["lint"], &called["findings"][0]["note"]),
        (&value!("not-read"), &value!(true))
    );
}

#[test]
fn so_many_approvers_are_proven_when_asked_for() {
    let prove = |least: &str, code| {
        let set = guide("payment");
        fuze(
            &["policy", "prove", "--json", text(&set), "--approvers", least, "--approvers", "public=1"],
            code,
        )
    };
    let holds = json(&prove("confidential=2", 0));
    let last = &holds["properties"][3];
    let property = "every approval of a `confidential` tool asks two people at least";
    assert_eq!((&last["property"], &last["result"]), (&value!(property), &value!("proven")));
    assert_eq!(holds["properties"].as_array().unwrap().len(), 5);
    let broken = json(&prove("confidential=3", 1));
    assert_eq!(broken["properties"][3]["result"], "broken");
    assert!(broken["properties"][3]["detail"].as_str().unwrap().contains("asks two people"), "{broken}");
    for wrong in ["confidential", "secret=2", "confidential=0", "confidential=256", "=1"] {
        assert!(prove(wrong, 2).stderr.contains("such as `special_category=2`"), "{wrong}");
    }
}

/// What no value that the policy names shows to live, a case of its own tests does.
#[test]
fn a_rule_is_not_dead_that_a_test_reaches() {
    let dead = |amount: &str, code| {
        let set = changed(
            "payment",
            "pay_invoice.yaml",
            "expr: V.is_payment",
            &format!(
                "expr: V.is_payment && V.amount_eur * 7.0 > {amount}.0 && V.amount_eur * 7.0 < {amount}.1"
            ),
        );
        let called = json(&fuze(&["policy", "prove", "--json", text(set.path())], code));
        let properties = called["properties"].as_array().unwrap().clone();
        properties.iter().find(|one| one["property"] == "no rule is dead").unwrap()["result"].clone()
    };
    // 500.01 is one of its amounts.
    assert_eq!(dead("3500", 0), "proven");
    assert_eq!(dead("3501", 3), "unknown");
}

#[test]
fn the_guide_is_proven_and_has_nothing_to_object_to() {
    for set in ["public", "personal", "special", "payment", "tenants"] {
        let called = json(&fuze(&["policy", "prove", "--json", text(&guide(set))], 0));
        assert_eq!(called["properties"].as_array().unwrap().len(), 3, "{set}");
        json(&fuze(&["policy", "lint", "--json", text(&guide(set))], 0));
    }
    let set = changed("special", "health_record.yaml", "[\"invoke\"]", "[\"invoke\", \"invoke:auto\"]");
    let called = json(&fuze(&["policy", "prove", "--json", text(set.path())], 1));
    assert_eq!(called["properties"][0]["result"], "broken");
}

#[test]
fn what_rests_on_arguments_is_objected_to() {
    let set = changed(
        "special",
        "health_record.yaml",
        "R.attr.tool_name == \"health_record\"",
        "R.attr.args.ok == true",
    );
    let mut text_ = fs::read_to_string(set.path().join("health_record.yaml")).unwrap();
    for trusted in [
        "R.attr.classification == \"special_category\"",
        "R.attr.art9_basis == \"explicit_consent\"",
        "P.attr.has_subject",
    ] {
        text_ = text_.replace(trusted, "R.attr.args.ok == true");
    }
    fs::write(set.path().join("health_record.yaml"), text_).unwrap();
    let called = json(&fuze(&["policy", "lint", "--json", text(set.path())], 1));
    assert_eq!(called["findings"][0]["lint"], "rests-on-arguments");
}

#[test]
fn the_third_effect_is_rewritten_when_asked_to() {
    let set = changed("special", "health_record.yaml", "EFFECT_ALLOW", "EFFECT_REQUIRES_APPROVAL");
    let path = set.path().join("health_record.yaml");
    let before = fs::read_to_string(&path).unwrap();
    let called = json(&fuze(&["policy", "migrate", "--json", text(set.path())], 0));
    assert_eq!(
        (&called["written"], &called["rewritten"]),
        (&value!(false), &value!([{"file": "health_record.yaml", "line": 10, "column": 15}]))
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let called = json(&fuze(&["policy", "migrate", "--json", "--write", text(set.path())], 0));
    assert_eq!(called["written"], true);
    let original = fs::read_to_string(guide("special").join("health_record.yaml")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), original);
    json(&fuze(&["policy", "test", "--json", text(set.path())], 0));
}

/// A set beside which a schema lies, and a suite about it.
fn album(schema: Option<&str>, attributes: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "album.yaml",
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  schemas:\n    resourceSchema:\n      ref: \
         cerbos:///album.json\n  rules:\n    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n",
    );
    write(
        "album_test.yaml",
        &format!(
            "name: s\nprincipals: {{u: {{id: u, roles: [user]}}}}\nresources: {{a: {{id: a, kind: album, attr: {attributes}}}}}\ntests:\n  \
             - name: t\n    input: {{principals: [u], resources: [a], actions: [view]}}\n    expected: [{{principal: u, resource: a, \
             actions: {{view: EFFECT_ALLOW}}}}]\n"
        ),
    );
    fs::create_dir(directory.path().join("_schemas")).unwrap();
    if let Some(schema) = schema {
        write("_schemas/album.json", schema);
    }
    directory
}

#[test]
fn schemas_are_held_against_requests_and_have_to_be_there() {
    let number = r#"{"type": "object", "properties": {"n": {"type": "number"}}}"#;
    let good = album(Some(number), "{n: 1}");
    json(&fuze(&["policy", "check", "--json", text(good.path())], 0));
    json(&fuze(&["policy", "test", "--json", text(good.path())], 0));
    let unfit = album(Some(number), "{n: text}");
    json(&fuze(&["policy", "check", "--json", text(unfit.path())], 0));
    let called = json(&fuze(&["policy", "test", "--json", text(unfit.path())], 1));
    assert_eq!(
        called["suites"][0]["cases"][0]["detail"],
        "expected EFFECT_ALLOW, found EFFECT_DENY; the resource's `/n`: expected number, but got string"
    );
    for (schema, part) in
        [(None, "there is no `_schemas/album.json`"), (Some("5"), "cannot be used"), (Some("{"), "not JSON")]
    {
        let set = album(schema, "{n: 1}");
        let called = json(&fuze(&["policy", "check", "--json", text(set.path())], 1));
        let told = called["problems"].as_array().unwrap();
        assert!(told.iter().any(|told| told["message"].as_str().unwrap().contains(part)), "{told:?}");
        for command in ["test", "lint", "prove"] {
            let called = fuze(&["policy", command, text(set.path())], 1);
            assert!(called.stderr.contains(part), "{command}: {}", called.stderr);
        }
        let called = fuze(&["policy", "diff", text(good.path()), text(set.path())], 1);
        assert!(called.stderr.contains(&format!("{}/", set.path().display())), "{}", called.stderr);
    }
    // What an engine refuses does not hide what is wrong with a schema.
    let both = album(None, "{n: 1}");
    let tools = fs::read_to_string(guide("payment").join("pay_invoice.yaml")).unwrap();
    let wide = tools.replacen("actions: [\"invoke:auto\"]", "actions: [\"*\"]", 1);
    fs::write(both.path().join("pay.yaml"), wide).unwrap();
    let called = json(&fuze(&["policy", "check", "--json", text(both.path())], 1));
    let files: Vec<&str> =
        called["problems"].as_array().unwrap().iter().map(|told| told["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["album.yaml", "pay.yaml"]);
}

#[test]
fn a_request_of_words_that_do_not_exist_is_not_explained() {
    let directory = tempfile::tempdir().unwrap();
    let request = directory.path().join("request.json");
    let right = asked(value!(700)).to_string();
    for (from, to, part) in [
        ("\"confidential\"", "\"publik\"", "there are public, confidential, personal, special_category"),
        ("\"once\"", "\"twice\"", "`tool.effect` is `twice`"),
        ("\"hosts\"", "\"host\"", "`tool.egress`"),
        ("\"residency\":\"eu\"", "\"residency\":\"uk\"", "`tool.residency`"),
        ("\"legal_obligation\"", "\"law\"", "`run.lawful_basis`"),
        ("\"art22\":\"none\"", "\"art22\":\"no\"", "`run.art22`"),
    ] {
        assert!(right.contains(from), "{from} in {right}");
        fs::write(&request, right.replacen(from, to, 1)).unwrap();
        let called = fuze(&["policy", "explain", text(&guide("payment")), "--request", text(&request)], 2);
        assert!(called.stderr.contains(part), "{}", called.stderr);
    }
    // Annex III may grow, and proofs count with that: a counterexample of theirs is explained all the same.
    fs::write(&request, right.replacen("\"annex_iii\":\"none\"", "\"annex_iii\":\"no\"", 1)).unwrap();
    let called = fuze(&["policy", "explain", text(&guide("payment")), "--request", text(&request)], 0);
    assert!(
        called.stderr.contains("`run.annex_iii` is `no`, which no agent can have today"),
        "{}",
        called.stderr
    );
}

#[test]
fn the_whole_obligation_is_explained() {
    let set = changed(
        "payment",
        "pay_invoice.yaml",
        "\"deadline_seconds\": 86400",
        "\"trainings\": [\"aml\"], \"deadline_seconds\": 86400",
    );
    let request = set.path().join("request.txt");
    fs::write(&request, asked(value!(700)).to_string()).unwrap();
    let called =
        json(&fuze(&["policy", "explain", "--json", text(set.path()), "--request", text(&request)], 0));
    assert_eq!(
        (&called["approvers"], &called["mayApprove"], &called["trainings"], &called["deadlineSeconds"]),
        (&value!(2), &value!(["finance-1", "finance-2", "finance-3"]), &value!(["aml"]), &value!(86400))
    );
    let shown = fuze(&["policy", "explain", text(set.path()), "--request", text(&request)], 0).stdout;
    assert!(
        shown.contains(
            "may approve: finance-1, finance-2, finance-3\n  trainings: aml\n  deadline: 86400 s\n"
        ),
        "{shown}"
    );
}

#[test]
fn a_kind_that_is_nearly_a_tool_is_objected_to() {
    let set = changed("payment", "pay_invoice.yaml", "resource: agent.tool", "resource: agent.tools");
    let called = json(&fuze(&["policy", "lint", "--json", text(set.path())], 1));
    let found = called["findings"].as_array().unwrap();
    assert!(
        found.iter().any(|found| found["lint"] == "unknown-kind"
            && found["message"].as_str().unwrap().contains("did you mean `agent.tool`?")),
        "{found:?}"
    );
}

#[test]
fn what_a_migration_would_widen_is_left_as_it_is() {
    let set = changed("special", "health_record.yaml", "EFFECT_ALLOW", "EFFECT_REQUIRES_APPROVAL");
    let album = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  rules:\n    - {actions: [view], \
                 roles: [user], effect: EFFECT_REQUIRES_APPROVAL}\n";
    fs::write(set.path().join("album.yaml"), album).unwrap();
    let before = fs::read_to_string(set.path().join("health_record.yaml")).unwrap();
    let called = json(&fuze(&["policy", "migrate", "--json", "--write", text(set.path())], 1));
    assert_eq!((&called["written"], &called["rewritten"]), (&value!(false), &value!([])));
    assert_eq!(
        (&called["problems"][0]["file"], &called["problems"][0]["line"]),
        (&value!("album.yaml"), &value!(6))
    );
    assert_eq!(fs::read_to_string(set.path().join("health_record.yaml")).unwrap(), before);
    assert_eq!(fs::read_to_string(set.path().join("album.yaml")).unwrap(), album);
    // An ALLOW of `invoke:auto` in another file takes the approval away.
    fs::write(
        set.path().join("album.yaml"),
        "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: root\n  version: default\n  rules:\n    - {resource: agent.tool, \
         actions: [{action: \"invoke:auto\", effect: EFFECT_ALLOW}]}\n",
    )
    .unwrap();
    let called = json(&fuze(&["policy", "migrate", "--json", text(set.path())], 1));
    assert_eq!(
        (&called["toDecide"][0]["file"], &called["toDecide"][0]["line"]),
        (&value!("album.yaml"), &value!(6))
    );
}
