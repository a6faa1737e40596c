//! `fuze log`: a log's public files read as a stranger does, and a witness over loopback, stopped when its test ends.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use common::site::{Site, anchor_lines, copy};
use common::{Called, fuze, json};
use fuze_agent_bundle_tests::forge::unpack;
use fuze_evidence::anchor::Blinding;
use fuze_evidence::annex::{Erased, Erasure, ErasureReason, Event, file_name};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Annex, Name, RunId, Timestamp, sha256};
use fuze_log::witness::{HttpTransport, WitnessError};
use fuze_log::{Algorithm, KeyName, Log, VerifierKey, WitnessClient};
use serde_json::{Value, json};

/// `fuze log verify` of the directory `log`, believed under `vkey`.
fn verify(site: &Site, vkey: &str, more: &[&str], code: i32) -> Called {
    let directory = site.path("log");
    fuze(&[["log", "verify", "--json", &directory, "--log-key", vkey].as_slice(), more].concat(), code)
}

#[test]
fn a_log_is_read_as_a_whole() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    site.anchor(&log, 0, true);
    anchor_lines(&log, &site.roots(1), false);
    let verified = json(&verify(&site, &vkey, &[], 0));
    assert_eq!((&verified["result"], &verified["size"]), (&json!("verified"), &json!(3)));
    // The run that never closed, once its deadline has passed.
    let late = json(&verify(&site, &vkey, &["--as-of", "2099-01-01T00:00:00.000000001Z"], 1));
    assert_eq!(late["result"], "findings");
    let findings = late["findings"].as_array().unwrap();
    assert!(
        findings.len() == 1 && findings[0].as_str().unwrap().starts_with("leaf 2: a run was opened"),
        "{late}"
    );

    let directory = site.path("log");
    fuze(&["log", "verify", &directory], 3);
    fuze(&["log", "verify", &directory, "--log-key", "nonsense+"], 2);
    fuze(&["log", "verify", &site.path("nowhere"), "--log-key", &vkey], 4);
    verify(&site, &vkey, &["--as-of", "yesterday"], 2);
    let key = FileSigner::ephemeral(Name::new("witness").unwrap(), &mut OsRandom::new()).unwrap();
    let name = KeyName::new("witness.example").unwrap();
    let witness = VerifierKey::of(name, Algorithm::Cosignature, &key).unwrap().to_string();
    verify(&site, &vkey, &["--witness", &witness], 3);
    let other = Site::new().log().vkey().to_string();
    verify(&site, &other, &[], 3);
    let entries = format!("{directory}/tile/entries/000.p/3");
    let mut octets = fs::read(&entries).unwrap();
    let at = octets.len() / 2;
    octets[at] ^= 1;
    fs::write(&entries, octets).unwrap();
    verify(&site, &vkey, &[], 1);
}

#[test]
fn a_rolled_back_and_a_forked_log_do_not_begin_with_the_checkpoint_that_was_kept() {
    let site = Site::new();
    let log = site.log();
    let (vkey, directory) = (log.vkey().to_string(), site.path("log"));
    anchor_lines(&log, &site.roots(0), true);
    copy(&directory, &site.path("old"));
    site.anchor(&log, 1, true);
    let kept = site.path("kept");
    let (out, signing, run) = (site.path("kept.zip"), site.path("keys/signing.key"), site.run(1));
    let export = ["audit", "export", &run, "--out", &out, "--key", &site.key, "--signing-key", &signing];
    fuze(&[export.as_slice(), &["--log-key", &vkey, "--log", &directory]].concat(), 0);
    let proof = &unpack(&fs::read(&out).unwrap())["anchors/close.tlog-proof"];
    fs::write(site.path("close.tlog-proof"), proof).unwrap();
    fs::copy(format!("{directory}/checkpoint"), &kept).unwrap();
    anchor_lines(&log, &site.roots(2), true);
    let verified = json(&verify(&site, &vkey, &["--earlier", &kept], 0));
    verify(&site, &vkey, &["--earlier", &site.path("close.tlog-proof")], 0);
    let here = ["audit", "verify", &out, "--key", &site.key, "--log-key", &vkey, "--log"];
    fuze(&[here.as_slice(), &[&directory]].concat(), 0);
    // A copy from before says nothing about it.
    fuze(&[here.as_slice(), &[&site.path("old")]].concat(), 3);
    assert_eq!((&verified["extendsEarlier"], &verified["size"]), (&json!(true), &json!(6)));
    // Rolled back: the older log is well in itself, and smaller than what was seen.
    drop(log);
    fs::remove_dir_all(&directory).unwrap();
    copy(&site.path("old"), &directory);
    verify(&site, &vkey, &[], 0);
    assert!(verify(&site, &vkey, &["--earlier", &kept], 1).stderr.contains("rolled back or forked"));
    // Forked: it has grown again, past that size and with other leaves.
    let log = site.reopened_log();
    anchor_lines(&log, &site.roots(2), true);
    anchor_lines(&log, &site.roots(1), true);
    assert_eq!(json(&verify(&site, &vkey, &[], 0))["size"], 6);
    assert!(verify(&site, &vkey, &["--earlier", &kept], 1).stderr.contains("rolled back or forked"));
    // A bundle that was handed out keeps a checkpoint as well, in its proofs; and it is not in the log that is shown now.
    verify(&site, &vkey, &["--earlier", &site.path("close.tlog-proof")], 1);
    let bundle = site.path("kept.zip");
    let look = ["audit", "verify", &bundle, "--key", &site.key, "--log-key", &vkey];
    fuze(&look, 0);
    let said = fuze(&[look.as_slice(), &["--log", &directory]].concat(), 1).stderr;
    assert!(said.contains("the leaf is not there"), "{said}");
    fuze(&[["audit", "show", &bundle].as_slice(), &look[3..], &["--log", &directory]].concat(), 1);
    fs::write(&kept, "no note").unwrap();
    // The auditor's own file: the log has nothing to do with what is wrong with it.
    verify(&site, &vkey, &["--earlier", &kept], 2);
    verify(&site, &vkey, &["--earlier", &site.path("no such file")], 4);
}

