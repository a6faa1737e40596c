//! Expressions in a flat form: nodes in one list, literals and patterns made ready, nothing built while one is evaluated.
//!
//! Whatever is not lowered is a [`Node::Leave`]: reaching it hands the whole decision to the interpreter. So does every error, because the
//! interpreter knows its words. What is left to prove is that a value given here is the interpreter's, too.

use std::sync::Arc;

use crate::cel::{self, BinaryOp, Cidr, Expr, Fold, FoldKind, Kind, Path, Pattern, Root, Value};

use super::fact::{Fact, Place, place};
use super::stored::{Plain, Reader, Stored, stored};

/// The index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(u32);

/// Comprehensions may nest as deep as this.
pub(super) const LOCALS: usize = 4;
/// A lowered expression's parts.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Plain),
    Fact(Fact),
    /// The arguments of the call, and keys within.
    Args(Vec<Arc<str>>),
    /// A fact that this kind of request never has.
    Missing,
    Local(usize),
    Member(At, Arc<str>),
    Has(At, Arc<str>),
    HasFact(Fact),
    HasArgs(Vec<Arc<str>>, Arc<str>),
    Element(At, At),
    Not(At),
    Compare(BinaryOp, At, At),
    /// A fact that is this text: what most conditions ask.
    Is(Fact, Arc<str>),
    In(At, At),
    Arithmetic(BinaryOp, At, At),
    Negate(At),
    And(Vec<At>),
    Or(Vec<At>),
    Conditional(At, At, At),
    Text(TextTest, At, At),
    Matches(At, Pattern),
    InRange(At, Cidr),
    Size(At),
    Fold(Each),
    /// What another node is.
    Same(At),
    Leave,
}

stored!(enum Node {
    0: Literal { 0: value }, 1: Fact { 0: fact }, 2: Args { 0: keys }, 3: Missing {}, 4: Local { 0: index }, 5: Member { 0: of, 1: key },
    6: Has { 0: of, 1: key }, 7: HasFact { 0: fact }, 8: HasArgs { 0: keys, 1: last }, 9: Element { 0: of, 1: index }, 10: Not { 0: of },
    11: Compare { 0: operator, 1: left, 2: right }, 12: Is { 0: fact, 1: text }, 13: In { 0: element, 1: of },
    14: Arithmetic { 0: operator, 1: left, 2: right }, 15: Negate { 0: of }, 16: And { 0: operands }, 17: Or { 0: operands },
    18: Conditional { 0: condition, 1: then, 2: otherwise }, 19: Text { 0: test, 1: of, 2: by }, 20: Matches { 0: of, 1: pattern },
    21: InRange { 0: of, 1: range }, 22: Size { 0: of }, 23: Fold { 0: each }, 24: Same { 0: at }, 25: Leave {},
});

impl Node {
    /// The nodes that it is made of.
    fn parts(&self) -> Vec<At> {
        match self {
            Node::Literal(_)
            | Node::Fact(_)
            | Node::Args(_)
            | Node::Missing
            | Node::Local(_)
            | Node::HasFact(_)
            | Node::HasArgs(..)
            | Node::Is(..)
            | Node::Leave => Vec::new(),
            Node::Member(of, _)
            | Node::Has(of, _)
            | Node::Not(of)
            | Node::Negate(of)
            | Node::Matches(of, _)
            | Node::InRange(of, _)
            | Node::Size(of)
            | Node::Same(of) => vec![*of],
            Node::Element(one, two)
            | Node::Compare(_, one, two)
            | Node::In(one, two)
            | Node::Arithmetic(_, one, two)
            | Node::Text(_, one, two) => vec![*one, *two],
            Node::Conditional(one, two, three) => vec![*one, *two, *three],
            Node::And(all) | Node::Or(all) => all.clone(),
            Node::Fold(each) => vec![each.range, each.body],
        }
    }
}

stored!(struct Each { kind, range, body, nodes, local });

stored!(enum TextTest { 0: StartsWith {}, 1: EndsWith {}, 2: Contains {} });

impl Stored for At {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u32::read(from).map(Self)
    }
}

/// A macro over a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Each {
    pub(super) kind: FoldKind,
    pub(super) range: At,
    pub(super) body: At,
    /// How many nodes the body has.
    pub(super) nodes: usize,
    pub(super) local: usize,
}

