//! The annex: what a reader refuses, and what nobody can write.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{Host, at, name};
use fuze_evidence::annex::{
    AnnexError, Contest, Erased, Erasure, ErasureReason, Event, GivenUp, Hold, HoldReason, HoldScope,
};
use fuze_evidence::keys::Signer as _;
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::{PublicKey, SignError, SignedObject, sign_object};
use fuze_evidence::verify::{TrustedKeys, VerifyError, What};
use fuze_evidence::{Annex, Hash, Name, RunId, jcs, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const CLAIMS: HoldReason = HoldReason::LegalClaims;

fn run() -> RunId {
    RunId::generate(at(0), &mut OsRandom::new()).unwrap()
}

fn erased(run_id: RunId, what: Erased) -> Event {
    Event::Erased(Erasure { run_id, reason: ErasureReason::Request, what })
}

fn held(scope: HoldScope) -> Event {
    Event::Hold(Hold { scope, reason: CLAIMS })
}

fn release(scope: HoldScope) -> Event {
    Event::Release(Hold { scope, reason: CLAIMS })
}

fn begin() -> Annex {
    Annex::begin(name("hr.example.eu"), name("acme"))
}

/// An annex with one of each, as its lines.
fn sample(host: &Host) -> (RunId, Vec<Vec<u8>>) {
    let run_id = run();
    let contest = Contest { run_id, root: Some(sha256(b"root")), statement: sha256(b"salted") };
    let mut leaves = vec![sha256(b"a"), sha256(b"b"), sha256(b"c")];
    leaves.sort();
    let window =
        Erasure { run_id, reason: ErasureReason::ContentWindow, what: Erased::Record { root: sha256(b"r") } };
    let gone = Erased::Directory { close_root: sha256(b"close") };
    let last = Erasure { run_id, reason: ErasureReason::HashWindow, what: gone };
    let events = [
        ("dpo-1", erased(run_id, Erased::Field { root: sha256(b"root"), leaves })),
        ("dpo-1", Event::Contested(contest)),
        ("dpo-1", Event::LateOutcome(Contest { root: None, ..contest })),
        ("legal", held(HoldScope::Tenant)),
        ("legal", held(HoldScope::Run(run_id))),
        ("legal", release(HoldScope::Run(run_id))),
        ("legal", release(HoldScope::Tenant)),
        ("retention", Event::Erased(window)),
        ("dpo-1", Event::GivenUp(GivenUp { run_id, count: 3, head: sha256(b"head") })),
        ("dpo-1", erased(run_id, Erased::Run)),
        ("dpo-1", erased(run_id, Erased::Subject)),
        ("retention", Event::Erased(last)),
    ];
    let mut annex = begin();
    let lines = (0..).zip(events).map(|(nanos, (by, event))| {
        let mut line = annex.append(at(nanos), name(by), event, &host.signer).unwrap();
        line.push(b'\n');
        line
    });
    (run_id, lines.collect())
}

fn read(host: &Host, lines: &[Vec<u8>]) -> Result<Annex, VerifyError> {
    Annex::read(&lines.concat(), &TrustedKeys::new().run_key(host.public_key()))
}

fn refused(result: Result<Annex, VerifyError>) -> (u64, What) {
    match result {
        Err(VerifyError::Failed(failure)) => (failure.line, failure.what),
        other => panic!("expected a failure, found {other:?}"),
    }
}

#[test]
fn what_was_written_reads_back() {
    let host = Host::new();
    let (run_id, lines) = sample(&host);
    let annex = read(&host, &lines).unwrap();
    assert_eq!((annex.origin(), annex.tenant()), (&name("hr.example.eu"), &name("acme")));
    assert_eq!(annex.entries().len(), lines.len());
    assert_eq!(annex.of_run(run_id).count(), lines.len() - 2);
    assert_eq!(annex.of_run(run()).count(), 0);
    assert_eq!(annex.head(), sha256(lines.last().unwrap().strip_suffix(b"\n").unwrap()));
}

/// The document's rules for octets, written down again: what is signed, and what `prev` is.
#[test]
fn a_line_is_the_one_of_the_document() {
    let host = Host::new();
    let (_, lines) = sample(&host);
    let mut prev = "0".repeat(64);
    for (at, line) in lines.iter().enumerate() {
        let text = line.strip_suffix(b"\n").unwrap();
        let value: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(serde_jcs::to_vec(&value).unwrap(), text);
        let entry = &value["entry"];
        assert_eq!((entry["prev"].as_str(), entry["sequence"].as_u64()), (Some(&*prev), Some(at as u64)));
        assert_eq!(entry["domain"], "fuze/annex/v1");
        let signature = fuze_evidence::sign::read_signature(value["signature"].as_str().unwrap()).unwrap();
        host.public_key().verify(&serde_jcs::to_vec(entry).unwrap(), &signature).unwrap();
        prev = sha256(text).to_string();
    }
    let last: Value = serde_json::from_slice(lines.last().unwrap()).unwrap();
    assert_eq!((&last["entry"]["scope"], &last["entry"]["reason"]), (&json!("run"), &json!("hash_window")));
}

#[test]
fn every_flipped_bit_is_refused() {
    let host = Host::new();
    let (_, lines) = sample(&host);
    // Two lines hold every kind of octet; all of them would take a minute.
    let mut octets = [lines[0].as_slice(), &lines[1]].concat();
    let keys = TrustedKeys::new().run_key(host.public_key());
    assert!(Annex::read(&octets, &keys).is_ok());
    for bit in 0..octets.len() * 8 {
        octets[bit / 8] ^= 1 << (bit % 8);
        assert!(Annex::read(&octets, &keys).is_err(), "bit {bit}");
        octets[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn lines_dropped_moved_repeated_or_torn_are_found() {
    let host = Host::new();
    let (_, lines) = sample(&host);
    for at in 0..lines.len() - 1 {
        let mut dropped = lines.clone();
        dropped.remove(at);
        assert_eq!(refused(read(&host, &dropped)).0, at as u64, "dropped {at}");
        let mut moved = lines.clone();
        moved.swap(at, at + 1);
        assert_eq!(refused(read(&host, &moved)).0, at as u64, "moved {at}");
        let mut repeated = lines.clone();
        repeated.insert(at, lines[at].clone());
        assert_eq!(refused(read(&host, &repeated)).0, at as u64 + 1, "repeated {at}");
    }
    let mut torn = lines.clone();
    torn.last_mut().unwrap().pop();
    assert_eq!(refused(read(&host, &torn)), (11, What::PartialLine));
    assert_eq!(refused(read(&host, &[])), (0, What::Empty));
}

#[test]
fn another_tenants_line_and_an_unknown_key_are_refused() {
    let (host, other) = (Host::new(), Host::new());
    let (_, lines) = sample(&host);
    let cannot = Annex::read(&lines.concat(), &TrustedKeys::new().run_key(other.public_key()));
    assert!(matches!(cannot, Err(VerifyError::Cannot { line: 0, .. })), "{cannot:?}");
    // A second line by another key is refused at that line, wherever the chain holds.
    let keys = TrustedKeys::new().run_key(host.public_key());
    let mut annex = Annex::read(&lines[0], &keys).unwrap();
    let line = annex.append(at(5), name("x"), held(HoldScope::Tenant), &other.signer).unwrap();
    let mixed = [lines[0].clone(), line, b"\n".to_vec()].concat();
    assert!(matches!(Annex::read(&mixed, &keys), Err(VerifyError::Cannot { line: 1, .. })));
    assert!(Annex::read(&mixed, &keys.run_key(other.public_key())).is_ok());
    for (origin, tenant) in [("hr.example.eu", "other"), ("elsewhere", "acme")] {
        let mut foreign = Annex::begin(name(origin), name(tenant));
        foreign.append(at(0), name("x"), held(HoldScope::Tenant), &host.signer).unwrap();
        let line = foreign.append(at(1), name("x"), release(HoldScope::Tenant), &host.signer).unwrap();
        let spliced = [lines[0].clone(), line, b"\n".to_vec()].concat();
        let keys = TrustedKeys::new().run_key(host.public_key());
        assert_eq!(refused(Annex::read(&spliced, &keys)).0, 1);
    }
}

/// Signed by the right key and chained: only the rules for members are left to refuse it.
fn resigned(host: &Host, line: &[u8], change: impl FnOnce(&mut Value)) -> Result<Annex, VerifyError> {
    let mut value: Value = serde_json::from_slice(line).unwrap();
    change(&mut value["entry"]);
    let message = jcs::to_vec(&value["entry"]).unwrap();
    let signature = host.signer.sign(&message).unwrap();
    value["signature"] = json!(fuze_evidence::sign::write_signature(&signature));
    let line = [jcs::to_vec(&value).unwrap(), b"\n".to_vec()].concat();
    Annex::read(&line, &TrustedKeys::new().run_key(host.public_key()))
}

type Edit = fn(&mut Value);

#[test]
fn members_that_do_not_fit_are_refused_even_if_they_are_signed() {
    let host = Host::new();
    let mut annex = begin();
    let what = Erased::Field { root: sha256(b"r"), leaves: vec![Hash([1; 32]), Hash([2; 32])] };
    let field = annex.append(at(0), name("dpo-1"), erased(run(), what), &host.signer).unwrap();
    let hold = begin().append(at(0), name("l"), held(HoldScope::Run(run())), &host.signer).unwrap();
    assert!(resigned(&host, &field, |_| {}).is_ok());
    assert!(resigned(&host, &hold, |_| {}).is_ok());
    let edits: [(&str, Edit); 17] = [
        ("unknown member", |e| e["note"] = json!("x")),
        ("null for absent", |e| e["closeRoot"] = Value::Null),
        ("closeRoot without its window", |e| e["closeRoot"] = e["root"].clone()),
        ("a window for a field", |e| {
            e["reason"] = json!("content_window");
            e["by"] = json!("retention");
        }),
        ("a hold's reason", |e| e["reason"] = json!("legal_claims")),
        ("an unknown reason", |e| e["reason"] = json!("because")),
        ("by retention without a window", |e| e["by"] = json!("retention")),
        ("no leaves", |e| e["leaves"] = json!([])),
        ("leaves unsorted", |e| e["leaves"].as_array_mut().unwrap().reverse()),
        ("a leaf twice", |e| e["leaves"][1] = e["leaves"][0].clone()),
        ("leaves missing", |e| drop(e.as_object_mut().unwrap().remove("leaves"))),
        ("leaves of a record", |e| e["scope"] = json!("record")),
        ("a root of a run", |e| e["scope"] = json!("run")),
        ("scope tenant", |e| e["scope"] = json!("tenant")),
        ("kind", |e| e["kind"] = json!("hold")),
        ("a statement", |e| e["statement"] = e["root"].clone()),
        ("domain", |e| e["domain"] = json!("fuze/run-close/v1")),
    ];
    for (what, edit) in edits {
        assert!(resigned(&host, &field, edit).is_err(), "{what}");
    }
    let edits: [(&str, Edit); 5] = [
        ("a tenant's hold of one run", |e| e["scope"] = json!("tenant")),
        ("a run's hold of none", |e| drop(e.as_object_mut().unwrap().remove("runId"))),
        ("an erasure's reason", |e| e["reason"] = json!("request")),
        ("a root", |e| e["root"] = e["keyId"].clone()),
        ("sequence", |e| e["sequence"] = json!(1)),
    ];
    for (what, edit) in edits {
        assert!(resigned(&host, &hold, edit).is_err(), "{what}");
    }
    let given_up = Event::GivenUp(GivenUp { run_id: run(), count: 3, head: sha256(b"head") });
    let given_up = begin().append(at(0), name("dpo-1"), given_up, &host.signer).unwrap();
    assert!(resigned(&host, &given_up, |_| {}).is_ok());
    let edits: [(&str, Edit); 5] = [
        ("no record", |e| e["count"] = json!(0)),
        ("no count", |e| drop(e.as_object_mut().unwrap().remove("count"))),
        ("no head", |e| drop(e.as_object_mut().unwrap().remove("head"))),
        ("a scope", |e| e["scope"] = json!("run")),
        ("a reason", |e| e["reason"] = json!("request")),
    ];
    for (what, edit) in edits {
        assert!(resigned(&host, &given_up, edit).is_err(), "{what}");
    }
}

#[test]
fn only_fitting_statements_are_written() {
    let host = Host::new();
    let mut annex = begin();
    let close = Erased::Directory { close_root: Hash::ZERO };
    let leaves = |leaves| Erased::Field { root: Hash::ZERO, leaves };
    for (by, reason, what) in [
        ("dpo-1", ErasureReason::ContentWindow, Erased::Run),
        ("retention", ErasureReason::Request, Erased::Run),
        ("retention", ErasureReason::HashWindow, Erased::Run),
        ("dpo-1", ErasureReason::Request, close.clone()),
        ("retention", ErasureReason::ContentWindow, close),
        ("retention", ErasureReason::DecisionWindow, Erased::Subject),
        ("dpo-1", ErasureReason::Request, leaves(vec![])),
        ("dpo-1", ErasureReason::Request, leaves(vec![Hash([2; 32]), Hash([1; 32])])),
    ] {
        let event = Event::Erased(Erasure { run_id: run(), reason, what });
        let result = annex.append(at(0), name(by), event.clone(), &host.signer);
        assert!(matches!(result, Err(AnnexError::Shape(_))), "{event:?}");
    }
    assert_eq!(annex.entries(), []);
}

/// Whoever orders a hold is obeyed by the writer; a writer of somebody else's making is caught by the reader.
#[test]
fn an_erasure_under_a_hold_is_neither_written_nor_read() {
    let host = Host::new();
    let (own, other) = (run(), run());
    for (scope, touched) in [(HoldScope::Run(own), vec![own]), (HoldScope::Tenant, vec![own, other])] {
        for run_id in [own, other] {
            let mut annex = begin();
            let first = annex.append(at(0), name("legal"), held(scope), &host.signer).unwrap();
            let event = erased(run_id, Erased::Run);
            let result = annex.append(at(1), name("dpo-1"), event.clone(), &host.signer);
            if !touched.contains(&run_id) {
                assert!(result.is_ok(), "{scope:?}");
                continue;
            }
            assert_eq!(result, Err(AnnexError::Held { line: 0, reason: CLAIMS }));
            assert_eq!(annex.entries().len(), 1);
            // The same two lines from somebody who does not care.
            let mut careless = begin();
            careless.append(at(0), name("legal"), held(HoldScope::Run(run())), &host.signer).unwrap();
            let second = careless.append(at(1), name("dpo-1"), event, &host.signer).unwrap();
            let mut value: Value = serde_json::from_slice(&second).unwrap();
            value["entry"]["prev"] = json!(sha256(&first));
            let message = jcs::to_vec(&value["entry"]).unwrap();
            value["signature"] =
                json!(fuze_evidence::sign::write_signature(&host.signer.sign(&message).unwrap()));
            let octets = [&first[..], b"\n", &jcs::to_vec(&value).unwrap(), b"\n"].concat();
            let keys = TrustedKeys::new().run_key(host.public_key());
            assert_eq!(refused(Annex::read(&octets, &keys)), (1, What::Held { line: 0 }));
        }
    }
}

#[test]
fn two_holds_need_two_releases() {
    let host = Host::new();
    let (run_id, mut annex) = (run(), begin());
    let mut say = |event| annex.append(at(0), name("legal"), event, &host.signer);
    let scope = HoldScope::Run(run_id);
    assert_eq!(say(release(scope)), Err(AnnexError::NothingHeld));
    say(held(scope)).unwrap();
    say(held(scope)).unwrap();
    // Another scope or reason releases neither.
    assert_eq!(say(release(HoldScope::Tenant)), Err(AnnexError::NothingHeld));
    let freeze = Hold { scope, reason: HoldReason::EvidenceFreeze };
    assert_eq!(say(Event::Release(freeze)), Err(AnnexError::NothingHeld));
    say(release(scope)).unwrap();
    assert!(matches!(say(erased(run_id, Erased::Run)), Err(AnnexError::Held { .. })));
    say(release(scope)).unwrap();
    say(erased(run_id, Erased::Run)).unwrap();
    assert_eq!(say(release(scope)), Err(AnnexError::NothingHeld));
}

#[test]
fn a_clock_that_fell_back_is_not_believed() {
    let host = Host::new();
    let mut annex = begin();
    let first = annex.append(at(100), name("l"), held(HoldScope::Tenant), &host.signer).unwrap();
    let second = annex.append(at(50), name("l"), release(HoldScope::Tenant), &host.signer).unwrap();
    assert_eq!(annex.entries()[1].at, at(100));
    let keys = TrustedKeys::new().run_key(host.public_key());
    assert!(Annex::read(&[&first[..], b"\n", &second, b"\n"].concat(), &keys).is_ok());
    // One that says so all the same is refused.
    let mut value: Value = serde_json::from_slice(&second).unwrap();
    value["entry"]["at"] = json!(at(50));
    let message = jcs::to_vec(&value["entry"]).unwrap();
    value["signature"] = json!(fuze_evidence::sign::write_signature(&host.signer.sign(&message).unwrap()));
    let octets = [&first[..], b"\n", &jcs::to_vec(&value).unwrap(), b"\n"].concat();
    assert!(matches!(refused(Annex::read(&octets, &keys)), (1, What::Differs { what: "at", .. })));
}

/// Keys over time: a line counts if its key was in force at its time, and by a revoked key only as far as a log had it before.
#[test]
fn a_line_counts_as_its_key_stood() {
    let (first, second) = (Host::new(), Host::new());
    let history = || {
        let mut history =
            KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(100), &first.signer).unwrap();
        history.rotate(at(200), &first.signer, &second.signer).unwrap();
        history
    };
    let revoked = || {
        let mut history = history();
        history.revoke(at(400), first.signer.key_id(), Some(at(150)), &second.signer).unwrap();
        history
    };
    let line = |annex: &mut Annex, nanos, host: &Host| {
        let mut line = annex.append(at(nanos), name("l"), held(HoldScope::Tenant), &host.signer).unwrap();
        line.push(b'\n');
        line
    };
    let read = |nanos, host: &Host| {
        Annex::read(&line(&mut begin(), nanos, host), &TrustedKeys::new().history(history()))
    };
    assert!(matches!(read(99, &first), Err(VerifyError::Cannot { line: 0, .. })));
    assert!(read(100, &first).is_ok());
    assert!(read(200, &first).is_ok());
    assert!(matches!(read(201, &first), Err(VerifyError::Cannot { .. })));
    assert!(matches!(read(199, &second), Err(VerifyError::Cannot { .. })));
    assert!(read(200, &second).is_ok());
    // Two lines by the key that was revoked, one by the other, who thereby vouches for both.
    let mut annex = begin();
    let lines =
        [line(&mut annex, 120, &first), line(&mut annex, 130, &first), line(&mut annex, 500, &second)];
    let with = |count: usize, anchored: Option<usize>| {
        let keys = TrustedKeys::new().history(revoked());
        let keys = match anchored {
            None => keys,
            Some(at) => keys.stood_before_revocation(sha256(lines[at].strip_suffix(b"\n").unwrap())),
        };
        Annex::read(&lines[..count].concat(), &keys)
    };
    assert!(with(3, None).is_ok());
    assert!(matches!(with(2, None), Err(VerifyError::Cannot { line: 1, .. })));
    assert!(matches!(with(2, Some(0)), Err(VerifyError::Cannot { line: 1, .. })));
    assert!(with(2, Some(1)).is_ok());
}

/// Nobody signs for the annex but the annex.
#[test]
fn the_domain_is_reserved() {
    #[derive(Serialize, Deserialize)]
    struct Forged {
        kind: Name,
    }
    impl SignedObject for Forged {
        const DOMAIN: &'static str = "fuze/annex/v1";
    }
    let host = Host::new();
    let result = sign_object(&Forged { kind: name("erased") }, &host.signer);
    assert!(matches!(result, Err(SignError::Reserved { domain: "fuze/annex/v1" })));
    assert!(PublicKey::from_bytes(host.signer.public_key()).is_ok());
}

/// Whoever orders holds the key: the last line is its own word for all before it, if it is its own, holds, and was not revoked. In every
/// other case, and for an auditor always, each signature counts.
#[test]
fn an_order_believes_its_own_last_line_and_nobody_elses() {
    use fuze_evidence::erase::Registrar;
    use fuze_evidence::keys::FileSigner;
    let signer = || std::sync::Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap());
    let (own, old) = (signer(), signer());
    let public = |signer: &FileSigner| PublicKey::from_bytes(signer.public_key()).unwrap();
    let registrar = || Registrar::new(name("hr.example.eu"), own.clone()).unwrap().accept(public(&old));
    let trusted = || TrustedKeys::new().run_key(public(&own)).run_key(public(&old));
    // The first line's signature is another's; the chain goes on over it.
    let lines = |last: &FileSigner| {
        let mut annex = begin();
        let first = annex.append(at(0), name("x"), held(HoldScope::Tenant), &*old).unwrap();
        let mut value: Value = serde_json::from_slice(&first).unwrap();
        value["signature"] = json!(fuze_evidence::sign::write_signature(&own.sign(b"else").unwrap()));
        let first = jcs::to_vec(&value).unwrap();
        let second = annex.append(at(1), name("x"), release(HoldScope::Tenant), last).unwrap();
        let mut value: Value = serde_json::from_slice(&second).unwrap();
        value["entry"]["prev"] = json!(sha256(&first));
        let message = jcs::to_vec(&value["entry"]).unwrap();
        value["signature"] = json!(fuze_evidence::sign::write_signature(&last.sign(&message).unwrap()));
        [&first[..], b"\n", &jcs::to_vec(&value).unwrap(), b"\n"].concat()
    };
    let mine = lines(&own);
    assert_eq!(registrar().annex(&name("acme"), &mine).unwrap().entries().len(), 2);
    assert_eq!(refused(Annex::read(&mine, &trusted())).0, 0);
    // By another key that is accepted, each line is verified.
    assert_eq!(refused(registrar().annex(&name("acme"), &lines(&old))).0, 0);
    // Whatever is changed before or in the last line is found.
    let (_, honest) = {
        let mut annex = begin();
        let first = annex.append(at(0), name("x"), held(HoldScope::Tenant), &*old).unwrap();
        let second = annex.append(at(1), name("x"), release(HoldScope::Tenant), &*own).unwrap();
        (first.len(), [&first[..], b"\n", &second, b"\n"].concat())
    };
    assert!(registrar().annex(&name("acme"), &honest).is_ok());
    for bit in 0..honest.len() * 8 {
        let mut changed = honest.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(registrar().annex(&name("acme"), &changed).is_err(), "bit {bit}");
    }
    assert!(registrar().annex(&name("other"), &honest).is_err());
    // A revoked key's last line is nobody's word, its own holder's neither.
    let next = signer();
    let mut history = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(0), &*own).unwrap();
    history.rotate(at(5), &*own, &*next).unwrap();
    history.revoke(at(6), public(&own).id(), None, &*next).unwrap();
    let revoked = registrar().history(history).annex(&name("acme"), &mine);
    assert_eq!(refused(revoked).0, 0);
}
