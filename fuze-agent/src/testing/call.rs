//! One tool, unit-tested through the pipeline that runs it: parsing, canonical bytes, gate, permit, output check.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use fuze_policy::{
    Approver, CallFacts, Gate, Permissive, Policy, Request, RunFacts, ToolFacts as PolicyTool,
};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::ToolError;
use crate::ctx::Scope;
use crate::deployment::SystemClock;
use crate::dispatch::{Ask, Dispatch, Ready, Ruling, ToolFailure, is_inside};
use crate::panics::caught;
use crate::sealed::Internal;
use crate::secret::{Secret, Secrets};
use crate::tool::{AsJson, Output, ServedBy, Tool};

/// A call of one tool, with a permissive gate and without a run: for unit tests, because it leaves no evidence. Approval is
/// taken for granted; nested calls are not available. From inside a tool it is refused.
///
/// ```
/// # use fuze_agent::prelude::*;
/// # const SHORT: Retention = Retention::days("short", 1, 30, 184);
/// /// Adds two numbers.
/// #[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
/// async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
///     Ok(a + b)
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sum = fuze_agent::testing::call(add).args(serde_json::json!({"a": 2, "b": 3})).run(()).await;
/// assert_eq!(sum.unwrap(), 5);
/// # });
/// ```
#[must_use = "nothing happens before `.run(deps)`"]
pub struct ToolTest<T: Tool> {
    tool: T,
    args: String,
    secrets: Secrets,
}

/// Tests a tool.
pub fn call<T: Tool>(tool: T) -> ToolTest<T> {
    ToolTest { tool, args: "{}".to_owned(), secrets: Secrets::none() }
}

/// Why a tested call gave no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The arguments were refused before anything ran.
    Arguments(String),
    /// The tool failed.
    Tool(ToolError),
    /// The output is outside the profile, or does not parse again.
    Output(String),
    /// The tool panicked.
    Panicked(String),
    /// The call could not be made at all.
    Setup(String),
}

impl<T: Tool> ToolTest<T> {
    /// The arguments, as a model would write them.
    pub fn args(mut self, args: impl Serialize) -> Self {
        self.args = serde_json::to_string(&args).unwrap_or_default();
        self
    }

    /// The arguments as any text.
    pub fn raw_args(mut self, args: impl Into<String>) -> Self {
        self.args = args.into();
        self
    }

    /// A secret that the tool may read if it declares so.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets = self.secrets.with(name, Secret::new(value.to_owned()));
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`CallError`], as the loop would tell them apart.
    pub async fn run<D: Send + Sync + 'static>(self, deps: D) -> Result<T::Output, CallError>
    where
        T: ServedBy<D>,
    {
        let deps = Arc::new(deps);
        let setup = |error: &dyn std::fmt::Display| CallError::Setup(error.to_string());
        if !cfg!(debug_assertions) {
            return Err(CallError::Setup(
                "`testing::call` is for unit tests: build them with debug assertions".into(),
            ));
        }
        if is_inside() {
            return Err(CallError::Setup(
                "a tool runs another by `ctx.invoke`, where the gate decides".into(),
            ));
        }
        let tool: &dyn Dispatch<D> = &self.tool;
        let facts = tool.facts(Internal);
        let canonical = tool
            .canonical(self.args.as_bytes(), Internal)
            .map_err(|error| CallError::Arguments(error.to_string()))?;
        let (requests, _driver) = mpsc::channel(1);
        let (_stop, stopped) = watch::channel(false);
        let scope = Scope {
            exec_id: "0".repeat(64),
            stop: stopped,
            requests,
            secrets: Arc::new(self.secrets),
            attributes: Arc::new(Mutex::new(Vec::new())),
            blocking: Arc::new(AtomicUsize::new(0)),
            clock: Arc::new(SystemClock::new().map_err(|error| setup(&error))?),
        };
        let gate = Gate::new(Policy::local(Permissive::dangerous_allow_everything()));
        let request = Request {
            tool: PolicyTool {
                name: facts.name,
                classification: facts.classification,
                art9_basis: facts.art9,
                residency: facts.residency,
                effect: facts.effect,
                egress: facts.egress,
            },
            run: RunFacts {
                tenant: "test",
                principal: "test",
                roles: &[],
                purpose: "test",
                lawful_basis: "consent",
                annex_iii: "none",
                art22: "none",
                has_subject: true,
            },
            call: CallFacts { args: &canonical, depth: 0 },
        };
        let approver = Approver { alias: "test".into(), trainings: std::collections::BTreeSet::new() };
        let ask = Ask { gate: &gate, request, law: None, approved: vec![approver] };
        let ruling = tool.decide(ask, Internal).await.map_err(|error| setup(&error))?;
        let Ruling::Permitted { ready, .. } = ruling else {
            return Err(CallError::Setup("the permissive gate did not permit".into()));
        };
        let ready: Box<dyn Ready<'_, _>> = ready;
        let output = match caught(ready.run(&deps, &scope, Internal)).await {
            Ok(Ok(output)) => output,
            Ok(Err(ToolFailure::Failed(error))) => return Err(CallError::Tool(error)),
            Ok(Err(ToolFailure::OutputInvalid(why))) => return Err(CallError::Output(why)),
            Err(panic) => return Err(CallError::Panicked(panic)),
        };
        let output: Result<Output<T>, _> = serde_json::from_slice(&output);
        output.map(AsJson::into_value).map_err(|error| CallError::Output(error.to_string()))
    }
}
