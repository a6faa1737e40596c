//! An agent's tools: tuples of them, and whether all of them fit the agent.

use core::marker::PhantomData;

use crate::agent::Agent;
use crate::dispatch::Dispatch;
use crate::law::data::{AdmittedBy, Classification};
use crate::law::lawful::AllowedUnder;
use crate::law::oversight::Approval;
use crate::law::residency::MayReach;
use crate::logic::{Bool, No};
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

/// This tool fits the agent `A`: lawful basis, model residency, Art. 22, dependencies.
///
/// Yours to implement, an empty implementation for each tool of a [`ToolsOf`]; the macro does it. Whatever does not fit
/// is then an error of its own at that implementation. It allows nothing: each rule is a supertrait.
#[diagnostic::on_unimplemented(
    message = "nothing says that tool `{Self}` is a tool of agent `{A}`",
    label = "this tool is listed, and not said to fit",
    note = "add `impl ToolOf<{A}> for {Self} {{}}`, which holds the tool to the rules of that agent"
)]
pub trait ToolOf<A: Agent>:
    Tool + AllowedUnder<A::LawfulBasis> + MayReach<A::ModelResidency> + AdmittedBy<A::Art22> + ServedBy<A::Deps>
{
}

/// The tuple `L` of tools, each said to be a [`ToolOf`] the agent `A`: the list with an error for each tool that does not
/// fit, where the tuple by itself has them all in one place.
pub struct ToolsOf<A, L>(L, PhantomData<fn() -> A>);

impl<A: Agent, L> ToolsOf<A, L> {
    /// The list of these tools.
    pub const fn new(tools: L) -> Self {
        Self(tools, PhantomData)
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
macro_rules! erase {
    ($tools:expr, $($a:ident)+) => {{
        let ($($a,)+) = $tools;
        vec![$(Box::new($a)),+]
    }};
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
                erase!(self, $($a)+)
            }
        }
        impl<G: Agent, $($a: ToolOf<G>),+> SealedTools for ToolsOf<G, ($($a,)+)> {}
        impl<G: Agent, $($a: ToolOf<G>),+> ToolList for ToolsOf<G, ($($a,)+)> {
            list!($($a)+);
        }
        impl<G: Agent, $($a: ToolOf<G>),+> Fits<G> for ToolsOf<G, ($($a,)+)> {
            #[expect(non_snake_case, reason = "the type parameters name the values too")]
            fn erase(self, _: Internal) -> Vec<Box<dyn Dispatch<G::Deps>>> {
                erase!(self.0, $($a)+)
            }
        }
    )* };
}
tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F H) (A B C D E F H I) (A B C D E F H I J)
    (A B C D E F H I J K) (A B C D E F H I J K L) (A B C D E F H I J K L M) (A B C D E F H I J K L M N)
    (A B C D E F H I J K L M N O) (A B C D E F H I J K L M N O P) (A B C D E F H I J K L M N O P Q)
}
