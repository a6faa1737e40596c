//! What `fuze policy` says can be used as it is: by a shell, by a program, and by somebody who made a mistake.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{fuze, json};
use serde_json::{Value, json as value};

fn guide(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuze-policy/guide").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A copy of a set of the guide in a directory of this name, with some things changed.
fn changed(within: &Path, called: &str, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let directory = within.join(called);
    fs::create_dir_all(&directory).unwrap();
    for entry in fs::read_dir(guide(name)).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        fs::write(directory.join(path.file_name().unwrap()), text).unwrap();
    }
    directory
}

/// The decision of `explain`, with its exit code.
fn explained(directory: &Path, request: &str) -> String {
    let called = json(&fuze(&["policy", "explain", "--json", text(directory), "--request", request], 0));
    called["decision"].as_str().unwrap().to_owned()
}

/// Takes the counterexample of a difference out of the JSON, and has both sets explain it, as text and as a file.
fn explained_by_both(old: &Path, new: &Path) -> Value {
    let called = json(&fuze(&["policy", "diff", "--json", text(old), text(new)], 1));
    let shown = called["properties"][0]["counterexample"].clone();
    let request = shown["request"].to_string();
    let file = old.parent().unwrap().join("request.json");
    fs::write(&file, &request).unwrap();
    for (directory, said) in [old, new].into_iter().zip(shown["decisions"].as_array().unwrap()) {
        let decision = explained(directory, &request);
        assert_eq!(explained(directory, text(&file)), decision);
        assert_eq!(said, &value!({"directory": text(directory), "decision": decision}));
    }
    shown
}