#[test]
fn a_run_that_was_left_out_is_found_by_its_leaves() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    for at in 0..3 {
        site.anchor(&log, at, true);
    }
    let (store, key) = (site.path("store"), ["--key", &site.key]);
    let all = json(&verify(&site, &vkey, &[key.as_slice(), &["--accounted-by", &store]].concat(), 0));
    assert_eq!(all["accountedBy"], json!([store]));
    // Two bundles of three runs, or a run's directory taken away from a sink's.
    let (directory, signing) = (site.path("log"), site.path("keys/signing.key"));
    let bundles = [0, 2].map(|at| {
        let out = site.path(&format!("{at}.zip"));
        let base =
            ["audit", "export", &store, "--run", &site.runs[at], "--out", &out, "--signing-key", &signing];
        fuze(&[base.as_slice(), &key, &["--log-key", &vkey, "--log", &directory]].concat(), 0);
        out
    });
    let given: Vec<&str> = bundles.iter().flat_map(|path| ["--accounted-by", path]).collect();
    let some = json(&verify(&site, &vkey, &[key.as_slice(), &given].concat(), 1));
    let findings: Vec<&str> =
        some["findings"].as_array().unwrap().iter().map(|finding| finding.as_str().unwrap()).collect();
    assert_eq!(findings.len(), 2, "{some}");
    assert!(
        findings[0].starts_with("leaf 2: a `run_open`") && findings[1].starts_with("leaf 3: a `run_close`")
    );
    let sink = site.path("sink");
    fs::create_dir(&sink).unwrap();
    copy(&site.path("store/runs"), &format!("{sink}/runs"));
    verify(&site, &vkey, &[key.as_slice(), &["--accounted-by", &sink]].concat(), 0);
    fs::remove_dir_all(format!("{sink}/runs/{}", site.runs[0])).unwrap();
    let one = json(&verify(&site, &vkey, &[key.as_slice(), &["--accounted-by", &sink]].concat(), 1));
    assert_eq!(one["findings"].as_array().unwrap().len(), 2, "{one}");
    // Lines alone account for nothing: the run has to be there, signed by a key that was named.
    let other = format!("{sink}/runs/{}/anchors.jsonl", site.runs[1]);
    fs::copy(format!("{}/anchors.jsonl", site.run(0)), other).unwrap();
    let two = json(&verify(&site, &vkey, &[key.as_slice(), &["--accounted-by", &sink]].concat(), 1));
    assert_eq!(two["findings"].as_array().unwrap().len(), 4, "{two}");
    let stranger = ["--key", common::site::STRANGER, "--accounted-by", &store];
    assert_eq!(json(&verify(&site, &vkey, &stranger, 1))["findings"].as_array().unwrap().len(), 6);
    verify(&site, &vkey, &["--accounted-by", &store], 2);
}

