// rule 10 · AI Act Art. 12, 14 · the permit of one tool turned into that of another
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};

pub fn recast<'c>(permit: Permit<'c, ToolCall<ReadDossier>>) -> Permit<'c, ToolCall<RecordDecision>> {
    permit.into()
}

fn main() {}
