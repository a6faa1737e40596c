// rule 10 · AI Act Art. 12, 14 · a call by default
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> ToolCall<ReadDossier> {
    ToolCall::default()
}

fn main() {}
