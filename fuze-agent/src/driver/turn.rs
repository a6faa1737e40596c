//! Asking the model, and examining its answer.

use std::time::Duration;

use fuze_evidence::Hash;
use fuze_evidence::content::history;
use fuze_evidence::span::{ModelGenerate, RunGap};
use fuze_evidence::vocab::{
    ChatOperation, FinishReason as WireFinish, Gap, ModelErrorCode, ModelOutcome, Residency, RunStatus,
};
use serde_json::{Map, Value, json};

use super::journal::Step;
use super::state::{Execution, Ledger, Phase, Stage};
use super::{Driver, Exit, more_urgent, name, shorten};
use crate::model::{FinishReason, Message, ModelError, ModelErrorKind, ModelRequest, ModelResponse, Usage};
use crate::panics::{caught, caught_now};

/// What stands before a guardrail's question.
pub(super) const QUESTION_SYSTEM: &str = "Answer the question.";
/// An answer longer than this is refused: 1.5 MiB of text and arguments.
const MAX_ANSWER_BYTES: usize = 3 << 19;
/// More calls than this in one answer are refused.
const MAX_CALLS: usize = 128;

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// One request to the model.
    pub(super) async fn ask(&mut self, attempt: u32) -> Result<(), Exit> {
        if attempt == 1 {
            if !self.spend_step() {
                return Err(budget("steps"));
            }
        } else {
            self.pause(backoff(attempt)).await;
            self.check_stop().await?;
        }
        // The intent first, and with it everything that the request discloses.
        self.header().phase = Phase::Asking { attempt };
        self.flush().await?;
        let step = self.step(0);
        let sent = self.definition.declared.request_bytes + self.history_bytes;
        let answer = self.request_model(None).await?;
        let answer = answer.and_then(usable);
        self.count_tokens(&answer, sent);
        match answer {
            Ok(response) => self.answered(step, attempt, response),
            Err(error) => self.unanswered(step, attempt, &error),
        }
    }

    /// Waits, but not beyond the run's time or a stop.
    async fn pause(&self, time: Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time.min(self.time_left())) => {}
            _ = more_urgent(&mut stop, None) => {}
        }
    }

    /// The process ended while the model was asked.
    pub(super) async fn gap_in_request(&mut self, attempt: u32) -> Result<(), Exit> {
        let step = self.step(0);
        self.journal.record(step, RunGap { what: Gap::ModelRequest, exec_id: None }, None)?;
        self.header().phase = Phase::Ask { attempt };
        Ok(())
    }

    fn answered(&mut self, step: Step, attempt: u32, response: ModelResponse) -> Result<(), Exit> {
        let span = self.span(attempt, Ok(&response), self.state.header.history)?;
        let root = self.journal.record_content(step, span, describe(&response))?;
        self.timeline.model(step, &response, &self.journal);
        let ModelResponse { text, calls, .. } = response;
        self.say(Message::Assistant { text: text.clone(), calls: calls.clone() }, root);
        if self.header().tokens > self.definition.limits.token_budget {
            return Err(budget("tokens"));
        }
        let header = self.header();
        header.turn += 1;
        header.turn_step = step.id;
        header.executions.clear();
        header.calls.clear();
        if calls.is_empty() {
            header.phase = Phase::Answer { text: text.unwrap_or_default() };
            return Ok(());
        }
        for (index, request) in calls.into_iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let id = self.exec_id(index, None, 0)?;
            let execution = Execution {
                index,
                request,
                parent: None,
                depth: 0,
                attempt: 1,
                decided: None,
                replaced: None,
                stage: Stage::New,
                step: None,
                modified: None,
                approvers: Vec::new(),
                approved_until: None,
                ledger: Ledger::Absent,
            };
            let header = self.header();
            header.calls.push(id);
            header.executions.insert(id, Box::new(execution));
        }
        self.header().phase = Phase::Calls;
        Ok(())
    }

    fn unanswered(&mut self, step: Step, attempt: u32, error: &ModelError) -> Result<(), Exit> {
        let span = self.span(attempt, Err(error), self.state.header.history)?;
        self.journal.record_content(step, span, json!({ "error": shorten(error.message.clone()) }))?;
        self.timeline.model_failed(step, error, &self.journal);
        if self.header().tokens > self.definition.limits.token_budget {
            return Err(budget("tokens"));
        }
        if self.time_left().is_zero() {
            return Err(budget("time"));
        }
        if error.kind.is_transient() && self.spend_retry() {
            self.header().phase = Phase::Ask { attempt: attempt + 1 };
            return Ok(());
        }
        Err(Exit::Close(RunStatus::Error, error.to_string()))
    }

    /// Sends the history, or a guardrail's single question, and waits as long as the limits allow.
    pub(super) async fn request_model(
        &mut self,
        question: Option<&str>,
    ) -> Result<Result<ModelResponse, ModelError>, Exit> {
        let limit = self.definition.limits.model_time_limit.min(self.time_left());
        let single;
        let messages = match question {
            None => self.state.messages.as_slice(),
            Some(text) => {
                single = [Message::User { text: text.to_owned() }];
                single.as_slice()
            }
        };
        let request = ModelRequest {
            system: if question.is_some() { QUESTION_SYSTEM } else { self.definition.instructions },
            messages,
            tools: if question.is_some() { &[] } else { &self.definition.declared.specs },
            output_schema: question.is_none().then_some(&self.definition.declared.output_schema),
            parameters: self.deployment.parameters(),
            time_limit: limit,
        };
        let mut stop = self.stop.clone();
        let answer = tokio::select! {
            biased;
            stopped = more_urgent(&mut stop, None) => Err(stopped),
            answer = tokio::time::timeout(limit, caught(self.model.generate(request))) => Ok(answer),
        };
        match answer {
            Ok(Ok(Ok(answer))) => Ok(answer),
            // A model that panicked is broken; to ask it again would not mend it.
            Ok(Ok(Err(panic))) => {
                Ok(Err(ModelError::new(ModelErrorKind::Refused, format!("the model panicked: {panic}"))))
            }
            Ok(Err(_)) => Ok(Err(ModelError::new(
                ModelErrorKind::Timeout,
                format!("no answer within {} ms", limit.as_millis()),
            ))),
            Err(Some(stop)) => {
                let step = self.step(0);
                let error = ModelError::new(ModelErrorKind::Transport, "cancelled");
                let asked = match question {
                    None => None,
                    Some(text) => Some(self.journal.commit(json!({ "question": text }))?),
                };
                let history = match &asked {
                    None => self.state.header.history,
                    Some(asked) => alone(asked.root()),
                };
                let mut span = self.span(1, Err(&error), history)?;
                span.error = Some(ModelErrorCode::Cancelled);
                self.journal.record(step, span, asked.as_ref())?;
                Err(self.cancelled(stop)?)
            }
            Err(None) => Err(self.journal.latch("the run's own handle is gone").into()),
        }
    }

    /// What the record of a request says; `history` is over the messages that it sent.
    pub(super) fn span(
        &self,
        attempt: u32,
        answer: Result<&ModelResponse, &ModelError>,
        history: Hash,
    ) -> Result<ModelGenerate, Exit> {
        let identity = self.model.identity();
        let header = &self.state.header;
        Ok(ModelGenerate {
            attempt,
            error: answer.err().map(code),
            finish_reason: answer.map_or(WireFinish::None, |response| finish(response.finish)),
            history_hash: history,
            outcome: if answer.is_ok() { ModelOutcome::Ok } else { ModelOutcome::Error },
            residency: residency(self.model.residency()),
            tool_calls: answer.map_or(0, |response| u32::try_from(response.calls.len()).unwrap_or(u32::MAX)),
            turn: header.turn,
            operation: ChatOperation::Chat,
            provider: name(&identity.provider)?,
            request_model: name(&identity.model)?,
        })
    }

    /// Counts an answer and the `sent` bytes that it answers. Where the provider does not count, four bytes are a token.
    pub(super) fn count_tokens(&mut self, answer: &Result<ModelResponse, ModelError>, sent: usize) {
        let Ok(response) = answer else { return };
        let written = response.text.as_ref().map_or(0, String::len)
            + response.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        let guess = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        let output = response.usage.output_tokens.unwrap_or_else(|| guess(written));
        let input = response.usage.input_tokens.unwrap_or_else(|| guess(sent));
        let header = self.header();
        header.tokens = header.tokens.saturating_add(input).saturating_add(output);
    }

    /// Reads the final answer. `None`: it did not fit, and the model is asked again.
    pub(super) async fn examine_answer(&mut self, text: &str) -> Result<Option<Vec<u8>>, Exit> {
        let read = self.definition.read_output;
        match caught_now(|| read(text)).unwrap_or_else(|panic| Err(format!("it cannot be read: {panic}"))) {
            Ok(output) => {
                let shown = String::from_utf8_lossy(&output).into_owned();
                self.guard(crate::guardrail::Phase::Output, &shown, None).await?;
                Ok(Some(output))
            }
            Err(why) => {
                if !self.spend_retry() {
                    let why = format!("the answer does not fit the agent's output: {why}");
                    return Err(Exit::Close(RunStatus::Error, why));
                }
                let text =
                    format!("The answer does not fit: {why}. Answer again, in JSON of the schema given.");
                // The correction has no record of its own: what it says follows from the answer before it, whose root
                // stands for both.
                let root = self.last_root();
                self.say(Message::User { text }, root);
                self.header().phase = Phase::Ask { attempt: 1 };
                Ok(None)
            }
        }
    }

    fn last_root(&self) -> Hash {
        self.state.header.history
    }
}

