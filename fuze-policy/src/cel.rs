//! CEL as Cerbos 0.55 evaluates it: parser, checker and interpreter of the expressions in conditions, variables and outputs.
//!
//! One expression is read once ([`Program::parse`]) and evaluated many times ([`Program::eval`]). Reading refuses what
//! `cel-go`'s checker would refuse (undeclared names, no matching overload, malformed literals of durations, timestamps and
//! patterns) and what is larger than the limits here; evaluation counts steps and bytes, so that neither a policy nor an
//! argument can make a decision slow. What it deliberately leaves out: protocol buffer messages other than the request's,
//! unknown values and partial evaluation, which belong to Cerbos's query planner.

mod activation;
mod ast;
mod budget;
mod error;
mod functions;
mod map;
mod program;
mod value;

pub use activation::{Activation, AuxData, DerivedRoles, Principal, Resource};
pub use ast::{BinaryOp, Entry, Expr, Fold, FoldKind, Item, Kind, Path, Root, Span};
pub use budget::{Budget, Limit};
pub use error::{EvalError, ParseError};
pub use functions::Function;
pub use map::{Key, Map};
pub use program::Program;
pub use value::{Duration, Object, ObjectKind, Timestamp, Type, Value};
