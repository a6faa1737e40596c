// rule 10 · AI Act Art. 12, 14 · the permit of one tool turned into that of another
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::{Lookup, Record};

pub fn recast<'c>(permit: Permit<'c, ToolCall<Lookup>>) -> Permit<'c, ToolCall<Record>> {
    permit.into()
}

fn main() {}
