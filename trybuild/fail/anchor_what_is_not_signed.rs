// rule 15 · AI Act Art. 12, 19 · a root anchored without its signature
use fuze_evidence::anchor::Blinding;
use fuze_evidence::{Anchor, Timestamp};
use fuze_evidence::sign::Root;

pub fn anchor<A: Anchor>(place: &A, root: &Root, deadline: Timestamp, blinding: &Blinding) {
    let _ = place.anchor_open(root, deadline, blinding);
}

fn main() {}
