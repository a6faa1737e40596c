//! Lines of `content.jsonl` and `keys.jsonl`.
#![no_main]

use fuze_evidence::content::Disclosure;
use fuze_evidence::content::{ContentLine, KeysLine};
use fuze_evidence::keys::WrappedRunKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    drop(ContentLine::read(octets).map_err(|error| error.to_string()));
    drop(KeysLine::read(octets).map_err(|error| error.to_string()));
    if let Ok(wrapped) = WrappedRunKeys::from_line(octets) {
        assert_eq!(wrapped.to_line().expect("it was read"), octets);
    }
    drop(serde_json::from_slice::<Disclosure>(octets));
});