/// What an annex says was erased as a whole explains leaves as far as its times can be true.
#[test]
fn a_run_that_was_made_up_explains_no_leaf_of_another_time() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    for at in 0..2 {
        site.anchor(&log, at, true);
    }
    let sink = site.path("sink");
    fs::create_dir(&sink).unwrap();
    fs::create_dir(format!("{sink}/annex")).unwrap();
    copy(&site.path("store/runs"), &format!("{sink}/runs"));
    fs::remove_dir_all(format!("{sink}/runs/{}", site.runs[1])).unwrap();
    let signer =
        FileSigner::load(site.path("keys/signing.key").as_ref(), Name::new("test").unwrap()).unwrap();
    let tenant = Name::new("clinic-7").unwrap();
    let account = |made: &str, at: &str, code| {
        let made = made.parse().unwrap();
        let run_id = RunId::generate(made, &mut OsRandom::new()).unwrap();
        let what = Erased::Directory { close_root: sha256(b"none") };
        let erasure = Erasure { run_id, reason: ErasureReason::HashWindow, what };
        let mut annex = Annex::begin(Name::new(common::site::ORIGIN).unwrap(), tenant.clone());
        let by = Name::new("retention").unwrap();
        let line = annex.append(at.parse().unwrap(), by, Event::Erased(erasure), &signer).unwrap();
        fs::write(format!("{sink}/annex/{}", file_name(&tenant)), [line, b"\n".to_vec()].concat()).unwrap();
        json(&verify(&site, &vkey, &["--key", &site.key, "--accounted-by", &sink], code))
    };
    let now = Timestamp::from_system_time(std::time::SystemTime::now()).unwrap().to_string();
    let long_ago = "2001-01-01T00:00:00.000000000Z";
    for (made, at) in [
        // In the future, before it was made, before the roots that stand before the leaves, after the deadline of the leaves.
        (now.as_str(), "9998-01-01T00:00:00.000000000Z"),
        (&now, long_ago),
        ("2000-01-01T00:00:00.000000000Z", long_ago),
        ("9999-01-01T00:00:00.000000000Z", &now),
    ] {
        let found = account(made, at, 1);
        assert_eq!(found["findings"].as_array().unwrap().len(), 2, "{made} {at}: {found}");
    }
    // Nothing speaks against this one: who has the key is believed, and that is said.
    let believed = account(&now, &now, 3);
    let told = believed["unaccounted"][0].as_str().unwrap();
    assert!(told.contains("the word of whoever has the key"), "{told}");
}

/// The log did not take the closes of three runs: of a store's, of a sink's, and of one that it never knew.
#[test]
fn a_close_that_the_log_did_not_take_is_put_there_later() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    site.anchor(&log, 0, false);
    let (store, directory, signing) = (site.path("store"), site.path("log"), site.path("log.key"));
    let sink = site.path("sink");
    fs::create_dir(&sink).unwrap();
    copy(&site.path("store/runs"), &format!("{sink}/runs"));
    let lines = anchor_lines(&log, &site.roots(1), false);
    let anchors = format!("{sink}/runs/{}/anchors.jsonl", site.runs[1]);
    fs::write(&anchors, [lines[0].bytes(), b"\n"].concat()).unwrap();
    fs::remove_dir_all(format!("{sink}/runs/{}", site.runs[0])).unwrap();
    drop(log);
    let anchor = |path: &str, key: &str, code| {
        let base = ["log", "anchor", "--json", path, "--log", &directory, "--log-signing-key", &signing];
        json(&fuze(&[base.as_slice(), &["--key", key]].concat(), code))
    };
    let one = |at: usize, index: u64| json!([{"runId": site.runs[at], "index": index}]);
    assert_eq!(anchor(&store, common::site::STRANGER, 3)["anchored"], json!([]));
    // A run's files beside the store's database are the store's to write.
    let pending = anchor(&site.run(0), &site.key, 3);
    assert!(pending["pending"][0]["message"].as_str().unwrap().contains("name the store"), "{pending}");
    let settled = anchor(&store, &site.key, 0);
    assert_eq!((&settled["anchored"], &settled["pending"]), (&one(0, 2), &json!([])));
    assert_eq!(anchor(&sink, &site.key, 0)["anchored"], one(1, 3));
    for path in [&store, &sink] {
        assert_eq!(anchor(path, &site.key, 0)["anchored"], json!([]), "what is there is not put there again");
    }
    verify(&site, &vkey, &["--as-of", "2099-01-01T00:00:00.000000001Z"], 0);
    for run in [site.run(0), format!("{sink}/runs/{}", site.runs[1])] {
        let proven =
            ["audit", "verify", "--json", &run, "--key", &site.key, "--log-key", &vkey, "--log", &directory];
        let said = json(&fuze(&proven, 0));
        assert!(said["log"].as_str().unwrap().contains("close at"), "{said}");
    }
    // After a crash between the log and the file the same leaf is found again.
    fs::write(&anchors, [lines[0].bytes(), b"\n"].concat()).unwrap();
    assert_eq!(anchor(&sink, &site.key, 0)["anchored"], one(1, 3));
    assert_eq!(json(&verify(&site, &vkey, &[], 0))["size"], 4);
    // A line of another run is no reason to anchor this one's close.
    fs::copy(format!("{}/anchors.jsonl", site.run(0)), format!("{sink}/runs/{}/anchors.jsonl", site.runs[2]))
        .unwrap();
    assert_eq!(anchor(&sink, &site.key, 0)["anchored"], json!([]));
}

