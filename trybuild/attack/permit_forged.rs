// rule 10 · AI Act Art. 12, 14 · a permit made from its fields
use fuze_agent::{Permit, ToolCall};
use fuze_agent_proof::tools::ReadDossier;

pub fn forge<'c>(call: ToolCall<ReadDossier>) -> Permit<'c, ToolCall<ReadDossier>> {
    Permit(call, core::marker::PhantomData)
}

fn main() {}
