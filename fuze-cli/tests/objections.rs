//! What `fuze audit` says of runs that are intact and not right: they broke the rules, nothing of them is signed, something is gone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;

use common::site::Site;
use common::{fuze, json};
use fuze_agent_bundle_tests::forge::{Members, unpack};
use fuze_agent_bundle_tests::tamper::{rehash, resign};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::{Name, jcs};
use serde_json::{Value, json};

/// Changes a run of the site, and signs it anew with its own key: what a deployment without scruples writes.
fn write_anew(site: &Site, at: usize, change: impl FnOnce(&mut Vec<Value>)) {
    let signer =
        FileSigner::load(site.path("keys/signing.key").as_ref(), Name::new("test").unwrap()).unwrap();
    let file = |name: &str| format!("{}/{name}", site.run(at));
    let mut members = Members::new();
    for (member, name) in [("records.jsonl", "records.jsonl"), ("roots/roots.jsonl", "roots.jsonl")] {
        members.insert(member.to_owned(), fs::read(file(name)).unwrap());
    }
    resign(&mut members, &signer, change);
    fs::write(file("records.jsonl"), &members["records.jsonl"]).unwrap();
    fs::write(file("roots.jsonl"), &members["roots/roots.jsonl"]).unwrap();
}

fn spans<'r>(records: &'r mut [Value], span: &str) -> Vec<(usize, &'r mut Value)> {
    let of = |record: &Value| record["payload"]["span"] == span;
    records.iter_mut().enumerate().filter(|(_, record)| of(record)).collect()
}

fn read(path: &str) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The policy denied, and the tool ran all the same. Nothing was changed afterwards, so nothing but the rules speaks against it.
#[test]
fn a_signed_run_in_which_a_denied_tool_ran_is_not_valid_anywhere() {
    let site = Site::new();
    write_anew(&site, 0, |records| {
        spans(records, "policy.evaluate").remove(0).1["payload"]["attrs"]["fuze.policy.decision"] =
            json!("deny");
    });
    let run = site.run(0);
    let mut records = read(&format!("{run}/records.jsonl"));
    let ran = spans(&mut records, "tool.execute")[0].0;
    let check = |said: &Value| {
        assert_eq!(
            (&said["result"], &said["run"]["status"]),
            (&json!("failed"), &json!("completed")),
            "{said}"
        );
        let failure = &said["failure"];
        assert_eq!(
            (failure["file"].as_str(), failure["line"].as_u64()),
            (Some("records.jsonl"), Some(ran as u64))
        );
        assert!(failure["message"].as_str().unwrap().contains("against the rules"), "{said}");
        assert!(failure["expected"].as_str().unwrap().contains("`allow`"), "{said}");
        assert!(failure["found"].as_str().unwrap().contains("was not to allow it"), "{said}");
        let good = &failure["lastGood"];
        assert_eq!(good, &json!({"sequence": ran - 1, "hash": records[ran - 1]["hash"]}), "{said}");
        let rules: Vec<_> = said["findings"].as_array().unwrap().iter().map(|found| &found["rule"]).collect();
        assert_eq!(rules, ["allowed", "after_end", "after_end", "completed_after_denial"], "{said}");
    };
    check(&json(&fuze(&["audit", "verify", "--json", &run, "--key", &site.key], 1)));
    let text = fuze(&["audit", "verify", &run, "--key", &site.key], 1).stdout;
    assert!(text.starts_with("FAILED") && text.contains(&format!("records.jsonl line {ran}")), "{text}");
    for what in ["show", "replay"] {
        let told = json(&fuze(&["audit", what, "--json", &run, "--key", &site.key], 1));
        assert_eq!((&told["result"], &told["findings"][0]["rule"]), (&json!("failed"), &json!("allowed")));
    }
    // It can be handed on: evidence of what went wrong is evidence. But not as something else.
    let (bundle, signing) = (site.path("run.zip"), site.path("keys/signing.key"));
    let export = ["audit", "export", &run, "--out", &bundle, "--key", &site.key, "--signing-key", &signing];
    let exported = fuze(&export, 0);
    assert!(exported.stderr.contains("against the rules"), "{}", exported.stderr);
    check(&json(&fuze(&["audit", "verify", "--json", &bundle, "--key", &site.key], 1)));
    fuze(&["audit", "show", &bundle, "--key", &site.key], 1);
    let page = String::from_utf8(unpack(&fs::read(&bundle).unwrap())["report.html"].clone()).unwrap();
    assert!(page.contains("class=\"verdict stop\"") && !page.contains("Intact, and the run completed"));
    for shown in ["Against the rules", "the last decision about these arguments was not to allow it"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains(&format!("<td><a href=\"#r{ran}\">{ran}</a></td>")));
}

