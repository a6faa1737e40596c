//! Keys of another deployment, runs of another place: what they have to do with the evidence, and what not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::site::{ORIGIN, Site};
use common::{fuze, json};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Name, Signer as _, Timestamp};
use serde_json::{Value, json};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A history that has the site's key as its first, rotated out and revoked long ago; of `origin`, for `role`. Its path and its root.
fn history(site: &Site, origin: &str, role: KeyRole) -> (String, String) {
    let stolen = FileSigner::load(Path::new(&site.path("keys/signing.key")), name("test")).unwrap();
    let next = FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap();
    let begun = at("2020-01-01T00:00:00.000000000Z");
    let mut history = KeyHistory::introduce(name(origin), role, begun, &stolen).unwrap();
    history.rotate(at("2021-01-01T00:00:00.000000000Z"), &stolen, &next).unwrap();
    history.revoke(at("2021-01-02T00:00:00.000000000Z"), stolen.key_id(), Some(begun), &next).unwrap();
    let path = site.path("stolen.history.jsonl");
    fs::write(&path, history.to_bytes()).unwrap();
    (path, stolen.key_id().to_string())
}

fn export(site: &Site, at: usize, out: &str, signing: &str) -> String {
    let (store, out) = (site.path("store"), site.path(out));
    let base = ["audit", "export", &store, "--run", &site.runs[at], "--out", &out];
    fuze(&[base.as_slice(), &["--key", &site.key, "--signing-key", signing]].concat(), 0);
    out
}

/// Whoever stole a key that was revoked writes any deployment into the run, and any role suits them.
#[test]
fn a_revoked_key_signs_for_no_other_deployment() {
    let site = Site::new();
    let (run, bundle) = (site.run(0), export(&site, 0, "forged.zip", &site.path("keys/signing.key")));
    for origin in ["another.example", ORIGIN] {
        let (path, root) = history(&site, origin, KeyRole::Run);
        let named = ["--key-history", &path, "--root-key", &root];
        for what in ["verify", "show", "replay"] {
            for (place, keys) in
                [(&run, ["--key", &site.key].as_slice()), (&bundle, &[]), (&bundle, &["--key", &site.key])]
            {
                fuze(&[["audit", what, place].as_slice(), keys, &named].concat(), 3);
            }
        }
        let said = json(&fuze(&[["audit", "verify", "--json", &bundle].as_slice(), &named].concat(), 3));
        let whose = "a key of `another.example` for the role `run`";
        let told = said["reason"].as_str().unwrap();
        assert!(told.contains(if origin == ORIGIN { "had been replaced" } else { whose }), "{told}");
    }
    let (path, root) = history(&site, ORIGIN, KeyRole::Log);
    let named = ["audit", "verify", &bundle, "--key", &site.key, "--key-history", &path, "--root-key", &root];
    let said = fuze(&named, 2).stderr;
    assert!(said.contains("for the role `log`") && said.contains("of the role `run`"), "{said}");
}

#[test]
fn a_revoked_key_makes_no_bundles_of_other_deployments() {
    let (site, other) = (Site::new(), Site::new());
    let (path, root) = history(&other, "another.example", KeyRole::Run);
    let bundle = export(&site, 0, "a.zip", &other.path("keys/signing.key"));
    let verify = ["audit", "verify", &bundle, "--key", &site.key];
    for more in [[].as_slice(), &["--key", &other.key]] {
        let code = if more.is_empty() { 3 } else { 0 };
        fuze(&[verify.as_slice(), more].concat(), code);
        let named = ["--key-history", &path, "--root-key", &root];
        fuze(&[verify.as_slice(), more, &named].concat(), 3);
    }
}

/// The first key of a history is trusted through it: a bundle that leaves its history out says nothing of what became of the key.
#[test]
fn a_first_key_without_its_history_is_no_key() {
    let site = Site::with_history();
    let bundle = export(&site, 0, "a.zip", &site.path("keys/signing.key"));
    let root = site.key_id();
    let said = json(&fuze(&["audit", "verify", "--json", &bundle, "--root-key", &root], 3));
    assert!(said["reason"].as_str().unwrap().contains("the bundle brings none"), "{said}");
    fuze(&["audit", "verify", &bundle, "--key", &site.key], 0);
    let history = site.path("run.history.jsonl");
    fuze(&["audit", "verify", &bundle, "--key-history", &history, "--root-key", &root], 0);
}

