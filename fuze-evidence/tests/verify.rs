//! What a verifier must find, and what it must not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{Host, Sample, at, decision, evaluate, execute, generate, name, push, resume, suspend, times};
use fuze_evidence::annex::{Erased, Erasure, ErasureReason, Event};
use fuze_evidence::chain::{AppendError, Times};
use fuze_evidence::keys::{FileSigner, MasterKey, Signer as _};
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::span::{AttrError, OversightSuspend, RunClose};
use fuze_evidence::verify::{Chain, Report, TrustedKeys, VerifyError, What, verify_files};
use fuze_evidence::vocab::{PolicyDecision, Refusal, RunStatus, StartOutcome, SuspendReason};
use fuze_evidence::{Annex, Hash, Recorder, Span, jcs, sha256};
use serde_json::{Value, json};

fn trusted(sample: &Sample) -> TrustedKeys<'_> {
    TrustedKeys::new()
        .run_key(sample.host.public_key())
        .master_key(&sample.host.master)
        .subject_keys(&sample.host.subjects)
}

fn check(sample: &Sample, files: &MemoryRun) -> Result<Report, VerifyError> {
    verify_files(files.into(), &trusted(sample))
}

/// An annex with one statement.
fn erased(sample: &Sample, what: Erased) -> Annex {
    let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
    let erasure = Erasure { run_id: sample.run_id, reason: ErasureReason::Request, what };
    annex.append(at(1_000_000), name("dpo-1"), Event::Erased(erasure), &sample.host.signer).unwrap();
    annex
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
}

/// Every bit with `FUZE_EXHAUSTIVE=1` (minutes; build with `--release`); else one of each 29th octet, another one each time.
fn bits(octets: usize) -> Vec<usize> {
    let exhaustive = std::env::var_os("FUZE_EXHAUSTIVE").is_some_and(|v| v == "1");
    let step = if exhaustive { 1 } else { 29 * 8 + 1 };
    (0..octets * 8).step_by(step).collect()
}

/// Changes one record's payload and rebuilds every hash from there on: what someone without the key can do.
fn rehash(records: &[u8], sequence: usize, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut change = Some(change);
    let mut prev = Hash::ZERO;
    let mut out = Vec::new();
    for (at, line) in lines(records).iter().enumerate() {
        let mut record: Value = serde_json::from_slice(line).unwrap();
        if at == sequence {
            (change.take().unwrap())(&mut record);
        }
        let record = record.as_object_mut().unwrap();
        record.remove("hash");
        record.insert("prevHash".into(), json!(prev));
        record.insert("sequence".into(), json!(at));
        prev = sha256(&jcs::to_vec(record).unwrap());
        record.insert("hash".into(), json!(prev));
        push(&mut out, &jcs::to_vec(record).unwrap());
    }
    out
}

type Edit = Box<dyn FnOnce(&mut Value)>;

fn failure(result: Result<Report, VerifyError>) -> (u64, What, &'static str) {
    match result {
        Err(VerifyError::Failed(failure)) => (failure.line, failure.what, failure.file),
        other => panic!("expected a failure, found {other:?}"),
    }
}

#[test]
fn a_whole_run_verifies() {
    let sample = Sample::closed();
    let report = check(&sample, &sample.files).unwrap();
    assert!(report.is_verified(), "{report:?}");
    assert_eq!(report.chain, Chain::Closed(RunStatus::Completed));
    assert_eq!((report.records, report.roots, report.signed_records), (10, 3, 10));
    assert_eq!((report.content.verified, report.content.missing, report.orphans), (32, 0, 0));
    assert_eq!(report.run_id, sample.run_id);
}

#[test]
fn records_alone_verify_with_content_withheld() {
    let sample = Sample::closed();
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("records.jsonl");
    std::fs::write(&path, &sample.files.records).unwrap();
    let report = fuze_evidence::verify::verify(&path, &keys).unwrap();
    assert!(report.is_verified());
    assert_eq!((report.content.withheld, report.content.verified), (32, 0));
    let report = verify_files((&sample.files).into(), &keys).unwrap();
    assert_eq!((report.content.withheld, report.content.verified), (32, 0));
}

