//! A bundle: whatever is in it, verification ends without a panic; and no log, run or maker is trusted, so nothing verifies.
#![no_main]

use std::io::Cursor;

use fuze_audit::Trust;
use fuze_audit::verify::verify;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    assert!(verify(Cursor::new(octets), &Trust::new()).map_err(|error| error.to_string()).is_err());
});
