// rule 15 · AI Act Art. 12, 19 · a run closed by one who is only lent its recorder
use fuze_evidence::chain::Times;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Recorder, Signer};

pub fn close(recorder: &mut Recorder, times: Times, status: RunStatus, signer: &dyn Signer) {
    let _ = recorder.close(2, 1, times, status, signer);
}

fn main() {}
