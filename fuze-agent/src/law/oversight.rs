//! Human oversight: AI Act Art. 14, GDPR Art. 22(3).

use core::marker::PhantomData;

use crate::agent::{Agent, HighRisk, ToolList};
use crate::law::{annex_iii, art22};
use crate::logic::{Bool, No, Yes};
use crate::sealed::{Sealed, SealedApproval};

/// Who oversees an agent's runs, and by what plan.
pub trait Oversight: Sealed + 'static {
    /// The plan's id.
    const PLAN: Option<&'static str>;
    /// The training that an overseer needs.
    const TRAINING: Option<&'static str>;
}

/// A plan for oversight. Yours to implement; the macro does it from `human_approval { plan: …, training: … }`.
#[diagnostic::on_unimplemented(
    message = "human oversight needs its plan",
    label = "`{Self}` is not an oversight plan",
    note = "AI Act Art. 14, 26(2): implement `oversight::Plan` with the plan's id and the overseers' training"
)]
pub trait Plan: 'static {
    /// The plan's id, such as `oversight.hr.v1`.
    const ID: &'static str;
    /// The training that an overseer needs, such as `hr-2026` (AI Act Art. 26(2)).
    const TRAINING: &'static str;
}

/// No oversight: outside Annex III and Art. 22 only.
pub struct NoOversight;
/// A person approves, by the plan `P`.
pub struct HumanApproval<P>(PhantomData<fn() -> P>);

impl Sealed for NoOversight {}
impl Oversight for NoOversight {
    const PLAN: Option<&'static str> = None;
    const TRAINING: Option<&'static str> = None;
}
impl<P: 'static> Sealed for HumanApproval<P> {}
impl<P: Plan> Oversight for HumanApproval<P> {
    const PLAN: Option<&'static str> = Some(P::ID);
    const TRAINING: Option<&'static str> = Some(P::TRAINING);
}

/// This oversight is enough for the Annex III point `D` and the Art. 22 declaration `A`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not enough oversight for the Annex III point `{D}` with the Art. 22 declaration `{A}`",
    label = "this agent needs a human oversight plan",
    note = "AI Act Art. 14, GDPR Art. 22(3): set `type Oversight = HumanApproval<MyPlan>`"
)]
pub trait Covers<D: annex_iii::Point, A: art22::Declaration>: Oversight {}
impl<P: Plan, D: annex_iii::Point, A: art22::Declaration> Covers<D, A> for HumanApproval<P> {}
impl Covers<annex_iii::None, art22::None> for NoOversight {}

/// When a tool stops for a human, by its own declaration.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say when this tool needs approval",
    label = "expected `Never`, `Always` or `When<…>`",
    note = "write `oversight::Never`, `oversight::Always` or `oversight::When<MyPredicate>` with `MyPredicate: oversight::Predicate<Args>`"
)]
pub trait Approval<Args>: SealedApproval<Args> + 'static {
    /// Always: what an overseen high-risk agent needs at least once.
    type Always: Bool;
    /// Always or sometimes.
    type Possible: Bool;
    #[doc(hidden)]
    fn needed(args: &Args) -> bool;
}

/// Whether these arguments need a human. Yours to implement; the macro does it from a closure.
pub trait Predicate<Args>: 'static {
    /// True: a human decides.
    fn needs_approval(args: &Args) -> bool;
}

/// Not by itself; policy and law may still ask for a human.
pub struct Never;
/// Every call.
pub struct Always;
/// Calls whose arguments meet the predicate `P`.
pub struct When<P>(PhantomData<fn() -> P>);

impl<Args> SealedApproval<Args> for Never {}
impl<Args> SealedApproval<Args> for Always {}
// INVARIANT: sealed for predicates over these arguments only. An open `When<Mine>` would let `impl Approval<MyArgs> for
// When<Mine>` say "always" and never ask.
impl<Args, P: Predicate<Args>> SealedApproval<Args> for When<P> {}
impl<Args> Approval<Args> for Never {
    type Always = No;
    type Possible = No;
    fn needed(_: &Args) -> bool {
        false
    }
}
impl<Args> Approval<Args> for Always {
    type Always = Yes;
    type Possible = Yes;
    fn needed(_: &Args) -> bool {
        true
    }
}
impl<Args, P: Predicate<Args>> Approval<Args> for When<P> {
    type Always = No;
    type Possible = Yes;
    fn needed(args: &Args) -> bool {
        P::needs_approval(args)
    }
}

/// Among these tools one stops for a human on every call, where the agent `A` is high-risk.
// No message of its own and no `do_not_recommend`: what is wrong should speak, be it a list that is none, a declaration
// about Art. 22 that is none, or the approval that is missing.
pub trait Overseen<A: Agent>: ToolList {}
impl<A: Agent, L: ToolList> Overseen<A> for L where L::Approval: Suffices<HighRisk<A>> {}

/// Whether any tool stops for a human on every call ([`ToolList::Approval`]), held against whether the agent is
/// high-risk.
// INVARIANT: no parameter that an author may fill with a type of their own: `Suffices<MyAgent, Yes> for No` would be
// theirs to implement.
#[diagnostic::on_unimplemented(
    message = "a high-risk agent has no tool that always needs approval",
    label = "none of these tools stops for a human on every call",
    note = "AI Act Art. 14: mark the tool that acts on people `needs_approval = always`; a predicate is not enough"
)]
pub trait Suffices<HighRisk: Bool>: Bool {}
impl<Approval: Bool> Suffices<No> for Approval {}
impl Suffices<Yes> for Yes {}
