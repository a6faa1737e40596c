// rule 10 · AI Act Art. 12, 14 · a permit copied by a function over `Clone`
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

fn twice<P: Clone>(permit: &P) -> (P, P) {
    (permit.clone(), permit.clone())
}

pub fn copy<'c>(permit: Permit<'c, ToolCall<ReadDossier>>) {
    twice(&permit);
}

fn main() {}