/// Tests of one text by another.
#[derive(Clone, Copy, Debug)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// What names in an expression stand for.
pub(super) struct Names<'n> {
    /// Variables: what is written for each.
    pub(super) variables: &'n dyn Fn(&str) -> Option<&'n Expr>,
    /// Constants.
    pub(super) constants: &'n dyn Fn(&str) -> Option<Value>,
    /// Globals.
    pub(super) globals: &'n dyn Fn(&str) -> Option<Value>,
}

/// The nodes of many expressions.
#[derive(Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
}

/// Variables that stand in variables are written out; beyond this many nodes an expression is left to the interpreter.
const MOST_NODES: usize = 50_000;

impl Stored for Arena {
    fn write(&self, out: &mut Vec<u8>) {
        self.nodes.write(out);
    }

    /// The parts of a node come before it, and are parts of no other, as they were lowered: so an evaluation ends, and soon.
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let nodes: Vec<Node> = Stored::read(from)?;
        let mut free = vec![false; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            for part in node.parts() {
                let part = free.get_mut(usize::try_from(part.0).ok()?)?;
                if !std::mem::take(part) {
                    return None;
                }
            }
            *free.get_mut(at)? = true;
        }
        Some(Self { nodes })
    }
}

impl Arena {
    /// Lowers an expression; with it comes the number of its nodes.
    pub(super) fn lower(&mut self, expr: &Expr, names: &Names<'_>) -> (At, usize) {
        let before = self.nodes.len();
        let at = Lowering { arena: self, names, base: 0, locals: 0, depth: 0 }.expr(expr);
        (at, self.nodes.len() - before)
    }

    fn push(&mut self, node: Node) -> At {
        // Far fewer than u32::MAX nodes: `MOST_NODES`.
        let at = At(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        at
    }

    pub(super) fn node(&self, at: At) -> Option<&Node> {
        self.nodes.get(usize::try_from(at.0).ok()?)
    }
}

struct Lowering<'x, 'n> {
    arena: &'x mut Arena,
    names: &'x Names<'n>,
    /// Where the locals of the expression at hand begin: a variable that is written out has its own.
    base: usize,
    locals: usize,
    depth: u32,
}

impl Lowering<'_, '_> {
    fn leave(&mut self) -> At {
        self.arena.push(Node::Leave)
    }

    fn expr(&mut self, expr: &Expr) -> At {
        if self.depth > 200 || self.arena.nodes.len() > MOST_NODES {
            return self.leave();
        }
        self.depth += 1;
        let node = self.node(expr);
        self.depth -= 1;
        match node {
            Some(node) => self.arena.push(node),
            None => self.leave(),
        }
    }

    fn all(&mut self, exprs: &[Expr]) -> Vec<At> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    /// `None` for what is not lowered.
    fn node(&mut self, expr: &Expr) -> Option<Node> {
        Some(match &expr.kind {
            Kind::Literal(value) => Node::Literal(Plain::new(value.clone())?),
            Kind::Path(path) => return self.path(path),
            Kind::Local(index) => {
                Node::Local(self.base.checked_add(*index).filter(|local| *local < self.locals)?)
            }
            Kind::Select { operand, field, optional: false } => {
                Node::Member(self.expr(operand), Arc::clone(field))
            }
            Kind::Has { operand, field } => match &operand.kind {
                Kind::Path(path) => match place(&with(path, field))? {
                    Place::Fact(fact) => Node::HasFact(fact),
                    Place::Args(keys) => match keys.split_last() {
                        Some((last, keys)) => Node::HasArgs(keys.to_vec(), Arc::clone(last)),
                        // The arguments are always there.
                        None => Node::Literal(Plain::new(Value::Bool(true))?),
                    },
                    Place::Missing => Node::Literal(Plain::new(Value::Bool(false))?),
                },
                _ => Node::Has(self.expr(operand), Arc::clone(field)),
            },
            Kind::Index { operand, index, optional: false } => match (&operand.kind, &index.kind) {
                (Kind::Path(path), Kind::Literal(Value::String(key))) => return self.path(&with(path, key)),
                _ => Node::Element(self.expr(operand), self.expr(index)),
            },
            Kind::Not(operand) => Node::Not(self.expr(operand)),
            Kind::Negate(operand) => Node::Negate(self.expr(operand)),
            Kind::And(operands) => Node::And(self.all(operands)),
            Kind::Or(operands) => Node::Or(self.all(operands)),
            Kind::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                Node::Conditional(self.expr(condition), self.expr(then), self.expr(otherwise))
            }
            Kind::Binary(operator, operands) => {
                let [left, right] = &**operands;
                return self.binary(*operator, left, right);
            }
            Kind::Call(function, arguments) => return self.call(function.name(), arguments),
            Kind::Fold(fold) => return self.fold(fold),
            Kind::Matches(of, pattern) => Node::Matches(self.expr(of), pattern.clone()),
            // A list or map of constants alone is a literal by now.
            Kind::Select { .. }
            | Kind::Index { .. }
            | Kind::List(_)
            | Kind::Map(_)
            | Kind::Bind(_)
            | Kind::OptMap { .. } => return None,
        })
    }