#[test]
fn a_counterexample_is_a_request_that_explain_takes() {
    let within = tempfile::tempdir().unwrap();
    let decisions = |shown: &Value| {
        let all = shown["decisions"].as_array().unwrap();
        all.iter().map(|said| said["decision"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let wider = changed(
        within.path(),
        "wider",
        "payment",
        &[("with_approval_eur: 10000", "with_approval_eur: 20000")],
    );
    let shown = explained_by_both(&guide_in(within.path(), "payment"), &wider);
    assert_eq!(decisions(&shown), ["deny", "requires_approval"]);
    assert!(shown["explanation"].as_str().unwrap().contains("what was denied is allowed with approval now"));

    let auto =
        changed(within.path(), "auto", "special", &[("[\"invoke\"]", "[\"invoke\", \"invoke:auto\"]")]);
    let shown = explained_by_both(&guide_in(within.path(), "special"), &auto);
    assert_eq!(decisions(&shown), ["requires_approval", "allow"]);
    assert_eq!(shown["request"]["tool"]["art9_basis"], "explicit_consent");
    assert_eq!(shown["request"]["run"]["annex_iii"], "none", "a word that there is");

    // The time at which it has to be asked is a part of it.
    let until = |day: &str| {
        let to = format!(
            "R.attr.tool_name == \"search_catalogue\" && now() < timestamp(\"2026-05-{day}T00:00:00Z\")"
        );
        changed(within.path(), day, "public", &[("R.attr.tool_name == \"search_catalogue\"", &to)])
    };
    let shown = explained_by_both(&until("01"), &until("03"));
    assert_eq!(decisions(&shown), ["deny", "allow"]);
    assert!(shown["request"]["at"].as_str().unwrap().starts_with("2026-05-0"), "{shown}");
    assert_eq!(shown["request"]["at"], shown["at"]);

    // A depth, and a point of Annex III that there is not.
    let deeper = |called: &str, most: &str| {
        let to = format!(
            "R.attr.tool_name == \"search_catalogue\" && R.attr.depth < {most} && P.attr.annex_iii == \"new\""
        );
        changed(within.path(), called, "public", &[("R.attr.tool_name == \"search_catalogue\"", &to)])
    };
    let shown = explained_by_both(&deeper("flat", "2.0"), &deeper("deep", "3.0"));
    assert_eq!(
        (&shown["request"]["depth"], &shown["request"]["run"]["annex_iii"]),
        (&value!(2), &value!("new"))
    );

    let proven = json(&fuze(&["policy", "prove", "--json", text(&auto)], 1));
    let shown = &proven["properties"][0]["counterexample"];
    assert_eq!(explained(&auto, &shown["request"].to_string()), "allow");
    assert_eq!(shown["decisions"], value!([{"directory": text(&auto), "decision": "allow"}]));
}

/// A copy of a set of the guide, as it is.
fn guide_in(within: &Path, name: &str) -> PathBuf {
    changed(within, name, name, &[])
}

#[test]
#[cfg(unix)]
fn the_command_that_is_printed_can_be_pasted() {
    let within = tempfile::tempdir().unwrap();
    // Whatever a tool, a role or a directory is called: nothing of it is obeyed by a shell, and all of it arrives.
    let hostile = r"it's $(touch owned) `touch owned`; !! \\ \u202e";
    let named = [("\"search_catalogue\"", format!("\"{hostile}\"")), ("R.attr.tool_name", "R.id".to_owned())];
    let named: Vec<(&str, &str)> = named.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let old = changed(
        within.path(),
        "it's $(touch owned) o",
        "public",
        &[named[0], named[1], ("EFFECT_ALLOW", "EFFECT_DENY"), ("[\"agent\"]", "[\"*\"]")],
    );
    let new = changed(within.path(), "-n w", "public", &named);
    for set in [&old, &new] {
        fs::remove_file(set.join("search_catalogue_test.yaml")).unwrap();
    }
    let run = Command::new(env!("CARGO_BIN_EXE_fuze"))
        .current_dir(within.path())
        .args(["policy", "diff", "--", "it's $(touch owned) o", "-n w"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stdout).unwrap();
    let (_, command) = said.split_once("  to see why").unwrap();
    let (_, command) = command.split_once(":\n").unwrap();
    assert!(command.starts_with("    fuze policy explain './-n w' --request '{"), "{command}");
    let bin = Path::new(env!("CARGO_BIN_EXE_fuze")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let other = command.replace("'./-n w'", "'it'\\''s $(touch owned) o'");
    for (line, decision) in [(command, "allow"), (&*other, "deny")] {
        let shell = Command::new("sh")
            .current_dir(within.path())
            .env("PATH", &path)
            .args(["-c", line])
            .output()
            .unwrap();
        let told = String::from_utf8(shell.stdout).unwrap();
        assert!(
            told.starts_with(&format!("{decision} by ")),
            "{line}\n{told}\n{}",
            String::from_utf8_lossy(&shell.stderr)
        );
    }
    assert!(!within.path().join("owned").exists());
}

/// Each member in a line of its own, those within further in.
#[test]
fn the_request_of_a_counterexample_is_laid_out() {
    let within = tempfile::tempdir().unwrap();
    let old = changed(within.path(), "old", "payment", &[]);
    let new = changed(within.path(), "new", "payment", &[("\"approvers\": 2", "\"approvers\": 1")]);
    let said = fuze(&["policy", "diff", text(&old), text(&new)], 1).stdout;
    let (_, command) = said.split_once("--request '").unwrap();
    let (json, rest) = command.rsplit_once('\'').unwrap();
    assert_eq!(rest, "\n");
    let request: Value = serde_json::from_str(json).unwrap();
    assert!(json.starts_with("{\n      \"tool\": {\n        \"name\": \"pay_invoice\",\n"), "{json}");
    let members = |line: &str| line.matches("\": ").count();
    assert!(json.lines().all(|line| members(line) <= 1) && json.ends_with("\n    }"), "{json}");
    let shown = explained_by_both(&old, &new);
    assert_eq!(shown["request"], request);
}

/// What a reader of policies cannot look at, it says.
#[test]
fn lint_says_which_names_it_did_not_look_at() {
    let within = tempfile::tempdir().unwrap();
    let slip = changed(within.path(), "slip", "payment", &[("== \"pay_invoice\"", "== \"pay_invoce\"")]);
    let called = fuze(&["policy", "lint", text(&slip)], 0);
    for note in ["a misspelt name of a tool or an argument is not found", "a misspelt role is not found"] {
        assert!(called.stderr.contains(note), "{}", called.stderr);
    }
    let tools = within.path().join("tools.json");
    let tool = r#"{"name": "pay_invoice", "classification": "confidential", "residency": "eu", "effect": "once", "egress": "hosts"}"#;
    fs::write(&tools, format!("{{\"tools\": [{tool}], \"roles\": [\"accounting\"]}}")).unwrap();
    let called = fuze(&["policy", "lint", text(&slip), "--tools", text(&tools)], 1);
    assert!(called.stdout.contains("no tool is called `pay_invoce`"), "{}", called.stdout);
    assert!(!called.stderr.contains("note:"), "{}", called.stderr);
    let policy = slip.join("pay_invoice.yaml");
    let called = fuze(&["policy", "lint", text(&slip), "--tools", text(&policy)], 2);
    assert!(called.stderr.contains("pay_invoice.yaml:1:1: this is not JSON: "), "{}", called.stderr);
}

#[test]
fn a_request_that_cannot_be_read_is_told_with_its_place() {
    let within = tempfile::tempdir().unwrap();
    let file = within.path().join("request.json");
    fs::write(&file, "{\n  \"tool\": {\"name\": 5}}").unwrap();
    for request in [text(&file), &*fs::read_to_string(&file).unwrap()] {
        let called =
            json(&fuze(&["policy", "explain", "--json", text(&guide("payment")), "--request", request], 2));
        let problem = &called["problems"][0];
        assert_eq!((&problem["line"], called.get("directory")), (&value!(2), None), "{called}");
        assert!(!problem["message"].as_str().unwrap().contains("at line"), "{called}");
    }
    fs::write(&file, "[\n{,").unwrap();
    let called =
        json(&fuze(&["policy", "lint", "--json", text(&guide("payment")), "--tools", text(&file)], 2));
    assert_eq!(
        (&called["problems"][0]["file"], &called["problems"][0]["line"]),
        (&value!(text(&file)), &value!(2))
    );
    let right = value!({
        "tool": {"name": "t", "classification": "public", "residency": "eu", "effect": "read", "egress": "none"},
        "run": {"tenant": "acme", "principal": "p", "roles": [], "purpose": "p", "lawful_basis": "consent",
            "annex_iii": "none", "art22": "none", "has_subject": false},
    });
    let called = fuze(&["policy", "explain", text(&guide("payment")), "--request", &right.to_string()], 2);
    assert!(called.stderr.starts_with("fuze: the run's principal has no role"), "{}", called.stderr);
    let mut timed = right;
    timed["at"] = value!("yesterday");
    let called = fuze(&["policy", "explain", text(&guide("payment")), "--request", &timed.to_string()], 2);
    assert!(called.stderr.contains("`at` is `yesterday`, which is no time"), "{}", called.stderr);
}

/// What stands twice has two meanings: nobody can say which is asked.
#[test]
fn a_name_that_stands_twice_is_told_with_its_place() {
    let within = tempfile::tempdir().unwrap();
    let file = within.path().join("request.json");
    let right = r#"{
  "tool": {"name": "pay_invoice", "classification": "confidential", "residency": "eu", "effect": "once", "egress": "hosts"},
  "run": {"tenant": "acme", "principal": "agent-1", "roles": ["accounting"], "purpose": "p", "lawful_basis": "contract",
    "annex_iii": "none", "art22": "none", "has_subject": false},
  "args": {"amount_eur": 700, "to": [{"iban": "a", "name": "b"}]}
}"#;
    let explained = |text: &str, code: i32| {
        fs::write(&file, text).unwrap();
        json(&fuze(
            &["policy", "explain", "--json", self::text(&guide("payment")), "--request", self::text(&file)],
            code,
        ))
    };
    explained(right, 0);
    for (once, twice, line, named) in [
        (r#""amount_eur": 700"#, r#""amount_eur": 700, "amount_eur": 5"#, 5, "`amount_eur`"),
        (r#""name": "b""#, r#""name": "b", "iban": "c""#, 5, "`iban`"),
        (r#""effect": "once""#, r#""effect": "once", "effect": "read""#, 2, "`effect`"),
    ] {
        assert!(right.contains(once));
        let called = explained(&right.replace(once, twice), 2);
        let problem = &called["problems"][0];
        assert_eq!(problem["line"], line, "{called}");
        assert!(problem["message"].as_str().unwrap().contains(&format!("{named} stands twice")), "{called}");
    }
    let tools = r#"[{"name": "t", "classification": "public", "residency": "eu", "effect": "read",
  "egress": "none", "egress": "any"}]"#;
    fs::write(&file, tools).unwrap();
    let called =
        json(&fuze(&["policy", "lint", "--json", text(&guide("payment")), "--tools", text(&file)], 2));
    assert_eq!(called["problems"][0]["line"], 2, "{called}");
}

/// A proof counts with what agents can ask; so does an explanation.
#[test]
fn a_request_that_no_agent_makes_is_not_explained() {
    let right = value!({
        "tool": {"name": "t", "classification": "special_category", "art9_basis": "explicit_consent", "residency": "eu",
            "effect": "read", "egress": "none"},
        "run": {"tenant": "acme", "principal": "p", "roles": ["clinic"], "purpose": "p", "lawful_basis": "consent",
            "annex_iii": "none", "art22": "none", "has_subject": false},
    });
    let explained = |request: &Value, code: i32| {
        fuze(&["policy", "explain", text(&guide("special")), "--request", &request.to_string()], code).stderr
    };
    assert_eq!(explained(&right, 0), "");
    for (of, name, to, word) in [
        (
            "tool",
            "art9_basis",
            None,
            "`special_category` without `art9_basis`, which no tool is (GDPR Art. 9(2))",
        ),
        ("tool", "classification", Some("personal"), "`art9_basis` belongs to `special_category`"),
        (
            "tool",
            "art9_basis",
            Some("none"),
            "`tool.art9_basis` is `none`, which does not exist; there are explicit_consent,",
        ),
        ("tool", "effect", Some("twice"), "`tool.effect` is `twice`, which does not exist; there are read,"),
        ("tool", "name", Some(""), "`tool.name` is empty"),
        ("run", "tenant", Some(""), "`run.tenant` is empty"),
        ("run", "principal", Some(""), "`run.principal` is empty"),
        ("run", "purpose", Some(""), "`run.purpose` is empty"),
        ("run", "annex_iii", Some(""), "`run.annex_iii` is empty"),
        ("run", "art22", Some(""), "`run.art22` is ``, which does not exist"),
    ] {
        let mut request = right.clone();
        let members = request[of].as_object_mut().unwrap();
        match to {
            Some(to) => drop(members.insert(name.to_owned(), value!(to))),
            None => drop(members.remove(name)),
        }
        let told = explained(&request, 2);
        assert!(told.starts_with("fuze: no agent asks this: ") && told.contains(word), "{of}.{name}: {told}");
    }
}

#[test]
fn what_does_not_load_has_places_as_members_everywhere() {
    let within = tempfile::tempdir().unwrap();
    let bad = changed(within.path(), "bad", "payment", &[("EFFECT_ALLOW", "EFFECT_ALOW")]);
    let request = within.path().join("request.json");
    fs::write(&request, "{\"tool\": {\"name\": \"t\", \"classification\": \"public\", \"residency\": \"eu\", \"effect\": \"read\", \"egress\": \"none\"}, \"run\": {\"tenant\": \"acme\", \"principal\": \"p\", \"roles\": [\"r\"], \"purpose\": \"p\", \"lawful_basis\": \"consent\", \"annex_iii\": \"none\", \"art22\": \"none\", \"has_subject\": false}}").unwrap();
    let (good, bad) = (guide("payment"), text(&bad).to_owned());
    let calls: [&[&str]; 6] = [
        &["test", &bad],
        &["lint", &bad],
        &["prove", &bad],
        &["diff", &bad, text(&good)],
        &["diff", text(&good), &bad],
        &["explain", &bad, "--request", text(&request)],
    ];
    for call in calls {
        let called = json(&fuze(&[&["policy", "--json"], call].concat(), 1));
        assert_eq!(called["directory"], *bad, "{call:?}");
        let first = &called["problems"][0];
        assert_eq!(
            (&first["file"], &first["line"], &first["column"]),
            (&value!("pay_invoice.yaml"), &value!(18), &value!(15)),
            "{call:?}"
        );
        assert!(first["message"].as_str().unwrap().contains("this is `EFFECT_ALOW`"), "{call:?}");
        assert_eq!(called["problems"].as_array().unwrap().len(), 2, "{call:?}");
    }
    // The same members as those of `check`.
    let checked = json(&fuze(&["policy", "check", "--json", &bad], 1));
    let tested = json(&fuze(&["policy", "test", "--json", &bad], 1));
    assert_eq!(checked["problems"], tested["problems"]);
}

#[test]
fn cases_that_could_not_be_decided_are_counted_by_themselves() {
    let within = tempfile::tempdir().unwrap();
    // A request without the amount cannot be decided, where strictly evaluated.
    let set = changed(within.path(), "set", "payment", &[("args: {amount_eur: 10000.01}", "args: {}")]);
    let suite = fs::read_to_string(set.join("pay_invoice_test.yaml")).unwrap();
    assert!(suite.contains("args: {}"), "{suite}");
    let looped = fs::read_to_string(set.join("pay_invoice.yaml")).unwrap().replace(
        "V.is_payment",
        "V.is_payment && [1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, a + b + c + d + e + f > 0))))))",
    );
    fs::write(set.join("pay_invoice.yaml"), looped).unwrap();
    let called = json(&fuze(&["policy", "test", "--json", text(&set)], 1));
    let cases = called["suites"][0]["cases"].as_array().unwrap();
    let count = |result: &str| value!(cases.iter().filter(|case| case["result"] == result).count());
    assert!(called["errored"].as_u64().unwrap() > 0, "{called}");
    for result in ["passed", "failed", "errored", "skipped"] {
        assert_eq!(called[result], count(result), "{result}");
    }
    let shown = fuze(&["policy", "test", text(&set)], 1).stdout;
    assert!(shown.contains(&format!("{} could not be decided", called["errored"])), "{shown}");
}

#[test]
fn a_suite_that_cannot_be_run_is_not_counted_as_a_failed_case() {
    let within = tempfile::tempdir().unwrap();
    let set = changed(
        within.path(),
        "set",
        "payment",
        &[("{invoke: EFFECT_ALLOW", "{invoke: EFFECT_REQUIRES_APPROVAL")],
    );
    let suite = set.join("pay_invoice_test.yaml");
    let third = fs::read_to_string(&suite).unwrap().replacen("EFFECT_ALLOW", "EFFECT_REQUIRES_APPROVAL", 1);
    fs::write(&suite, third).unwrap();
    let called = json(&fuze(&["policy", "test", "--json", text(&set)], 1));
    assert_eq!((&called["unreadable"], &called["failed"]), (&value!(1), &value!(0)));
    let message = called["suites"][0]["problems"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("`fuze policy migrate`")
            && message.contains("`EFFECT_DENY` for `invoke:auto`")
            && message.ends_with("this is `EFFECT_REQUIRES_APPROVAL`"),
        "{message}"
    );
    let shown = fuze(&["policy", "test", text(&set)], 1).stdout;
    assert!(
        shown.starts_with("pay_invoice_test.yaml  not run\n") && shown.ends_with("1 of 1 suites not run\n"),
        "{shown}"
    );
}

#[test]
fn a_directory_without_policies_is_not_found_to_be_right() {
    let within = tempfile::tempdir().unwrap();
    let empty = text(within.path());
    let good = guide("payment");
    for call in [
        &["check", empty] as &[&str],
        &["test", empty],
        &["lint", empty],
        &["prove", empty],
        &["migrate", empty],
        &["diff", empty, text(&good)],
        &["diff", text(&good), empty],
    ] {
        let called = fuze(&[&["policy"], call].concat(), 3);
        assert!(
            called.stdout.is_empty() && called.stderr.contains("there is no "),
            "{call:?}: {}",
            called.stderr
        );
    }
    let file = good.join("pay_invoice.yaml");
    for command in ["check", "test", "lint", "prove", "migrate"] {
        let called = fuze(&["policy", command, text(&file)], 4);
        assert!(called.stderr.contains("is a file: name the directory that it is in"), "{}", called.stderr);
        let called = fuze(&["policy", command, "/nonexistent"], 4);
        assert_eq!(called.stderr, "fuze: there is no directory `/nonexistent`\n");
    }
    // Policies that are not about tools are right, but it is said.
    fs::write(
        within.path().join("album.yaml"),
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  rules:\n    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n",
    )
    .unwrap();
    for command in ["check", "lint", "prove"] {
        let called = fuze(&["policy", command, empty], 0);
        assert!(called.stderr.contains("so every call of a tool is denied"), "{command}: {}", called.stderr);
        let called = fuze(&["policy", command, text(&good)], 0);
        // What lint says is about the tools that it was not given.
        let mut said =
            called.stderr.lines().filter(|line| command != "lint" || !line.contains("`--tools FILE`"));
        assert_eq!(said.next(), None, "{command}");
    }
}

#[test]
fn a_misspelt_action_is_named() {
    let within = tempfile::tempdir().unwrap();
    let set = changed(within.path(), "set", "payment", &[("invoke:auto", "invoke:atuo")]);
    let called = fuze(&["policy", "lint", text(&set)], 1);
    assert!(
        called.stdout.contains("this rule is for `invoke:atuo`; about a tool it is asked"),
        "{}",
        called.stdout
    );
}

#[test]
fn a_proof_says_once_what_it_proves() {
    let shown = fuze(&["policy", "prove", text(&guide("special"))], 0).stdout;
    assert_eq!(shown.matches("no rule is dead").count(), 1, "{shown}");
    assert!(shown.contains("cases were looked at\n"), "{shown}");
    let few = fuze(&["policy", "prove", "--cases", "1", text(&guide("special"))], 3).stdout;
    assert_eq!(few.matches("no rule is dead").count(), 1, "{few}");
    let unknown =
        "unknown  no `special_category` tool is ever allowed without approval\n  there are more than 1 cases";
    assert!(few.contains(unknown), "{few}");
    // What no rule can break needs no case.
    assert!(few.contains("proven  nothing crosses tenants\n  there was no case to look at\n"), "{few}");
    let help = fuze(&["policy", "--help"], 0).stdout;
    assert!(help.contains("Exit codes: 0 fine, 1 something is to be mended"), "{help}");
}
