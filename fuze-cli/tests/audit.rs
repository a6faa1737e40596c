//! `fuze audit`, over the evidence of real runs: a store, its keys and its person, as a deployment leaves them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::site::{SECRET, STRANGER, Site};
use common::{fuze, json};
use serde_json::{Value, json};

#[test]
fn a_run_verifies_from_its_store_its_directory_and_its_records() {
    let site = Site::new();
    let stored = site.audit("verify", 0, &[], 0);
    assert_eq!(stored["schema"], "fuze.audit.verify/1");
    assert_eq!((&stored["result"], &stored["run"]["runId"]), (&json!("verified"), &json!(site.runs[0])));
    assert!(stored["run"]["content"]["verified"].as_u64().unwrap() > 8);
    assert_eq!(stored["run"]["content"]["missing"], 0);
    for path in [site.run(0), format!("{}/records.jsonl", site.run(0))] {
        let called = fuze(&["audit", "verify", &path, "--key", &site.key], 0);
        assert!(called.stdout.starts_with("verified"), "{}", called.stdout);
        assert!(called.stdout.contains("does not prove"), "what it does not prove is said");
    }
}

#[test]
fn exit_codes_tell_failed_from_unknown_and_from_unreadable() {
    let site = Site::new();
    let run = site.run(0);
    fuze(&["audit", "verify", &run], 3);
    fuze(&["audit", "verify", &run, "--key", STRANGER], 3);
    fuze(&["audit", "verify", &run, "--key", "nonsense"], 4);
    fuze(&["audit", "verify", &site.path("store"), "--key", &site.key], 2);
    fuze(&["audit", "verify", "/nowhere", "--key", &site.key], 4);
    site.audit("verify", 0, &["--tenant", "clinic-8"], 1);
    // Another run's evidence under the wanted name.
    let other = json(&fuze(
        &["audit", "verify", "--json", &site.run(1), "--run", &site.runs[0], "--key", &site.key],
        1,
    ));
    assert_eq!(other["failure"]["expected"], json!(site.runs[0]), "{other}");
    assert_eq!(other["failure"]["found"], json!(site.runs[1]));

    let path = PathBuf::from(&run).join("records.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let failed = json(&fuze(&["audit", "verify", "--json", &run, "--key", &site.key], 1));
    assert_eq!(failed["result"], "failed");
    let line = failed["failure"]["line"].as_u64().unwrap();
    assert_eq!(failed["failure"]["lastGood"]["sequence"].as_u64().unwrap() + 1, line, "{failed}");
}

#[test]
fn a_store_is_listed_page_by_page() {
    let site = Site::new();
    let store = site.path("store");
    let first = json(&fuze(&["audit", "query", "--json", &store, "--tenant", "clinic-7", "--limit", "2"], 0));
    assert_eq!(first["runs"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = json(&fuze(&["audit", "query", "--json", &store, "--after", next], 0));
    let ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["runs"].as_array().unwrap())
        .map(|run| run["runId"].clone())
        .collect();
    assert_eq!(ids, site.runs.iter().map(|run| json!(run)).collect::<Vec<_>>());
    assert_eq!(json(&fuze(&["audit", "query", "--json", &store, "--status", "error"], 0))["runs"], json!([]));
    let log = site.log();
    site.anchor(&log, 1, true);
    let found = |more: &[&str]| -> Vec<Value> {
        let listed = json(&fuze(&[["audit", "query", "--json", &store].as_slice(), more].concat(), 0));
        listed["runs"].as_array().unwrap().clone()
    };
    let all = found(&[]);
    assert_eq!(all.iter().map(|run| run["anchors"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2, 0]);
    let subject = all[2]["subject"].as_str().unwrap();
    let opened = all[1]["openedAt"].as_str().unwrap();
    for (more, expected) in [
        (["--run", site.runs[1].as_str()].as_slice(), 1..2),
        (&["--subject", subject], 2..3),
        (&["--agent", "Ward"], 0..3),
        (&["--agent", "Other"], 0..0),
        (&["--tenant", "clinic-8"], 0..0),
        (&["--state", "closed"], 0..3),
        (&["--state", "suspended"], 0..0),
        (&["--from", opened], 1..3),
        (&["--before", opened], 0..1),
        (&["--status", "completed", "--from", opened, "--before", opened], 0..0),
    ] {
        assert_eq!(found(more), all[expected], "{more:?}");
    }
    assert_eq!(first["verified"], false, "a listing verifies nothing, and says so");
    let text = fuze(&["audit", "query", &store], 0).stdout;
    assert!(
        text.ends_with("`fuze audit verify` verifies a run\n") && text.contains("not verified"),
        "{text}"
    );
    assert_eq!(text.lines().filter(|line| line.ends_with("anchored")).count(), 1, "{text}");
    for (from, runs) in [("2000-01-01T00:00:00+01:00", 3), ("2999-01-01T00:00:00.5Z", 0)] {
        let found = json(&fuze(&["audit", "query", "--json", &store, "--from", from], 0));
        assert_eq!(found["runs"].as_array().unwrap().len(), runs, "{from}");
    }
    fuze(&["audit", "query", &store, "--from", "2026-11-23"], 2);
    fuze(&["audit", "query", &store, "--status", "no-such"], 2);
    fuze(&["audit", "query", &store, "--after", "no-such"], 2);
}

#[test]
fn a_run_is_shown_replayed_and_compared() {
    let site = Site::new();
    let shown = fuze(&["audit", "show", &site.run(0), "--key", &site.key], 0).stdout;
    for part in ["Ward", "completed", "potassium is allowed", "potassium ran", "━"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains(SECRET), "content is not shown without keys");
    let replayed = site.audit("replay", 0, &[], 0);
    assert_eq!(replayed["findings"], json!([]));
    assert!(replayed.to_string().contains(SECRET), "{replayed}");
    assert!(replayed["steps"].as_array().unwrap().iter().all(|step| step["trust"] == "signed"));

    let (left, right) = (site.run(0), site.run(1));
    // Without keys what was said is not open, and nothing is known about it.
    let closed = ["audit", "diff", &left, &right, "--key", &site.key];
    let compared = json(&fuze(&[closed.as_slice(), &["--json"]].concat(), 3));
    assert_eq!((&compared["same"], &compared["differences"]), (&json!(false), &json!([])), "{compared}");
    assert_eq!(compared["notCompared"][0], json!({"left": 0, "right": 0}), "{compared}");
    let said = fuze(&closed, 3).stdout;
    let records = compared["notCompared"].as_array().unwrap().len();
    assert!(said.contains(&format!("content of {records} records not compared")), "{said}");
    assert!(!said.contains("no difference but"), "{said}");
    let itself = json(&fuze(&["audit", "diff", "--json", &left, &left, "--key", &site.key], 0));
    assert_eq!((&itself["same"], &itself["notCompared"]), (&json!(true), &json!([])), "{itself}");
    let (master, subjects) = (site.path("keys/master.key"), site.path("keys/subjects"));
    let opened = [
        "audit",
        "diff",
        "--json",
        &left,
        &right,
        "--key",
        &site.key,
        "--master-key",
        &master,
        "--subject-keys",
        &subjects,
    ];
    let compared = json(&fuze(&opened, 1));
    assert!(compared["differences"].to_string().contains("again"), "{compared}");
}

#[test]
fn a_bundle_is_written_verified_and_never_overwritten() {
    let site = Site::new();
    let (run, out, signing) = (site.run(0), site.path("run.zip"), site.path("keys/signing.key"));
    let (master, subjects) = (site.path("keys/master.key"), site.path("keys/subjects"));
    let arguments = [
        "audit",
        "export",
        "--json",
        &run,
        "--out",
        &out,
        "--key",
        &site.key,
        "--signing-key",
        &signing,
        "--master-key",
        &master,
        "--subject-keys",
        &subjects,
        "--disclose",
        "0:/input",
    ];
    let exported = json(&fuze(&arguments, 0));
    assert!(
        exported["disclosed"].as_u64().unwrap() >= 1 && exported["withheld"].as_u64().unwrap() >= 1,
        "{exported}"
    );
    fuze(&arguments, 4);
    let verified = json(&fuze(&["audit", "verify", "--json", &out, "--key", &site.key], 0));
    assert_eq!(verified["run"]["runId"], json!(site.runs[0]));
    fuze(&["audit", "verify", &out, "--key", STRANGER], 3);
    let mut bytes = fs::read(&out).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    fs::write(&out, bytes).unwrap();
    let failed = json(&fuze(&["audit", "verify", "--json", &out, "--key", &site.key], 1));
    assert_eq!(failed["result"], "failed");
    // What is to be disclosed must be there.
    let mut wrong = arguments;
    let (other, nowhere) = (site.path("other.zip"), "0:no-pointer");
    (wrong[5], wrong[14]) = (&other, nowhere);
    fuze(&wrong, 2);
}

#[test]
fn a_person_is_erased_and_the_rest_still_verifies() {
    let site = Site::new();
    let before = site.audit("verify", 0, &[], 0);
    let held = ["--hold", "legal-claims", "--tenant", "clinic-7", "--run", site.runs[0].as_str()];
    assert_eq!(site.erase(&held, 0)["ordered"], "hold");
    let person = ["--subject", "p-1", "--tenant", "clinic-7"];
    let refused = site.erase(&person, 1);
    let result = |answer: &Value, run: &str| {
        answer["runs"].as_array().unwrap().iter().find(|one| one["runId"] == run).unwrap()["result"].clone()
    };
    assert_eq!(result(&refused, &site.runs[0]), "refused", "a hold stands: {refused}");
    assert_eq!(result(&refused, &site.runs[1]), "erased");
    let release = ["--release", "legal-claims", "--tenant", "clinic-7", "--run", site.runs[0].as_str()];
    assert_eq!(site.erase(&release, 0)["ordered"], "release");
    assert_eq!(result(&site.erase(&person, 0), &site.runs[0]), "erased");

    let after = site.audit("verify", 0, &[], 0);
    assert_eq!(after["run"]["head"], before["run"]["head"]);
    assert_eq!(after["run"]["content"]["verified"], 0);
    assert_eq!(after["run"]["content"]["erased"], before["run"]["content"]["verified"]);
    let other = site.audit("verify", 2, &[], 0);
    assert_eq!(other["run"]["content"]["erased"], 0);
    let annex = fs::read_dir(site.path("store/annex")).unwrap().next().unwrap().unwrap().path();
    // Without the annex nothing explains what is gone.
    fs::rename(&annex, annex.with_extension("away")).unwrap();
    let unexplained = json(&fuze(&["audit", "verify", "--json", &site.run(0), "--key", &site.key], 1));
    assert_eq!(unexplained["result"], "failed");
}

/// A wrong key, a deployment's or tenant's name misspelt: nothing is written, and the right order follows as if nobody had tried.
#[test]
fn an_order_that_nobody_would_hear_is_refused_before_it_is_written() {
    for site in [Site::new(), Site::crashed()] {
        let (store, own, stray) = (site.path("store"), site.path("keys/signing.key"), site.path("stray.key"));
        let (strays, both) = (site.path("stray.history.jsonl"), site.path("x"));
        let new = ["key", "new", "--json", "--role", "run", "--out", &stray, "--history", &strays];
        let made = json(&fuze(&[new.as_slice(), &["--origin", "ward.example.eu"]].concat(), 0));
        fuze(&["key", "new", "--role", "overseer", "--out", &both], 0);
        let order = |origin: &str, key: &str, more: &[&str]| {
            let order = ["audit", "erase", &store, "--by", "dpo", "--origin", origin, "--signing-key", key];
            fuze(&[order.as_slice(), more].concat(), 1).stderr
        };
        let hold = ["--hold", "legal-claims", "--tenant", "clinic-7"];
        let (run, history) = (["--run", site.runs[0].as_str()], ["--key-history", strays.as_str()]);
        let (given, expected) = (made["keyId"].as_str().unwrap(), site.key_id());
        for more in [&run[..], &hold, &[run, history].concat(), &[&hold[..], &history].concat()] {
            let said = order("ward.example.eu", &stray, more);
            assert!(said.contains(given) && said.contains(&expected), "{said}");
            assert!(said.contains("--key-history"), "{said}");
        }
        assert!(order("ward.example.eu", &both, &hold).contains(&expected));
        let said = order("other.example", &own, &hold);
        assert!(said.contains("`other.example`") && said.contains("--origin ward.example.eu"), "{said}");
        let said = order("ward.example.eu", &own, &["--hold", "legal-claims", "--tenant", "clinic-77"]);
        assert!(said.contains("`clinic-77`"), "{said}");
        assert!(
            !fs::exists(site.path("store/annex")).unwrap()
                || fs::read_dir(site.path("store/annex")).unwrap().next().is_none()
        );
        assert_eq!(site.erase(&hold, 0)["ordered"], "hold");
        assert_eq!(
            site.erase(&["--release", "legal-claims", "--tenant", "clinic-7"], 0)["ordered"],
            "release"
        );
        assert_eq!(site.erase(&run, 0)["runs"][0]["result"], "erased");
        let answer = json(&fuze(&["audit", "verify", "--json", &site.run(0), "--key", &site.key], 0));
        assert_eq!(answer["result"], "verified");
    }
}

/// The database is written anew with an erasure, or when whoever puts that off says so.
#[test]
fn a_store_is_compacted_after_an_erasure() {
    let site = Site::new();
    let store = site.path("store");
    let erase =
        |at: usize, more: &[&str]| site.erase(&[&["--run", site.runs[at].as_str()], more].concat(), 0);
    assert_eq!(erase(0, &["--compact-later"])["compacted"], false);
    assert_eq!(erase(0, &[])["compacted"], Value::Null, "nothing was erased");
    let compact = || json(&fuze(&["audit", "compact", "--json", &store], 0));
    let first = compact();
    let bytes = |of: &Value, member: &str| of[member].as_u64().unwrap();
    assert!(bytes(&first, "bytesAfter") < bytes(&first, "bytesBefore"), "{first}");
    assert_eq!(erase(1, &[])["compacted"], true);
    let second = compact();
    assert!(bytes(&second, "bytesBefore") < bytes(&first, "bytesAfter"), "{first} {second}");
    assert_eq!(second["bytesAfter"], second["bytesBefore"]);
    for at in 0..3 {
        let verified = site.audit("verify", at, &[], 0);
        assert_eq!(verified["run"]["content"]["erased"].as_u64().unwrap() > 0, at < 2);
    }
    let said = fuze(&["audit", "erase", "--help"], 0).stdout;
    assert!(said.contains("`fuze audit compact`"), "{said}");
    // Files of a sink have no pages.
    fuze(&["audit", "compact", &Site::crashed().path("store")], 4);
}

/// GDPR Art. 17 reaches a run that a crash left without a close, and nobody is told that it had ended.
#[test]
fn a_run_that_crashed_is_given_up_and_erased() {
    let site = Site::crashed();
    let run = site.run(1);
    let verify = |code| {
        let [master, subjects] = ["keys/master.key", "keys/subjects"].map(|path| site.path(path));
        let opened = ["--master-key", &master, "--subject-keys", &subjects];
        json(&fuze(
            &[["audit", "verify", "--json", &run, "--key", &site.key].as_slice(), &opened].concat(),
            code,
        ))
    };
    assert_eq!(verify(1)["result"], "failed");
    let person = ["--subject", "p-1", "--tenant", "clinic-7"];
    // The closed one is erased; a torn file is nobody's to judge but whoever gives the run up.
    let first = site.erase(&person, 1);
    assert_eq!(
        (&first["runs"][0]["result"], &first["runs"][1]["result"]),
        (&json!("erased"), &json!("refused"))
    );
    let given_up = site.erase(&[person.as_slice(), &["--given-up"]].concat(), 0);
    assert_eq!(given_up["runs"], json!([{"runId": site.runs[1], "result": "erased"}]));
    let after = verify(3);
    assert_eq!((&after["result"], &after["run"]["content"]["missing"]), (&json!("not_closed"), &json!(0)));
    assert!(after["run"]["content"]["erased"].as_u64().unwrap() > 8, "{after}");
    assert!(after["reason"].as_str().unwrap().contains("given up"), "{after}");
    // The windows of all runs at once: none has ended; what never began goes, for nothing says how long it may stay.
    assert_eq!(site.erase(&["--expired"], 0)["runs"], json!([]));
    let unbegun = format!("{}.unbegun", site.run(0));
    fs::rename(site.run(0), &unbegun).unwrap();
    fs::write(format!("{unbegun}/records.jsonl"), b"").unwrap();
    let expired = site.erase(&["--expired"], 0);
    assert_eq!(expired["runs"], json!([{"runId": site.runs[0], "result": "erased"}]));
    assert!(!fs::exists(unbegun).unwrap());
    // A store ends its runs itself.
    let stored = Site::new();
    stored.erase(&["--run", &stored.runs[0], "--given-up"], 2);
    assert_eq!(stored.erase(&["--expired"], 0)["runs"], json!([]));
}

#[test]
fn a_field_is_erased_alone() {
    let site = Site::new();
    let replayed = site.audit("replay", 0, &[], 0);
    let step = &replayed["steps"].as_array().unwrap()[0];
    let root = site.audit("replay", 0, &[], 0)["steps"][0]["contentRoot"].clone();
    assert!(step["content"].to_string().contains(SECRET));
    let (root, run) = (root.as_str().unwrap(), site.runs[0].as_str());
    site.erase(&["--run", run, "--content", root, "--field", "/no/such/field"], 1);
    site.erase(&["--run", run, "--content", root, "--field", "/input"], 0);
    let after = site.audit("replay", 0, &[], 0);
    assert!(!after["steps"][0].to_string().contains(SECRET), "{after}");
    assert!(after["steps"][0]["content"].to_string().contains("erased"));
    // Mistyped or erased before: nobody can tell, so it is not "done".
    for pointer in ["/inputt", "/input"] {
        for more in [[].as_slice(), &["--again"]] {
            let order = [["--run", run, "--content", root, "--field", pointer].as_slice(), more].concat();
            let said = site.erase(&order, 3)["message"].as_str().unwrap().to_owned();
            assert!(said.contains("whether it ever was cannot be told"), "{said}");
        }
    }
    // Without what finds a field the order was called wrongly.
    let (store, signing) = (site.path("store"), site.path("keys/signing.key"));
    let base =
        ["audit", "erase", &store, "--origin", "ward.example.eu", "--by", "dpo", "--signing-key", &signing];
    let blind = [base.as_slice(), &["--run", run, "--content", root, "--field", "/input"]].concat();
    assert!(fuze(&blind, 2).stderr.contains("--master-key"));
    site.erase(&["--run", run, "--content", root], 0);
    site.erase(&["--run", run, "--content", root, "--field", "/input"], 0);
    site.erase(&[], 2);
}
