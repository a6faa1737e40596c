//! An agent's tools: tuples of them, and whether all of them fit the agent.

use core::marker::PhantomData;

use super::check_list;
use crate::agent::Agent;
use crate::dispatch::Dispatch;
use crate::law::data::{AdmittedBy, Classification};
use crate::law::lawful::AllowedUnder;
use crate::law::oversight::Approval;
use crate::law::residency::MayReach;
use crate::logic::{Bool, No, Yes};
use crate::sealed::{Internal, SealedTools};
use crate::tool::{self, ServedBy, Tool};

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
// The message is for what is no list at all. No `do_not_recommend` on the implementations: where one tool does not fit,
// the rule that failed should speak.
#[diagnostic::on_unimplemented(
    message = "these tools are not a list of up to sixteen tools of agent `{A}`",
    label = "expected a tuple of up to sixteen tools, such as `(Lookup, Record)`, or a `ToolsOf` of this agent",
    note = "AI Act Art. 14: what one agent can do stays within what a person can oversee; give some of its tools to another agent"
)]
pub trait Fits<A: Agent>: ToolList {
    #[doc(hidden)]
    fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<A::Deps>>>;
}

/// Proof that the tool `T` fits the agent `A`: lawful basis, model residency, Art. 22, dependencies. It owns the tool.
///
/// In a tuple it says of each tool by itself that it fits, where the tuple of the tools alone says it of all in one place.
// INVARIANT: no parameter varies, and `A` is one: a tool that fits another agent proves nothing about this one.
#[must_use = "an agent has the tools that its `tools` returns"]
pub struct ToolOf<A: Agent, T> {
    tool: Box<dyn Dispatch<A::Deps>>,
    fits: Invariant<(A, T)>,
}

impl<A: Agent, T> ToolOf<A, T>
where
    T: Tool
        + AllowedUnder<A::LawfulBasis>
        + MayReach<A::ModelResidency>
        + AdmittedBy<A::Art22>
        + ServedBy<A::Deps>,
{
    /// This tool, where it fits.
    pub fn new(tool: T) -> Self {
        Self { tool: Box::new(tool), fits: PhantomData }
    }
}

/// Proof that these tools fit the agent `A`, without their types: so that a `pub` agent may have private tools. `Personal`
/// and `Approval` are the answers of [`ToolList`] about them.
// INVARIANT: as of `ToolOf`.
#[must_use = "an agent has the tools that its `tools` returns"]
pub struct ToolsOf<A: Agent, Personal, Approval> {
    tools: Vec<Box<dyn Dispatch<A::Deps>>>,
    facts: Invariant<(A, Personal, Approval)>,
}

impl<A: Agent, Personal, Approval> ToolsOf<A, Personal, Approval> {
    /// These tools. Two of one name, and constants that do not fit together, fail the build.
    pub fn new<L: Fits<A>>(tools: L) -> Self
    where
        Personal: Says<L::Personal>,
        Approval: Says<L::Approval>,
    {
        const { check_list::<L>() };
        Self { tools: tools.erase(Internal), facts: PhantomData }
    }
}

type Invariant<T> = PhantomData<fn(T) -> T>;

/// What an agent says about tools of which it does not show the types is what they say.
#[diagnostic::on_unimplemented(
    message = "the agent says `{Self}` about its tools, and they say `{Answer}`",
    label = "`ToolsOf<Self, …, …>` says otherwise than these tools",
    note = "GDPR Art. 4(1), AI Act Art. 14: write `ToolsOf<Self, PERSONAL, APPROVAL>`, each `Yes` or `No`: whether any tool touches \
            personal data, and whether any always needs approval"
)]
pub trait Says<Answer: Bool>: Bool {}
impl Says<Yes> for Yes {}
impl Says<No> for No {}

impl<A: Agent, P: Bool, Q: Bool> SealedTools for ToolsOf<A, P, Q> {}
impl<A: Agent, P: Bool, Q: Bool> ToolList for ToolsOf<A, P, Q> {
    type Personal = P;
    type Approval = Q;
    // Checked where they were put together, by their types.
    const NAMES: &'static [&'static str] = &[];
    const CHECKED: () = ();
}
impl<A: Agent, P: Bool, Q: Bool> Fits<A> for ToolsOf<A, P, Q> {
    fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<A::Deps>>> {
        self.tools
    }
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
macro_rules! list {
    ($($a:ident)+) => {
        type Personal = any!(Personal $($a)+);
        type Approval = any!(Always $($a)+);
        const NAMES: &'static [&'static str] = &[$($a::NAME),+];
        const CHECKED: () = { $(tool::check::<$a>();)+ };
    };
}
macro_rules! tuples {
    ($(($($a:ident)+))*) => { $(
        impl<$($a: Tool),+> SealedTools for ($($a,)+) {}
        impl<$($a: Tool),+> ToolList for ($($a,)+) {
            list!($($a)+);
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
        impl<G: Agent, $($a: Tool),+> SealedTools for ($(ToolOf<G, $a>,)+) {}
        impl<G: Agent, $($a: Tool),+> ToolList for ($(ToolOf<G, $a>,)+) {
            list!($($a)+);
        }
        impl<G: Agent, $($a: Tool),+> Fits<G> for ($(ToolOf<G, $a>,)+) {
            #[expect(non_snake_case, reason = "the type parameters name the values too")]
            fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<G::Deps>>> {
                let ($($a,)+) = self;
                vec![$($a.tool),+]
            }
        }
    )* };
}
tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F H) (A B C D E F H I) (A B C D E F H I J)
    (A B C D E F H I J K) (A B C D E F H I J K L) (A B C D E F H I J K L M) (A B C D E F H I J K L M N)
    (A B C D E F H I J K L M N O) (A B C D E F H I J K L M N O P) (A B C D E F H I J K L M N O P Q)
}
