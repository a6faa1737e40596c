//! What a run is between two steps: everything that must survive the process, and nothing else.
//!
//! It is stored in pieces: each commit seals a [`Header`], bounded by the calls of one turn, and the messages that came
//! since the last one. A suspension stores the whole.

use std::collections::BTreeMap;

use fuze_evidence::chain::RecorderState;
use fuze_evidence::content::Disclosure;
use fuze_evidence::vocab::{RunStatus, SuspendReason};
use fuze_evidence::{Common, Hash, Name, Timestamp};
use serde::{Deserialize, Serialize};

use super::anchor::Anchoring;
use crate::model::{Message, RequestedCall};
use crate::suspend::case::CaseData;

/// The version of the snapshot. Another one is refused, never guessed at.
pub(crate) const SNAPSHOT_VERSION: u32 = 1;

/// A run between two steps.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) header: Header,
    pub(crate) messages: Vec<Message>,
}

/// One sealed piece: the header as it is now, and the messages since the last piece.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Piece<H, M> {
    pub(crate) v: u32,
    pub(crate) header: H,
    pub(crate) messages: M,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) run: RunFacts,
    pub(crate) chain: Option<RecorderState>,
    pub(crate) phase: Phase,
    /// Model turns begun.
    pub(crate) turn: u32,
    /// Model turns and tool calls, nested ones included.
    pub(crate) steps: u32,
    pub(crate) retries: u32,
    pub(crate) tokens: u64,
    /// Time spent running, in milliseconds; waiting for people not counted.
    pub(crate) elapsed_ms: u64,
    pub(crate) next_step: u64,
    pub(crate) segment: u32,
    pub(crate) history: Hash,
    /// The last call that people decided on was approved and done: the answer rests on a person (GDPR Art. 22(3)).
    pub(crate) human_decided: bool,
    /// The `model.generate` step that asked for `calls`.
    pub(crate) turn_step: u64,
    /// The calls of this turn, in the model's order, and those that they made, by execution.
    pub(crate) calls: Vec<Hash>,
    // Boxed: the map makes room for eleven when it gets its first, anew in each turn.
    pub(crate) executions: BTreeMap<Hash, Box<Execution>>,
    /// What the run waits for, in order.
    pub(crate) waits: Vec<Wait>,
    /// The run is to be anchored before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchoring: Option<Anchoring>,
}

/// What was settled when the run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunFacts {
    pub(crate) common: Common,
    pub(crate) roles: Vec<String>,
    pub(crate) origin: Name,
    pub(crate) agent: Name,
    pub(crate) fingerprint: Hash,
    pub(crate) registry_hash: Option<Hash>,
    pub(crate) model_snapshot: Name,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Phase {
    /// The input is to be examined.
    Input,
    /// The model is to be asked.
    Ask { attempt: u32 },
    /// The model was asked; whether it answered is not known.
    Asking { attempt: u32 },
    /// Its calls are to be decided and run.
    Calls,
    /// Its answer is to be examined.
    Answer { text: String },
    /// A person ended the run.
    Halted,
    /// It was ended from inside a tool, whose own end is made durable before the run's last record. Only that record is left to write.
    Ended { status: RunStatus, why: String },
}

/// One execution of a tool, from the request to its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Execution {
    /// The place of the model's call in its turn; a nested execution has its caller's.
    pub(crate) index: u32,
    pub(crate) request: RequestedCall,
    pub(crate) parent: Option<Hash>,
    pub(crate) depth: u32,
    pub(crate) attempt: u32,
    /// The canonical bytes that were decided on, and their content root.
    pub(crate) decided: Option<DecidedCall>,
    /// What was decided on before people changed it, until the changed call is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<Box<DecidedCall>>,
    pub(crate) stage: Stage,
    /// The `tool.execute` step of its last run, which what it invokes belongs to.
    #[serde(default)]
    pub(crate) step: Option<u64>,
    /// The arguments that people put in the place of those asked for, as canonical text.
    #[serde(default)]
    pub(crate) modified: Option<String>,
    /// Who approved it.
    #[serde(default)]
    pub(crate) approvers: Vec<Name>,
    /// When the first of their tokens expires: until then the approval stands for a retry of the same bytes.
    #[serde(default)]
    pub(crate) approved_until: Option<Timestamp>,
    /// What the run knows of it in the ledger of effects: what it wrote there itself, and `started` as it was when the run was taken up.
    #[serde(default)]
    pub(crate) ledger: Ledger,
}

impl Execution {
    /// The policy has decided on it.
    pub(crate) fn decided_as(&mut self, call: DecidedCall) {
        (self.decided, self.replaced) = (Some(call), None);
    }
}

/// How far the ledger of effects knows an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ledger {
    /// Not at all: a `read`, or not decided yet.
    #[default]
    Absent,
    /// It may begin.
    Intent,
    /// It had begun before a crash or a wait cut it off.
    Started,
    /// A person must say whether it happened.
    InDoubt,
    /// It is over.
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecidedCall {
    pub(crate) tool: String,
    pub(crate) canonical: String,
    pub(crate) root: Hash,
    /// What opens the root, for the case that a person is shown. Only where a run can wait.
    pub(crate) disclosure: Option<Disclosure>,
    /// The `policy.evaluate` step that decided last.
    pub(crate) step: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Stage {
    /// To be decided.
    New,
    /// Waits for people.
    Waiting,
    /// People approved exactly these bytes; to be decided again.
    Approved { step: u64 },
    /// People refused.
    Rejected { step: u64 },
    /// A `once` tool began before a crash. Nothing is recorded of it yet.
    Began { approval: Option<u64> },
    /// A `once` tool began and its end is not known.
    InDoubt,
    /// A person says that it happened.
    Done { step: u64, output: String },
    /// A person says that it did not.
    NotDone { step: u64 },
    /// People answered a question of `request_oversight`.
    Answered { approved: bool },
    /// Over. `examined`: the guardrails have looked at it.
    Finished { content: String, is_error: bool, root: Hash, examined: bool },
}

/// One case that the run waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    pub(crate) execution: Hash,
    pub(crate) index: u32,
    pub(crate) reason: SuspendReason,
    pub(crate) approvers: u8,
    pub(crate) may_approve: Option<Vec<String>>,
    pub(crate) trainings: Vec<String>,
    pub(crate) deadline_seconds: Option<u64>,
    pub(crate) tool: Name,
    pub(crate) root: Hash,
    pub(crate) case: CaseData,
    /// One token a slot, as text. Empty until the run suspends.
    pub(crate) tokens: Vec<String>,
}
