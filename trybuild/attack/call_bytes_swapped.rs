// rule 10 · AI Act Art. 12, 14 · other bytes put into a call
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::Lookup;

pub fn swap(call: &mut ToolCall<Lookup>) {
    call.canonical = br#"{"id":"8"}"#.to_vec();
}

fn main() {}
