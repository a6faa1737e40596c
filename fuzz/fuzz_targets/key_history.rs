//! A key history: its own first key is trusted, so that the fuzzer gets as far as it can without signing.
#![no_main]

use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::sign::PublicKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(root) = KeyHistory::first_key(octets)
        && let Ok(history) = KeyHistory::read(octets, root)
    {
        assert_eq!(history.to_bytes(), octets);
        assert!(history.entries().is_ok());
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        drop(PublicKey::from_text(text).map_err(|error| error.to_string()));
    }
});
