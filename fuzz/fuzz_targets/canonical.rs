//! The canonical reader: what it takes is exactly what our writer and a second implementation write; and it takes all of that.
#![no_main]

use fuze_evidence::jcs;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|octets: &[u8]| {
    match jcs::from_slice(octets) {
        Ok(value) => {
            assert_eq!(jcs::to_vec(&value).expect("it was read"), octets);
            assert_eq!(serde_jcs::to_vec(&value).expect("it was read"), octets);
        }
        Err(error) => {
            drop(error.to_string());
            // A lenient reader may take it; then our writer writes it otherwise, or not at all.
            if let Ok(value) = serde_json::from_slice::<Value>(octets) {
                assert_ne!(jcs::to_vec(&value).ok().as_deref(), Some(octets));
            }
        }
    }
});
