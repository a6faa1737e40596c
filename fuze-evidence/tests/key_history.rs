//! Which key was in force when, and what a verifier makes of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use common::*;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::keys::history::{HistoryError, KeyEvent, KeyHistory, KeyRole, Standing};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::{SignError, SignedObject, sign_object};
use fuze_evidence::verify::{RunFiles, TrustedKeys, VerifyError, verify_files};
use fuze_evidence::{Hash, Signer as _, sha256};
use serde_json::{Value, json};

fn signer() -> FileSigner {
    FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap()
}

/// A at 100, B from 200, C from 300; A revoked at 400 by C.
struct Keys {
    a: FileSigner,
    b: FileSigner,
    c: FileSigner,
    history: KeyHistory,
}

fn keys() -> Keys {
    let (a, b, c) = (signer(), signer(), signer());
    let mut history = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(100), &a).unwrap();
    history.rotate(at(200), &a, &b).unwrap();
    history.rotate(at(300), &b, &c).unwrap();
    history.revoke(at(400), a.key_id(), Some(at(150)), &c).unwrap();
    Keys { a, b, c, history }
}

#[test]
fn a_history_reads_back_and_says_who_was_in_force() {
    let Keys { a, b, c, history } = keys();
    let read = KeyHistory::read(&history.to_bytes(), a.key_id()).unwrap();
    assert_eq!(read.to_bytes(), history.to_bytes());
    assert_eq!(read.head(), sha256(history.lines().last().unwrap()));
    assert_eq!(read.current().unwrap().id(), c.key_id());
    assert_eq!(read.standing(&b.key_id(), at(199)), Standing::NotYet { from: at(200) });
    assert!(matches!(read.standing(&b.key_id(), at(200)), Standing::InForce(key) if key.id() == b.key_id()));
    assert!(matches!(read.standing(&b.key_id(), at(300)), Standing::InForce(_)));
    assert_eq!(read.standing(&b.key_id(), at(301)), Standing::RotatedOut { at: at(300) });
    assert!(matches!(
        read.standing(&a.key_id(), at(150)),
        Standing::Revoked { at: when, compromised_since: Some(since), line, .. }
            if when == at(400) && since == at(150) && line == read.head()
    ));
    assert_eq!(read.standing(&signer().key_id(), at(150)), Standing::Unknown);
    let events: Vec<_> = read.entries().unwrap().iter().map(|entry| entry.event).collect();
    assert_eq!(events, [KeyEvent::Introduced, KeyEvent::Rotated, KeyEvent::Rotated, KeyEvent::Revoked]);
}

#[test]
fn a_history_that_begins_with_another_key_is_refused() {
    let Keys { b, history, .. } = keys();
    assert!(matches!(
        KeyHistory::read(&history.to_bytes(), b.key_id()),
        Err(HistoryError::Root { expected, .. }) if expected == b.key_id()
    ));
}

#[test]
fn only_the_key_in_force_rotates_and_revokes() {
    let Keys { a, b, c, mut history } = keys();
    let before = history.to_bytes();
    let refused = |result: Result<(), HistoryError>, part: &str| {
        let Err(HistoryError::Refused(why)) = result else { panic!("{result:?}") };
        assert!(why.contains(part), "{why}");
    };
    refused(history.rotate(at(500), &a, &signer()), "the key in force");
    refused(history.rotate(at(500), &c, &b), "was in force before");
    refused(history.rotate(at(399), &c, &signer()), "`at`");
    refused(history.revoke(at(500), c.key_id(), None, &c), "rotate first");
    refused(history.revoke(at(500), a.key_id(), None, &c), "revoked already");
    refused(history.revoke(at(500), b.key_id(), None, &b), "the key in force");
    refused(history.revoke(at(500), signer().key_id(), None, &c), "does not stand in it");
    assert_eq!(history.to_bytes(), before, "a refused line changes nothing");
}

#[test]
fn each_line_is_bound_to_the_one_before_and_to_its_signers() {
    let Keys { a, history, .. } = keys();
    let bytes = history.to_bytes();
    let trusted = a.key_id();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(KeyHistory::read(&flipped, trusted).is_err(), "bit {bit}");
    }
    let lines: Vec<_> = bytes.split_inclusive(|&octet| octet == b'\n').collect();
    let without = |gone: usize| {
        let kept =
            lines.iter().enumerate().filter(|(n, _)| *n != gone).flat_map(|(_, line)| line.iter().copied());
        kept.collect::<Vec<u8>>()
    };
    for gone in 0..lines.len() - 1 {
        assert!(KeyHistory::read(&without(gone), trusted).is_err(), "without line {gone}");
    }
    assert!(KeyHistory::read(&bytes[..bytes.len() - 1], trusted).is_err());
    assert!(KeyHistory::read(b"", trusted).is_err());
    assert!(KeyHistory::read(b"\n", trusted).is_err());
}

