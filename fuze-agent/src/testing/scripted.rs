//! A model that says what it was told to say.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use crate::law::residency::{Eu, Residency};
use crate::model::{
    FinishReason, Message, Model, ModelError, ModelErrorKind, ModelIdentity, ModelRequest, ModelResponse,
    RequestedCall, Usage,
};

/// A model that answers from a script, one step for each request. When the script is over, a request is refused.
///
/// It is a [`Model`] of the residency `R`, by default the EU: it runs in this process.
pub struct ScriptedModel<R = Eu> {
    script: Mutex<Script>,
    snapshot: String,
    residency: PhantomData<fn() -> R>,
}

struct Script {
    steps: VecDeque<Step>,
    calls: u32,
    seen: Vec<Vec<Message>>,
    keep: bool,
}

enum Step {
    Say(Result<ModelResponse, ModelError>),
    Stall,
    Panic,
    Repeat(Vec<(String, Value)>, u32),
}

impl ScriptedModel {
    /// An empty script, hosted in the EU.
    #[must_use]
    pub fn new() -> Self {
        Self::hosted()
    }
}

impl Default for ScriptedModel {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Residency> ScriptedModel<R> {
    /// An empty script, hosted in `R`.
    #[must_use]
    pub fn hosted() -> Self {
        let script = Script { steps: VecDeque::new(), calls: 0, seen: Vec::new(), keep: false };
        Self { script: Mutex::new(script), snapshot: "scripted-1".into(), residency: PhantomData }
    }

    /// Another snapshot name.
    #[must_use]
    pub fn snapshot(mut self, snapshot: impl Into<String>) -> Self {
        self.snapshot = snapshot.into();
        self
    }

    /// Keeps what it is sent, for [`seen`](Self::seen).
    #[must_use]
    pub fn keeping(self) -> Self {
        self.with(|script| script.keep = true)
    }

    /// Asks for one tool.
    #[must_use]
    pub fn call(self, tool: &str, args: impl Serialize) -> Self {
        self.calls(&[(tool, args)])
    }

    /// Asks for several tools at once.
    #[must_use]
    pub fn calls<A: Serialize>(self, calls: &[(&str, A)]) -> Self {
        let calls: Vec<(String, String)> = calls
            .iter()
            .map(|(tool, args)| ((*tool).to_owned(), serde_json::to_string(args).unwrap_or_default()))
            .collect();
        self.raw_calls(calls)
    }

    /// Asks for tools with arguments that are any text.
    #[must_use]
    pub fn raw_calls(self, calls: impl IntoIterator<Item = (String, String)>) -> Self {
        let calls: Vec<(String, String)> = calls.into_iter().collect();
        self.with(|script| {
            let response = asking(script, calls);
            script.steps.push_back(Step::Say(Ok(response)));
        })
    }

    /// Asks for the same tool `times` times, one request after the other.
    #[must_use]
    pub fn repeat(self, tool: &str, args: impl Serialize, times: u32) -> Self {
        let args = serde_json::to_value(args).unwrap_or(Value::Null);
        self.with(|script| script.steps.push_back(Step::Repeat(vec![(tool.to_owned(), args)], times)))
    }

    /// Answers with a value.
    #[must_use]
    pub fn answer(self, output: impl Serialize) -> Self {
        let text = serde_json::to_string(&output).unwrap_or_default();
        self.text(text)
    }

    /// Answers with any text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.respond(Ok(said(text.into())))
    }

    /// Responds with exactly this.
    #[must_use]
    pub fn respond(self, response: Result<ModelResponse, ModelError>) -> Self {
        self.with(|script| script.steps.push_back(Step::Say(response)))
    }

    /// Fails.
    #[must_use]
    pub fn fail(self, kind: ModelErrorKind) -> Self {
        self.respond(Err(ModelError::new(kind, "scripted")))
    }

    /// Never answers.
    #[must_use]
    pub fn stall(self) -> Self {
        self.with(|script| script.steps.push_back(Step::Stall))
    }

    /// Panics.
    #[must_use]
    pub fn panic(self) -> Self {
        self.with(|script| script.steps.push_back(Step::Panic))
    }

    /// What it was sent, request by request, if it was told to keep it.
    #[must_use]
    pub fn seen(&self) -> Vec<Vec<Message>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    fn with(mut self, change: impl FnOnce(&mut Script)) -> Self {
        change(self.script.get_mut().unwrap_or_else(PoisonError::into_inner));
        self
    }

    fn next(&self, messages: &[Message]) -> Option<Step> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        if script.keep {
            script.seen.push(messages.to_vec());
        }
        let step = script.steps.pop_front()?;
        Some(match step {
            Step::Repeat(calls, times) => {
                let texts = calls.iter().map(|(tool, args)| (tool.clone(), args.to_string())).collect();
                let response = asking(&mut script, texts);
                if times > 1 {
                    script.steps.push_front(Step::Repeat(calls, times - 1));
                }
                Step::Say(Ok(response))
            }
            other => other,
        })
    }
}

#[async_trait]
impl<R: Residency> Model for ScriptedModel<R> {
    type Residency = R;

    fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            provider: "scripted".into(),
            model: "scripted".into(),
            snapshot: self.snapshot.clone(),
        }
    }

    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        match self.next(request.messages) {
            None => Err(ModelError::new(ModelErrorKind::Refused, "the script is over")),
            Some(Step::Say(response)) => response,
            Some(Step::Stall) => std::future::pending().await,
            #[expect(clippy::panic, reason = "a test asked for a model that panics")]
            Some(Step::Panic) => panic!("scripted"),
            Some(Step::Repeat(..)) => {
                Err(ModelError::new(ModelErrorKind::Refused, "a repetition of nothing"))
            }
        }
    }
}

/// A model that is shared stays where it is.
#[async_trait]
impl<M: Model> Model for std::sync::Arc<M> {
    type Residency = M::Residency;

    fn identity(&self) -> ModelIdentity {
        (**self).identity()
    }

    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        (**self).generate(request).await
    }
}

fn asking(script: &mut Script, calls: Vec<(String, String)>) -> ModelResponse {
    let calls = calls.into_iter().map(|(name, arguments)| {
        script.calls += 1;
        RequestedCall { id: format!("call-{}", script.calls), name, arguments }
    });
    ModelResponse {
        text: None,
        calls: calls.collect(),
        finish: FinishReason::ToolCalls,
        usage: Usage::default(),
        system_fingerprint: None,
    }
}

fn said(text: String) -> ModelResponse {
    ModelResponse {
        text: Some(text),
        calls: Vec::new(),
        finish: FinishReason::Stop,
        usage: Usage::default(),
        system_fingerprint: None,
    }
}
