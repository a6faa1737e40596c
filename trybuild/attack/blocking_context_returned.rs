// rule 19 · AI Act Art. 12, 14 · work on the blocking pool that gives its context back
use fuze_agent::{BlockingCtx, ToolCtx, ToolError};
use fuze_agent_proof::tools::StoreNote;

pub async fn keeps(ctx: &ToolCtx<'_, StoreNote>) -> Result<(), ToolError> {
    let _kept: &BlockingCtx<'_, StoreNote> = ctx.on_blocking_pool(|lent| Ok(lent)).await?;
    Ok(())
}

fn main() {}
