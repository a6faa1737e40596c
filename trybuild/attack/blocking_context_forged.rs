// rule 19 · AI Act Art. 12, 14 · the context of a tool for blocking work, of one's own making
use core::marker::PhantomData;

use fuze_agent::{BlockingCtx, Ctx};
use fuze_agent_proof::Deps;
use fuze_agent_proof::tools::StoreNote;

pub fn forge(base: Ctx<'_, Deps>) -> BlockingCtx<'_, StoreNote> {
    BlockingCtx { base, tool: PhantomData }
}

fn main() {}
