// rule 17 · GDPR Art. 6(1) · a tool said to fit whatever agent comes
use fuze_agent::Agent;
use fuze_agent::agent::ToolOf;
use fuze_agent_proof::tools::ReadDossier;

pub fn fits<A: Agent>() -> ToolOf<A, ReadDossier> {
    ToolOf::new(ReadDossier)
}

fn main() {}
