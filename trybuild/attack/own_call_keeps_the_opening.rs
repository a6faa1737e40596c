// rule 10 · AI Act Art. 12, 14 · a call of one's own that keeps the opening, for a call that it cannot have
use fuze_agent::{ToolCall, ToolError};
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

struct Thief;

impl fuze_policy::Call for Thief {
    type Args = fuze_policy::Opening;
    type Error = ();
    fn open(self, opening: fuze_policy::Opening) -> Result<fuze_policy::Opening, ()> {
        Ok(opening)
    }
}

pub fn steal(opened: fuze_policy::Permit<'_, Thief>) -> Result<Query, ToolError> {
    let opening = opened.into_args().unwrap();
    let call: ToolCall<ReadDossier> = Thief;
    fuze_policy::Call::open(call, opening)
}

fn main() {}
