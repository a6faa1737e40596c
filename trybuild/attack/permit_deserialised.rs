// rule 10 · AI Act Art. 12, 14 · a permit deserialised
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> Permit<'static, ToolCall<ReadDossier>> {
    serde_json::from_str("{}").unwrap()
}

fn main() {}
