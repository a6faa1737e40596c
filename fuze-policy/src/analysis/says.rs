//! What rules say about an approval: obligations that are known beforehand, and expressions of which that cannot be said.

use super::atoms::AtomId;
use super::logic::Logic;
use crate::Obligation;
use crate::agent_tool::obligation;
use crate::cel::Expr;
use crate::cerbos::closing::value;

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

/// What an output says that looks at nothing; `None` if it looks at something, or that is not known.
pub(super) fn constant(expr: &Expr) -> Option<Says> {
    let said = value(expr)?.ok().and_then(|json| obligation::read(&json).ok());
    Some(said.map_or(Says::Fails, Says::Known))
}
