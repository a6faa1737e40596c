// rule 10 · AI Act Art. 12, 14 · a denial in the place of a permit
use fuze_agent::{Tool, ToolCtx};
use fuze_agent_proof::tools::Record;

pub async fn run<'c>(denied: fuze_policy::Denied, ctx: ToolCtx<'c, Record>) {
    let _ = Record.run(denied, ctx).await;
}

fn main() {}
