// rule 15 · AI Act Art. 12, 19 · a run closed twice, with another status
use fuze_evidence::chain::Times;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Recorder, Signer};

pub fn twice(recorder: Recorder, times: Times, signer: &dyn Signer) {
    let _ = recorder.close(2, 1, times, RunStatus::Error, signer);
    let _ = recorder.close(2, 1, times, RunStatus::Completed, signer);
}

fn main() {}
