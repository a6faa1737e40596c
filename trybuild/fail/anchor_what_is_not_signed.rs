// rule 15 · AI Act Art. 12, 19 · a root anchored without its signature
use fuze_evidence::{Anchor, Timestamp};
use fuze_evidence::sign::Root;

pub fn anchor<A: Anchor>(place: &A, root: &Root, deadline: Timestamp) {
    let _ = place.anchor_open(root, deadline);
}

fn main() {}
