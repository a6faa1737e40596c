// rule 13 · AI Act Art. 12 · a span of one's own
use fuze_evidence::Recorder;
use fuze_evidence::chain::Times;

pub struct Mine;

pub fn record(recorder: &mut Recorder, times: Times, span: &Mine) {
    let _ = recorder.append(1, 0, times, span, None);
}

fn main() {}
