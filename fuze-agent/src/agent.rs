//! Agents: a purpose, a lawful basis, an oversight, and the tools that fit them.

mod list;
pub(crate) mod listed;

use std::time::Duration;

use crate::guardrail::Guardrails;
use crate::law::lawful;
use crate::law::oversight::{Covers, Overseen, Oversight};
use crate::law::residency::Residency;
use crate::law::{Retention, annex_iii, art22, retention_is_name};
use crate::logic::Bool;
use crate::tool::ToolOutput;

pub use list::{Fits, Says, ToolList, ToolOf, ToolsOf};

/// An agent and its facts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent",
    label = "expected an agent of `define_agent!`",
    note = "declare it with `define_agent! {{ pub {Self} {{ … }} }}`, or implement `fuze_agent::Agent`"
)]
pub trait Agent: Sized + Send + Sync + 'static {
    /// The GDPR Art. 6(1) basis on which it processes: in the set of each of its personal tools.
    type LawfulBasis: lawful::Basis;
    /// The AI Act Annex III point.
    type AnnexIii: annex_iii::Point;
    /// Solely automated decisions, GDPR Art. 22.
    type Art22: art22::Declaration;
    /// Human oversight: enough for the two above.
    type Oversight: Covers<Self::AnnexIii, Self::Art22>;
    /// The widest place where its model may be hosted.
    type ModelResidency: Residency;
    /// What its tools share.
    type Deps: Send + Sync + 'static;
    /// The answer.
    type Output: ToolOutput + Send + 'static;
    /// Its tools: a tuple of up to sixteen, or [`ToolsOf`] without their types.
    type Tools: Fits<Self> + Overseen<Self>;

    /// The agent's name.
    const NAME: &'static str;
    /// What it does, in a sentence.
    const DESCRIPTION: &'static str;
    /// The purpose of processing, GDPR Art. 5(1)(b): a name such as `employment-screening`.
    const PURPOSE: &'static str;
    /// The system prompt.
    const INSTRUCTIONS: &'static str;
    /// How long what its runs leave is kept.
    const RETENTION: Retention;
    /// Where its runs stop by themselves.
    const LIMITS: Limits;

    /// The tools.
    fn tools(&self) -> Self::Tools;

    /// The guardrails; none by default.
    fn guardrails(&self) -> Guardrails {
        Guardrails::none()
    }
}

/// Whether an agent is high-risk: an Annex III point (AI Act Art. 6(2)) or an Art. 22 decision.
pub type HighRisk<A> = <<<A as Agent>::AnnexIii as annex_iii::Point>::HighRisk as Bool>::Or<
    <<A as Agent>::Art22 as art22::Declaration>::Decides,
>;

/// Where a run stops by itself. Each limit counts the whole run, resumed parts included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Model turns and tool calls, nested ones included.
    pub max_steps: u32,
    /// Repetitions of failed model requests, of failed `read` and `idempotent` calls, and of answers that do not fit.
    pub retry_budget: u32,
    /// Tokens in and out, as the model reports them.
    pub token_budget: u64,
    /// How deep tools may invoke tools.
    pub max_depth: u32,
    /// How long one model request may take.
    pub model_time_limit: Duration,
    /// How long the run may take, waiting for people not counted.
    pub run_time_limit: Duration,
}

impl Limits {
    /// Steps, retries and tokens as given; tools nest 4 deep, a model request takes 60 s, a run takes an hour at most.
    #[must_use]
    pub const fn new(max_steps: u32, retry_budget: u32, token_budget: u64) -> Self {
        Self {
            max_steps,
            retry_budget,
            token_budget,
            max_depth: 4,
            model_time_limit: Duration::from_secs(60),
            run_time_limit: Duration::from_secs(3600),
        }
    }
}

/// Fails the build of a constant when an agent's constants do not fit together. For a hand-written agent the run builder
/// asks for it, so that the build fails.
#[doc(hidden)]
#[track_caller]
pub const fn check<A: Agent>() {
    check_facts::<A>();
    check_list::<A::Tools>();
}

/// The same for a list of tools.
#[track_caller]
const fn check_list<L: ToolList>() {
    let () = L::CHECKED;
    let mut position = 0;
    while position < L::NAMES.len() {
        check_name_of_tool(L::NAMES, position);
        position += 1;
    }
}

/// What an agent says of itself. The macro puts it beside each agent, so that `cargo check` sees it.
#[doc(hidden)]
#[track_caller]
pub const fn check_facts<A: Agent>() {
    assert!(
        retention_is_name(A::NAME),
        "an agent's name has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
    );
    assert!(
        retention_is_name(A::PURPOSE),
        "a purpose has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
    );
    A::RETENTION.check();
    assert!(
        !HighRisk::<A>::VALUE || A::RETENTION.decision_days >= Retention::HIGH_RISK_DECISION_DAYS,
        "a high-risk agent keeps its decisions for at least 184 days (AI Act Art. 19, 26(6)): raise `decision_days`"
    );
    if let Some(plan) = <A::Oversight as Oversight>::PLAN {
        assert!(
            retention_is_name(plan),
            "an oversight plan's id has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
        );
    }
    if let Some(training) = <A::Oversight as Oversight>::TRAINING {
        assert!(
            retention_is_name(training),
            "a training's id has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
        );
    }
    assert!(
        A::LIMITS.max_steps > 0,
        "an agent needs at least one step (AI Act Art. 14(4)(e)): raise `max_steps`"
    );
}

/// The name of the tool at this position in its agent's list. The macro puts it beside each agent, for each tool.
#[doc(hidden)]
#[track_caller]
pub const fn check_name_of_tool(names: &[&str], position: usize) {
    assert!(
        is_new_at(names, position),
        "two tools of this agent have the same name, and neither the model nor the record could tell them apart (AI \
         Act Art. 12, 13): name one of them otherwise (`#[tool(name = \"…\", …)]`), or remove it"
    );
}

#[expect(clippy::indexing_slicing, reason = "all indices are below the lengths; const code has no `get`")]
const fn is_new_at(names: &[&str], position: usize) -> bool {
    // No name: no tool, which is an error of its own.
    if names[position].is_empty() {
        return true;
    }
    let mut earlier = 0;
    while earlier < position {
        if same(names[earlier].as_bytes(), names[position].as_bytes()) {
            return false;
        }
        earlier += 1;
    }
    true
}

#[expect(clippy::indexing_slicing, reason = "all indices are below the lengths; const code has no `get`")]
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
