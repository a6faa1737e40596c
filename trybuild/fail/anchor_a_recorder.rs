// rule 15 · AI Act Art. 12, 19 · a run anchored before it is signed
use fuze_evidence::anchor::Blinding;
use fuze_evidence::{Anchor, Recorder, Timestamp};

pub fn anchor<A: Anchor>(place: &A, recorder: &Recorder, deadline: Timestamp, blinding: &Blinding) {
    let _ = place.anchor_open(recorder.state(), deadline, blinding);
}

fn main() {}
