// rule 10 · AI Act Art. 12, 14 · a permit for a call of one's own, minted by a gate of one's own, to run a tool
use fuze_agent::{Permit, Tool, ToolCtx, ToolError};
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

pub struct Mine;

impl fuze_policy::Call for Mine {
    type Args = Query;
    type Error = ToolError;
    fn open(self, _: fuze_policy::Opening) -> Result<Query, ToolError> {
        Ok(Query { id: "7".into() })
    }
}

pub async fn run<'c>(permit: Permit<'c, Mine>, ctx: ToolCtx<'c, ReadDossier>) {
    let _ = ReadDossier.run(permit, ctx).await;
}

fn main() {}
