// rule 15 · AI Act Art. 12, 19 · a recorder made from its fields
use fuze_evidence::Recorder;

pub fn forge(state: fuze_evidence::chain::RecorderState) -> Recorder {
    Recorder { state, common: Vec::new() }
}

fn main() {}
