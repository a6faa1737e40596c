//! The functions that Cerbos enables, one module a library of them.

use std::fmt;
use std::sync::Arc;

use super::budget::Budget;
use super::error::EvalError;
use super::signatures::{self, Line};
use super::value::{Timestamp, Value};

pub(super) mod calendar;
pub(super) mod convert;
pub(super) mod encode;
pub(super) mod format;
mod hierarchy;
mod lists;
mod math;
pub(super) mod net;
pub(super) mod numbers;
mod optional;
mod paths;
mod re2;
pub(super) mod regexes;
mod sets;
pub(super) mod spiffe;
mod strings;
pub(super) mod time;

/// A function, by its place in the table of signatures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Function(pub(super) u16);

impl Function {
    /// The name that expressions use, with the namespace.
    #[must_use]
    pub fn name(self) -> &'static str {
        signatures::decl(self).map_or("", |decl| decl.name)
    }

    /// Whether all its operands are evaluated, so that it fails if one of them does.
    pub(crate) fn is_eager(self) -> bool {
        signatures::decl(self).is_some_and(|decl| matches!(decl.native, Native::Eager(_)))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name())
    }
}

/// What functions need beside their operands.
pub(super) struct Context<'a> {
    pub(super) now: Option<Timestamp>,
    pub(super) budget: &'a mut Budget,
}

impl Context<'_> {
    /// The time of the request.
    fn now(&self) -> Result<Timestamp, EvalError> {
        self.now.ok_or(EvalError::NoTime)
    }
}

pub(super) type Computed = Result<Value, EvalError>;

/// What computes a function.
#[derive(Clone, Copy, Debug)]
pub(super) enum Native {
    /// Of all operands.
    Eager(fn(&mut Context<'_>, &[Value]) -> Computed),
    /// Of an optional, or else the other operand, which is evaluated only then.
    OrElse(fn(Arc<Value>) -> Value),
}

/// All functions.
pub(super) static TABLES: [&[Line]; 14] = [
    convert::LINES,
    encode::LINES,
    hierarchy::LINES,
    lists::LINES,
    math::LINES,
    net::LINES,
    optional::LINES,
    paths::LINES,
    regexes::LINES,
    sets::LINES,
    spiffe::LINES,
    strings::LINES,
    time::LINES,
    GENERAL,
];

const GENERAL: &[Line] = &[
    (
        "size",
        &[
            "(bytes) int",
            "bytes.() int",
            "(list(A)) int",
            "list(A).() int",
            "(map(A, B)) int",
            "map(A, B).() int",
            "(string) int",
            "string.() int",
            "hierarchy.() int",
        ],
        Native::Eager(size),
    ),
    ("type", &["(A) type(A)"], Native::Eager(type_of)),
    ("dyn", &["(A) dyn"], Native::Eager(same)),
    // In Cerbos the function takes the place of the method: a trust domain is its own `id()`.
    ("id", &["(dyn) dyn", "spiffeTrustDomain.() string"], Native::Eager(same)),
];

fn size(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let size = match args {
        [Value::String(s)] => {
            context.budget.step(super::ops::text_cost_of(s.len()))?;
            s.chars().count()
        }
        [Value::Bytes(b)] => b.len(),
        [Value::List(l)] => l.len(),
        [Value::Map(m)] => m.len(),
        [Value::Hierarchy(h)] => h.len(),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    Ok(int(size))
}

fn type_of(_: &mut Context<'_>, args: &[Value]) -> Computed {
    args.first().map(|value| Value::Type(value.type_of())).ok_or(EvalError::NO_SUCH_OVERLOAD)
}

fn same(_: &mut Context<'_>, args: &[Value]) -> Computed {
    args.first().cloned().ok_or(EvalError::NO_SUCH_OVERLOAD)
}

/// A length as a value.
fn int(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

/// Text of the result, accounted for.
fn text(context: &mut Context<'_>, text: impl Into<Arc<str>>) -> Computed {
    let text = text.into();
    context.budget.grow(text.len() as u64)?;
    Ok(Value::String(text))
}

/// A list of the result, accounted for.
fn list(context: &mut Context<'_>, items: Vec<Value>) -> Computed {
    context.budget.grow(super::ops::list_bytes(items.len()))?;
    Ok(Value::List(items.into()))
}

/// The strings of a list, if all its elements are.
fn strings_of(value: &Value) -> Option<Vec<&Arc<str>>> {
    let Value::List(items) = value else { return None };
    items
        .iter()
        .map(|item| match item {
            Value::String(s) => Some(s),
            _ => None,
        })
        .collect()
}
