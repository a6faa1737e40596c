//! What a tool is lent for one call. It reaches dependencies, cancellation, other tools through the pipeline, secrets it
//! declared; it does not reach the model, the evidence writer, the store or the run.

mod blocking;

use std::any::TypeId;
use std::future::pending;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ToolError;
use crate::boundary::ObservesSecrets;
use crate::deployment::Clock;
use crate::dispatch::Boxed;
use crate::effect::{MayInvoke, MayRequestOversight};
use crate::secret::{Secret, Secrets};
use crate::tool::{Arguments, AsJson, Need, Output, Tool};

pub use blocking::{BlockingCtx, MayWait};

/// What every tool may use, for the time of one dispatch `'c`.
pub struct Ctx<'c, D> {
    deps: &'c Arc<D>,
    scope: &'c Scope,
    /// Invariant: a `Ctx` of some dispatch cannot pass for one of another.
    dispatch: PhantomData<fn(&'c ()) -> &'c ()>,
}

/// [`Ctx`] with what the tool `T` declared. Derefs to it.
pub struct ToolCtx<'c, T: Tool> {
    base: Ctx<'c, <T::Needs as Need>::Target>,
    /// Invariant, as of [`ToolCall`](crate::ToolCall).
    tool: PhantomData<fn(T) -> T>,
}

/// One dispatch as the driver sees it.
#[doc(hidden)]
pub struct Scope {
    pub(crate) exec_id: String,
    pub(crate) stop: watch::Receiver<bool>,
    // Boxed: a channel has room for thirty-two, even if it is one that takes one.
    pub(crate) requests: mpsc::Sender<Box<FromTool>>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) attributes: Arc<Mutex<Vec<(&'static str, AppValue)>>>,
    /// How much work on the blocking pool is not over. It outlives a dropped call.
    pub(crate) blocking: Arc<AtomicUsize>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a tool asks of the driver.
pub(crate) enum FromTool {
    Invoke {
        name: &'static str,
        tool: TypeId,
        args: Vec<u8>,
        reply: oneshot::Sender<Result<Vec<u8>, ToolError>>,
    },
    Oversight {
        question: String,
        reply: oneshot::Sender<OversightAnswer>,
    },
}

/// A person's answer to [`ToolCtx::request_oversight`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the tool asked a person: act on the answer"]
pub enum OversightAnswer {
    /// Go on.
    Approved,
    /// Do not.
    Rejected,
}

/// A value of a tool's own attribute: evidence takes no text from a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppValue {
    /// A boolean.
    Bool(bool),
    /// An integer within ±(2^53−1).
    Int(i64),
    /// A declared word: 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`.
    Word(&'static str),
}

impl From<bool> for AppValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for AppValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for AppValue {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u32> for AppValue {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<&'static str> for AppValue {
    fn from(value: &'static str) -> Self {
        Self::Word(value)
    }
}

impl<'c, D> Ctx<'c, D> {
    /// The agent's dependencies.
    #[must_use]
    pub fn deps(&self) -> &'c D {
        self.deps
    }

    /// This execution's id: the same when an `idempotent` call is repeated, and so its idempotency key. 64 hex digits.
    #[must_use]
    pub fn exec_id(&self) -> &'c str {
        &self.scope.exec_id
    }

    /// Resolves when the call should stop: its time is over, or an operator stopped the run. A tool that listens can end
    /// in a safe state; one that does not is dropped after its grace.
    pub async fn cancelled(&self) {
        let mut stop = self.scope.stop.clone();
        // An error: the driver is gone, and a call that could not be dropped with it should stop too.
        stop.wait_for(|stop| *stop).await.ok();
    }

    /// Whether the call should stop, or nobody waits for it any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.scope.stop.borrow() || self.scope.stop.has_changed().is_err()
    }

    /// The run's clock: nanoseconds since 1970 UTC.
    #[must_use]
    pub fn now_unix_ns(&self) -> u128 {
        self.scope.clock.now().as_nanos()
    }

    /// Notes an attribute of the tool's own in its `tool.execute` record, as `app.<key>`. A later value of the same key
    /// replaces the earlier. Keys have 1–64 characters of `a–z 0–9 _ .`; words are declared in the program.
    ///
    /// # Errors
    /// A key or value that cannot be recorded.
    pub fn attribute(&self, key: &'static str, value: impl Into<AppValue>) -> Result<(), ToolError> {
        let value = value.into();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        if key.is_empty() || key.len() > 64 || !key.chars().all(plain) {
            return Err(ToolError::new(format!(
                "attribute key `{key}`: expected 1 to 64 characters of `a-z 0-9 _ .`"
            )));
        }
        match value {
            AppValue::Int(n) if n.unsigned_abs() > (1 << 53) - 1 => {
                return Err(ToolError::new(format!(
                    "attribute `{key}`: {n} is outside ±(2^53−1); record it as content"
                )));
            }
            AppValue::Word(word) if !crate::law::retention_is_name(word) => {
                return Err(ToolError::new(format!(
                    "attribute `{key}`: a word has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
                )));
            }
            AppValue::Bool(_) | AppValue::Int(_) | AppValue::Word(_) => {}
        }
        let mut attributes = self.scope.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        attributes.retain(|(known, _)| *known != key);
        if attributes.len() >= 32 {
            return Err(ToolError::new("a call records at most 32 attributes of its own"));
        }
        attributes.push((key, value));
        Ok(())
    }

    fn secret(&self, name: &str) -> Result<&'c Secret, ToolError> {
        let missing = || ToolError::new(format!("the deployment has no secret named `{name}`"));
        self.scope.secrets.find(name).ok_or_else(missing)
    }
}