/// Keys of a person are erased where the person's runs are, with what holds them and what explains what is gone.
#[test]
fn keys_of_runs_in_another_place_stay() {
    let site = Site::new();
    let (store, subjects, signing) =
        (site.path("store"), site.path("keys/subjects"), site.path("keys/signing.key"));
    site.erase(&["--hold", "evidence-freeze", "--tenant", "clinic-7"], 0);
    let person = ["--tenant", "clinic-7", "--subject", "p-1", "--subject-keys", &subjects];
    let order = |place: &str, origin: &str, key: &str, more: &[&str], code| {
        let base =
            ["audit", "erase", "--json", place, "--origin", origin, "--signing-key", key, "--by", "dpo"];
        json(&fuze(&[base.as_slice(), &person, more].concat(), code))
    };
    // A directory with nothing in it, under a key that nobody knows.
    let (elsewhere, stranger) = (site.path("elsewhere"), site.path("stranger.key"));
    fs::create_dir_all(site.path("elsewhere/runs")).unwrap();
    fuze(&["key", "new", "--role", "run", "--out", &stranger], 0);
    for more in [[].as_slice(), &["--keys-alone"]] {
        for (origin, key) in [("any.example", &stranger), (ORIGIN, &signing)] {
            let said = order(&elsewhere, origin, key, more, 1);
            assert!(said["message"].as_str().unwrap().contains("clinic-7"), "{said}");
        }
    }
    // A run of the tenant is there, and none of the person's.
    common::site::copy(&site.run(2), &format!("{elsewhere}/runs/{}", site.runs[2]));
    let left = order(&elsewhere, ORIGIN, &signing, &[], 3);
    assert_eq!((&left["runs"], left["keysLeft"].as_array().unwrap().len()), (&json!([]), 2));
    order(&elsewhere, ORIGIN, &stranger, &["--keys-alone"], 1);
    let content = |at: usize| -> Value {
        let keys = ["--key", &site.key, "--master-key", &site.path("keys/master.key")];
        let run = ["audit", "verify", "--json", &store, "--run", &site.runs[at], "--subject-keys", &subjects];
        json(&fuze(&[run.as_slice(), &keys].concat(), 0))["run"]["content"].clone()
    };
    assert_eq!((&content(0)["withheld"], &content(0)["erased"]), (&json!(0), &json!(0)));
    // Whoever orders it says that the runs are nowhere else.
    let gone = order(&elsewhere, ORIGIN, &signing, &["--keys-alone"], 0);
    assert_eq!((gone["keysAlone"].as_array().unwrap().len(), gone.get("keysLeft")), (2, None));
}

/// Roots alone account for nothing: the evidence that opens them has to be there.
#[test]
fn a_run_whose_evidence_is_not_whole_is_told() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    (0..3).for_each(|at| site.anchor(&log, at, true));
    let sink = site.path("sink");
    fs::create_dir(&sink).unwrap();
    common::site::copy(&site.path("store/runs"), &format!("{sink}/runs"));
    let verify = |code| {
        let base = ["log", "verify", "--json", &site.path("log"), "--log-key", &vkey, "--key", &site.key];
        json(&fuze(&[base.as_slice(), &["--accounted-by", &sink]].concat(), code))
    };
    assert_eq!(verify(0)["result"], "verified");
    let records = format!("{sink}/runs/{}/records.jsonl", site.runs[1]);
    let text = fs::read_to_string(&records).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&records, format!("{}\n{}\n", lines[0], lines[lines.len() - 1])).unwrap();
    let said = verify(1);
    let findings = said["findings"].as_array().unwrap();
    let told = findings[0].as_str().unwrap();
    assert!(
        findings.len() == 1 && told.contains(&site.runs[1]) && told.contains("does not verify"),
        "{said}"
    );
}

/// Of another log, or not cosigned: nothing is known to be wrong with it.
#[test]
fn an_earlier_checkpoint_of_another_log_says_nothing() {
    let (site, other) = (Site::new(), Site::new());
    let (log, theirs) = (site.log(), other.log());
    site.anchor(&log, 0, true);
    other.anchor(&theirs, 0, true);
    let vkey = log.vkey().to_string();
    let verify = |earlier: &str, code| {
        fuze(&["log", "verify", &site.path("log"), "--log-key", &vkey, "--earlier", earlier], code)
    };
    verify(&site.path("log/checkpoint"), 0);
    verify(&other.path("log/checkpoint"), 3);
}

/// What has no end or no beginning stands in nobody's way.
#[test]
fn an_erasure_waits_for_no_pipe_and_no_device() {
    let site = Site::crashed();
    let fifo = |path: &str| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let stray = site.path("store/runs/01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1");
    fs::create_dir(&stray).unwrap();
    fifo(&format!("{stray}/records.jsonl"));
    site.erase(&["--expired"], 1);
    fs::remove_dir_all(&stray).unwrap();
    let annex = site.path("store/annex");
    fs::create_dir_all(&annex).unwrap();
    let of = format!("{annex}/{}", fuze_evidence::annex::file_name(&name("clinic-7")));
    let order = ["--run", &site.runs[0]];
    fifo(&of);
    site.erase(&order, 4);
    fs::remove_file(&of).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &of).unwrap();
    site.erase(&order, 4);
}