/// Section 7: what each request sent. Nothing else binds a request to what the model had been told.
#[test]
fn a_request_that_sent_something_else_is_found() {
    let site = Site::new();
    for nth in [0, 1] {
        let mut place = 0;
        write_anew(&site, nth, |records| {
            let (at, record) = spans(records, "model.generate").remove(nth);
            place = at;
            record["payload"]["attrs"]["fuze.model.history_hash"] = json!("7".repeat(64));
        });
        let said = json(&fuze(&["audit", "verify", "--json", &site.run(nth), "--key", &site.key], 1));
        assert_eq!(said["failure"]["line"].as_u64(), Some(place as u64), "{said}");
        assert_eq!(said["findings"].as_array().unwrap().len(), 1, "{said}");
        assert_eq!(said["findings"][0]["rule"], "told_history");
    }
}

/// Section 2: one content, one record.
#[test]
fn content_of_two_records_is_refused() {
    let site = Site::new();
    let mut place = 0;
    write_anew(&site, 0, |records| {
        let with: Vec<usize> =
            (0..records.len()).filter(|at| records[*at]["payload"].get("content").is_some()).collect();
        place = with[2];
        records[place]["payload"]["content"] = records[with[1]]["payload"]["content"].clone();
    });
    for path in [site.run(0), format!("{}/records.jsonl", site.run(0))] {
        let said = json(&fuze(&["audit", "verify", "--json", &path, "--key", &site.key], 1));
        assert_eq!(
            (&said["failure"]["line"], &said["failure"]["file"]),
            (&json!(place), &json!("records.jsonl"))
        );
        assert!(said["failure"]["expected"].as_str().unwrap().contains("no earlier record"), "{said}");
    }
}

/// Whoever has no key at all writes such records: they name whom they like.
#[test]
fn what_nobody_signed_is_said_to_be_nobodys() {
    let site = Site::new();
    let mut records = read(&format!("{}/records.jsonl", site.run(0)));
    records.pop();
    for record in &mut records {
        record["payload"]["common"]["fuze.tenant.id"] = json!("somebody-else");
    }
    rehash(&mut records);
    let forged = site.path("forged.jsonl");
    let lines: Vec<u8> =
        records.iter().flat_map(|line| [jcs::to_vec(line).unwrap(), vec![b'\n']].concat()).collect();
    fs::write(&forged, lines).unwrap();
    let text = fuze(&["audit", "verify", &forged, "--key", &site.key], 3).stdout;
    assert!(
        text.contains("nobody vouches for any of it") && text.lines().any(|line| line.ends_with("   nobody")),
        "{text}"
    );
    assert!(!text.contains("is intact") && !text.contains(&site.key_id()), "{text}");
    let said = json(&fuze(&["audit", "verify", "--json", &forged, "--key", &site.key], 3));
    assert_eq!((&said["result"], said["run"].get("keyId")), (&json!("not_closed"), None));
    assert!(said["reason"].as_str().unwrap().contains("nothing here is signed"), "{said}");
    let told = json(&fuze(&["audit", "show", "--json", &forged, "--key", &site.key], 3));
    assert!(told["message"].as_str().unwrap().contains("nothing here is signed"), "{told}");
    // What the open root covers is signed; the rest of a run that is not closed is not, and is not said to be.
    let run = site.run(1);
    let whole = fs::read_to_string(format!("{run}/records.jsonl")).unwrap();
    let cut = whole.trim_end().rfind('\n').unwrap() + 1;
    fs::write(format!("{run}/records.jsonl"), &whole[..cut]).unwrap();
    let said = json(&fuze(&["audit", "verify", "--json", &run, "--key", &site.key], 3));
    assert_eq!((&said["run"]["signedRecords"], &said["run"]["keyId"]), (&json!(1), &json!(site.key_id())));
    assert_eq!(said.get("reason"), None, "{said}");
}

