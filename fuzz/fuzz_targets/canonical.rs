//! The canonical reader: what it takes is exactly what our writer and a second implementation write.
#![no_main]

use fuze_evidence::jcs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    match jcs::from_slice(octets) {
        Ok(value) => {
            assert_eq!(jcs::to_vec(&value).expect("it was read"), octets);
            assert_eq!(serde_jcs::to_vec(&value).expect("it was read"), octets);
        }
        Err(error) => drop(error.to_string()),
    }
});