/// The history of a request that sends one question and nothing else: the record that holds the question is its root.
pub(super) fn alone(root: Hash) -> Hash {
    history(Hash::ZERO, root)
}

/// How much of a message a model reads, in bytes.
pub(crate) fn read_bytes(message: &Message) -> usize {
    match message {
        Message::User { text } => text.len(),
        Message::Assistant { text, calls } => {
            let asked = calls.iter().map(|call| call.name.len() + call.arguments.len());
            text.as_ref().map_or(0, String::len) + asked.sum::<usize>()
        }
        Message::Tool { name, content, .. } => name.len() + content.len(),
    }
}

/// An answer that the loop can work with.
fn usable(response: ModelResponse) -> Result<ModelResponse, ModelError> {
    let malformed = |why: String| Err(ModelError::new(ModelErrorKind::Malformed, why));
    let text = response.text.as_deref().unwrap_or_default();
    let size =
        text.len() + response.calls.iter().map(|call| call.arguments.len() + call.name.len()).sum::<usize>();
    if size > MAX_ANSWER_BYTES {
        return malformed(format!("the answer has {size} bytes, expected at most {MAX_ANSWER_BYTES}"));
    }
    if response.calls.len() > MAX_CALLS {
        return malformed(format!(
            "the answer has {} calls, expected at most {MAX_CALLS}",
            response.calls.len()
        ));
    }
    if response.calls.is_empty() && text.trim().is_empty() {
        return Err(ModelError::new(ModelErrorKind::Empty, "neither text nor a call"));
    }
    if response.calls.is_empty() && response.finish == FinishReason::Length {
        return malformed("the answer was cut off: the model ran out of tokens".into());
    }
    if response.finish == FinishReason::ContentFilter {
        return Err(ModelError::new(ModelErrorKind::Refused, "the provider withheld the answer"));
    }
    Ok(response)
}

