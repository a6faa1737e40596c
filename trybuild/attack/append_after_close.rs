// rule 15 · AI Act Art. 12, 19 · a record after the last
use fuze_evidence::chain::Times;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Recorder, Signer, Span};

pub fn go_on(mut recorder: Recorder, times: Times, span: &Span, status: RunStatus, signer: &dyn Signer) {
    let _ = recorder.close(2, 1, times, status, signer);
    let _ = recorder.append(3, 1, times, span, None);
}

fn main() {}
