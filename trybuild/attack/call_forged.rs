// rule 10 · AI Act Art. 12, 14 · a call made from its fields
use fuze_agent::ToolCall;
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> ToolCall<ReadDossier> {
    ToolCall { canonical: br#"{"id":"7"}"#.to_vec(), tool: core::marker::PhantomData }
}

fn main() {}