/// What the model said. What it did not say is absent, and has no leaf of its own.
fn describe(response: &ModelResponse) -> Value {
    let mut said = Map::new();
    if let Some(text) = &response.text {
        said.insert("text".into(), text.as_str().into());
    }
    if !response.calls.is_empty() {
        let calls = response
            .calls
            .iter()
            .map(|call| json!({"id": call.id, "name": call.name, "arguments": call.arguments}));
        said.insert("calls".into(), calls.collect());
    }
    let Usage { input_tokens, output_tokens } = response.usage;
    for (name, tokens) in [("inputTokens", input_tokens), ("outputTokens", output_tokens)] {
        if let Some(tokens) = tokens {
            said.insert(name.into(), tokens.to_string().into());
        }
    }
    if let Some(fingerprint) = &response.system_fingerprint {
        said.insert("systemFingerprint".into(), fingerprint.as_str().into());
    }
    Value::Object(said)
}

fn code(error: &ModelError) -> ModelErrorCode {
    match error.kind {
        ModelErrorKind::Timeout => ModelErrorCode::Timeout,
        ModelErrorKind::RateLimited => ModelErrorCode::RateLimited,
        ModelErrorKind::Unavailable => ModelErrorCode::Unavailable,
        ModelErrorKind::Refused => ModelErrorCode::Refused,
        ModelErrorKind::Malformed => ModelErrorCode::Malformed,
        ModelErrorKind::Empty => ModelErrorCode::Empty,
        ModelErrorKind::Transport => ModelErrorCode::Transport,
    }
}

fn finish(reason: FinishReason) -> WireFinish {
    match reason {
        FinishReason::Stop => WireFinish::Stop,
        FinishReason::ToolCalls => WireFinish::ToolCalls,
        FinishReason::Length => WireFinish::Length,
        FinishReason::ContentFilter => WireFinish::ContentFilter,
        FinishReason::Unknown => WireFinish::None,
    }
}

pub(crate) fn residency(name: &str) -> Residency {
    // A residency's wire names are the same in both vocabularies; one that is not known is the widest.
    name.parse().unwrap_or(Residency::Other)
}

fn budget(of: &str) -> Exit {
    Exit::Close(RunStatus::BudgetExceeded, format!("the run's budget of {of} is spent"))
}

/// 250 ms, doubled at each attempt, at most 8 s.
fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(250) * 2u32.saturating_pow(attempt.saturating_sub(2).min(5))
}
