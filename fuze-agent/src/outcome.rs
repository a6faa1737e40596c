//! What a run came to, and the timeline of what happened, for the people who watch.

use std::fmt;

use fuze_evidence::vocab::{GuardrailOutcome, PolicyDecision, RunStatus, ToolOutcome};
use fuze_evidence::{RunId, Timestamp};
use fuze_policy::RuleId;

use crate::driver::journal::{Journal, Step};
use crate::model::{ModelError, ModelResponse};
use crate::suspend::Suspended;

/// What a run came to.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run, and it is matched at once")]
#[must_use = "a run may have suspended or been stopped: look which"]
pub enum Outcome<O> {
    /// It ended with an answer that passed every check.
    Completed {
        /// The answer.
        output: O,
        /// What happened.
        report: Report,
    },
    /// It waits for people.
    Suspended {
        /// The run, with the cases to decide.
        suspended: Suspended,
        /// What happened so far.
        report: Report,
    },
    /// It ended without an answer; its last record says how.
    Stopped {
        /// How.
        status: RunStatus,
        /// Why, in words.
        why: String,
        /// What happened.
        report: Report,
    },
    /// What happened could not be recorded: nothing more was done, and the run has no last record.
    Halted {
        /// Why, in words.
        why: String,
        /// What happened.
        report: Report,
    },
}

impl<O> Outcome<O> {
    /// What happened.
    #[must_use]
    pub const fn report(&self) -> &Report {
        match self {
            Self::Completed { report, .. }
            | Self::Suspended { report, .. }
            | Self::Stopped { report, .. }
            | Self::Halted { report, .. } => report,
        }
    }

    /// The status, as records name it: `suspended` while it waits.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Completed { .. } => RunStatus::Completed.as_str(),
            Self::Suspended { .. } => "suspended",
            Self::Stopped { status, .. } => status.as_str(),
            Self::Halted { .. } => RunStatus::Halted.as_str(),
        }
    }

    /// The answer, if there is one.
    #[must_use]
    pub fn output(self) -> Option<O> {
        match self {
            Self::Completed { output, .. } => Some(output),
            Self::Suspended { .. } | Self::Stopped { .. } | Self::Halted { .. } => None,
        }
    }
}

/// What happened in one segment of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub run_id: RunId,
    /// Step by step.
    pub timeline: Timeline,
    /// Where the run stands in the deployment's transparency log.
    pub anchored: Anchored,
}

/// Where a run stands in its deployment's transparency log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anchored {
    /// In none: the deployment has none, the start was refused, or the log failed and the run was halted before it did anything.
    Not,
    /// The log holds its open root.
    Open {
        /// The leaf of the open root.
        open: u64,
    },
    /// The log holds its open and its close root.
    Closed {
        /// The leaf of the open root.
        open: u64,
        /// The leaf of the close root.
        close: u64,
    },
    /// The run is closed, and its close root is not in the log, or not known to be.
    /// [`Deployment::settle_anchors`](crate::Deployment::settle_anchors) tries again.
    Pending {
        /// The leaf of the open root.
        open: u64,
        /// Why, in words.
        why: String,
    },
}

/// What happened, step by step. It is for the eye; the evidence is in the records.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    events: Vec<Event>,
    enabled: bool,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Event {
    /// The record's step.
    pub step: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in nanoseconds.
    pub duration_ns: u128,
    /// The span's name.
    pub span: &'static str,
    /// What it is about: a tool, a guardrail, the model.
    pub about: String,
    /// What it came to.
    pub result: String,
}

impl Timeline {
    pub(crate) const fn recording(enabled: bool) -> Self {
        Self { events: Vec::new(), enabled }
    }

    /// The steps, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn push(&mut self, step: Step, journal: &Journal, span: &'static str, about: &str, result: String) {
        if self.enabled {
            let duration_ns = journal.now().nanos_since(step.started_at).unwrap_or(0);
            let about = about.to_owned();
            self.events.push(Event {
                step: step.id,
                started_at: step.started_at,
                duration_ns,
                span,
                about,
                result,
            });
        }
    }

    pub(crate) fn model(&mut self, step: Step, response: &ModelResponse, journal: &Journal) {
        if self.enabled {
            let result = match response.calls.len() {
                0 => "answers".to_owned(),
                1 => "asks for a tool".to_owned(),
                n => format!("asks for {n} tools"),
            };
            self.push(step, journal, "model.generate", "model", result);
        }
    }

    pub(crate) fn model_failed(&mut self, step: Step, error: &ModelError, journal: &Journal) {
        self.push(step, journal, "model.generate", "model", error.to_string());
    }

    pub(crate) fn policy(
        &mut self,
        step: Step,
        tool: Option<&str>,
        decision: PolicyDecision,
        rule: Option<&RuleId>,
        journal: &Journal,
    ) {
        if self.enabled {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            let tool = tool.unwrap_or("unknown tool");
            self.push(step, journal, "policy.evaluate", tool, format!("{decision}{rule}"));
        }
    }

    pub(crate) fn tool(&mut self, step: Step, tool: &str, outcome: ToolOutcome, journal: &Journal) {
        if self.enabled {
            self.push(step, journal, "tool.execute", tool, outcome.as_str().to_owned());
        }
    }

    pub(crate) fn guardrail(&mut self, step: Step, name: &str, outcome: GuardrailOutcome, journal: &Journal) {
        if self.enabled {
            self.push(step, journal, "guardrail", name, outcome.as_str().to_owned());
        }
    }

    pub(crate) fn suspended(&mut self, step: Step, tool: &str, journal: &Journal) {
        self.push(step, journal, "oversight.suspend", tool, "waits for a person".to_owned());
    }

    pub(crate) fn decided(&mut self, step: Step, overseer: &str, action: &str, journal: &Journal) {
        self.push(step, journal, "human.oversight.decision", overseer, action.to_owned());
    }

    pub(crate) fn close(&mut self, step: Step, status: RunStatus, journal: &Journal) {
        self.push(step, journal, "run.close", "run", status.as_str().to_owned());
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            let ms = event.duration_ns / 1_000_000;
            writeln!(
                f,
                "{:>4}  {:<24} {:<26} {:<40} {ms:>6} ms",
                event.step, event.span, event.about, event.result
            )?;
        }
        Ok(())
    }
}