/// What a key signed before it was revoked counts as far as the log shows it: the revocation's line is put there by the command.
#[test]
fn the_lines_of_a_key_history_are_put_into_a_log() {
    let site = Site::with_history();
    let log = site.log();
    let vkey = log.vkey().to_string();
    site.anchor(&log, 0, true);
    drop(log);
    let (history, old, new) =
        (site.path("run.history.jsonl"), site.path("keys/signing.key"), site.path("next.key"));
    let (directory, signing, anchors) = (site.path("log"), site.path("log.key"), site.path("key.anchors"));
    let add = |code| {
        let base = ["log", "add", "--json", "--key-history", &history, "--anchors", &anchors];
        json(&fuze(&[base.as_slice(), &["--log", &directory, "--log-signing-key", &signing]].concat(), code))
    };
    let leaves = |added: &Value| added["added"].as_array().unwrap().len();
    assert_eq!(leaves(&add(0)), 1);
    assert_eq!(leaves(&add(0)), 0, "a line is put there once");
    let id = site.key_id();
    fuze(&["key", "rotate", "--history", &history, "--key", &old, "--out", &new], 0);
    let said = fuze(&["key", "rotate", "--history", &history, "--key", &new, "--revoke", &id], 0).stderr;
    assert!(said.contains("`fuze log add`"), "{said}");
    let added = add(0);
    assert_eq!(added["added"], json!([{"line": 1, "index": 3}, {"line": 2, "index": 4}]));
    let run = site.run(0);
    let trusted = ["audit", "verify", &run, "--key-history", &history, "--root-key", &id];
    fuze(&trusted, 3);
    let proven = ["--log-key", &vkey, "--log", &directory, "--key-anchors", &anchors];
    fuze(&[trusted.as_slice(), &proven].concat(), 0);
    // A run that the log had only after the revocation does not count.
    let log = site.reopened_log();
    site.anchor(&log, 1, true);
    drop(log);
    let later = site.run(1);
    let trusted = ["audit", "verify", &later, "--key-history", &history, "--root-key", &id];
    fuze(&[trusted.as_slice(), &proven].concat(), 3);
    // Interrupted when the log had the leaf and the file not its line: the leaf is found again, and none is added.
    let kept = fs::read(&anchors).unwrap();
    let head =
        sha256(fs::read(&history).unwrap().trim_ascii_end().rsplit(|&octet| octet == b'\n').next().unwrap());
    let (log, blinding) = (site.reopened_log(), Blinding::generate(&mut OsRandom::new()).unwrap());
    let at = site.anchor_key(&log, head, &blinding).index();
    let meant = site.path("key.anchors.meant");
    let was = json!({"blinding": blinding, "line": head, "log": log.origin()});
    fs::write(&meant, format!("\n{was}\n")).unwrap();
    drop(log);
    let lines: Vec<&[u8]> = kept.split_inclusive(|&octet| octet == b'\n').collect();
    fs::write(&anchors, lines[..2].concat()).unwrap();
    assert_eq!(add(0)["added"], json!([{"line": 2, "index": at}]));
    assert!(!fs::exists(&meant).unwrap());
    assert_eq!(json(&verify(&site, &vkey, &[], 0))["size"], at + 1);
    assert_eq!(leaves(&add(0)), 0);
    fs::write(&anchors, b"torn").unwrap();
    add(4);
    fs::remove_file(&anchors).unwrap();
    fs::write(&history, b"{}\n").unwrap();
    add(1);
}

/// A `fuze log witness` that ends with its test.
struct Running(Child);

