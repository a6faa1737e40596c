//! Keys inside a PKCS#11 device, on SoftHSM2. `tests/pkcs11/run.sh` makes a token and calls these tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::*;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use fuze_evidence::chain::Opened;
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::keys::pkcs11::{Pkcs11Error, Pkcs11Key, Pkcs11Signer};
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::random::{OsRandom, Random as _};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::verify::{RunFiles, TrustedKeys, verify_files};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Recorder, RunId};

struct Token {
    module: String,
    label: String,
    pin: String,
}

impl Token {
    /// From the environment; prints and gives `None` without one, unless there must be one.
    fn there() -> Option<Self> {
        let get = |name| std::env::var(name).ok();
        let token = get("FUZE_PKCS11_MODULE")
            .zip(get("FUZE_PKCS11_TOKEN"))
            .zip(get("FUZE_PKCS11_PIN"))
            .map(|((module, label), pin)| Self { module, label, pin });
        if token.is_none() {
            assert!(get("FUZE_REQUIRE_PKCS11").is_none_or(|v| v != "1"), "there is no PKCS#11 token");
            println!("SKIPPED: no PKCS#11 token; `tests/pkcs11/run.sh` makes one");
        }
        token
    }

    fn key(&self, label: &str) -> Pkcs11Key {
        Pkcs11Key::new(&self.module, &self.label, label, &self.pin)
    }

    fn session(&self) -> Session {
        let library = Pkcs11::new(&self.module).unwrap();
        drop(library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)));
        let of_label = |slot: &_| library.get_token_info(*slot).unwrap().label() == self.label;
        let slot = library.get_slots_with_initialized_token().unwrap().into_iter().find(of_label).unwrap();
        let session = library.open_rw_session(slot).unwrap();
        drop(session.login(UserType::User, Some(&AuthPin::new(self.pin.as_str().into()))));
        session
    }
}

fn fresh_label() -> String {
    let mut octets = [0u8; 8];
    OsRandom::new().fill(&mut octets).unwrap();
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn a_run_is_signed_by_a_key_that_cannot_leave_the_device() {
    let Some(token) = Token::there() else { return };
    let label = fresh_label();
    let made = Pkcs11Signer::generate(&token.key(&label), name("hsm")).unwrap();
    let signer = Pkcs11Signer::open(&token.key(&label), name("hsm")).unwrap();
    assert_eq!(made.public_key(), signer.public_key());

    let run_id = RunId::generate(at(0), &mut OsRandom::new()).unwrap();
    let mut invoke = start(&FileSigner::ephemeral(name("other"), &mut OsRandom::new()).unwrap());
    invoke.key_id = signer.key_id();
    invoke.signer = signer.identity();
    let mut files = MemoryRun::default();
    let Opened { recorder, record, root } =
        Recorder::open(run_id, common(None), invoke, None, times(0), &signer).unwrap();
    push(&mut files.records, record.bytes());
    push(&mut files.roots, root.bytes());
    let closed = recorder.close(1, 0, times(10), RunStatus::Completed, &signer).unwrap();
    push(&mut files.records, closed.record().bytes());
    let records_only = RunFiles { content: None, ..RunFiles::from(&files) };
    let public = PublicKey::from_bytes(signer.public_key()).unwrap();
    assert!(verify_files(records_only, &TrustedKeys::new().run_key(public)).unwrap().is_verified());

    let session = token.session();
    let private = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.into())];
    let key = session.find_objects(&private).unwrap()[0];
    let told = session.get_attributes(key, &[AttributeType::Value]);
    assert!(told.is_err() || told.unwrap().is_empty(), "the device told the private key");
}

