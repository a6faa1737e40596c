//! What the parser makes: expressions with names still unresolved and macros still calls.

use std::sync::Arc;

use super::ast::{BinaryOp, Span};
use super::value::Value;

/// An expression and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) raw: Raw,
    pub(super) span: Span,
    /// Levels below, so that nothing that walks the tree goes too deep.
    pub(super) height: u16,
}

#[derive(Debug)]
pub(super) enum Raw {
    Literal(Value),
    /// A name; the global one, whatever is local, if `absolute`.
    Name {
        name: Arc<str>,
        absolute: bool,
    },
    Select {
        operand: Box<Node>,
        field: Arc<str>,
        optional: bool,
    },
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        optional: bool,
    },
    Call {
        target: Option<Box<Node>>,
        name: Arc<str>,
        args: Vec<Node>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(BinaryOp, Box<[Node; 2]>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
}

impl Raw {
    /// Calls the function on each direct operand.
    pub(super) fn each_child(&self, mut f: impl FnMut(&Node)) {
        match self {
            Raw::Literal(_) | Raw::Name { .. } => {}
            Raw::Select { operand, .. } | Raw::Not(operand) | Raw::Negate(operand) => f(operand),
            Raw::Index { operand, index, .. } => [operand, index].into_iter().for_each(|node| f(node)),
            Raw::Call { target, args, .. } => target.iter().map(|node| &**node).chain(args).for_each(f),
            Raw::Binary(_, both) => both.iter().for_each(f),
            Raw::And(terms) | Raw::Or(terms) => terms.iter().for_each(f),
            Raw::Conditional(three) => three.iter().for_each(f),
            Raw::List(items) => items.iter().for_each(|(node, _)| f(node)),
            Raw::Map(entries) => {
                entries.iter().for_each(|(key, value, _)| [key, value].into_iter().for_each(&mut f))
            }
        }
    }
}
