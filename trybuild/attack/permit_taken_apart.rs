// rule 10 · AI Act Art. 12, 14 · a permit taken apart for its call
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn take<'c>(permit: Permit<'c, ToolCall<ReadDossier>>) -> ToolCall<ReadDossier> {
    let Permit(call, _) = permit;
    call
}

fn main() {}