/// What is gone is named by what lacks it, and by the record that commits to it; never by a line that is not there.
#[test]
fn what_is_gone_is_looked_for_in_its_own_file() {
    let whole = |site: &Site, code| {
        let (run, master, subjects) = (site.run(0), site.path("keys/master.key"), site.path("keys/subjects"));
        let opens = ["--master-key", &master, "--subject-keys", &subjects];
        let verify = ["audit", "verify", "--json", &run, "--key", &site.key];
        json(&fuze(&[verify.as_slice(), &opens].concat(), code))
    };
    for (file, line) in
        [("keys.jsonl", None), ("content.jsonl", None), ("content.jsonl", Some(1)), ("keys.jsonl", Some(2))]
    {
        let site = Site::new();
        assert_eq!(whole(&site, 0)["result"], "verified");
        let path = format!("{}/{file}", site.run(0));
        match line {
            None => fs::remove_file(&path).unwrap(),
            Some(line) => {
                let text = fs::read_to_string(&path).unwrap();
                let left: Vec<_> =
                    text.split_inclusive('\n').enumerate().filter(|(at, _)| *at != line).collect();
                fs::write(&path, left.into_iter().map(|(_, line)| line).collect::<String>()).unwrap();
            }
        }
        let mut records = read(&format!("{}/records.jsonl", site.run(0)));
        records.retain(|record| record["payload"].get("content").is_some());
        let record = &records[usize::from(line.is_some())];
        let said = whole(&site, 1);
        let failure = &said["failure"];
        assert_eq!((failure["file"].as_str(), failure.get("line")), (Some(file), None), "{said}");
        let of = format!("of record {}", record["sequence"]);
        assert!(failure["message"].as_str().unwrap().ends_with(&of), "{said}");
        assert!(
            failure["expected"]
                .as_str()
                .unwrap()
                .contains(record["payload"]["content"]["root"].as_str().unwrap())
        );
        assert!(failure["found"].as_str().is_some_and(|found| found.starts_with("nothing for")), "{said}");
        let text = fuze(&["audit", "verify", &site.run(0), "--key", &site.key], 1).stdout;
        assert!(!text.contains(" line "), "{text}");
    }
}

