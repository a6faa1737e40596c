//! The expression after reading: names resolved, macros recognised, overloads known to exist.

use std::sync::Arc;

use super::functions::Function;
use super::functions::regexes::Pattern;
use super::value::Value;

/// Bytes of the source that an expression was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// Calls the function on this expression and on all its parts, each before its own parts.
    ///
    /// Only what the expression has, not what it computes: a path is one part, a constant list another.
    pub fn visit<'e>(&'e self, f: &mut impl FnMut(&'e Expr)) {
        f(self);
        match &self.kind {
            Kind::Literal(_) | Kind::Path(_) | Kind::Local(_) => {}
            Kind::Select { operand, .. } | Kind::Has { operand, .. } => operand.visit(f),
            Kind::Not(operand) | Kind::Negate(operand) | Kind::Matches(operand, _) => operand.visit(f),
            Kind::Index { operand, index, .. } => {
                operand.visit(f);
                index.visit(f);
            }
            Kind::Binary(_, both) | Kind::Bind(both) => both.iter().for_each(|expr| expr.visit(f)),
            Kind::Conditional(three) => three.iter().for_each(|expr| expr.visit(f)),
            Kind::And(terms) | Kind::Or(terms) | Kind::Call(_, terms) => {
                terms.iter().for_each(|expr| expr.visit(f));
            }
            Kind::List(items) => items.iter().for_each(|item| item.value.visit(f)),
            Kind::Map(entries) => {
                for entry in entries {
                    entry.key.visit(f);
                    entry.value.visit(f);
                }
            }
            Kind::Fold(fold) => {
                fold.range.visit(f);
                fold.filter.iter().for_each(|filter| filter.visit(f));
                fold.body.visit(f);
            }
            Kind::OptMap { operand, body, .. } => {
                operand.visit(f);
                body.visit(f);
            }
        }
    }
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A constant, or the name of a type.
    Literal(Value),
    /// Something of the request, by its declared fields, then by keys: `R.attr.owner.id`.
    Path(Path),
    /// A variable of an enclosing comprehension or `cel.bind`, counted from the outermost, from 0.
    Local(usize),
    /// `operand.field`, on a value whose fields are keys; `operand.?field` if optional.
    Select {
        /// What is selected from.
        operand: Box<Expr>,
        /// The key.
        field: Arc<str>,
        /// Whether a missing key gives `optional.none()`.
        optional: bool,
    },
    /// `has(operand.field)`.
    Has {
        /// What is looked into.
        operand: Box<Expr>,
        /// The key.
        field: Arc<str>,
    },
    /// `operand[index]`; `operand[?index]` if optional.
    Index {
        /// What is looked into.
        operand: Box<Expr>,
        /// Position or key.
        index: Box<Expr>,
        /// Whether a missing element gives `optional.none()`.
        optional: bool,
    },
    /// `!operand`.
    Not(Box<Expr>),
    /// `-operand`.
    Negate(Box<Expr>),
    /// Two operands, both always evaluated.
    Binary(BinaryOp, Box<[Expr; 2]>),
    /// `a && b && …`: false if any is, whatever the others do.
    And(Vec<Expr>),
    /// `a || b || …`: true if any is, whatever the others do.
    Or(Vec<Expr>),
    /// `condition ? then : otherwise`.
    Conditional(Box<[Expr; 3]>),
    /// `[a, ?b]`.
    List(Vec<Item>),
    /// `{a: b, ?c: d}`.
    Map(Vec<Entry>),
    /// `operand.matches("…")` with a constant pattern.
    Matches(Box<Expr>, Pattern),
    /// A function with its arguments, the receiver first.
    Call(Function, Vec<Expr>),
    /// A macro that walks a list or map.
    Fold(Box<Fold>),
    /// `cel.bind(x, init, body)`; the variable is the next [`Kind::Local`].
    Bind(Box<[Expr; 2]>),
    /// `operand.optMap(x, body)`, or `optFlatMap` if `flat`; the variable is the next [`Kind::Local`].
    OptMap {
        /// The optional.
        operand: Box<Expr>,
        /// What becomes of its value.
        body: Box<Expr>,
        /// Whether the body is itself an optional.
        flat: bool,
    },
}

/// Something of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it starts, aliases resolved: `P.attr`, `request.principal.attr` are one.
    pub root: Root,
    /// The keys from there.
    pub keys: Vec<Arc<str>>,
}

/// Where paths start: the declared fields of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its field")]
pub enum Root {
    Request,
    Principal,
    PrincipalId,
    PrincipalRoles,
    PrincipalAttr,
    PrincipalPolicyVersion,
    PrincipalScope,
    Resource,
    ResourceKind,
    ResourceId,
    ResourceAttr,
    ResourcePolicyVersion,
    ResourceScope,
    AuxData,
    AuxDataJwt,
    AuxDataJwts,
    Runtime,
    EffectiveDerivedRoles,
    Constants,
    Variables,
    Globals,
}

/// Operators that evaluate both operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its operator")]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl BinaryOp {
    /// Whether nothing comes of it but true, false or a failure.
    pub(crate) fn compares(self) -> bool {
        match self {
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::In => true,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo => false,
        }
    }
}

/// An element of a list literal.
#[derive(Clone, Debug)]
pub struct Item {
    /// The element.
    pub value: Expr,
    /// Whether it is an optional that may be left out.
    pub optional: bool,
}

/// An entry of a map literal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Expr,
    /// The value.
    pub value: Expr,
    /// Whether the value is an optional and the entry may be left out.
    pub optional: bool,
}

/// A macro over a list or map.
#[derive(Clone, Debug)]
pub struct Fold {
    /// Which macro.
    pub kind: FoldKind,
    /// The list or map.
    pub range: Expr,
    /// How many variables it binds: 1 (element or key) or 2 (index or key, and value). They are the next [`Kind::Local`]s.
    pub variables: usize,
    /// The condition of `map`, `transformList`, `transformMap` and `transformMapEntry`, if given.
    pub filter: Option<Expr>,
    /// The predicate or what becomes of each element.
    pub body: Expr,
}

/// What a [`Fold`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoldKind {
    /// `all`.
    All,
    /// `exists`.
    Exists,
    /// `exists_one`, `existsOne`.
    ExistsOne,
    /// `filter`.
    Filter,
    /// `map`, `transformList`.
    Map,
    /// `transformMap`.
    TransformMap,
    /// `transformMapEntry`.
    TransformMapEntry,
    /// `sortBy`.
    SortBy,
}
