//! What `fuze policy explain` says, word for word, of one request for each set of the guide and of a set with role and principal policies.
//! `FUZE_BLESS=1` writes what it says now: read the difference before it is committed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fuze, json};
use serde_json::{Value, json as value};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The request, with the tool, the run and the arguments changed as given.
fn request(tool: Value, run: Value, args: Value) -> Value {
    let mut request = value!({
        "tool": {"residency": "eu", "effect": "once", "egress": "eu"},
        "run": {"tenant": "acme", "principal": "agent-1", "purpose": "customer-support", "lawful_basis": "contract",
            "annex_iii": "none", "art22": "none", "has_subject": true},
        "args": args,
    });
    for (at, with) in [("tool", tool), ("run", run)] {
        request[at].as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    }
    request
}

/// Explains a request by a set, and compares it with the text that is kept under that name.
fn check(name: &str, set: &Path, request: &Value) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("request.json");
    fs::write(&file, request.to_string()).unwrap();
    let (set, file) = (set.to_str().unwrap(), file.to_str().unwrap());
    let called = fuze(&["policy", "explain", set, "--request", file], 0);
    assert_eq!(called.stderr, "", "{name}");
    let golden = here("tests/explain").join(format!("{name}.txt"));
    if std::env::var_os("FUZE_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&golden, &called.stdout).unwrap();
    }
    let wanted = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(called.stdout, wanted, "{name}: not what {} says", golden.display());
    // The same in JSON: each line of the text is a step.
    let document = json(&fuze(&["policy", "explain", "--json", set, "--request", file], 0));
    for action in document["actions"].as_array().unwrap() {
        for step in action["steps"].as_array().unwrap() {
            let depth = usize::try_from(step["depth"].as_u64().unwrap()).unwrap();
            let mark = match step["outcome"].as_str() {
                Some("held") => "✓ ",
                Some("not_held") => "✗ ",
                Some("failed") => "error ",
                Some("not_asked") => "- ",
                Some(other) => panic!("{other}"),
                None => "",
            };
            let why = step["why"].as_str().map_or_else(String::new, |why| format!(": {why}"));
            let line = format!("\n{}{mark}{}{why}\n", "  ".repeat(depth + 1), step["text"].as_str().unwrap());
            assert!(wanted.contains(&line), "{name}: {line}");
        }
    }
}

fn guide(name: &str) -> PathBuf {
    here("../fuze-policy/guide").join(name)
}

#[test]
fn the_guide_is_explained() {
    let search =
        value!({"name": "search_catalogue", "classification": "public", "effect": "read", "egress": "none"});
    check(
        "public",
        &guide("public"),
        &request(search, value!({"roles": ["agent"]}), value!({"query": "boots"})),
    );
    let lookup =
        value!({"name": "customer_lookup", "classification": "personal", "effect": "read", "egress": "any"});
    let run = value!({"roles": ["support", "guest"], "purpose": "advertising"});
    check("personal", &guide("personal"), &request(lookup, run, value!({})));
    let health = value!({"name": "health_record", "classification": "special_category", "art9_basis": "legal_claims",
        "effect": "read", "egress": "none"});
    check("special", &guide("special"), &request(health, value!({"roles": ["clinic"]}), value!({})));
    let pay = || value!({"name": "pay_invoice", "classification": "confidential", "egress": "hosts"});
    let run = || value!({"roles": ["accounting", "guest"]});
    check("payment", &guide("payment"), &request(pay(), run(), value!({"amount_eur": 700})));
    check("payment-fails", &guide("payment"), &request(pay(), run(), value!({"amount_eur": "seven"})));
    let mail = || value!({"name": "send_mail", "classification": "personal"});
    let run = |tenant: &str| value!({"roles": ["support"], "tenant": tenant});
    check("tenants", &guide("tenants"), &request(mail(), run("acme"), value!({"to": "stranger"})));
    check("tenants-consent", &guide("tenants"), &request(mail(), run("acme"), value!({"to": "customer"})));
}

#[test]
fn role_policies_and_principal_policies_are_explained() {
    let mail = |egress: &str| value!({"name": "send_mail", "classification": "personal", "egress": egress});
    let to = || value!({"to": ["ann", "bob"]});
    let set = here("tests/explain/staff");
    // Narrowed by a condition, and by silence.
    check("role-policy", &set, &request(mail("eu"), value!({"roles": ["trainee"]}), to()));
    let one = value!({"to": ["ann"]});
    check("role-policy-allows", &set, &request(mail("eu"), value!({"roles": ["trainee"]}), one));
    // A principal's own policy goes first; the second role is not asked.
    let robot = value!({"roles": ["staff", "guest"], "principal": "robot"});
    check("principal-policy", &set, &request(mail("any"), robot, to()));
}

#[test]
fn variables_are_explained_by_what_they_stand_for() {
    let pay = || value!({"name": "pay_invoice", "classification": "confidential", "egress": "any"});
    let run = || value!({"roles": ["accounting"]});
    let set = here("tests/explain/limits");
    check("variables", &set, &request(pay(), run(), value!({"amount_eur": 700})));
    check("variables-fail", &set, &request(pay(), run(), value!({"amount_eur": "seven"})));
    check("variables-missing", &set, &request(pay(), run(), value!({})));
}

#[test]
fn a_set_that_is_about_something_else_denies() {
    let set = tempfile::tempdir().unwrap();
    let text =
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {resource: album, version: default, rules: []}\n";
    fs::write(set.path().join("album.yaml"), text).unwrap();
    let mail = value!({"name": "send_mail", "classification": "personal"});
    check("nothing", set.path(), &request(mail, value!({"roles": ["staff"]}), value!({})));
}
