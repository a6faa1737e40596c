//! Guardrails in their three phases.

use std::sync::Arc;

use fuze_evidence::span::Guardrail as Span;
use fuze_evidence::vocab::{GuardrailOutcome, GuardrailPhase, RunStatus};
use serde_json::json;
use tokio::sync::mpsc;

use super::state::Phase as RunPhase;
use super::turn::{QUESTION_SYSTEM, alone};
use super::{Driver, Exit, more_urgent, name, shorten};
use crate::dispatch::inside;
use crate::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Question, Verdict};
use crate::model::{Message, ModelError, ModelErrorKind, ModelResponse};
use crate::panics::caught;

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// Examines the input, then asks the model.
    pub(super) async fn check_input(&mut self) -> Result<(), Exit> {
        let input = match self.state.messages.first() {
            Some(Message::User { text }) => text.clone(),
            Some(Message::Assistant { .. } | Message::Tool { .. }) | None => String::new(),
        };
        self.guard(Phase::Input, &input, None).await?;
        self.header().phase = RunPhase::Ask { attempt: 1 };
        Ok(())
    }

    /// Runs the guardrails of one phase over `content`. The first that trips ends the run.
    pub(super) async fn guard(&mut self, phase: Phase, content: &str, call: Option<u32>) -> Result<(), Exit> {
        let guardrails: Vec<Arc<dyn Guardrail>> =
            self.definition.guardrails.all().iter().filter(|g| g.phase() == phase).cloned().collect();
        for guardrail in guardrails {
            self.examine(&*guardrail, content, call).await?;
        }
        Ok(())
    }

    async fn examine(
        &mut self,
        guardrail: &dyn Guardrail,
        content: &str,
        call: Option<u32>,
    ) -> Result<(), Exit> {
        let step = self.step(0);
        let (questions, mut asked) = mpsc::channel::<Question>(1);
        let handle = GuardrailModel { questions };
        let limit = self.definition.limits.model_time_limit.min(self.time_left());
        let mut stop = self.stop.clone();
        let verdict = {
            let mut check = std::pin::pin!(tokio::time::timeout(
                limit,
                caught(Box::pin(inside(guardrail.check(content, &handle))))
            ));
            loop {
                tokio::select! {
                    biased;
                    verdict = &mut check => break verdict,
                    Some(question) = asked.recv() => self.answer(question).await?,
                    _ = more_urgent(&mut stop, None) => {
                        self.check_stop().await?;
                        return Err(self.journal.latch("the run's own handle is gone").into());
                    }
                }
            }
        };
        let verdict = match verdict {
            Err(_) => Err(GuardrailError(format!("no verdict within {} ms", limit.as_millis()))),
            Ok(Err(panic)) => Err(GuardrailError(format!("it panicked: {panic}"))),
            Ok(Ok(verdict)) => verdict,
        };
        let (outcome, hard_block, reason) = match &verdict {
            Ok(Verdict::Pass) => (GuardrailOutcome::Passed, false, None),
            Ok(Verdict::Trip { reason }) => (GuardrailOutcome::Tripped, false, Some(shorten(reason.clone()))),
            Ok(Verdict::Block { reason }) => (GuardrailOutcome::Tripped, true, Some(shorten(reason.clone()))),
            Err(error) => (GuardrailOutcome::Error, false, Some(shorten(error.0.clone()))),
        };
        let span = Span {
            hard_block,
            guardrail: name(guardrail.name())?,
            outcome,
            phase: wire(guardrail.phase()),
            tripped: outcome == GuardrailOutcome::Tripped,
            call_index: call,
        };
        self.timeline.guardrail(step, guardrail.name(), outcome, &self.journal);
        match &reason {
            None => self.journal.record(step, span, None)?,
            Some(reason) => {
                self.journal.record_content(step, span, json!({ "reason": reason }))?;
            }
        }
        match verdict {
            Ok(Verdict::Pass) => Ok(()),
            Ok(Verdict::Trip { reason } | Verdict::Block { reason }) => {
                Err(Exit::Close(RunStatus::Tripwire, format!("guardrail `{}`: {reason}", guardrail.name())))
            }
            Err(error) => Err(Exit::Close(
                RunStatus::Halted,
                format!("guardrail `{}` could not tell: {error}", guardrail.name()),
            )),
        }
    }

    /// A guardrail's question to the model: recorded, and counted against the budget.
    async fn answer(&mut self, question: Question) -> Result<(), Exit> {
        if self.header().tokens > self.definition.limits.token_budget {
            return Err(Exit::Close(RunStatus::BudgetExceeded, "the run's budget of tokens is spent".into()));
        }
        self.flush().await?;
        let step = self.step(0);
        let answer = self.request_model(Some(&question.text)).await?;
        self.count_tokens(&answer, QUESTION_SYSTEM.len() + question.text.len());
        let said = match &answer {
            Ok(ModelResponse { text: Some(text), .. }) => json!({"question": question.text, "text": text}),
            Ok(ModelResponse { text: None, .. }) => json!({"question": question.text}),
            Err(error) => json!({"question": question.text, "error": shorten(error.message.clone())}),
        };
        // The run's history is not sent with it.
        let said = self.journal.commit(said)?;
        let span = self.span(1, answer.as_ref(), alone(said.root()))?;
        self.journal.record(step, span, Some(&said))?;
        let no_text = || ModelError::new(ModelErrorKind::Malformed, "no text");
        let text = answer.and_then(|answer| answer.text.ok_or_else(no_text));
        // A guardrail that no longer waits has ended by itself; its verdict follows.
        question.reply.send(text).ok();
        Ok(())
    }
}

const fn wire(phase: Phase) -> GuardrailPhase {
    match phase {
        Phase::Input => GuardrailPhase::Input,
        Phase::ToolResult => GuardrailPhase::ToolResult,
        Phase::Output => GuardrailPhase::Output,
    }
}
