//! What each request to the model was sent, by the content roots of the records that hold its messages (section 7 of the format).

use std::collections::HashMap;

use crate::content::history;
use crate::hash::Hash;
use crate::record::Entry;
use crate::span::{ModelGenerate, Span};
use crate::vocab::{FinishReason, ModelOutcome};

/// The history of a run, as its records tell it.
#[derive(Default)]
pub(super) struct Told {
    /// Over all messages so far; `None` once one of them is held by no record.
    history: Option<Hash>,
    /// The last answer, whose calls are not yet part of the history.
    answer: Option<Answer>,
}

/// An answer of the model, and what became of its calls.
struct Answer {
    step: u64,
    calls: u32,
    is_whole: bool,
    /// Which call has these arguments, as it was asked or as a person changed it.
    asked: HashMap<Hash, u32>,
    /// The record that holds a call's result, if a tool ran, or was kept from it by a person.
    ran: HashMap<u32, Option<Hash>>,
    /// The record that holds it where nothing ran: the last decision.
    decided: HashMap<u32, Option<Hash>>,
}

/// What a record says of the history.
pub(super) struct Heard {
    /// It says what it must.
    pub(super) holds: bool,
    /// It is a request of the run itself to the model: all that was asked for before has its result.
    pub(super) request: Option<Request>,
}

/// A request of the run itself.
pub(super) struct Request {
    /// How many calls the answer has; `None` where there is no answer.
    pub(super) calls: Option<u32>,
}

impl Told {
    /// The model has answered its last request, and asks for nothing.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.calls == 0 && answer.is_whole)
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, entry: &Entry) -> Heard {
        let nothing = Heard { holds: true, request: None };
        let root = entry.content.map(|content| content.root);
        match &entry.span {
            Span::AgentInvoke(_) if entry.sequence == 0 => {
                self.history = root.map(|root| history(Hash::ZERO, root));
            }
            Span::ModelGenerate(asked) => {
                // A guardrail's question is sent alone, and is no part of the history.
                if root.is_some_and(|root| asked.history_hash == history(Hash::ZERO, root)) {
                    return nothing;
                }
                if let Some(answer) = self.answer.take() {
                    self.history = self.history.and_then(|told| answer.heard(told));
                }
                let sent = self.history;
                if asked.outcome == ModelOutcome::Ok {
                    self.history = sent.zip(root).map(|(told, root)| history(told, root));
                    self.answer = Some(Answer::new(entry.step_id, asked));
                }
                let holds = sent == Some(asked.history_hash);
                let calls = (asked.outcome == ModelOutcome::Ok).then_some(asked.tool_calls);
                return Heard { holds, request: Some(Request { calls }) };
            }
            Span::PolicyEvaluate(policy) => {
                if let Some(answer) = &mut self.answer
                    && entry.parent_step_id == Some(answer.step)
                {
                    answer.decided.insert(policy.call_index, root);
                    answer.asked.extend(policy.args_hash.map(|args_hash| (args_hash, policy.call_index)));
                }
            }
            Span::ToolExecute(tool) => {
                if let Some(answer) = &mut self.answer
                    && let Some(index) = answer.asked.get(&tool.args_hash)
                {
                    answer.ran.insert(*index, root);
                }
            }
            Span::AgentInvoke(_)
            | Span::Guardrail(_)
            | Span::OversightSuspend(_)
            | Span::HumanDecision(_)
            | Span::RunResume(_)
            | Span::RunCancel(_)
            | Span::RunGap(_)
            | Span::ModelDrift(_)
            | Span::RunClose(_) => {}
        }
        nothing
    }
}

impl Answer {
    fn new(step: u64, asked: &ModelGenerate) -> Self {
        // No loop takes such an answer without calls.
        let cut_off = matches!(asked.finish_reason, FinishReason::Length | FinishReason::ContentFilter);
        Self {
            step,
            calls: asked.tool_calls,
            is_whole: !cut_off,
            asked: HashMap::new(),
            ran: HashMap::new(),
            decided: HashMap::new(),
        }
    }

    /// The history with what the model heard on this answer; `None` where no record holds that.
    fn heard(&self, told: Hash) -> Option<Hash> {
        if self.calls == 0 {
            // That the answer did not fit: no record holds these words, and they follow from what was said before.
            return Some(history(told, told));
        }
        (0..self.calls).try_fold(told, |told, index| {
            let held = self.ran.get(&index).or_else(|| self.decided.get(&index));
            held.copied().flatten().map(|root| history(told, root))
        })
    }
}
