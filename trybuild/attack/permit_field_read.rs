// rule 10 · AI Act Art. 12, 14 · the call read out of its permit
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::Lookup;

pub fn take<'c>(permit: Permit<'c, ToolCall<Lookup>>) -> ToolCall<Lookup> {
    permit.0
}

fn main() {}
