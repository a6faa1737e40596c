//! The log's formats: notes, checkpoints, proofs, requests to witnesses, tiles, leaves, anchor lines. The first octet picks the width
//! of a tile.
#![no_main]

use std::str::FromStr as _;

use fuze_evidence::anchor::{AnchorLine, LogLeaf};
use fuze_log::checkpoint::Checkpoint;
use fuze_log::note::{Note, VerifierKey};
use fuze_log::proof::TlogProof;
use fuze_log::tile::{TilePath, read_bundle, read_hashes, write_bundle, write_hashes};
use fuze_log::witness::AddCheckpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(note) = Note::read(octets) {
        assert_eq!(note.to_string().as_bytes(), octets);
        drop(Checkpoint::read(note.text()).map_err(|error| error.to_string()));
    }
    if let Ok(proof) = TlogProof::read(octets) {
        assert_eq!(proof.to_string().as_bytes(), octets);
    }
    if let Ok(request) = AddCheckpoint::read(octets) {
        assert_eq!(request.to_string().as_bytes(), octets);
    }
    if let Ok(leaf) = LogLeaf::read(octets) {
        assert_eq!(leaf.bytes(), octets);
    }
    drop(AnchorLine::read_all(octets).map_err(|(line, error)| format!("{line}: {error}")));
    if let Ok(text) = std::str::from_utf8(octets) {
        if let Ok(path) = TilePath::from_str(text) {
            assert_eq!(path.to_string(), text);
        }
        if let Ok(key) = VerifierKey::from_str(text) {
            assert_eq!(key.to_string(), text);
        }
    }
    let Some((&width, rest)) = octets.split_first() else { return };
    let width = u16::from(width) + 1;
    if let Ok(entries) = read_bundle(rest, width) {
        assert_eq!(write_bundle(&entries).expect("it was read"), rest);
    }
    if let Ok(hashes) = read_hashes(rest, width) {
        assert_eq!(write_hashes(&hashes), rest);
    }
});
