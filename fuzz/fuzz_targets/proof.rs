//! What shows that a root stands in a log: proofs, leaves, the lines of `anchors.jsonl`.
#![no_main]

use fuze_evidence::anchor::{AnchorLine, LogLeaf};
use fuze_log::proof::TlogProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(proof) = TlogProof::read(octets) {
        assert_eq!(proof.to_string().as_bytes(), octets);
    }
    if let Ok(leaf) = LogLeaf::read(octets) {
        assert_eq!(leaf.bytes(), octets);
    }
    drop(AnchorLine::read_all(octets).map_err(|(line, error)| format!("{line}: {error}")));
});
