//! What tools and agents take and give: values that JSON says in full, with a schema.
//!
//! Two traits of one meaning, so that an error says which of the two is missing.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Tool;
use crate::agent::Agent;
use crate::sealed::SealedJson;

/// What can be an argument of a tool, or all of them: everything with `Serialize`, `Deserialize` and `JsonSchema`. Its JSON
/// is what is decided, shown to a person, recorded and read back (AI Act Art. 12, 14).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a tool",
    label = "this type lacks `Serialize`, `Deserialize` or `JsonSchema`",
    note = "AI Act Art. 12, 14: a call is decided, shown to a person and recorded as JSON",
    note = "put `#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]` on the type"
)]
pub trait ToolArgument: Sized {
    // Not supertraits: for an associated type the compiler would show each missing one by itself, in their words.
    #[doc(hidden)]
    type Itself: AsJson<Self>;
}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema> ToolArgument for T {
    type Itself = T;
}

/// What can be the output of a tool or the answer of an agent: everything with `Serialize`, `Deserialize` and `JsonSchema`.
/// Its JSON is checked and recorded (AI Act Art. 12).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a tool or an agent",
    label = "this type lacks `Serialize`, `Deserialize` or `JsonSchema`",
    note = "AI Act Art. 12: an output is checked and recorded as JSON",
    note = "put `#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]` on the type"
)]
pub trait ToolOutput: Sized {
    #[doc(hidden)]
    type Itself: AsJson<Self>;
}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema> ToolOutput for T {
    type Itself = T;
}

/// The type `T` itself, with what is known of it.
// INVARIANT: sealed with its parameter, so that nothing but `T` itself can stand for `T`.
#[doc(hidden)]
pub trait AsJson<T>: SealedJson<T> + Serialize + DeserializeOwned + JsonSchema {
    fn of(value: &T) -> &Self;
    fn into_value(self) -> T;
}
impl<T> SealedJson<T> for T {}
impl<T: Serialize + DeserializeOwned + JsonSchema> AsJson<T> for T {
    fn of(value: &T) -> &Self {
        value
    }
    fn into_value(self) -> T {
        self
    }
}

/// A tool's arguments, as JSON has them.
pub(crate) type Arguments<T> = <<T as Tool>::Args as ToolArgument>::Itself;
/// A tool's output, as JSON has it.
pub(crate) type Output<T> = <<T as Tool>::Output as ToolOutput>::Itself;
/// An agent's answer, as JSON has it.
pub(crate) type Answer<A> = <<A as Agent>::Output as ToolOutput>::Itself;
