//! What a log and its witnesses sign and send: notes, checkpoints, requests to witnesses, verifier keys.
#![no_main]

use std::str::FromStr as _;

use fuze_log::checkpoint::Checkpoint;
use fuze_log::note::{Note, VerifierKey};
use fuze_log::witness::AddCheckpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(note) = Note::read(octets) {
        assert_eq!(note.to_string().as_bytes(), octets);
        // Two checkpoints that read alike are written alike: what is signed is its one form.
        if let Ok(checkpoint) = Checkpoint::read(note.text()) {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    if let Ok(request) = AddCheckpoint::read(octets) {
        assert_eq!(request.to_string().as_bytes(), octets);
    }
    if let Ok(key) =
        std::str::from_utf8(octets).map_err(drop).and_then(|text| VerifierKey::from_str(text).map_err(drop))
    {
        assert_eq!(key.to_string().as_bytes(), octets);
    }
});
