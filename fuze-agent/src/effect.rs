//! What happens to the world when a tool runs, and so what may happen after a crash.

use crate::logic::{Bool, No, Yes};
use crate::sealed::Sealed;
use crate::tool::Tool;

/// A tool's effect class.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an effect class",
    label = "expected `Read`, `Idempotent` or `Once`",
    note = "name a class of `fuze_agent::effect`; when in doubt, `Once`"
)]
pub trait Effect: Sealed + 'static {
    /// The wire name.
    const NAME: &'static str;
    #[doc(hidden)]
    type IsOnce: Bool;
    #[doc(hidden)]
    type IsRead: Bool;
}

/// Changes nothing: may run again.
pub struct Read;
/// Running again with the same `exec_id` changes nothing more: may run again under that key.
pub struct Idempotent;
/// Must not run twice. After it has started, only [`ToolError::not_applied`](crate::ToolError::not_applied) means that
/// nothing happened; any other end but success is in doubt and goes to a person.
pub struct Once;

macro_rules! effects {
    ($($effect:ident $name:literal $once:ident $read:ident;)+) => { $(
        impl Sealed for $effect {}
        impl Effect for $effect {
            const NAME: &'static str = $name;
            type IsOnce = $once;
            type IsRead = $read;
        }
    )+
        /// Every wire name.
        pub const ALL: &[&str] = &[$($name),+];
    };
}
effects! {
    Read "read" No Yes;
    Idempotent "idempotent" No No;
    Once "once" Yes No;
}

/// Whether a tool may ask for oversight in the midst of its work: `Yes` or `No`. A `once` tool may not, because it would
/// have to run again from its start after the answer.
#[diagnostic::on_unimplemented(
    message = "a tool of the effect class `{E}` may not request oversight while it runs",
    label = "after the answer the tool runs again from its start, which a `once` tool must not",
    note = "make the tool `Read` or `Idempotent`, or let it need approval before it starts"
)]
pub trait MidwayOversight<E: Effect>: Bool {}
impl<E: Effect> MidwayOversight<E> for No {}
impl MidwayOversight<Read> for Yes {}
impl MidwayOversight<Idempotent> for Yes {}

/// This tool may invoke the tool `U` from within.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` has the effect class `once` and may not invoke `{U}`, which may wait for a human",
    label = "`{U}` may suspend the run in the midst of `{Self}`",
    note = "AI Act Art. 14(4)(e), a safe state: let the model call `{U}` by itself, or make `{Self}` `read` or `idempotent`"
)]
pub trait MayInvoke<U: Tool>: Tool {}
#[diagnostic::do_not_recommend]
impl<T: Tool, U: Tool> MayInvoke<U> for T where
    <<T::Effect as Effect>::IsOnce as Bool>::Implies<<crate::tool::MaySuspend<U> as Bool>::Not>:
        crate::logic::True
{
}

/// This tool may request oversight while it runs: it says so in its declaration.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` requests oversight without declaring it",
    label = "`request_oversight` is for tools that declare it",
    note = "AI Act Art. 14: write `requests_oversight` in `#[tool(…)]`, or `type RequestsOversight = logic::Yes`"
)]
pub trait MayRequestOversight: Tool {}
#[diagnostic::do_not_recommend]
impl<T: Tool> MayRequestOversight for T where T::RequestsOversight: crate::logic::True {}