impl<'c, T: Tool> ToolCtx<'c, T> {
    pub(crate) fn new(deps: &'c Arc<<T::Needs as Need>::Target>, scope: &'c Scope) -> Self {
        Self { base: Ctx { deps, scope, dispatch: PhantomData }, tool: PhantomData }
    }

    /// Calls another tool of the same agent, through the same pipeline: gate, record, limits. A denied call ends the run;
    /// there is nothing to catch.
    ///
    /// # Errors
    /// The invoked tool's own failure.
    // A boxed future of one named type: an `async fn` would repeat a missing permission at each use of its future.
    pub fn invoke<'t, U: Tool>(&'t self, tool: U, args: U::Args) -> Boxed<'t, Result<U::Output, ToolError>>
    where
        T: MayInvoke<U>,
        'c: 't,
    {
        // The value shows which tool is meant; the agent's own instance runs.
        drop(tool);
        let args = fuze_evidence::jcs::to_vec(Arguments::<U>::of(&args));
        Box::pin(async move {
            let unfit =
                |error| ToolError::new(format!("the arguments of `{}` cannot be recorded: {error}", U::NAME));
            let args = args.map_err(unfit)?;
            let request = |reply| FromTool::Invoke { name: U::NAME, tool: TypeId::of::<U>(), args, reply };
            parse::<Output<U>>(&self.ask(request).await?).map(AsJson::into_value)
        })
    }

    /// Asks a person, and waits. The run suspends; after the answer the tool runs again from its start, and what it
    /// invoked before is answered from the journal.
    pub fn request_oversight<'t>(&'t self, question: impl Into<String>) -> Boxed<'t, OversightAnswer>
    where
        T: MayRequestOversight,
        'c: 't,
    {
        let question = question.into();
        Box::pin(self.ask(|reply| FromTool::Oversight { question, reply }))
    }

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

    /// Waits for the driver's answer. Where the run stops instead, the answer never comes and the driver drops this call:
    /// a stop is not an error that a tool could catch.
    async fn ask<R>(&self, request: impl FnOnce(oneshot::Sender<R>) -> FromTool + Send) -> R {
        let (reply, answer) = oneshot::channel();
        if self.base.scope.requests.send(Box::new(request(reply))).await.is_err() {
            return pending().await;
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => pending().await,
        }
    }
}

impl<'c, T: Tool> Deref for ToolCtx<'c, T> {
    type Target = Ctx<'c, <T::Needs as Need>::Target>;
    fn deref(&self) -> &Self::Target {
        &self.base
    }
}

fn parse<O: DeserializeOwned>(canonical: &[u8]) -> Result<O, ToolError> {
    serde_json::from_slice(canonical).map_err(|error| {
        ToolError::new(format!("the output of the invoked tool does not parse again: {error}"))
    })
}
