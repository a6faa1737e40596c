// rule 10 · AI Act Art. 12, 14 · a permit taken apart for its call
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::Lookup;

pub fn take<'c>(permit: Permit<'c, ToolCall<Lookup>>) -> ToolCall<Lookup> {
    let Permit(call, _) = permit;
    call
}

fn main() {}
