// rule 19 · AI Act Art. 12, 14 · a permit lengthened
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn lengthen<'short>(
    permit: Permit<'short, ToolCall<ReadDossier>>,
) -> Permit<'static, ToolCall<ReadDossier>> {
    permit
}

fn main() {}
