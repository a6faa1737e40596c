// rule 13 · GDPR Art. 5(1)(c), 17 · redacted content recorded without the commitment that can be erased
use fuze_evidence::chain::Times;
use fuze_evidence::{Recorder, Redacted, Span};

pub fn record(recorder: &mut Recorder, times: Times, span: &Span, redacted: Option<&Redacted>) {
    let _ = recorder.append(1, 0, times, span, redacted);
}

fn main() {}