/// Both sides of every failure are told, and a line only where there is one.
#[test]
fn a_failure_says_what_was_expected_and_what_was_found() {
    let site = Site::new();
    let (run, bundle, signing) = (site.run(0), site.path("run.zip"), site.path("keys/signing.key"));
    fuze(&["audit", "export", &run, "--out", &bundle, "--key", &site.key, "--signing-key", &signing], 0);
    let octets = fs::read(&bundle).unwrap();
    let fails = |path: &str, more: &[&str]| {
        let said = json(&fuze(
            &[["audit", "verify", "--json", path, "--key", &site.key].as_slice(), more].concat(),
            1,
        ));
        let failure = said["failure"].clone();
        assert!(failure["expected"].is_string() && failure["found"].is_string(), "{said}");
        failure
    };
    let broken = site.path("broken.zip");
    fs::write(&broken, &octets[..octets.len() - 1]).unwrap();
    let cut = fails(&broken, &[]);
    assert_eq!((cut["file"].as_str(), cut.get("line")), (Some("the bundle's zip"), None));
    let at = octets.windows(6).position(|window| window == b"HOW TO").unwrap();
    let mut changed = octets.clone();
    changed[at] ^= 1;
    fs::write(&broken, changed).unwrap();
    let member = fails(&broken, &[]);
    assert_eq!((member["file"].as_str(), member.get("line")), (Some("the bundle's README.txt"), None));
    assert!(!fuze(&["audit", "verify", &broken, "--key", &site.key], 1).stdout.contains(" line "));

    let other = fails(&run, &["--run", &site.runs[1]]);
    assert_eq!((&other["expected"], &other["found"]), (&json!(site.runs[1]), &json!(site.runs[0])));
    assert!(
        other["message"].as_str().unwrap().ends_with("whether it is intact was not looked at"),
        "{other}"
    );
    // Of a bundle all was looked at before.
    let whole = fails(&bundle, &["--tenant", "clinic-8"]);
    assert!(whole["lastGood"]["sequence"].as_u64().unwrap() > 4, "{whole}");

    let path = format!("{run}/records.jsonl");
    let records = fs::read_to_string(&path).unwrap();
    let crlf = records.replacen('\n', "\r\n", 1);
    for changed in [
        crlf.as_str(),
        &records.replacen("\"role\":\"agent\"", "\"role\":\"king\"", 1),
        &records[..records.len() - 9],
        "",
    ] {
        fs::write(&path, changed).unwrap();
        fails(&run, &[]);
    }
    fs::write(&path, &records[..records.len() - 9]).unwrap();
    let text = fuze(&["audit", "verify", &run, "--key", &site.key], 1).stdout;
    assert!(text.contains("recovery") && !text.contains("`recover`"), "{text}");
}

/// What is named and would not be looked at is refused, with why.
#[test]
fn no_option_is_ignored_in_silence() {
    let site = Site::new();
    let (run, bundle, signing) = (site.run(0), site.path("run.zip"), site.path("keys/signing.key"));
    let (annex, master) = (site.path("no-such-annex"), site.path("keys/master.key"));
    fuze(&["audit", "export", &run, "--out", &bundle, "--key", &site.key, "--signing-key", &signing], 0);
    for what in ["verify", "show", "replay"] {
        let call = |path: &str, more: &[&str], code| {
            fuze(&[["audit", what, path, "--key", &site.key].as_slice(), more].concat(), code)
        };
        let refused = call(&bundle, &["--annex", &annex], 2);
        assert!(refused.stderr.contains("a bundle brings its own annex"), "{}", refused.stderr);
        call(&bundle, &["--master-key", &master], 2);
        // Where it is looked at it must be there.
        call(&run, &["--annex", &annex], 4);
    }
    for side in ["--left-annex", "--right-annex"] {
        fuze(&["audit", "diff", &run, &site.run(1), "--key", &site.key, side, &annex], 4);
        fuze(&["audit", "diff", &bundle, &bundle, "--key", &site.key, side, &annex], 2);
    }
    // A run that lies elsewhere than its annex is explained by it where that is named, and by no other tenant's.
    site.erase(&["--run", &site.runs[0]], 0);
    let annexes = fs::read_dir(site.path("store/annex")).unwrap();
    let own = annexes.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).next().unwrap();
    let other = site.path("other.jsonl");
    fs::write(&other, annex_of(&site, "clinic-8")).unwrap();
    let (own, other) = (own.as_str(), other.as_str());
    let moved = site.path("moved");
    fs::rename(&run, &moved).unwrap();
    let call = |what: &str, more: &[&str], code| {
        fuze(&[["audit", what, &moved, "--key", &site.key].as_slice(), more].concat(), code)
    };
    for what in ["verify", "show", "replay"] {
        call(what, &[], 1);
        call(what, &["--annex", own], 0);
        let refused = call(what, &["--annex", other], 2);
        assert!(refused.stderr.contains("`clinic-8`") && refused.stderr.contains("`clinic-7`"));
    }
}

