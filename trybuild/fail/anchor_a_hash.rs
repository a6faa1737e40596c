// rule 15 · AI Act Art. 12, 19 · a bare hash anchored
use fuze_evidence::{Anchor, Recorder, Timestamp};

pub fn anchor<A: Anchor>(place: &A, recorder: &Recorder, deadline: Timestamp) {
    let _ = place.anchor_open(&recorder.head().1, deadline);
}

fn main() {}
