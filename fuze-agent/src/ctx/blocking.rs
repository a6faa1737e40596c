//! Plain functions on the blocking pool, and what they are lent.
//!
//! Such a function cannot be dropped: where its call is, it goes on. So it borrows nothing of the dispatch. Its thread owns
//! what it needs, and lends that to it for as long as it runs. What needs an answer of the driver is not here: it might
//! wait for one that never comes.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::{Ctx, OversightAnswer, Scope, ToolCtx};
use crate::ToolError;
use crate::boundary::ObservesSecrets;
use crate::dispatch::inside_blocking;
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::tool::{Need, Tool};

/// What a tool that is a plain `fn` may use, for the time of one call: dependencies, cancellation, clock, attributes, and
/// secrets it declared. Derefs to [`Ctx`]. It neither invokes other tools nor asks people ([`MayWait`]): for these, write
/// `async fn`.
///
/// Where the call is given up, the function goes on, and [`is_cancelled`](Ctx::is_cancelled) says so; what it notes or
/// returns then is no longer recorded.
pub struct BlockingCtx<'c, T: Tool> {
    base: Ctx<'c, <T::Needs as Need>::Target>,
    tool: PhantomData<fn() -> T>,
}

impl<'c, T: Tool> BlockingCtx<'c, T> {
    /// A secret of the deployment.
    ///
    /// # Errors
    /// When the deployment has no secret of this name.
    pub fn secret(&self, name: &str) -> Result<&'c Secret, ToolError>
    where
        T: ObservesSecrets,
    {
        self.base.secret(name)
    }

    /// For an `async fn`: [`ToolCtx::invoke`].
    ///
    /// # Errors
    /// At compile time, which says so.
    pub fn invoke<U: Tool>(&self, _: U, _: U::Args) -> Result<U::Output, ToolError>
    where
        Self: MayWait,
    {
        self.wait()
    }

    /// For an `async fn`: [`ToolCtx::request_oversight`].
    pub fn request_oversight(&self, _: impl Into<String>) -> OversightAnswer
    where
        Self: MayWait,
    {
        self.wait()
    }
}

/// May wait for the driver, and be dropped while it does. A [`BlockingCtx`] may not: that is what this says.
#[diagnostic::on_unimplemented(
    message = "a tool that is a plain `fn` cannot wait for another tool or for a person",
    label = "it runs on the blocking pool, where nothing can stop it while it waits",
    note = "AI Act Art. 14(4)(e): write `async fn`, and blocking work in a tool of its own"
)]
pub trait MayWait: Sealed {
    #[doc(hidden)]
    fn wait<Answer>(&self) -> Answer;
}

impl<'c, T: Tool> Deref for BlockingCtx<'c, T> {
    type Target = Ctx<'c, <T::Needs as Need>::Target>;
    fn deref(&self) -> &Self::Target {
        &self.base
    }
}

impl<T: Tool> ToolCtx<'_, T> {
    /// Runs a plain function on the blocking pool. If the call is dropped meanwhile, the function goes on and the record
    /// says so.
    #[doc(hidden)]
    pub async fn on_blocking_pool<O: Send + 'static>(
        &self,
        work: impl FnOnce(&BlockingCtx<'_, T>) -> Result<O, ToolError> + Send + 'static,
    ) -> Result<O, ToolError> {
        let running = Arc::clone(&self.base.scope.blocking);
        // Counted from the queue on: who looks in between must not take it for over.
        running.fetch_add(1, Ordering::SeqCst);
        let turn = Arc::new(Turn { state: AtomicU8::new(QUEUED), running });
        let waits = Waits(Arc::clone(&turn));
        let (deps, scope) = (Arc::clone(self.base.deps), self.base.scope.apart());
        let task = tokio::task::spawn_blocking(move || {
            if !turn.leaves_queue(BEGUN) {
                return Err(ToolError::not_applied("its time was over before it began"));
            }
            let _ended = Ended(Arc::clone(&turn.running));
            let base = Ctx { deps: &deps, scope: &scope, dispatch: PhantomData };
            inside_blocking(|| work(&BlockingCtx { base, tool: PhantomData }))
        });
        let ended = task.await;
        drop(waits);
        match ended {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(ToolError::new("the runtime is shutting down")),
        }
    }
}

impl Scope {
    /// The same dispatch for another thread, without the line to the driver.
    fn apart(&self) -> Self {
        let (nobody, _) = mpsc::channel(1);
        Self {
            exec_id: self.exec_id.clone(),
            stop: self.stop.clone(),
            requests: nobody,
            secrets: Arc::clone(&self.secrets),
            attributes: Arc::clone(&self.attributes),
            blocking: Arc::clone(&self.blocking),
            clock: Arc::clone(&self.clock),
        }
    }
}

const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Queued, begun or given up: a function that its caller no longer waits for must not begin.
struct Turn {
    state: AtomicU8,
    running: Arc<AtomicUsize>,
}

impl Turn {
    fn leaves_queue(&self, to: u8) -> bool {
        self.state.compare_exchange(QUEUED, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

struct Waits(Arc<Turn>);

impl Drop for Waits {
    fn drop(&mut self) {
        if self.0.leaves_queue(GIVEN_UP) {
            self.0.running.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