/// The old key alone cannot bring in a key that nobody holds, or somebody else's.
#[test]
fn a_new_key_vouches_for_itself() {
    let Keys { a, history, .. } = keys();
    let text = String::from_utf8(history.to_bytes()).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[1]["proof"] = lines[1]["signature"].clone();
    let changed: Vec<u8> =
        lines.iter().flat_map(|line| serde_jcs::to_vec(line).unwrap().into_iter().chain([b'\n'])).collect();
    let error = KeyHistory::read(&changed, a.key_id()).unwrap_err();
    assert!(
        matches!(&error, HistoryError::Line { line: 1, why } if why.contains("own signature")),
        "{error}"
    );
    lines[1].as_object_mut().unwrap().remove("proof");
    let changed: Vec<u8> =
        lines.iter().flat_map(|line| serde_jcs::to_vec(line).unwrap().into_iter().chain([b'\n'])).collect();
    let error = KeyHistory::read(&changed, a.key_id()).unwrap_err();
    assert!(matches!(&error, HistoryError::Line { line: 1, why } if why.contains("did not sign")), "{error}");
}

#[test]
fn nobody_else_signs_for_the_framework_s_domains() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Forged(serde_json::Map<String, Value>);
    impl SignedObject for Forged {
        const DOMAIN: &'static str = "fuze/key/v1";
    }
    let forged = Forged(json!({"a": 1}).as_object().unwrap().clone());
    assert!(matches!(sign_object(&forged, &signer()), Err(SignError::Reserved { domain: "fuze/key/v1" })));
}

/// A history of the keys that signed the sample run, which begins at nanosecond 0.
fn history_of(host: &Host, from: u64, origin: &str, role: KeyRole) -> KeyHistory {
    KeyHistory::introduce(name(origin), role, at(from), &host.signer).unwrap()
}

