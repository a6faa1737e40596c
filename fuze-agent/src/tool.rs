//! Tools: what an agent can do, with the facts that the law asks about it.
//!
//! `#[tool]` writes an implementation that a person could write by hand, so going round the macro gains nothing.

mod value;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::boundary::{Egress, FileSystem, Within};
use crate::ctx::ToolCtx;
use crate::effect::{Effect, MidwayOversight};
use crate::law::Retention;
use crate::law::data::Classification;
use crate::law::oversight::Approval;
use crate::law::retention_is_name;
use crate::logic::Bool;
use crate::sealed::{Internal, Sealed};
use crate::{Permit, ToolCall, ToolError};

pub(crate) use value::{Answer, Arguments, Output};
pub use value::{AsJson, ToolArgument, ToolOutput};

/// A tool and its facts. What one declaration settles is a required item: leaving it out is a compile error.
///
/// Arguments and output are JSON in the closed profile of the evidence format; arguments refuse unknown fields
/// (`#[serde(deny_unknown_fields)]`; the loop refuses what does not survive a round trip).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    label = "expected a `#[tool]`",
    note = "put `#[tool(…)]` on the function, or implement `fuze_agent::Tool`"
)]
pub trait Tool: Sized + Send + Sync + 'static {
    /// The arguments.
    type Args: ToolArgument + Send + Sync + 'static;
    /// The output.
    type Output: ToolOutput + Send + Sync + 'static;
    /// What the tool touches, with everything that the law asks of that class.
    type Data: Classification;
    /// Where it may send data: never wider than the data's residency.
    type Egress: Egress + Within<<Self::Data as Classification>::Residency>;
    /// What running it does to the world.
    type Effect: Effect;
    /// When it stops for a human.
    type Approval: Approval<Self::Args>;
    /// Whether it reads secrets.
    type Secrets: Bool;
    /// Whether it may request oversight while it runs.
    type RequestsOversight: MidwayOversight<Self::Effect>;
    /// Which dependencies it needs: [`NoDeps`] or [`Uses<D>`](Uses).
    type Needs: Need;

    /// The name the model calls it by: 1–64 characters of `a–z A–Z 0–9 _ -`.
    const NAME: &'static str;
    /// What it does, for the model and the overseer.
    const DESCRIPTION: &'static str;
    /// How long what it leaves is kept.
    const RETENTION: Retention;
    /// What of the file system it touches.
    const FILE_SYSTEM: FileSystem;
    /// Stands for the tool's code in the agent's fingerprint: change it with the code. The macro hashes the function.
    const CODE: &'static str;
    /// How long one call may take. Then it is cancelled through [`Ctx::cancelled`](crate::Ctx::cancelled).
    const TIME_LIMIT: Duration = Duration::from_secs(30);
    /// How long a cancelled call may take to stop by itself before it is dropped.
    const GRACE: Duration = Duration::from_secs(2);

    /// Does the work. `'c` is the dispatch: neither the permit nor anything lent with it can be kept beyond it.
    ///
    /// # Errors
    /// The tool's own failure, which goes to the model.
    fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send + 'c;
}

/// Whether a tool may wait for a human, by its own declaration.
pub type MaySuspend<T> = <<<T as Tool>::Approval as Approval<<T as Tool>::Args>>::Possible as Bool>::Or<
    <T as Tool>::RequestsOversight,
>;

/// Which dependencies a tool needs.
pub trait Need: Sealed + 'static {
    /// What the tool sees through [`Ctx::deps`](crate::Ctx::deps).
    type Target: Send + Sync + 'static;
}

/// Needs no dependencies: runs under any agent.
pub struct NoDeps;
/// Needs the agent's dependencies, of type `D`.
pub struct Uses<D>(core::marker::PhantomData<fn() -> D>);
impl Sealed for NoDeps {}
impl Need for NoDeps {
    type Target = ();
}
impl<D> Sealed for Uses<D> {}
impl<D: Send + Sync + 'static> Need for Uses<D> {
    type Target = D;
}

/// Dependencies of an agent that meet a tool's need.
pub trait Lends<N: Need> {
    #[doc(hidden)]
    fn lend(deps: &Arc<Self>, _: Internal) -> &Arc<N::Target>;
}
impl<D> Lends<NoDeps> for D {
    fn lend(_: &Arc<D>, _: Internal) -> &Arc<()> {
        static NOTHING: LazyLock<Arc<()>> = LazyLock::new(Arc::default);
        &NOTHING
    }
}
impl<D: Send + Sync + 'static> Lends<Uses<D>> for D {
    fn lend(deps: &Arc<D>, _: Internal) -> &Arc<D> {
        deps
    }
}

/// This tool's need is met by the dependencies `D`.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` needs other dependencies than the agent's `{D}`",
    label = "the `Ctx` of this tool names another type of dependencies",
    note = "GDPR Art. 5(1)(b): make the agent's `deps` the type that this tool's `ctx: &Ctx<'_, Deps>` names"
)]
pub trait ServedBy<D>: Tool {
    #[doc(hidden)]
    fn lend(deps: &Arc<D>, _: Internal) -> &Arc<<Self::Needs as Need>::Target>;
}
#[diagnostic::do_not_recommend]
impl<D, T: Tool> ServedBy<D> for T
where
    D: Lends<T::Needs>,
{
    fn lend(deps: &Arc<D>, key: Internal) -> &Arc<<T::Needs as Need>::Target> {
        <D as Lends<T::Needs>>::lend(deps, key)
    }
}

/// Fails the build of a constant when a tool's constants do not fit together. The macro puts it beside each tool; a
/// hand-written tool is checked with the agent that holds it.
#[doc(hidden)]
#[track_caller]
pub const fn check<T: Tool>() {
    assert!(is_tool_name(T::NAME), "a tool's name has 1 to 64 characters of `a-z A-Z 0-9 _ -`");
    assert!(!T::DESCRIPTION.is_empty(), "a tool needs a description: the model and the overseer read it");
    T::RETENTION.check();
    if let Some(law) = <T::Data as Classification>::LAW {
        assert!(!law.is_empty(), "an Art. 9(2) basis that rests on law needs a citation that is not empty");
    }
    assert!(!T::TIME_LIMIT.is_zero(), "a tool's time limit must be longer than zero");
}

const fn is_tool_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.len() > 64 || !retention_is_name(name) {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        #[expect(clippy::indexing_slicing, reason = "`i < bytes.len()`; const code has no `get`")]
        if matches!(bytes[i], b'.' | b':' | b'/' | b'@' | b'+') {
            return false;
        }
        i += 1;
    }
    true
}
