//! Agents: a purpose, a lawful basis, an oversight, and the tools that fit them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dispatch::Dispatch;
use crate::guardrail::Guardrails;
use crate::law::data::{AdmittedBy, Classification};
use crate::law::lawful::{self, AllowedUnder};
use crate::law::oversight::{Approval, Covers, Overseen, Oversight};
use crate::law::residency::{MayReach, Residency};
use crate::law::{Retention, annex_iii, art22, retention_is_name};
use crate::logic::{Bool, No};
use crate::sealed::{Internal, SealedTools};
use crate::tool::{self, ServedBy, Tool};

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
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// Its tools: a tuple of up to sixteen.
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

/// A tuple of tools, so that questions about all of them have answers in the type system.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of tools",
    label = "expected a tuple of up to sixteen tools, such as `(Lookup, Record)`",
    note = "each element must implement `fuze_agent::Tool`"
)]
pub trait ToolList: SealedTools + 'static {
    /// Whether any of them touches personal data.
    type Personal: Bool;
    /// Whether any of them always needs approval.
    type Approval: Bool;
    #[doc(hidden)]
    const NAMES: &'static [&'static str];
    #[doc(hidden)]
    const CHECKED: ();
}

/// These tools fit the agent `A`: lawful basis, model residency, Art. 22, dependencies.
// No message of its own and no `do_not_recommend` on its impls: the rule that failed should speak, at the tool that failed.
pub trait Fits<A: Agent>: ToolList {
    #[doc(hidden)]
    fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<A::Deps>>>;
}

impl SealedTools for () {}
impl ToolList for () {
    type Personal = No;
    type Approval = No;
    const NAMES: &'static [&'static str] = &[];
    const CHECKED: () = ();
}
impl<G: Agent> Fits<G> for () {
    fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<G::Deps>>> {
        Vec::new()
    }
}

type Personal<T> = <<T as Tool>::Data as Classification>::Personal;
type Always<T> = <<T as Tool>::Approval as Approval<<T as Tool>::Args>>::Always;

macro_rules! any {
    ($is:ident $a:ident) => { $is<$a> };
    ($is:ident $a:ident $($rest:ident)+) => { <$is<$a> as Bool>::Or<any!($is $($rest)+)> };
}
macro_rules! tuples {
    ($(($($a:ident)+))*) => { $(
        impl<$($a: Tool),+> SealedTools for ($($a,)+) {}
        impl<$($a: Tool),+> ToolList for ($($a,)+) {
            type Personal = any!(Personal $($a)+);
            type Approval = any!(Always $($a)+);
            const NAMES: &'static [&'static str] = &[$($a::NAME),+];
            const CHECKED: () = { $(tool::check::<$a>();)+ };
        }
        impl<G: Agent, $($a),+> Fits<G> for ($($a,)+)
        where $($a: Tool
            + AllowedUnder<G::LawfulBasis>
            + MayReach<G::ModelResidency>
            + AdmittedBy<G::Art22>
            + ServedBy<G::Deps>),+
        {
            #[expect(non_snake_case, reason = "the type parameters name the values too")]
            fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<G::Deps>>> {
                let ($($a,)+) = self;
                vec![$(Box::new($a)),+]
            }
        }
    )* };
}
tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F H) (A B C D E F H I) (A B C D E F H I J)
    (A B C D E F H I J K) (A B C D E F H I J K L) (A B C D E F H I J K L M) (A B C D E F H I J K L M N)
    (A B C D E F H I J K L M N O) (A B C D E F H I J K L M N O P) (A B C D E F H I J K L M N O P Q)
}

/// Fails the build of a constant when an agent's constants do not fit together. The macro puts it beside each agent, so
/// that `cargo check` sees it; for a hand-written agent the run builder asks for it, so that the build fails.
#[doc(hidden)]
#[track_caller]
pub const fn check<A: Agent>() {
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
    assert!(A::LIMITS.max_steps > 0, "an agent needs at least one step: raise `max_steps`");
    let () = <A::Tools as ToolList>::CHECKED;
    assert!(
        all_different(<A::Tools as ToolList>::NAMES),
        "two tools of this agent have the same name: the model could not tell them apart"
    );
}

#[expect(clippy::indexing_slicing, reason = "all indices are below the lengths; const code has no `get`")]
const fn all_different(names: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        let mut j = i + 1;
        while j < names.len() {
            if same(names[i].as_bytes(), names[j].as_bytes()) {
                return false;
            }
            j += 1;
        }
        i += 1;
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