impl Running {
    fn start(site: &Site, vkey: &str) -> (Self, Value) {
        let (state, key) = (site.path("witness"), site.path("witness.key"));
        let child = Command::new(env!("CARGO_BIN_EXE_fuze"))
            .args(["log", "witness", "--json", "--state", &state, "--name", "witness.example", "--key", &key])
            .args(["--log", vkey, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn();
        let mut running = Self(child.unwrap());
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (running, serde_json::from_str(&line).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn client(witnessing: &Value) -> WitnessClient {
    let address = witnessing["address"].as_str().unwrap();
    let vkey = witnessing["vkey"].as_str().unwrap().parse().unwrap();
    WitnessClient::new(vkey, HttpTransport::new(&format!("http://{address}")).unwrap()).unwrap()
}

fn cosigned(log: &Log, client: &WitnessClient) -> Result<(), WitnessError> {
    let mut asked = log.cosign(std::slice::from_ref(client)).unwrap();
    asked.refused.pop().map_or(Ok(()), |refused| Err(refused.error))
}

#[test]
fn a_witness_cosigns_what_grows_and_remembers_it() {
    let site = Site::new();
    let log = site.log();
    let vkey = log.vkey().to_string();
    fuze(&["key", "new", "--role", "log", "--out", &site.path("witness.key")], 0);
    let (running, witnessing) = Running::start(&site, &vkey);
    common::schema::check(&witnessing);
    site.anchor(&log, 0, true);
    let asked = client(&witnessing);
    cosigned(&log, &asked).unwrap();
    let theirs = witnessing["vkey"].as_str().unwrap();
    // What the witness has seen goes along into a bundle.
    let (out, run, signing) = (site.path("run.zip"), site.run(0), site.path("keys/signing.key"));
    let (place, key) = (site.path("log"), ["--key", &site.key]);
    let export = ["audit", "export", &run, "--out", &out, "--signing-key", &signing, "--log", &place];
    let seen = ["--log-key", &vkey, "--witness", theirs];
    fuze(&[export.as_slice(), &key, &seen].concat(), 0);
    let bundle = json(&fuze(&[["audit", "verify", "--json", &out].as_slice(), &key, &seen].concat(), 0));
    assert_eq!(bundle["log"], "log.example.eu/runs: open at 0, close at 1; 1 witnesses");
    copy(&site.path("log"), &site.path("old"));
    anchor_lines(&log, &site.roots(1), true);
    cosigned(&log, &asked).unwrap();
    let (directory, named) = (site.path("log"), ["--witness", theirs]);
    assert_eq!(json(&verify(&site, &vkey, &named, 0))["witnesses"], json!(["witness.example"]));
    // It has not seen what came since.
    site.anchor(&log, 2, false);
    verify(&site, &vkey, &named, 3);
    let (unseen, other) = (site.path("unseen.zip"), site.run(2));
    let export = ["audit", "export", &other, "--out", &unseen, "--signing-key", &signing, "--log", &place];
    fuze(&[export.as_slice(), &key, &seen].concat(), 3);
    // A log that was rolled back and grew otherwise is refused, by the same witness after it began anew, too.
    drop((log, running));
    fs::remove_dir_all(&directory).unwrap();
    copy(&site.path("old"), &directory);
    let log = site.reopened_log();
    anchor_lines(&log, &site.roots(2), true);
    let (_running, again) = Running::start(&site, &vkey);
    assert_eq!(again["vkey"], witnessing["vkey"]);
    let refused = cosigned(&log, &client(&again)).unwrap_err();
    assert!(!refused.to_string().is_empty());
    anchor_lines(&log, &site.roots(1), true);
    assert!(cosigned(&log, &client(&again)).is_err());
}

#[test]
fn a_witness_that_cannot_be_is_refused_at_once() {
    let site = Site::new();
    let (key, vkey, state) = (site.path("witness.key"), site.log().vkey().to_string(), site.path("witness"));
    fuze(&["key", "new", "--role", "log", "--out", &key], 0);
    let witness = |name: &str, key: &str, log: &str, listen: &str, code| {
        let base = ["log", "witness", "--state", &state, "--name", name, "--key", key];
        fuze(&[base.as_slice(), &["--log", log, "--listen", listen]].concat(), code);
    };
    witness("has+plus", &key, &vkey, "127.0.0.1:0", 2);
    witness("witness.example", &key, "no-vkey", "127.0.0.1:0", 2);
    witness("witness.example", &site.path("absent.key"), &vkey, "127.0.0.1:0", 4);
    witness("witness.example", &key, &vkey, "nowhere", 2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    witness("witness.example", &key, &vkey, &taken.local_addr().unwrap().to_string(), 4);
}