    fn path(&mut self, path: &Path) -> Option<Node> {
        if !matches!(path.root, Root::Variables | Root::Constants | Root::Globals) {
            return place(path).map(|place| match place {
                Place::Fact(fact) => Node::Fact(fact),
                Place::Args(keys) => Node::Args(keys),
                Place::Missing => Node::Missing,
            });
        }
        let (first, rest) = path.keys.split_first()?;
        let mut node = match path.root {
            Root::Variables => {
                // Written out where it is used. What a variable keeps differs from what its expression gives for kinds only that are
                // not lowered.
                let expr = (self.names.variables)(first)?;
                let base = std::mem::replace(&mut self.base, self.locals);
                let at = self.expr(expr);
                self.base = base;
                at
            }
            Root::Constants => {
                let value = (self.names.constants)(first)?;
                self.arena.push(Node::Literal(Plain::new(value)?))
            }
            _ => {
                let value = (self.names.globals)(first)?;
                self.arena.push(Node::Literal(Plain::new(value)?))
            }
        };
        for key in rest {
            node = self.arena.push(Node::Member(node, Arc::clone(key)));
        }
        Some(Node::Same(node))
    }

    fn binary(&mut self, operator: BinaryOp, left: &Expr, right: &Expr) -> Option<Node> {
        use BinaryOp as Op;
        Some(match operator {
            Op::Equal if let Some((fact, text)) = fact_and_text(left, right) => Node::Is(fact, text),
            Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
                Node::Compare(operator, self.expr(left), self.expr(right))
            }
            Op::In => Node::In(self.expr(left), self.expr(right)),
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo => {
                Node::Arithmetic(operator, self.expr(left), self.expr(right))
            }
        })
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> Option<Node> {
        let literal = |expr: &Expr| match &expr.kind {
            Kind::Literal(Value::String(text)) => Some(Arc::clone(text)),
            _ => None,
        };
        Some(match (name, arguments) {
            ("startsWith", [of, by]) => Node::Text(TextTest::StartsWith, self.expr(of), self.expr(by)),
            ("endsWith", [of, by]) => Node::Text(TextTest::EndsWith, self.expr(of), self.expr(by)),
            ("contains", [of, by]) => Node::Text(TextTest::Contains, self.expr(of), self.expr(by)),
            ("size", [of]) => Node::Size(self.expr(of)),
            ("inIPAddrRange", [of, range]) => {
                let range = cel::range(&literal(range)?).ok()?;
                Node::InRange(self.expr(of), range)
            }
            _ => return None,
        })
    }

    fn fold(&mut self, fold: &Fold) -> Option<Node> {
        let simple = matches!(fold.kind, FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne);
        if !simple || fold.variables != 1 || fold.filter.is_some() || self.locals >= LOCALS {
            return None;
        }
        let range = self.expr(&fold.range);
        let local = self.locals;
        self.locals += 1;
        let before = self.arena.nodes.len();
        let body = self.expr(&fold.body);
        self.locals -= 1;
        let nodes = self.arena.nodes.len() - before;
        Some(Node::Fold(Each { kind: fold.kind, range, body, nodes, local }))
    }
}

/// A fact and the literal text that stands beside it.
fn fact_and_text(left: &Expr, right: &Expr) -> Option<(Fact, Arc<str>)> {
    match (&left.kind, &right.kind) {
        (Kind::Path(path), Kind::Literal(Value::String(text)))
        | (Kind::Literal(Value::String(text)), Kind::Path(path)) => match place(path)? {
            Place::Fact(fact) => Some((fact, Arc::clone(text))),
            Place::Args(_) | Place::Missing => None,
        },
        _ => None,
    }
}

/// The path one key further.
fn with(path: &Path, key: &Arc<str>) -> Path {
    let mut path = path.clone();
    path.keys.push(Arc::clone(key));
    path
}