/// What the deployment says of a tenant that it has no runs of, which its orders refuse to.
fn annex_of(site: &Site, tenant: &str) -> Vec<u8> {
    use fuze_evidence::annex::{Annex, Event, Hold, HoldReason, HoldScope};
    let name = |text| fuze_evidence::Name::new(text).unwrap();
    let key = site.path("keys/signing.key");
    let signer = fuze_evidence::keys::FileSigner::load(key.as_ref(), name("test")).unwrap();
    let mut annex = Annex::begin(name("ward.example.eu"), name(tenant));
    let hold = Event::Hold(Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims });
    let at = fuze_evidence::Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
    [annex.append(at, name("dpo"), hold, &signer).unwrap(), b"\n".to_vec()].concat()
}

/// A message says what is wrong, where, and what would be right.
#[test]
fn messages_name_what_they_are_about() {
    let site = Site::new();
    let (run, store) = (site.run(0), site.path("store"));
    let says = |arguments: &[&str], code, parts: &[&str]| {
        let said = fuze(arguments, code).stderr;
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    };
    says(&["audit", "verify", &run, "--key", "nonsense"], 4, &["nonsense", "64 hexadecimal digits", "--key"]);
    let stranger = "01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1";
    says(&["audit", "verify", &store, "--run", stranger, "--key", &site.key], 4, &[&store, stranger]);
    let corrupt = site.path("corrupt");
    fs::create_dir(&corrupt).unwrap();
    fs::write(format!("{corrupt}/fuze.sqlite"), b"no database").unwrap();
    says(&["audit", "query", &corrupt], 4, &[&corrupt]);
    says(&["audit", "verify", &corrupt, "--run", stranger, "--key", &site.key], 4, &[&corrupt]);
}

/// Whoever names a key, a run or a history believes that it was looked at.
#[test]
fn what_would_not_be_looked_at_is_refused() {
    let site = Site::with_history();
    let log = site.log();
    site.anchor(&log, 0, true);
    let (vkey, directory, key_id) = (log.vkey().to_string(), site.path("log"), site.key_id());
    let (run, other, key) = (site.run(0), site.runs[1].as_str(), site.key.as_str());
    let (records, signing, bundle) =
        (format!("{run}/records.jsonl"), site.path("keys/signing.key"), site.path("a.zip"));
    let (master, subjects) = (site.path("keys/master.key"), site.path("keys/subjects"));
    let anchors = site.revoke(&log, &[]);
    let export = ["audit", "export", &run, "--key", key, "--signing-key", &signing, "--out", &bundle];
    assert!(fuze(&[export.as_slice(), &["--run", other]].concat(), 1).stderr.contains("another run"));
    assert!(!std::path::Path::new(&bundle).exists());
    fuze(&export, 0);
    let in_log = ["--log", &directory, "--log-key", &vkey, "--key-anchors", &anchors];
    for what in ["verify", "show", "replay"] {
        let call = |path: &str, more: &[&str], code| {
            fuze(&[["audit", what, path, "--key", key].as_slice(), more].concat(), code).stderr
        };
        assert!(call(&run, &["--root-key", &key_id], 2).contains("`--root-key`"));
        assert!(call(&run, &in_log, 2).contains("`--key-anchors`"));
        for path in [&records, &bundle] {
            let said = call(path, &["--master-key", &master, "--subject-keys", &subjects], 2);
            assert!(said.contains("`--master-key`"), "{said}");
        }
        // It brings no history.
        let said = call(&bundle, &["--root-key", &key_id], 2);
        assert!(said.contains("`--root-key`") && said.contains("brings no history"), "{said}");
    }
    let diff = |more: &[&str], code| {
        fuze(&[["audit", "diff", &run, &bundle, "--key", key].as_slice(), more].concat(), code)
    };
    diff(&["--master-key", &master, "--subject-keys", &subjects], 0);
    let said = diff(&["--root-key", &key_id], 2).stderr;
    assert!(said.contains("`--root-key`") && said.contains("brings no history"), "{said}");
    for side in ["--left-run", "--right-run"] {
        diff(&[side, &site.runs[0]], 0);
        assert!(diff(&[side, other], 1).stderr.contains("another run"));
    }
}
