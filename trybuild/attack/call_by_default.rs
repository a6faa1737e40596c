// rule 10 · AI Act Art. 12, 14 · a call by default
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::Lookup;

pub fn forge() -> ToolCall<Lookup> {
    ToolCall::default()
}

fn main() {}