#[test]
fn flipped_bits_of_records_and_roots_are_refused_without_any_secret() {
    let sample = Sample::closed();
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let mut files = sample.files.clone();
    for bit in bits(files.records.len()) {
        files.records[bit / 8] ^= 1 << (bit % 8);
        let result = verify_files((&files).into(), &keys);
        assert!(result.is_err(), "records, bit {bit}: {result:?}");
        files.records[bit / 8] ^= 1 << (bit % 8);
    }
    for bit in bits(files.roots.len()) {
        files.roots[bit / 8] ^= 1 << (bit % 8);
        let result = verify_files((&files).into(), &keys);
        assert!(result.is_err(), "roots, bit {bit}: {result:?}");
        files.roots[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn flipped_bits_of_content_and_keys_are_found_with_the_keys() {
    let (mut sample, recorder) = Sample::begin(Host::new());
    let closed = recorder.close(1, 0, times(5), RunStatus::Completed, &sample.host.signer).unwrap();
    sample.add(closed.record(), None);
    assert!(check(&sample, &sample.files).unwrap().is_verified());
    let mut files = sample.files.clone();
    let refused = |files: &MemoryRun| !check(&sample, files).is_ok_and(|report| report.is_verified());
    for bit in bits(files.content.len()) {
        files.content[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&files), "content, bit {bit}");
        files.content[bit / 8] ^= 1 << (bit % 8);
    }
    for bit in bits(files.keys.len()) {
        files.keys[bit / 8] ^= 1 << (bit % 8);
        // Another master key id reads as "wrapped under a key that I was not given": withheld, never verified.
        match check(&sample, &files) {
            Ok(report) => assert_eq!(report.content.verified, 0, "keys, bit {bit}: {report:?}"),
            Err(VerifyError::Failed { .. }) => {}
            Err(other) => panic!("keys, bit {bit}: {other:?}"),
        }
        files.keys[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn lines_dropped_inserted_moved_or_repeated_are_found_where_they_are() {
    let sample = Sample::closed();
    let original = lines(&sample.files.records);
    let with = |records: Vec<Vec<u8>>| MemoryRun { records: records.concat(), ..sample.files.clone() };
    for at in 0..original.len() {
        let mut dropped = original.clone();
        dropped.remove(at);
        if at + 1 < original.len() {
            assert_eq!(failure(check(&sample, &with(dropped))).0, u64::try_from(at).unwrap());
        }
        let mut repeated = original.clone();
        repeated.insert(at, original[at].clone());
        assert_eq!(failure(check(&sample, &with(repeated))).0, u64::try_from(at + 1).unwrap());
        for other in at + 1..original.len() {
            let mut moved = original.clone();
            moved.swap(at, other);
            assert_eq!(failure(check(&sample, &with(moved))).0, u64::try_from(at).unwrap());
        }
    }
}

#[test]
fn a_cut_run_is_never_verified() {
    let sample = Sample::closed();
    let original = lines(&sample.files.records);
    for keep in 0..original.len() {
        let files = MemoryRun { records: original[..keep].concat(), ..sample.files.clone() };
        match check(&sample, &files) {
            // The roots or the content beside it say that there was more.
            Err(VerifyError::Failed { .. }) => {}
            Ok(report) => {
                assert_eq!((report.chain, report.is_verified()), (Chain::NotClosed, false), "{keep}")
            }
            Err(other) => panic!("{other:?}"),
        }
        let alone = MemoryRun { records: original[..keep].concat(), ..MemoryRun::default() };
        assert!(check(&sample, &alone).is_err(), "without roots a run in a directory has no beginning");
    }
    // The whole line but its line feed.
    let mut files = sample.files.clone();
    files.records.pop();
    assert_eq!(failure(check(&sample, &files)).1, What::PartialLine);
}

#[test]
fn nothing_is_not_a_run() {
    let sample = Sample::closed();
    for records in [&b""[..], b"\n", b"{}\n", b"[]\n"] {
        let files = MemoryRun { records: records.to_vec(), ..sample.files.clone() };
        assert_eq!(failure(check(&sample, &files)).0, 0);
    }
}

#[test]
fn a_record_after_the_close_is_refused() {
    let sample = Sample::closed();
    let mut files = sample.files.clone();
    let last = lines(&files.records).pop().unwrap();
    let mut next: Value = serde_json::from_slice(&last).unwrap();
    let record = next.as_object_mut().unwrap();
    let prev = record.remove("hash").unwrap();
    record.insert("prevHash".into(), prev);
    record.insert("sequence".into(), json!(10));
    let hash = sha256(&jcs::to_vec(record).unwrap());
    record.insert("hash".into(), json!(hash));
    push(&mut files.records, &jcs::to_vec(&next).unwrap());
    assert_eq!(failure(check(&sample, &files)).0, 10);
}

#[test]
fn a_chain_rebuilt_without_the_key_is_refused() {
    let sample = Sample::closed();
    let set = |pointer: &'static str, value: Value| {
        move |record: &mut Value| *record.pointer_mut(pointer).unwrap() = value
    };
    let edits: Vec<(usize, Edit)> = vec![
        (2, Box::new(set("/payload/attrs/fuze.policy.decision", json!("allow")))),
        (2, Box::new(set("/payload/endedAt", json!("2026-11-21T20:50:57.000000000Z")))),
        (8, Box::new(set("/payload/attrs/fuze.tool.outcome", json!("error")))),
        (8, Box::new(set("/payload/content/root", json!(sha256(b"other"))))),
        (9, Box::new(set("/payload/attrs/fuze.run.status", json!("cancelled")))),
        (9, Box::new(set("/payload/signature/root/status", json!("cancelled")))),
        (9, Box::new(set("/payload/signature/root/tenant", json!("other")))),
        (0, Box::new(set("/payload/attrs/fuze.agent.fingerprint", json!(sha256(b"x"))))),
        (0, Box::new(set("/payload/attrs/fuze.origin", json!("elsewhere")))),
        (3, Box::new(set("/payload/common/fuze.tenant.id", json!("other")))),
        (3, Box::new(set("/payload/stepId", json!(1)))),
        (3, Box::new(set("/payload/parentStepId", json!(3)))),
        (3, Box::new(set("/payload/startedAt", json!("2026-11-20T20:50:57.000000000Z")))),
        (3, Box::new(set("/payload/role", json!("human")))),
        (3, Box::new(set("/payload/span", json!("plan.step")))),
        (3, Box::new(set("/payload/runId", json!("01890a5d-ac96-774b-bcce-b302099a8057")))),
        (5, Box::new(set("/payload/attrs/fuze.run.segment", json!(2)))),
        (3, Box::new(set("/payload/attrs/fuze.oversight.slot", json!(2)))),
        (
            3,
            Box::new(|r| {
                drop(
                    r.pointer_mut("/payload/attrs")
                        .unwrap()
                        .as_object_mut()
                        .unwrap()
                        .insert("x".into(), json!(1)),
                )
            }),
        ),
        (
            3,
            Box::new(|r| {
                drop(r.pointer_mut("/payload").unwrap().as_object_mut().unwrap().insert("x".into(), json!(1)))
            }),
        ),
        (3, Box::new(|r| drop(r.as_object_mut().unwrap().insert("x".into(), json!(1))))),
        (
            3,
            Box::new(|r| {
                drop(
                    r.pointer_mut("/payload/common")
                        .unwrap()
                        .as_object_mut()
                        .unwrap()
                        .remove("fuze.subject.ref"),
                )
            }),
        ),
        (3, Box::new(set("/payload/common/fuze.subject.ref", Value::Null))),
        (
            9,
            Box::new(|r| {
                drop(r.pointer_mut("/payload").unwrap().as_object_mut().unwrap().remove("signature"))
            }),
        ),
    ];
    for (sequence, edit) in edits {
        let records = rehash(&sample.files.records, sequence, edit);
        assert_ne!(records, sample.files.records);
        let files = MemoryRun { records: records.clone(), ..sample.files.clone() };
        let result = check(&sample, &files);
        assert!(matches!(result, Err(VerifyError::Failed { .. })), "{sequence}: {result:?}");
        // Without roots, content and keys beside them the records still do not pass as a closed run.
        let keys = TrustedKeys::new().run_key(sample.host.public_key());
        let alone = fuze_evidence::verify::RunFiles {
            records: Box::new(records.as_slice()),
            roots: None,
            content: None,
        };
        assert!(verify_files(alone, &keys).is_err());
    }
}

#[test]
fn another_version_or_suite_is_not_judged() {
    let sample = Sample::closed();
    for (sequence, pointer, value) in [
        (0, "/payload/v", json!(2)),
        (4, "/payload/v", json!("1")),
        (0, "/payload/attrs/fuze.suite", json!("fuze-none-v1")),
    ] {
        let records = rehash(&sample.files.records, sequence, |r| *r.pointer_mut(pointer).unwrap() = value);
        let files = MemoryRun { records, ..sample.files.clone() };
        assert!(matches!(check(&sample, &files), Err(VerifyError::Cannot { .. })));
    }
}

#[test]
fn a_key_that_nobody_vouched_for_is_not_enough() {
    let sample = Sample::closed();
    let other = Host::new();
    let keys = TrustedKeys::new().run_key(other.public_key());
    assert!(matches!(verify_files((&sample.files).into(), &keys), Err(VerifyError::Cannot { .. })));
    // The whole run signed again with a key that is trusted, but under the first key's name.
    let records = rehash(&sample.files.records, 0, |r| {
        *r.pointer_mut("/payload/attrs/fuze.key_id").unwrap() = json!(other.signer.key_id());
    });
    let keys = TrustedKeys::new().run_key(other.public_key()).run_key(sample.host.public_key());
    let files = MemoryRun { records, ..sample.files.clone() };
    assert!(matches!(verify_files((&files).into(), &keys), Err(VerifyError::Failed { .. })));
}

#[test]
fn two_runs_cannot_be_spliced() {
    let (one, other) = (Sample::closed(), Sample::closed());
    let (a, b) = (lines(&one.files.records), lines(&other.files.records));
    for at in 1..a.len() {
        let files = MemoryRun { records: [&a[..at], &b[at..]].concat().concat(), ..one.files.clone() };
        assert_eq!(failure(check(&one, &files)).0, u64::try_from(at).unwrap());
    }
    let foreign_roots = MemoryRun { roots: other.files.roots.clone(), ..one.files.clone() };
    assert_eq!(failure(check(&one, &foreign_roots)).2, "roots.jsonl");
    let foreign_keys = MemoryRun { keys: other.files.keys.clone(), ..one.files.clone() };
    assert_eq!(failure(check(&one, &foreign_keys)).2, "keys.jsonl");
    let foreign_content = MemoryRun { content: other.files.content.clone(), ..one.files.clone() };
    assert!(check(&one, &foreign_content).is_err());
}

#[test]
fn roots_cannot_be_dropped_moved_or_added() {
    let sample = Sample::closed();
    let original = lines(&sample.files.roots);
    assert_eq!(original.len(), 2);
    let with = |roots: Vec<Vec<u8>>| MemoryRun { roots: roots.concat(), ..sample.files.clone() };
    for roots in [
        vec![],
        vec![original[0].clone()],
        vec![original[1].clone()],
        vec![original[1].clone(), original[0].clone()],
        vec![original[0].clone(), original[0].clone(), original[1].clone()],
        vec![original[0].clone(), original[1].clone(), original[1].clone()],
    ] {
        failure(check(&sample, &with(roots)));
    }
}

#[test]
fn what_is_not_canonical_is_refused_although_it_means_the_same() {
    let sample = Sample::closed();
    let text = String::from_utf8(sample.files.records.clone()).unwrap();
    for (from, to) in [
        ("\"sequence\":3}", "\"sequence\":3 }"),
        ("\"sequence\":3}", "\"sequence\":3.0}"),
        ("\"sequence\":3}", "\"sequence\":3e0}"),
        ("\"sequence\":0}", "\"sequence\":-0}"),
        ("\"sequence\":3}", "\"sequence\":3,\"sequence\":3}"),
        ("\"sequence\":3}", "\"sequence\":9007199254740993}"),
        ("\"sequence\":3}\n", "\"sequence\":3}\r\n"),
        ("\"sequence\":3}\n", "\"sequence\":3}\n\n"),
        ("\"v\":1}", "\"v\":1,\"v\":1}"),
        ("\"v\":1}", "\"v\":01}"),
        ("agent.invoke", "agent\\u002einvoke"),
        ("{\"hash\"", "\u{feff}{\"hash\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let files = MemoryRun { records: changed.into_bytes(), ..sample.files.clone() };
        assert!(check(&sample, &files).is_err(), "{from} → {to}");
    }
}

#[test]
fn content_that_is_gone_is_missing_unless_an_erasure_explains_it() {
    let sample = Sample::closed();
    let (content, keys) = (lines(&sample.files.content), lines(&sample.files.keys));
    let root: Hash =
        serde_json::from_slice::<Value>(&content[2]).unwrap()["root"].as_str().unwrap().parse().unwrap();
    let without = |file: &[Vec<u8>], at: usize| [&file[..at], &file[at + 1..]].concat().concat();
    for files in [
        MemoryRun { content: without(&content, 2), ..sample.files.clone() },
        MemoryRun { keys: without(&keys, 3), ..sample.files.clone() },
        MemoryRun { content: without(&content, 2), keys: without(&keys, 3), ..sample.files.clone() },
    ] {
        let report = match check(&sample, &files) {
            Ok(report) => report,
            // A key line whose content is gone, or the other way round, belongs to nothing any more.
            Err(error) => panic!("{error}"),
        };
        assert!(!report.is_verified());
        assert_eq!((report.content.missing, report.content.verified), (8, 24));
        assert_eq!((report.missing[0].sequence, report.missing[0].root), (2, root));
        let annex = erased(&sample, Erased::Record { root });
        let explained = verify_files((&files).into(), &trusted(&sample).annex(&annex));
        // Half of a record's lines is not what the statement says.
        if files.content.len() < sample.files.content.len() && files.keys.len() < sample.files.keys.len() {
            let report = explained.unwrap();
            assert!(report.is_verified());
            assert_eq!((report.content.erased, report.content.missing), (8, 0));
        } else {
            let (line, what, file) = failure(explained);
            assert!(matches!(what, What::StillThere { .. }), "{what}");
            assert_eq!((line, file), (0, "annex.jsonl"));
        }
    }
    // One leaf's cipher text.
    let mut line: Value = serde_json::from_slice(&content[2]).unwrap();
    let leaf =
        line["leaves"].as_array_mut().unwrap().iter_mut().find(|leaf| leaf.get("data").is_some()).unwrap();
    leaf.as_object_mut().unwrap().remove("data");
    let mut changed = content.clone();
    changed[2] = [jcs::to_vec(&line).unwrap(), b"\n".to_vec()].concat();
    let files = MemoryRun { content: changed.concat(), ..sample.files.clone() };
    let report = check(&sample, &files).unwrap();
    assert_eq!((report.content.missing, report.content.verified), (1, 31));
    // All of it.
    let files = MemoryRun { content: vec![], keys: vec![], ..sample.files.clone() };
    assert_eq!(check(&sample, &files).unwrap().content.missing, 32);
}

#[test]
fn a_content_line_that_no_record_commits_to_is_refused_in_a_closed_run() {
    let mut sample = Sample::closed();
    let (_, sealed) = sample.commit(json!("added later"));
    let mut files = sample.files.clone();
    push(&mut files.content, sealed.content_line());
    push(&mut files.keys, sealed.keys_line());
    assert_eq!(failure(check(&sample, &files)).2, "content.jsonl");
}

#[test]
fn a_run_that_waits_or_crashed_is_not_closed() {
    let (mut sample, mut recorder) = Sample::begin(Host::new());
    let (args, sealed) = sample.commit(json!({"n": 1}));
    let record =
        recorder.append(1, 0, times(1), &evaluate(PolicyDecision::Allow, args.root()), Some(&args)).unwrap();
    // Content is durable before its record: after a crash it may be there alone.
    push(&mut sample.files.content, sealed.content_line());
    push(&mut sample.files.keys, sealed.keys_line());
    let report = check(&sample, &sample.files).unwrap();
    assert_eq!((report.chain, report.orphans, report.records), (Chain::NotClosed, 2, 1));
    push(&mut sample.files.records, record.bytes());
    let record = recorder.append(2, 1, times(2), &suspend(args.root(), 0, 1), None).unwrap();
    sample.add(&record, None);
    let root = recorder.suspend(at(3), &sample.host.signer).unwrap();
    sample.root(&root);
    let report = check(&sample, &sample.files).unwrap();
    assert_eq!((report.chain, report.signed_records), (Chain::NotClosed, 3));
    assert!(!report.is_verified());
}

/// Section 4: what a tool asks people stands in the record of each slot, and nothing does where arguments wait. Section 2: no two
/// records commit to one content.
#[test]
fn a_question_has_content_and_no_content_has_two_records() {
    let judge = |reason: SuspendReason, content: bool, twice: bool| {
        let (mut sample, mut recorder) = Sample::begin(Host::new());
        let (asked, sealed) = sample.commit(json!({"question": "which?"}));
        let allow = evaluate(PolicyDecision::Allow, sha256(b"arguments"));
        sample.add(&recorder.append(1, 0, times(1), &allow, None).unwrap(), None);
        let Span::OversightSuspend(suspend) = suspend(sha256(b"arguments"), 0, 1) else { panic!() };
        let span = OversightSuspend { reason, ..suspend }.into();
        let record = recorder.append(2, 0, times(2), &span, content.then_some(&asked)).unwrap();
        sample.add(&record, content.then_some(&sealed));
        if twice {
            let first: Value = serde_json::from_slice(&lines(&sample.files.records)[0]).unwrap();
            sample.files.records = rehash(&sample.files.records, 2, |record| {
                record["payload"]["content"] = first["payload"]["content"].clone();
            });
        }
        check(&sample, &sample.files)
    };
    assert!(judge(SuspendReason::Requested, true, false).is_ok());
    assert!(judge(SuspendReason::Law, false, false).is_ok());
    for (reason, content, twice, expected) in [
        (SuspendReason::Requested, false, false, "content"),
        (SuspendReason::Law, true, false, "none"),
        (SuspendReason::Requested, true, true, "one that no earlier record commits to"),
    ] {
        let (line, what, file) = failure(judge(reason, content, twice));
        assert_eq!((line, file, what.sides().0.as_str()), (2, "records.jsonl", expected), "{what}");
    }
}

#[test]
fn a_subject_without_a_key_leaves_nothing_readable() {
    let sample = Sample::closed();
    let nobody = fuze_evidence::keys::MemorySubjectKeys::default();
    let keys = TrustedKeys::new()
        .run_key(sample.host.public_key())
        .master_key(&sample.host.master)
        .subject_keys(&nobody);
    let report = verify_files((&sample.files).into(), &keys).unwrap();
    assert_eq!((report.content.missing, report.content.verified), (32, 0));
    let other = MasterKey::ephemeral(&mut fuze_evidence::random::OsRandom::new()).unwrap();
    let keys = TrustedKeys::new().run_key(sample.host.public_key()).master_key(&other);
    assert_eq!(verify_files((&sample.files).into(), &keys).unwrap().content.withheld, 32);
}

#[test]
fn a_refused_start_is_a_run_of_two_records() {
    let refuse = |start: &mut fuze_evidence::span::AgentInvoke| {
        start.outcome = StartOutcome::Refused;
        start.refusal = Some(Refusal::SubjectMissing);
    };
    let (mut sample, mut recorder) = Sample::begin_as(Host::new(), |_| {}, refuse);
    let refused = recorder.append(1, 0, times(1), &generate(0, Hash::ZERO), None);
    assert!(matches!(refused, Err(AppendError::Order { .. })), "{refused:?}");
    let closed = recorder.close(1, 0, times(2), RunStatus::Error, &sample.host.signer).unwrap();
    sample.add(closed.record(), None);
    assert!(check(&sample, &sample.files).unwrap().is_verified());
}

#[test]
fn the_recorder_refuses_what_the_verifier_would() {
    let (sample, mut recorder) = Sample::begin(Host::new());
    let head = recorder.head();
    let ok = generate(0, Hash::ZERO);
    let backwards = Times { started_at: at(5), ended_at: at(4) };
    let before = Times::at(fuze_evidence::Timestamp::from_nanos(1).unwrap());
    assert_eq!(recorder.append(1, 0, backwards, &ok, None), Err(AppendError::Time));
    assert_eq!(recorder.append(1, 0, before, &ok, None), Err(AppendError::Time));
    assert_eq!(recorder.append(0, 0, times(1), &ok, None), Err(AppendError::Parent { parent_step_id: 0 }));
    assert_eq!(recorder.append(1, 1, times(1), &ok, None), Err(AppendError::Parent { parent_step_id: 1 }));
    assert_eq!(recorder.append(1 << 53, 0, times(1), &ok, None), Err(AppendError::Range));
    let close = Span::RunClose(RunClose { count: 1, missing_oversight: false, status: RunStatus::Completed });
    assert!(matches!(recorder.append(1, 0, times(1), &close, None), Err(AppendError::Order { .. })));
    let start = Span::AgentInvoke(common::start(&sample.host.signer));
    assert!(matches!(recorder.append(1, 0, times(1), &start, None), Err(AppendError::Order { .. })));
    assert!(matches!(recorder.append(1, 0, times(1), &resume(2), None), Err(AppendError::Order { .. })));
    assert!(matches!(recorder.suspend(at(1), &sample.host.signer), Err(AppendError::Order { .. })));
    let Span::HumanDecision(mut wrong) = decision(Hash::ZERO) else { unreachable!() };
    wrong.edited = true;
    let wrong = recorder.append(1, 0, times(1), &Span::HumanDecision(wrong), None);
    assert!(matches!(wrong, Err(AppendError::Attribute(AttrError::Contradiction { .. }))), "{wrong:?}");
    assert_eq!(recorder.head(), head, "an error leaves the chain as it was");
    let _ = recorder.append(7, 0, times(1), &ok, None).unwrap();
    assert_eq!(recorder.append(7, 0, times(1), &ok, None), Err(AppendError::Step { step_id: 7 }));
    // A nested step ends before its caller: lower numbers may come later.
    let _ = recorder.append(6, 0, times(1), &ok, None).unwrap();
    let failed = recorder.close(8, 0, times(2), RunStatus::Completed, &Host::new().signer).unwrap_err();
    assert_eq!(failed.source, AppendError::Key);
    assert!(failed.recorder.close(8, 0, times(2), RunStatus::Completed, &sample.host.signer).is_ok());
}

#[test]
fn a_commitment_stands_in_one_record() {
    let (mut sample, mut recorder) = Sample::begin(Host::new());
    let (args, _) = sample.commit(json!(1));
    let _ = recorder.append(1, 0, times(1), &execute(args.root()), Some(&args)).unwrap();
    let again = recorder.append(2, 0, times(1), &execute(args.root()), Some(&args));
    assert_eq!(again, Err(AppendError::ContentUsed));
}

#[test]
fn a_recorder_goes_on_from_its_state_and_what_was_stored_since() {
    let (sample, mut recorder) = Sample::begin(Host::new());
    let state = recorder.state().clone();
    let one = recorder.append(1, 0, times(1), &suspend(Hash::ZERO, 0, 1), None).unwrap();
    let root = recorder.suspend(at(2), &sample.host.signer).unwrap();
    let two = recorder.append(2, 0, times(3), &resume(1), None).unwrap();

    let mut again = Recorder::resume(state.clone()).unwrap();
    assert!(again.follow(two.bytes()).is_err());
    let mut changed = one.bytes().to_vec();
    let at_slot = String::from_utf8(changed.clone()).unwrap().find("\"fuze.oversight.epoch\":1").unwrap();
    changed[at_slot + 23] = b'2';
    assert!(again.follow(&changed).is_err());
    assert_eq!(again.follow(one.bytes()).unwrap().sequence, 1);
    again.follow_root(&root).unwrap();
    assert!(again.follow_root(&root).is_err());
    let _ = again.follow(two.bytes()).unwrap();
    assert_eq!(again.state(), recorder.state());

    let other = Sample::begin(Host::new());
    let mut other = Recorder::resume(other.1.state().clone()).unwrap();
    assert!(other.follow(one.bytes()).is_err());
}

#[test]
fn a_definition_names_the_key_that_signs() {
    let host = Host::new();
    let other = FileSigner::ephemeral(name("test"), &mut fuze_evidence::random::OsRandom::new()).unwrap();
    let run_id = fuze_evidence::RunId::generate(at(0), &mut fuze_evidence::random::OsRandom::new()).unwrap();
    let opened =
        Recorder::open(run_id, common::common(None), common::start(&other), None, times(0), &host.signer);
    assert_eq!(opened.unwrap_err(), AppendError::Key);
}
