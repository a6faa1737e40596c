//! A line of `records.jsonl`, and a signed root.
#![no_main]

use fuze_evidence::record::Entry;
use fuze_evidence::{SignedRoot, jcs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    match Entry::read(octets) {
        Ok(entry) => assert!(jcs::from_slice(octets).is_ok(), "{:?}", entry.sequence),
        Err(error) => drop(error.to_string()),
    }
    // No key is trusted, so nothing may come of it.
    assert!(SignedRoot::read(octets, |_| None).is_err());
});