#[test]
fn signatures_are_plain_ed25519() {
    let Some(token) = Token::there() else { return };
    let signer = Pkcs11Signer::generate(&token.key(&fresh_label()), name("hsm")).unwrap();
    let public = PublicKey::from_bytes(signer.public_key()).unwrap();
    for length in [0, 1, 63, 64, 65, 100_000] {
        let message = vec![7u8; length];
        let signature = signer.sign(&message).unwrap();
        public.verify(&message, &signature).unwrap();
        assert_eq!(signature, signer.sign(&message).unwrap(), "Ed25519 is deterministic (RFC 8032)");
    }
    assert!(signer.to_be_checked(), "a device may fail without saying so");
}

#[test]
fn a_file_key_hands_over_to_a_device() {
    let Some(token) = Token::there() else { return };
    let file = FileSigner::ephemeral(name("file"), &mut OsRandom::new()).unwrap();
    let device = Pkcs11Signer::generate(&token.key(&fresh_label()), name("hsm")).unwrap();
    let mut history = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, at(0), &file).unwrap();
    history.rotate(at(10), &file, &device).unwrap();
    history.revoke(at(20), file.key_id(), None, &device).unwrap();
    let read = KeyHistory::read(&history.to_bytes(), file.key_id()).unwrap();
    assert_eq!(read.current().unwrap().id(), device.key_id());
}

#[test]
fn what_is_wrong_has_its_own_error() {
    let Some(token) = Token::there() else { return };
    let label = fresh_label();
    let open = |key: Pkcs11Key| Pkcs11Signer::open(&key, name("hsm")).unwrap_err();
    assert!(matches!(
        open(Pkcs11Key::new("/nowhere/lib.so", &token.label, &label, &token.pin)),
        Pkcs11Error::Module { .. }
    ));
    assert!(matches!(
        open(Pkcs11Key::new(&token.module, "no such token", &label, &token.pin)),
        Pkcs11Error::Token { found: 0, .. }
    ));
    assert!(matches!(open(token.key(&label)), Pkcs11Error::Key { found: 0, .. }));
    Pkcs11Signer::generate(&token.key(&label), name("hsm")).unwrap();
    let again = Pkcs11Signer::generate(&token.key(&label), name("hsm")).unwrap_err();
    assert!(matches!(again, Pkcs11Error::Exists { .. }), "{again}");
    assert!(!format!("{:?}", token.key(&label)).contains(&token.pin));
}

/// A key that came from outside has been outside, whatever it says now.
#[test]
fn a_key_that_was_outside_is_refused() {
    let Some(token) = Token::there() else { return };
    let session = token.session();
    for (extractable, sensitive) in [(true, false), (false, true)] {
        let label = fresh_label();
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Extractable(extractable),
            Attribute::Sensitive(sensitive),
            Attribute::Label(label.clone().into()),
            Attribute::Id(label.clone().into()),
            Attribute::EcParams(b"\x13\x0cedwards25519".to_vec()),
            Attribute::Value(vec![9; 32]),
        ];
        session.create_object(&template).unwrap();
        let error = Pkcs11Signer::open(&token.key(&label), name("hsm")).unwrap_err();
        let Pkcs11Error::Unfit { why, .. } = &error else { panic!("{error}") };
        assert_eq!(why.contains("can be taken out"), extractable, "{why}");
        assert!(extractable || why.contains("brought in from outside"), "{why}");
    }
}

/// Two keys of one label: which one signs must not be left to the device.
#[test]
fn two_keys_of_one_label_are_refused() {
    let Some(token) = Token::there() else { return };
    let label = fresh_label();
    Pkcs11Signer::generate(&token.key(&label), name("hsm")).unwrap();
    let session = token.session();
    let other = fresh_label();
    Pkcs11Signer::generate(&token.key(&other), name("hsm")).unwrap();
    let key = session
        .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(other.into())])
        .unwrap()[0];
    session.update_attributes(key, &[Attribute::Label(label.clone().into())]).unwrap();
    let error = Pkcs11Signer::open(&token.key(&label), name("hsm")).unwrap_err();
    assert!(matches!(error, Pkcs11Error::Key { found: 2, .. }), "{error}");
}
