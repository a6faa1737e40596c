// rule 11 · AI Act Art. 12, 14 · a context by default
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn forge() -> ToolCtx<'static, ReadDossier> {
    Default::default()
}

fn main() {}
