// rule 10 · AI Act Art. 12, 14 · other bytes put into a call
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::ReadDossier;

pub fn swap(call: &mut ToolCall<ReadDossier>) {
    call.canonical = br#"{"id":"8"}"#.to_vec();
}

fn main() {}
