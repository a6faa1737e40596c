// rule 19 · AI Act Art. 12, 14 · the context of a dispatch carried into work on the blocking pool
use fuze_agent::{ToolCtx, ToolError};
use fuze_agent_proof::tools::StoreNote;

pub async fn carries(ctx: ToolCtx<'_, StoreNote>) -> Result<bool, ToolError> {
    let outer = &ctx;
    ctx.on_blocking_pool(move |_| Ok(outer.is_cancelled())).await
}

fn main() {}
