// rule 15 · AI Act Art. 12 · a close whose status is put in the place of another's
use fuze_evidence::chain::Closed;
use fuze_evidence::vocab::RunStatus;

pub fn forge(halted: Closed) -> Closed {
    Closed { status: RunStatus::Completed, ..halted }
}

fn main() {}
