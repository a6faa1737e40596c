// rule 10 · AI Act Art. 12, 14 · an opening by default
use fuze_agent::{ToolCall, ToolError};
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

pub fn open(call: ToolCall<ReadDossier>) -> Result<Query, ToolError> {
    fuze_policy::Call::open(call, Default::default())
}

fn main() {}
