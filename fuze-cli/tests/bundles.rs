//! Bundles at the command: what goes into one, what is shown of one, and whom to believe about a key that was revoked since.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;

use common::site::{ORIGIN, SECRET, STRANGER, Site, anchor_lines, copy};
use common::{Called, fuze, json};
use serde_json::{Value, json};

/// `fuze audit export` of a run of the store, with `more`.
fn export(site: &Site, at: usize, out: &str, more: &[&str], code: i32) -> Called {
    let (store, out, signing) = (site.path("store"), site.path(out), site.path("keys/signing.key"));
    let base = ["audit", "export", "--json", &store, "--run", &site.runs[at], "--out", &out];
    let keys = ["--key", &site.key, "--signing-key", &signing];
    fuze(&[base.as_slice(), &keys, more].concat(), code)
}

fn verify(site: &Site, what: &str, more: &[&str], code: i32) -> serde_json::Value {
    let path = site.path(what);
    json(&fuze(&[["audit", "verify", "--json", &path].as_slice(), more].concat(), code))
}

/// A run's files, and what else there is while they are read.
struct Watched<'r> {
    run: &'r dyn fuze_audit::RunSource,
    directory: &'r std::path::Path,
    seen: std::cell::RefCell<Vec<std::ffi::OsString>>,
}

impl fuze_audit::RunSource for Watched<'_> {
    fn open(&self, file: fuze_audit::source::RunFile) -> std::io::Result<Box<dyn std::io::BufRead + '_>> {
        let there = fs::read_dir(self.directory)?.map(|entry| entry.unwrap().file_name());
        self.seen.borrow_mut().extend(there);
        self.run.open(file)
    }
}

