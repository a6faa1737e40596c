// rule 15 · AI Act Art. 12, 19 · a recorder cloned, to go on after the close
use fuze_evidence::Recorder;

pub fn copy(recorder: &Recorder) -> Recorder {
    recorder.clone()
}

fn main() {}
