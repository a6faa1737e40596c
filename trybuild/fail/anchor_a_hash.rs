// rule 15 · AI Act Art. 12, 19 · a bare hash anchored
use fuze_evidence::{Anchor, Recorder};

pub fn anchor<A: Anchor>(place: &A, recorder: &Recorder) {
    let _ = place.anchor(&recorder.head().1);
}

fn main() {}
