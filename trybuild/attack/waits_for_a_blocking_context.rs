// rule 20 · AI Act Art. 14(4)(e) · the context of a tool for blocking work made to wait
use fuze_agent::{BlockingCtx, MayWait};
use fuze_agent_proof::tools::StoreNote;

impl MayWait for BlockingCtx<'_, StoreNote> {
    fn wait<Answer>(&self) -> Answer {
        loop {}
    }
}

fn main() {}
