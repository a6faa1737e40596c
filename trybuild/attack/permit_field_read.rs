// rule 10 · AI Act Art. 12, 14 · the call read out of its permit
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn take<'c>(permit: Permit<'c, ToolCall<ReadDossier>>) -> ToolCall<ReadDossier> {
    permit.0
}

fn main() {}
