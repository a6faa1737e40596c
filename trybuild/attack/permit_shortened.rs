// rule 19 · AI Act Art. 12, 14 · the permit of one dispatch passed for one of another
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn shorten<'long: 'short, 'short>(
    permit: Permit<'long, ToolCall<ReadDossier>>,
    _: &'short (),
) -> Permit<'short, ToolCall<ReadDossier>> {
    permit
}

fn main() {}
