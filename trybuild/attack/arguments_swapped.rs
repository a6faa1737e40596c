// rule 10 · AI Act Art. 12, 14 · other bytes put into a permitted call
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn swap<'c>(mut permit: Permit<'c, ToolCall<ReadDossier>>) -> Permit<'c, ToolCall<ReadDossier>> {
    permit.0.canonical = br#"{"id":"8"}"#.to_vec();
    permit
}

fn main() {}
