// rule 15 · AI Act Art. 12 · a close whose status is overwritten
use fuze_evidence::chain::Closed;
use fuze_evidence::vocab::RunStatus;

pub fn forge(mut halted: Closed) -> Closed {
    halted.status = RunStatus::Completed;
    halted
}

fn main() {}
