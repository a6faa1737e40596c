//! What rules say about an approval: obligations that are known beforehand, and expressions of which that cannot be said.

use serde_json::Value as Json;

use super::atoms::AtomId;
use super::logic::{Logic, is_of_time};
use crate::Obligation;
use crate::agent_tool::obligation;
use crate::cel::{
    Activation, Budget, Entry, EvalError, Expr, Item, Kind, Principal, Program, Resource, Timestamp,
};

/// The number of an output in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SayId(pub(super) usize);

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    /// It asks for this, or for nothing.
    Known(Option<Obligation>),
    /// It cannot be read: the run halts.
    Fails,
    /// It depends on a condition. If that fails, the output does.
    If(Logic, Box<[Says; 2]>),
    /// It may say anything, and may fail.
    Free(AtomId),
}

impl Says {
    /// Calls back for each atom.
    pub(super) fn each_atom(&self, of: &mut dyn FnMut(AtomId)) {
        match self {
            Self::Known(_) | Self::Fails => {}
            Self::If(condition, both) => {
                condition.each_atom(of);
                both.iter().for_each(|says| says.each_atom(of));
            }
            Self::Free(atom) => of(*atom),
        }
    }
}

/// What an output says that looks at nothing; `None` if it looks at something.
pub(super) fn constant(expr: &Expr) -> Option<Says> {
    let said = value(expr)?.ok().and_then(|json| obligation::read(&json).ok());
    Some(said.map_or(Says::Fails, Says::Known))
}

/// The value of an expression that looks at nothing, or why it has none; `None` if it looks at something.
pub(super) fn value(expr: &Expr) -> Option<Result<Json, EvalError>> {
    let mut looks = is_of_time(expr);
    expr.visit(&mut |part| looks |= matches!(part.kind, Kind::Path(_)));
    if looks {
        return None;
    }
    let never = Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 };
    let nobody = Activation::new(Principal::default(), Resource::default(), never);
    let value = Program::of_part(expr.clone()).eval(&nobody, &mut Budget::default());
    Some(value.and_then(|value| value.to_json()))
}

/// The first `condition ? then : otherwise` of lists and mappings, brought outside: all parts of these are evaluated, so that it fails
/// there if it fails here.
pub(super) fn split(expr: &Expr) -> Option<(&Expr, [Expr; 2])> {
    let with = |kind: Kind| Expr { kind, span: expr.span };
    match &expr.kind {
        Kind::Conditional(three) => {
            let [condition, then, otherwise] = &**three;
            Some((condition, [then.clone(), otherwise.clone()]))
        }
        Kind::List(items) => items.iter().enumerate().find_map(|(at, item)| {
            let (condition, both) = split(&item.value)?;
            let both = both.map(|value| {
                let mut items: Vec<Item> = items.clone();
                if let Some(item) = items.get_mut(at) {
                    item.value = value;
                }
                with(Kind::List(items))
            });
            Some((condition, both))
        }),
        Kind::Map(entries) => entries.iter().enumerate().find_map(|(at, entry)| {
            let (condition, both) = split(&entry.value)?;
            let both = both.map(|value| {
                let mut entries: Vec<Entry> = entries.clone();
                if let Some(entry) = entries.get_mut(at) {
                    entry.value = value;
                }
                with(Kind::Map(entries))
            });
            Some((condition, both))
        }),
        _ => None,
    }
}
