// rule 10 · AI Act Art. 12, 14 · a permit lent by `&mut` and taken out
use fuze_agent::{Permit, ToolCall, ToolError};
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

pub fn take<'c>(permit: &mut Permit<'c, ToolCall<ReadDossier>>) -> Result<Query, ToolError> {
    permit.into_args()
}

fn main() {}
