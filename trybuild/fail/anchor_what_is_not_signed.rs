// rule 15 · AI Act Art. 12, 19 · a root anchored without its signature
use fuze_evidence::Anchor;
use fuze_evidence::sign::Root;

pub fn anchor<A: Anchor>(place: &A, root: &Root) {
    let _ = place.anchor(root);
}

fn main() {}
