// rule 10 · AI Act Art. 12, 14 · a permit taken out of its place, with a default left behind
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn take<'c>(permit: &mut Permit<'c, ToolCall<ReadDossier>>) -> Permit<'c, ToolCall<ReadDossier>> {
    take_default(permit)
}

fn take_default<P: Default>(place: &mut P) -> P {
    core::mem::take(place)
}

fn main() {}
