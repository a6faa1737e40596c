// rule 10 · AI Act Art. 12, 14 · a permit by default
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> Permit<'static, ToolCall<ReadDossier>> {
    Default::default()
}

fn main() {}
