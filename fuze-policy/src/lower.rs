//! A policy set in a flat form: what is asked about tools, decided without building anything.
//!
//! It decides the plain cases alone. Where a decision needs more (an output that looks at the request, a role or principal policy, a
//! function that is not lowered, any error), it says so, and the interpreter decides the whole. So there is one thing to hold: what is
//! decided here, the interpreter decides in the same way. A property test holds it.

mod expr;
mod fact;
mod json;
mod run;
mod stored;
mod table;
mod value;
mod work;

pub(crate) use table::{Answer, Table};
