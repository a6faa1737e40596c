// rule 15 · AI Act Art. 12, 19 · a run anchored before it is signed
use fuze_evidence::{Anchor, Recorder};

pub fn anchor<A: Anchor>(place: &A, recorder: &Recorder) {
    let _ = place.anchor(recorder.state());
}

fn main() {}
