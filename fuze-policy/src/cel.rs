//! CEL as Cerbos 0.55 evaluates it: parser, checker and interpreter of the expressions in conditions, variables and outputs.
//!
//! One expression is read once ([`Program::parse`]) and evaluated many times ([`Program::eval`]). Reading refuses what
//! `cel-go`'s checker would refuse (undeclared names, no matching overload, malformed literals of durations, timestamps and
//! patterns) and what is larger than the limits here; evaluation counts steps and bytes, so that neither a policy nor an
//! argument can make a decision slow. What it deliberately leaves out: messages built in an expression, unknown values and
//! partial evaluation, which belong to Cerbos's query planner.
//!
//! Where it differs from Cerbos it refuses more: expressions deeper than 100 levels, patterns that compile to more than
//! 256 KiB, values that macros nest deeper than 400 levels, keys of maps other than booleans, numbers and strings, hexadecimal doubles in text. Maps are walked in the order
//! of their keys, which Cerbos leaves to chance. `cel.bind(x, [], …)` gives a list that stays empty; in cel-go `x + [1]`
//! changes it.

mod activation;
mod ast;
mod budget;
mod check;
mod check_literals;
mod check_macros;
mod constants;
mod error;
mod eval;
mod eval_fold;
mod folding;
mod functions;
pub(crate) mod hints;
mod lexer;
mod map;
mod nesting;
mod ops;
mod parser;
mod program;
mod raw;
mod signatures;
mod types;
mod unescape;
mod value;

pub use activation::{Activation, AuxData, DerivedRoles, Principal, Resource};
pub use ast::{BinaryOp, Entry, Expr, Fold, FoldKind, Item, Kind, Path, Root, Span};
pub use budget::{Budget, Limit};
pub use error::{EvalError, ParseError};
pub use functions::Function;
pub use functions::net::Cidr;
pub(crate) use functions::net::{address, range};
pub use functions::regexes::Pattern;
pub use functions::spiffe::{Id as SpiffeId, Matcher as SpiffeMatcher, Spiffe};
pub use map::{Key, Map};
pub(crate) use nesting::{DEEPEST, nesting};
pub use program::Program;
pub use value::{Duration, Object, ObjectKind, Timestamp, Type, Value};