/// Whoever is killed meanwhile leaves nothing of what was to be disclosed.
#[cfg(target_os = "linux")]
#[test]
fn a_bundle_has_no_name_until_it_is_whole() {
    let run = fuze_agent_bundle_tests::runs::Run::new(fuze_agent_bundle_tests::runs::Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("b.zip");
    let mut export = run.export(fuze_audit::Selection::all());
    let watched = Watched { run: export.run, directory: place.path(), seen: std::cell::RefCell::default() };
    export.run = &watched;
    let _ = export.to_path(&path).unwrap();
    assert_eq!(watched.seen.take(), Vec::<std::ffi::OsString>::new());
    let rights = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(rights & 0o777, 0o600, "it holds what was disclosed");
    // Not over a link either, wherever that leads.
    let link = place.path().join("link.zip");
    std::os::unix::fs::symlink(place.path().join("nowhere"), &link).unwrap();
    assert!(matches!(export.to_path(&link), Err(fuze_audit::ExportError::Io { .. })));
    assert!(!place.path().join("nowhere").exists());
}

/// The decisions of a run as a deployment keeps them: one, several in an array, in any layout.
#[test]
fn decisions_come_alone_or_together() {
    let site = Site::new();
    let decision = site.path("decision.json");
    for (octets, says) in [
        (r#"[{"token": "fz1.a.b", "decision": "fzd1.a.b"}, {}]"#, "number 1: missing field"),
        (r#"{"token": "fz1.a.b", "decision": "fzd1.a.b", "why": ""}"#, "number 0: unknown field `why`"),
        ("[", "or an array of such"),
    ] {
        fs::write(&decision, octets).unwrap();
        let problem = json(&export(&site, 0, "d.zip", &["--decision", &decision], 4));
        let said = problem["message"].as_str().unwrap();
        assert!(said.contains(says) && said.contains(&decision), "{said}");
    }
    // As a deployment signs it; this one is no decision of the run, which the bundle's own verification finds.
    let signed = r#"[{"rationale": {"salt": "", "json": "1"}, "token": "fz1.a.b", "decision": "fzd1.a.b"}]"#;
    fs::write(&decision, signed).unwrap();
    let problem = json(&export(&site, 0, "d.zip", &["--decision", &decision], 1));
    assert!(problem["message"].as_str().unwrap().contains("does not verify"), "{problem}");
    // Nothing in it is nothing that goes along.
    fs::write(&decision, " [ ]\n").unwrap();
    assert_eq!(json(&export(&site, 0, "d.zip", &["--decision", &decision], 0))["decisions"], 0);
}

#[test]
fn proofs_of_open_and_close_go_along_and_count_in_the_log_that_is_named() {
    let site = Site::new();
    let log = site.log();
    site.anchor(&log, 0, true);
    let (directory, vkey) = (site.path("log"), log.vkey().to_string());
    let named = ["--log-key", &vkey, "--log", &directory];
    let exported = json(&export(&site, 0, "a.zip", &named, 0));
    assert_eq!(exported["log"], "log.example.eu/runs: open at 0, close at 1");
    assert_eq!(exported["closeNotAnchored"], false);
    let believed = ["--key", &site.key, "--log-key", &vkey];
    let verified = verify(&site, "a.zip", &believed, 0);
    assert_eq!(verified["log"], "log.example.eu/runs: open at 0, close at 1; 0 witnesses");
    // The same of the run where it lies, from table and from file; without the log's files there is nothing to prove it from.
    for at in [format!("store/runs/{}", site.runs[0]), "store".to_owned()] {
        let run = ["--run", &site.runs[0], "--log", &directory];
        let verified = verify(&site, &at, &[believed.as_slice(), &run].concat(), 0);
        assert_eq!(verified["log"], "log.example.eu/runs: open at 0, close at 1; 0 witnesses", "{at}");
        verify(&site, &at, &[believed.as_slice(), &run[..2]].concat(), 2);
    }
    // A run that is in no log, and one whose anchors are another run's, cannot be verified or are refused.
    let run = ["--run", &site.runs[1], "--log", &directory];
    let said = verify(&site, "store", &[believed.as_slice(), &run].concat(), 3);
    assert!(said["message"].as_str().unwrap().contains("anchored in no log"), "{said}");
    export(&site, 1, "b.zip", &named, 3);
    let anchors = |at: usize| format!("{}/anchors.jsonl", site.run(at));
    fs::copy(anchors(0), anchors(1)).unwrap();
    let path = site.run(1);
    let run = ["audit", "verify", &path, "--key", &site.key, "--log-key", &vkey, "--log", &directory];
    assert!(fuze(&run, 1).stdout.contains("another run's"));
    assert!(!fs::exists(site.path("b.zip")).unwrap());
    // Another log of that name: the key decides.
    fs::remove_dir_all(&directory).unwrap();
    let other = site.log().vkey().to_string();
    assert_ne!(other, vkey);
    verify(&site, "a.zip", &["--key", &site.key, "--log-key", &other], 3);
}

/// What failed is told with its place, both sides, and up to where all is well.
#[track_caller]
fn check_told(said: &Value, file: &str, line: u64, records: &[Value]) {
    let failure = &said["failure"];
    assert_eq!(
        (said["schema"].as_str(), said["result"].as_str()),
        (Some("fuze.audit.verify/1"), Some("failed"))
    );
    assert_eq!((failure["file"].as_str(), failure["line"].as_u64()), (Some(file), Some(line)), "{said}");
    let side = |name: &str| failure[name].as_str().unwrap().to_owned();
    assert!(side("expected") != side("found") && side("found") != side("message"), "{said}");
    let last = records.len() - 1;
    assert_eq!(failure["lastGood"], json!({"sequence": last, "hash": records[last]["hash"]}), "{said}");
}

#[test]
fn what_is_wrong_with_anchors_or_annex_of_a_run_in_place_has_its_place() {
    let site = Site::new();
    let log = site.log();
    site.anchor(&log, 0, true);
    let (vkey, directory) = (log.vkey().to_string(), site.path("log"));
    let records: Vec<Value> = fs::read_to_string(format!("{}/records.jsonl", site.run(0)))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let anchors = format!("{}/anchors.jsonl", site.run(0));
    let whole = fs::read_to_string(&anchors).unwrap();
    let run = site.run(0);
    let verify = ["audit", "verify", "--json", &run, "--key", &site.key];
    let with_log = [verify.as_slice(), &["--log-key", &vkey, "--log", &directory]].concat();
    // A line that names another place, and one that is none.
    let twice = whole.replacen("\"index\":0", "\"index\":1", 1);
    fs::write(&anchors, &twice).unwrap();
    check_told(&json(&fuze(&with_log, 1)), "anchors.jsonl", 0, &records);
    fs::write(&anchors, whole.replacen("\"log\"", "\"lag\"", 1)).unwrap();
    check_told(&json(&fuze(&with_log, 1)), "anchors.jsonl", 0, &records);
    fs::write(&anchors, &whole).unwrap();
    fuze(&with_log, 0);

    // The annex of the tenant, one octet of it another.
    site.erase(&["--tenant", "clinic-7", "--hold", "legal-claims"], 0);
    let annex = site.path("annex.jsonl");
    let stored = fs::read_dir(site.path("store/annex")).unwrap().next().unwrap().unwrap().path();
    let octets = fs::read_to_string(stored).unwrap();
    fs::write(&annex, octets.replacen("legal_claims", "legal_claimz", 1)).unwrap();
    let beneath = [verify.as_slice(), &["--annex", &annex]].concat();
    check_told(&json(&fuze(&beneath, 1)), "annex.jsonl", 0, &records);
    // What is wrong with the records comes first.
    let file = format!("{run}/records.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("nurse-12", "nurse-13", 1)).unwrap();
    let said = json(&fuze(&beneath, 1));
    assert_eq!((&said["failure"]["file"], &said["failure"]["line"]), (&json!("records.jsonl"), &json!(0)));
    fs::write(&file, &text).unwrap();
    // By a key that nobody trusts nothing can be said, as a document too.
    fs::write(&annex, octets.replace(&site.key_id(), &"7".repeat(64))).unwrap();
    let said = json(&fuze(&beneath, 3));
    assert_eq!(said["result"], "cannot_verify", "{said}");
    assert!(said["reason"].as_str().unwrap().contains("annex"), "{said}");
}

/// What cannot be read is told by its own two sides.
#[test]
fn what_cannot_be_read_is_told_by_both_sides() {
    let site = Site::new();
    let file = site.path("bad.jsonl");
    for (octets, expected, found) in [
        (b"\xff\n".as_slice(), "at octet 0: a value", "at octet 0: an octet that begins no character"),
        (b"{\"a\":1,}\n", "at octet 7: ", "at octet 7: '}'"),
        (b"{\"a\":\n", "at octet 5: ", "at octet 5: the end"),
        (b"{}\n", "`payload`: it to be there", "`payload`: nothing"),
    ] {
        fs::write(&file, octets).unwrap();
        let said = json(&fuze(&["audit", "verify", "--json", &file, "--key", &site.key], 1));
        let side = |name: &str| said["failure"][name].as_str().unwrap().to_owned();
        assert!(side("expected").starts_with(expected) && side("found").starts_with(found), "{said}");
    }
}

#[test]
fn a_close_that_is_not_in_the_log_is_said_or_refused() {
    let site = Site::new();
    let log = site.log();
    let (directory, vkey) = (site.path("log"), log.vkey().to_string());
    let named = ["--log-key", &vkey, "--log", &directory];
    site.anchor(&log, 0, false);
    let called = export(&site, 0, "open.zip", &named, 0);
    assert_eq!(json(&called)["closeNotAnchored"], true);
    assert!(called.stderr.contains("only the open's proof went along"), "{}", called.stderr);
    let said = verify(&site, "open.zip", &["--key", &site.key, "--log-key", &vkey], 3);
    assert!(said["reason"].as_str().unwrap().contains("its close is anchored in no log"), "{said}");
    // A copy of the log from before the close.
    let old = site.path("old");
    copy(&directory, &old);
    site.anchor(&log, 1, true);
    let refused = export(&site, 1, "late.zip", &["--log-key", &vkey, "--log", &old], 3);
    assert!(refused.stderr.contains("older copy of the log"), "{}", refused.stderr);
    assert_eq!(json(&export(&site, 1, "late.zip", &named, 0))["closeNotAnchored"], false);
    export(&site, 1, "none.zip", &["--log-key", &vkey], 2);
}

#[test]
fn the_annex_goes_along_where_it_says_something_about_the_run() {
    let site = Site::new();
    site.erase(&["--run", &site.runs[0]], 0);
    let erased = json(&export(&site, 0, "erased.zip", &[], 0));
    assert_eq!(erased["annexLines"], 1, "{erased}");
    assert!(erased["erased"].as_u64().unwrap() > 0);
    let verified = verify(&site, "erased.zip", &["--key", &site.key], 0);
    assert_eq!(verified["run"]["content"]["erased"], erased["erased"]);
    // Of another run it says nothing, so it goes along only when it is named.
    assert_eq!(json(&export(&site, 2, "other.zip", &[], 0))["annexLines"], 0);
    let annex = fs::read_dir(site.path("store/annex")).unwrap().next().unwrap().unwrap().path();
    let annex = annex.to_str().unwrap();
    assert_eq!(json(&export(&site, 2, "named.zip", &["--annex", annex], 0))["annexLines"], 1);
    // The store's tables have it, whatever became of the file; a run's directory has the file alone.
    fs::remove_file(annex).unwrap();
    assert_eq!(json(&export(&site, 0, "again.zip", &[], 0))["annexLines"], 1);
    let (run, out, signing) = (site.run(0), site.path("no.zip"), site.path("keys/signing.key"));
    let refused = ["audit", "export", &run, "--out", &out, "--key", &site.key, "--signing-key", &signing];
    assert!(fuze(&refused, 1).stderr.contains("no erasure explains it"));
}

#[test]
fn a_rotated_key_is_trusted_by_the_first_of_its_history() {
    let site = Site::with_history();
    let history = site.path("run.history.jsonl");
    let root = site.key_id();
    let (old, new) = (site.path("keys/signing.key"), site.path("next.key"));
    fuze(&["key", "rotate", "--history", &history, "--key", &old, "--out", &new], 0);
    let named = ["--key-history", &history, "--root-key", &root];
    assert_eq!(json(&export(&site, 0, "a.zip", &named, 0))["keyHistory"], true);
    verify(&site, "a.zip", &["--root-key", &root], 0);
    verify(&site, &format!("store/runs/{}", site.runs[0]), &named, 0);
    // A first key that nobody named, and a history under another one.
    let next = json(&fuze(&["key", "show", "--json", &new], 0))["keyId"].as_str().unwrap().to_owned();
    verify(&site, "a.zip", &["--root-key", &next], 3);
    verify(&site, "a.zip", &["--key-history", &history, "--root-key", &next], 1);
    // A run's own history says nothing where the auditor's says more.
    let shown = fuze(&["audit", "show", &site.path("a.zip"), "--root-key", &root], 0);
    assert!(shown.stdout.contains("completed"), "{}", shown.stdout);
}

#[test]
fn what_a_revoked_key_signed_counts_if_the_log_had_it_before() {
    let site = Site::with_history();
    let log = site.log();
    let (directory, vkey, root) = (site.path("log"), log.vkey().to_string(), site.key_id());
    site.anchor(&log, 0, true);
    let before = json(&export(&site, 0, "before.zip", &["--log-key", &vkey, "--log", &directory], 0));
    assert_eq!(before["keyHistory"], false);
    let keys = site.revoke(&log, &[]);
    // The same run anchored once the key was revoked: whoever has the key can write any time into what it signs.
    site.anchor(&log, 1, true);
    let history = site.path("run.history.jsonl");
    let named = ["--key-history", &history, "--root-key", &root, "--log-key", &vkey];
    let all = [named.as_slice(), &["--log", &directory, "--key-anchors", &keys]].concat();
    let run = |at: usize| format!("store/runs/{}", site.runs[at]);

    for what in ["before.zip".to_owned(), run(0)] {
        assert_eq!(verify(&site, &what, &all, 0)["result"], "verified");
        let said = verify(&site, &what, &[named.as_slice(), &["--log", &directory]].concat(), 3);
        assert!(said["reason"].as_str().unwrap().contains("revoked"), "{said}");
        // Trusting the key by itself does not help: the history knows more.
        verify(&site, &what, &["--key", &site.key, "--key-history", &history, "--root-key", &root], 3);
    }
    verify(&site, &run(1), &all, 3);
    verify(&site, &run(2), &all, 3);
    fuze(&[["audit", "show", &site.path("before.zip")].as_slice(), &all].concat(), 0);
    fuze(&[["audit", "replay", &site.run(1)].as_slice(), &all].concat(), 3);
    // A log whose key is not trusted.
    fs::rename(&directory, site.path("first")).unwrap();
    let other = site.log();
    site.anchor(&other, 2, true);
    let theirs = other.vkey().to_string();
    let (first, head) = (site.path("first"), ["--key-history", &history, "--root-key", &root]);
    let untrusted = ["--log-key", &theirs, "--log", &first, "--key-anchors", &keys];
    verify(&site, &run(0), &[head.as_slice(), &untrusted].concat(), 3);

    // Exported once the key was revoked: with the history, the revocation's place, and the next key as its maker.
    let (out, next, store) = (site.path("after.zip"), site.path("next.key"), site.path("store"));
    let export = |at: usize, more: &[&str], code| {
        let base = ["audit", "export", "--json", &store, "--run", &site.runs[at], "--out", &out];
        let keys = ["--key", &site.key, "--signing-key", &next];
        fuze(&[base.as_slice(), &keys, &head, more].concat(), code)
    };
    let proven = ["--log-key", &vkey, "--log", &first, "--key-anchors", &keys];
    export(0, &proven[..4], 3);
    export(1, &proven, 3);
    assert_eq!(json(&export(0, &proven, 0))["keyHistory"], true);
    let told = ["--root-key", &root, "--log-key", &vkey, "--log", &first, "--any-exporter"];
    verify(&site, "after.zip", &told, 3);
    verify(&site, "after.zip", &[told.as_slice(), &["--key-anchors", &keys]].concat(), 0);
}

#[test]
fn a_key_that_others_had_before_counts_for_nothing_from_then_on() {
    let site = Site::with_history();
    let log = site.log();
    let (directory, vkey, root) = (site.path("log"), log.vkey().to_string(), site.key_id());
    site.anchor(&log, 0, true);
    let keys = site.revoke(&log, &["--compromised-since", "2000-01-01T00:00:00.000000000Z"]);
    let history = site.path("run.history.jsonl");
    let named = ["--key-history", &history, "--root-key", &root, "--log-key", &vkey, "--log", &directory];
    verify(
        &site,
        &format!("store/runs/{}", site.runs[0]),
        &[named.as_slice(), &["--key-anchors", &keys]].concat(),
        3,
    );
}

#[test]
fn a_bundle_is_shown_replayed_and_compared_if_it_verifies() {
    let site = Site::new();
    let (master, subjects) = (site.path("keys/master.key"), site.path("keys/subjects"));
    let open = ["--master-key", &master, "--subject-keys", &subjects];
    export(&site, 0, "all.zip", &[open.as_slice(), &["--disclose-all"]].concat(), 0);
    export(&site, 0, "part.zip", &[open.as_slice(), &["--disclose", "0:/input"]].concat(), 0);
    export(&site, 1, "other.zip", &[], 0);
    let (all, part, other) = (site.path("all.zip"), site.path("part.zip"), site.path("other.zip"));
    let shown = fuze(&["audit", "show", &part, "--key", &site.key], 0).stdout;
    for part in ["Ward", "completed", "potassium is allowed", "━"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let replay = |bundle: &str| json(&fuze(&["audit", "replay", "--json", bundle, "--key", &site.key], 0));
    // As the run itself is told by whoever has its keys.
    let mut there = site.audit("replay", 0, &[], 0);
    assert_eq!(replay(&all), there);
    let some = replay(&part);
    let first = some["steps"][0]["content"].as_array().unwrap();
    assert!(first.contains(&json!({"status": "verified", "path": "/input", "value": SECRET})), "{some}");
    assert!(first.iter().any(|field| field["status"] == "withheld" && field["leaves"] == 7), "{some}");
    for step in there["steps"].as_array_mut().unwrap() {
        step.as_object_mut().unwrap().remove("content");
    }
    assert_eq!(some["steps"][1]["contentRoot"], there["steps"][1]["contentRoot"]);
    // So it is of what was erased: a field, then all of it.
    let (run, root) =
        (site.runs[2].as_str(), site.audit("replay", 2, &[], 0)["steps"][0]["contentRoot"].clone());
    let field = ["--content", root.as_str().unwrap(), "--field", "/input"];
    for (n, what) in [field.as_slice(), &[]].into_iter().enumerate() {
        site.erase(&[["--run", run].as_slice(), what].concat(), 0);
        let out = format!("erased{n}.zip");
        export(&site, 2, &out, &[open.as_slice(), &["--disclose-all"]].concat(), 0);
        let told = replay(&site.path(&out));
        assert_eq!(told, site.audit("replay", 2, &[], 0));
        let fields = told["steps"][0]["content"].as_array().unwrap();
        assert!(fields.iter().any(|field| field["status"] == "erased"), "{told}");
    }
    let nothing = replay(&other);
    assert!(!nothing.to_string().contains("again"), "{nothing}");
    let run = site.run(0);
    let diff = |left: &str, right: &str, code| {
        let arguments = ["audit", "diff", "--json", left, right, "--key", &site.key];
        // Where there is something to open.
        let open: &[&str] = if [left, right].iter().all(|path| path.ends_with(".zip")) { &[] } else { &open };
        json(&fuze(&[arguments.as_slice(), open].concat(), code))["same"] == true
    };
    assert!(diff(&all, &run, 0));
    assert!(!diff(&all, &site.run(1), 1));
    assert!(!diff(&part, &other, 3), "of what is not disclosed nothing is known");
    // Of another run, tenant or deployment than was asked for.
    fuze(&["audit", "show", &all, "--key", &site.key, "--run", &site.runs[0], "--origin", ORIGIN], 0);
    fuze(&["audit", "show", &all, "--key", &site.key, "--run", &site.runs[1]], 1);
    // Nothing is shown of what does not verify, or not under a trusted key.
    let mut octets = fs::read(&all).unwrap();
    let at = octets.len() / 2;
    octets[at] ^= 1;
    fs::write(&all, octets).unwrap();
    for what in ["show", "replay"] {
        assert_eq!(fuze(&["audit", what, &all, "--key", &site.key], 1).stdout, "");
        assert_eq!(fuze(&["audit", what, &part, "--key", common::site::STRANGER], 3).stdout, "");
    }
    fuze(&["audit", "diff", &all, &part, "--key", &site.key], 1);
}

#[test]
fn a_root_that_is_known_from_elsewhere_finds_the_rewritten_run() {
    let site = Site::new();
    export(&site, 0, "a.zip", &[], 0);
    let close = verify(&site, "a.zip", &["--key", &site.key], 0)["closeRoot"].as_str().unwrap().to_owned();
    assert_eq!(close, site.roots(0).1.hash().to_string());
    verify(&site, "a.zip", &["--key", &site.key, "--known-root", &close], 0);
    export(&site, 1, "b.zip", &[], 0);
    verify(&site, "b.zip", &["--key", &site.key, "--known-root", &close], 1);
    verify(&site, &format!("store/runs/{}", site.runs[0]), &["--key", &site.key, "--known-root", &close], 2);
}

/// Lines of one run's anchors under another run's name.
#[test]
fn anchors_of_two_runs_do_not_go_together() {
    let site = Site::new();
    let log = site.log();
    let (first, second) =
        (anchor_lines(&log, &site.roots(0), true), anchor_lines(&log, &site.roots(1), true));
    let directory = site.path("log");
    let vkey = log.vkey().to_string();
    let mixed = [first[0].bytes(), b"\n", second[1].bytes(), b"\n"].concat();
    fs::write(format!("{}/anchors.jsonl", site.run(0)), mixed).unwrap();
    let at = format!("store/runs/{}", site.runs[0]);
    let named = ["--key", &site.key, "--log-key", &vkey, "--log", &directory];
    let said = verify(&site, &at, &named, 1);
    let failure = &said["failure"];
    assert!(failure["message"].as_str().unwrap().contains("opens to no root of this run"), "{said}");
    assert_eq!((&failure["file"], &failure["line"]), (&json!("anchors.jsonl"), &json!(1)), "{said}");
    // Without the other run's line there is no anchor of the close: a lack, and no contradiction.
    fs::write(format!("{}/anchors.jsonl", site.run(0)), [first[0].bytes(), b"\n"].concat()).unwrap();
    verify(&site, &at, &named, 3);
    let again = anchor_lines(&log, &site.roots(0), true);
    let mixed = [first[0].bytes(), b"\n", again[1].bytes(), b"\n"].concat();
    fs::write(format!("{}/anchors.jsonl", site.run(0)), mixed).unwrap();
    let said = verify(&site, &at, &named, 1);
    assert!(said["failure"]["message"].as_str().unwrap().contains("do not belong together"), "{said}");
}

/// A decision with its token and what opens both, as a deployment kept them.
#[test]
fn a_decision_goes_along_and_its_overseer_is_verified() {
    use fuze_agent_bundle_tests::forge::unpack;
    use fuze_agent_bundle_tests::runs::{Run, Shape};
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    for (name, octets) in [
        ("records.jsonl", &run.files.records),
        ("roots.jsonl", &run.files.roots),
        ("content.jsonl", &run.files.content),
        ("keys.jsonl", &run.files.keys),
        ("decision.json", &unpack(&run.bundle(fuze_audit::Selection::nothing()))["oversight/0.json"]),
    ] {
        fs::write(path(name), octets).unwrap();
    }
    let hex = |key: fuze_evidence::sign::PublicKey| fuze_evidence::Hash(key.to_bytes()).to_string();
    let (key, overseer) = (hex(run.public_key()), hex(run.overseer));
    let (maker, out, decision) = (path("maker.key"), path("run.zip"), path("decision.json"));
    fuze(&["key", "new", "--role", "run", "--out", &maker], 0);
    let directory = path(".");
    let export = ["audit", "export", "--json", &directory, "--key", &key, "--signing-key", &maker];
    let exported = json(&fuze(&[export.as_slice(), &["--out", &out, "--decision", &decision]].concat(), 0));
    assert_eq!(exported["decisions"], 1);
    let verify = |overseer: &str, code| {
        let base =
            ["audit", "verify", "--json", &out, "--key", &key, "--any-exporter", "--overseer", overseer];
        json(&fuze(&base, code))
    };
    let decisions = json!({"recorded": 1, "disclosed": 1, "signaturesVerified": 1});
    assert_eq!(verify(&overseer, 0)["decisions"], decisions);
    assert!(verify(common::site::STRANGER, 2).to_string().contains("no decision"));
    // One decision twice, and one of another run, do not go along.
    let twice =
        [export.as_slice(), &["--out", &path("b.zip"), "--decision", &decision, "--decision", &decision]];
    fuze(&twice.concat(), 1);
    let other = Run::new(Shape::full(2)).bundle(fuze_audit::Selection::nothing());
    fs::write(&decision, &unpack(&other)["oversight/0.json"]).unwrap();
    fuze(&[export.as_slice(), &["--out", &path("c.zip"), "--decision", &decision]].concat(), 1);
}

/// A key that packs is no key that signs runs, and the other way round it is.
#[test]
fn whom_to_believe_as_an_exporter_is_said_apart() {
    let site = Site::new();
    let (packer, out) = (site.path("packer.key"), site.path("packed.zip"));
    let made = json(&fuze(&["key", "new", "--json", "--role", "run", "--out", &packer], 0));
    let (id, key) = (made["keyId"].as_str().unwrap(), made["publicKey"].as_str().unwrap());
    let store = site.path("store");
    let base = ["audit", "export", &store, "--run", &site.runs[0], "--out", &out, "--key", &site.key];
    fuze(&[base.as_slice(), &["--signing-key", &packer]].concat(), 0);
    let call = |what: &str, more: &[&str], code| {
        let paths: &[&str] = if what == "diff" { &[&out, &out] } else { &[&out] };
        fuze(&[&["audit", what], paths, &["--key", &site.key], more].concat(), code)
    };
    for what in ["verify", "show", "replay", "diff"] {
        assert!(call(what, &[], 3).stdout.len() < 400, "{what}");
        for more in [["--exporter", key].as_slice(), &["--exporter", id], &["--any-exporter"]] {
            call(what, more, 0);
        }
        call(what, &["--exporter", STRANGER], 3);
    }
    // What it signs as a run is not believed for that.
    let other = Site::new();
    export(&other, 0, "other.zip", &[], 0);
    let path = other.path("other.zip");
    fuze(&["audit", "verify", &path, "--key", &site.key, "--exporter", &other.key], 3);
    fuze(&["audit", "verify", &path, "--key", &other.key], 0);
    // Nobody packed what lies in its place.
    for more in [["--exporter", key].as_slice(), &["--any-exporter"]] {
        for what in ["verify", "show"] {
            fuze(&[&["audit", what, &site.run(0), "--key", &site.key], more].concat(), 2);
        }
    }
}

/// Bundles bring the key, so that its id vouches for it; elsewhere whoever gives the id is told what to give.
#[test]
fn a_keys_id_in_the_place_of_the_key_is_taken_or_told() {
    let site = Site::new();
    let id = site.key_id();
    export(&site, 0, "a.zip", &[], 0);
    verify(&site, "a.zip", &["--key", &id], 0);
    verify(&site, "a.zip", &["--key", &"7".repeat(64)], 3);
    fuze(&["audit", "show", &site.path("a.zip"), "--key", &id], 0);
    let told = |arguments: &[&str], codes: &[i32]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fuze")).args(arguments).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(codes.contains(&output.status.code().unwrap()), "{arguments:?} {said}");
        assert!(said.contains("SHA-256") && said.contains("give the key"), "{said}");
    };
    // Every second id could be a key by its form.
    told(&["audit", "verify", &site.run(0), "--key", &id], &[2, 3]);
    told(&["audit", "show", &site.run(0), "--key", &id], &[2, 3]);
    told(&["audit", "verify", &site.path("store"), "--run", &site.runs[0], "--key", &id], &[2, 3]);
    let log = site.log();
    site.anchor(&log, 0, true);
    let (vkey, directory, store) = (log.vkey().to_string(), site.path("log"), site.path("store"));
    let account = ["log", "verify", &directory, "--log-key", &vkey, "--accounted-by"];
    told(&[account.as_slice(), &[&store, "--key", &id]].concat(), &[2]);
    let named = ["--log-key", &vkey, "--log", &directory];
    export(&site, 0, "anchored.zip", &named, 0);
    fuze(&[account.as_slice(), &[&site.path("anchored.zip"), "--key", &id]].concat(), 0);
    // By its form it is none.
    let none = "0200000000000000000000000000000000000000000000000000000000000000";
    for what in ["verify", "show"] {
        told(&["audit", what, &site.run(0), "--key", none], &[2]);
    }
}