fn judged(run: &fuze_evidence::sink::MemoryRun, trusted: &TrustedKeys<'_>) -> Result<bool, String> {
    match verify_files(RunFiles::from(run), trusted) {
        Ok(report) => Ok(report.is_verified()),
        Err(VerifyError::Cannot { why, .. }) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_run_counts_if_its_key_was_in_force_when_it_began() {
    let Sample { host, files: run, .. } = Sample::closed();
    let trust = |history| TrustedKeys::new().history(history);
    assert_eq!(judged(&run, &trust(history_of(&host, 0, "hr.example.eu", KeyRole::Run))), Ok(true));
    let late = judged(&run, &trust(history_of(&host, 1, "hr.example.eu", KeyRole::Run))).unwrap_err();
    assert!(late.contains("before its key"), "{late}");
    for (origin, role) in [("other.example.eu", KeyRole::Run), ("hr.example.eu", KeyRole::Overseer)] {
        let why = judged(&run, &trust(history_of(&host, 0, origin, role))).unwrap_err();
        let whose = format!("is a key of `{origin}` for the role `{role}`");
        assert!(why.contains(&whose) && why.contains("no runs of `hr.example.eu`"), "{why}");
    }
    let stranger = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(0), &signer()).unwrap();
    assert!(judged(&run, &trust(stranger)).unwrap_err().contains("not trusted"));
}

#[test]
fn a_run_of_a_revoked_key_needs_a_log() {
    let Sample { host, files: run, .. } = Sample::closed();
    let next = signer();
    let mut history = history_of(&host, 0, "hr.example.eu", KeyRole::Run);
    history.rotate(at(1_000_000_000), &host.signer, &next).unwrap();
    assert_eq!(judged(&run, &TrustedKeys::new().history(history.clone())), Ok(true));
    history.revoke(at(2_000_000_000), host.signer.key_id(), None, &next).unwrap();
    let why = judged(&run, &TrustedKeys::new().history(history.clone())).unwrap_err();
    assert!(why.contains("revoked") && why.contains("no log proof"), "{why}");
    let report = verify_files(RunFiles::from(&run), &TrustedKeys::new().run_key(host.public_key())).unwrap();
    let anchored =
        TrustedKeys::new().history(history.clone()).stood_before_revocation(report.last_root.unwrap());
    assert_eq!(judged(&run, &anchored), Ok(true));
    let other = TrustedKeys::new().history(history).stood_before_revocation(Hash::ZERO);
    assert!(judged(&run, &other).is_err());
}

/// A key that is trusted by itself, or by a history from before the revocation, is revoked all the same for whoever has the newer
/// history: else a stolen key would go on being good wherever it was once named.
#[test]
fn nothing_else_that_is_trusted_outweighs_a_revocation() {
    let Sample { host, files: run, .. } = Sample::closed();
    let next = signer();
    let mut history = history_of(&host, 0, "hr.example.eu", KeyRole::Run);
    let before = history.clone();
    let named = || TrustedKeys::new().run_key(host.public_key());
    assert_eq!(judged(&run, &named().history(history.clone())), Ok(true));
    let early = history_of(&host, 1, "hr.example.eu", KeyRole::Run);
    assert!(judged(&run, &named().history(early)).unwrap_err().contains("before its key"));
    history.rotate(at(1_000_000_000), &host.signer, &next).unwrap();
    history.revoke(at(2_000_000_000), host.signer.key_id(), None, &next).unwrap();
    for trusted in [
        named().history(history.clone()),
        TrustedKeys::new().history(before.clone()).history(history.clone()),
        TrustedKeys::new().history(history.clone()).history(before.clone()),
        named().history(before.clone()).history(history.clone()),
    ] {
        let why = judged(&run, &trusted).unwrap_err();
        assert!(why.contains("revoked"), "{why}");
    }
    // A key has one deployment and one role. Else whoever stole a revoked key would write another deployment into the run, of which
    // nobody has a history.
    for (origin, role) in [("other.example.eu", KeyRole::Run), ("hr.example.eu", KeyRole::Overseer)] {
        let other = history_of(&host, 0, origin, role);
        for trusted in [
            named().history(other.clone()),
            named().history(before.clone()).history(other.clone()),
            named().history(other).history(before.clone()),
        ] {
            let why = judged(&run, &trusted).unwrap_err();
            assert!(why.contains(&format!("is a key of `{origin}` for the role `{role}`")), "{why}");
        }
    }
    let others = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(1), &next).unwrap();
    assert_eq!(judged(&run, &named().history(others)), Ok(true), "it does not know the key");
}

/// A key of the wrong order never enters a history, not even signed by the key in force.
#[test]
fn a_weak_key_is_refused() {
    let Keys { a, history, .. } = keys();
    let text = String::from_utf8(history.to_bytes()).unwrap();
    let mut line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let mut identity = [0u8; 32];
    identity[0] = 1;
    line["entry"]["publicKey"] = json!(Base64UrlUnpadded::encode_string(&identity));
    let mut bytes = serde_jcs::to_vec(&line).unwrap();
    bytes.push(b'\n');
    let error = KeyHistory::read(&bytes, a.key_id()).unwrap_err();
    assert!(error.to_string().contains("full order"), "{error}");
}

/// Whoever holds a revoked key can write statements of any time; the key that came after vouches for those before its own.
#[test]
fn an_annex_of_a_revoked_key_needs_a_line_of_the_next() {
    use fuze_evidence::annex::{Annex, Event, Hold, HoldReason, HoldScope};
    let Keys { a, b, c, mut history } = keys();
    let hold = |run| Event::Hold(Hold { scope: HoldScope::Run(run), reason: HoldReason::LegalClaims });
    let run = || fuze_evidence::RunId::generate(at(0), &mut OsRandom::new()).unwrap();
    let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
    let mut bytes = annex.append(at(120), name("dpo"), hold(run()), &a).unwrap();
    bytes.push(b'\n');
    let read = |bytes: &[u8], history: &KeyHistory| {
        Annex::read(bytes, &TrustedKeys::new().history(history.clone())).map(|annex| annex.entries().len())
    };
    let alone = read(&bytes, &history).unwrap_err();
    assert!(matches!(&alone, VerifyError::Cannot { line: 0, why } if why.contains("revoked")), "{alone}");
    bytes.extend(annex.append(at(250), name("dpo"), hold(run()), &b).unwrap());
    bytes.push(b'\n');
    assert_eq!(read(&bytes, &history).unwrap(), 2);
    history.revoke(at(500), b.key_id(), None, &c).unwrap();
    assert!(read(&bytes, &history).is_err());
}
