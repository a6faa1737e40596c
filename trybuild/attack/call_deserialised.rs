// rule 10 · AI Act Art. 12, 14 · a call deserialised
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> ToolCall<ReadDossier> {
    serde_json::from_str("{}").unwrap()
}

fn main() {}
