//! A tenant's annex: as it comes, and signed line by line by whoever has the key. What is read then is what our writer writes.
#![no_main]

use std::sync::LazyLock;

use fuze_evidence::keys::FileSigner;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Annex, Hash, Signer as _, jcs, sha256};
use fuze_fuzz::{public_key, signed_line, signer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static SIGNER: LazyLock<FileSigner> = LazyLock::new(signer);

/// These statements as lines that follow each other.
fn chained(octets: &[u8]) -> Option<Vec<u8>> {
    let (mut prev, mut lines) = (Hash::ZERO, Vec::new());
    for (sequence, line) in octets.split(|&octet| octet == b'\n').enumerate() {
        let Ok(Value::Object(mut entry)) = jcs::from_slice(line) else { return None };
        entry.insert("keyId".to_owned(), json!(SIGNER.key_id()));
        entry.insert("prev".to_owned(), json!(prev));
        entry.insert("sequence".to_owned(), json!(sequence));
        let line = signed_line("entry", &Value::Object(entry), &SIGNER)?;
        prev = sha256(&line);
        lines.extend(line);
        lines.push(b'\n');
    }
    Some(lines)
}

fuzz_target!(|octets: &[u8]| {
    let trusted = TrustedKeys::new().run_key(public_key(&SIGNER));
    // Nobody has signed this.
    assert!(Annex::read(octets, &trusted).map_err(|error| error.to_string()).is_err());
    let Some(lines) = chained(octets) else { return };
    let Ok(annex) = Annex::read(&lines, &trusted).map_err(|error| error.to_string()) else { return };
    let mut again = Annex::begin(annex.origin().clone(), annex.tenant().clone());
    let mut written = Vec::new();
    for entry in annex.entries() {
        let line = again.append(entry.at, entry.by.clone(), entry.event.clone(), &*SIGNER);
        written.extend(line.expect("it was read"));
        written.push(b'\n');
    }
    assert_eq!(written, lines);
    assert_eq!(again.head(), annex.head());
});
