// rule 19 · AI Act Art. 12, 14 · the contexts of two dispatches swapped
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn swap<'a, 'b>(a: &mut ToolCtx<'a, ReadDossier>, b: &mut ToolCtx<'b, ReadDossier>) {
    core::mem::swap(a, b);
}

fn main() {}
