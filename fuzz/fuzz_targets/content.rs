//! Lines of `content.jsonl` and `keys.jsonl`, and what is disclosed of content.
#![no_main]

use fuze_evidence::content::{ContentLine, Disclosure, KeysLine};
use fuze_evidence::jcs;
use fuze_evidence::keys::WrappedRunKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    // Each line has one form: what a reader takes is canonical, and of no two kinds.
    let kinds = [
        ContentLine::read(octets).map_err(|error| error.to_string()).is_ok(),
        KeysLine::read(octets).map_err(|error| error.to_string()).is_ok(),
        WrappedRunKeys::from_line(octets).is_ok(),
    ];
    let taken = kinds.iter().filter(|taken| **taken).count();
    assert!(taken <= 1, "{kinds:?}");
    assert!(taken == 0 || jcs::from_slice(octets).is_ok(), "{kinds:?}");
    if let Ok(wrapped) = WrappedRunKeys::from_line(octets) {
        assert_eq!(wrapped.to_line().expect("it was read"), octets);
    }
    if let Ok(disclosure) = Disclosure::from_bytes(octets) {
        drop(disclosure.fields(disclosure.root).map_err(|error| error.to_string()));
        assert_eq!(disclosure.to_bytes().expect("it was read"), octets);
    }
});
