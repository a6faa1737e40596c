//! Expressions in a flat form: nodes in one list, literals and patterns made ready, nothing built while one is evaluated.
//!
//! Whatever is not lowered is a [`Node::Leave`]: reaching it hands the whole decision to the interpreter. So does every error, because the
//! interpreter knows its words. What is left to prove is that a value given here is the interpreter's, too.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::Request;
use crate::cel::{self, BinaryOp, Cidr, Expr, Fold, FoldKind, Kind, Path, Pattern, Root, Value};

use super::fact::{Fact, Place, place};
use super::json::{self, Found};
use super::value::{List, Members, Ref, Stop};

/// The index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(u32);

/// Comprehensions may nest as deep as this.
const LOCALS: usize = 4;
/// Longer text is left to the interpreter, whose budget counts it.
const LONGEST_TEXT: usize = 4096;
/// Bytes that one piece of [`Work`] compares, and that it looks over for a key.
const COMPARED: usize = 32;
const LOOKED_OVER: usize = 64;

/// What a decision may still do in the flat form, in nodes and as much as a node costs. Where it is done the interpreter decides, which
/// has a budget of its own: policies and arguments that make one of them slow are errors there.
#[derive(Debug)]
pub(super) struct Work(u32);

impl Work {
    /// Well below a millisecond.
    const OF_A_DECISION: Self = Self(50_000);

    pub(super) fn new() -> Self {
        Self::OF_A_DECISION
    }

    #[inline]
    pub(super) fn take(&mut self, pieces: usize) -> Result<(), Stop> {
        let left = u32::try_from(pieces).ok().and_then(|pieces| self.0.checked_sub(pieces));
        self.0 = left.ok_or(Stop::Leave)?;
        Ok(())
    }
}

/// A lowered expression's parts.
#[derive(Debug)]
enum Node {
    Literal(Value),
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
    Fold(FoldKind, At, At, usize),
    /// What another node is.
    Same(At),
    Leave,
}

/// Tests of one text by another.
#[derive(Clone, Copy, Debug)]
enum TextTest {
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

impl Arena {
    /// Lowers an expression.
    pub(super) fn lower(&mut self, expr: &Expr, names: &Names<'_>) -> At {
        Lowering { arena: self, names, base: 0, locals: 0, depth: 0 }.expr(expr)
    }

    fn push(&mut self, node: Node) -> At {
        // Far fewer than u32::MAX nodes: `MOST_NODES`.
        let at = At(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        at
    }

    /// Evaluates to a truth value.
    pub(super) fn truth<'a>(&'a self, at: At, request: &Request<'a>, work: &mut Work) -> Result<bool, Stop> {
        Run { arena: self, request, locals: [Ref::Null; LOCALS], work }.eval(at)?.truth()
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
            Kind::Literal(value) => Node::Literal(value.clone()),
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
                        None => Node::Literal(Value::Bool(true)),
                    },
                    Place::Missing => Node::Literal(Value::Bool(false)),
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
                self.arena.push(Node::Literal(value))
            }
            _ => {
                let value = (self.names.globals)(first)?;
                self.arena.push(Node::Literal(value))
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
        let body = self.expr(&fold.body);
        self.locals -= 1;
        Some(Node::Fold(fold.kind, range, body, local))
    }
}

/// The path one key further.
fn with(path: &Path, key: &Arc<str>) -> Path {
    let mut path = path.clone();
    path.keys.push(Arc::clone(key));
    path
}

struct Run<'a, 'r> {
    arena: &'a Arena,
    request: &'r Request<'a>,
    locals: [Ref<'a>; LOCALS],
    work: &'r mut Work,
}

impl<'a> Run<'a, '_> {
    fn eval(&mut self, at: At) -> Result<Ref<'a>, Stop> {
        self.work.take(1)?;
        let arena = self.arena;
        let node = usize::try_from(at.0).ok().and_then(|at| arena.nodes.get(at)).ok_or(Stop::Leave)?;
        Ok(match node {
            Node::Leave => return Err(Stop::Leave),
            Node::Same(at) => self.eval(*at)?,
            Node::Literal(value) => Ref::of(value)?,
            Node::Fact(fact) => fact.of(self.request).ok_or(Stop::Failed)?,
            Node::Args(keys) => self.args(keys)?,
            Node::Missing => return Err(Stop::Failed),
            Node::Local(index) => *self.locals.get(*index).ok_or(Stop::Leave)?,
            Node::Member(of, key) => self.open(*of)?.member(key)?,
            Node::Has(of, key) => Ref::Bool(self.open(*of)?.find(key)?.is_some()),
            Node::HasFact(fact) => Ref::Bool(fact.of(self.request).is_some()),
            Node::HasArgs(keys, last) => {
                let of = self.args(keys)?;
                self.look_over(of)?;
                Ref::Bool(of.find(last)?.is_some())
            }
            Node::Element(of, index) => {
                let (of, index) = (self.open(*of)?, self.eval(*index)?);
                element(of, index)?
            }
            Node::Not(of) => Ref::Bool(!self.truth(*of)?),
            Node::Negate(of) => match self.eval(*of)? {
                Ref::Double(number) => Ref::Double(-number),
                Ref::Int(number) => Ref::Int(number.checked_neg().ok_or(Stop::Failed)?),
                _ => return Err(Stop::Leave),
            },
            Node::Compare(operator, left, right) => {
                let (left, right) = (self.eval(*left)?, self.eval(*right)?);
                if let (Ref::Text(left), Ref::Text(right)) = (left, right) {
                    self.work.take(left.len().min(right.len()) / COMPARED)?;
                }
                Ref::Bool(compare(*operator, left, right)?)
            }
            Node::In(element, of) => {
                let (element, of) = (self.eval(*element)?, self.eval(*of)?);
                Ref::Bool(self.contains(of, element)?)
            }
            Node::Arithmetic(operator, left, right) => {
                let (left, right) = (self.eval(*left)?, self.eval(*right)?);
                arithmetic(*operator, left, right)?
            }
            Node::And(operands) => Ref::Bool(self.decide(operands, false)?),
            Node::Or(operands) => Ref::Bool(self.decide(operands, true)?),
            Node::Conditional(condition, then, otherwise) => {
                let branch = if self.truth(*condition)? { then } else { otherwise };
                self.eval(*branch)?
            }
            Node::Text(test, of, by) => {
                let (of, by) = (self.text(*of)?, self.text(*by)?);
                self.work.take((of.len() + by.len()) / COMPARED)?;
                Ref::Bool(match test {
                    TextTest::StartsWith => of.starts_with(by),
                    TextTest::EndsWith => of.ends_with(by),
                    TextTest::Contains => of.contains(by),
                })
            }
            Node::Matches(of, pattern) => {
                let of = self.text(*of)?;
                self.work.take(usize::try_from(pattern.cost(of.len())).map_err(|_| Stop::Leave)?)?;
                Ref::Bool(pattern.is_match(of))
            }
            Node::InRange(of, range) => {
                let of = self.text(*of)?;
                self.work.take(of.len() / COMPARED)?;
                let address = cel::address(of).map_err(|_| Stop::Leave)?;
                Ref::Bool(range.contains(address))
            }
            Node::Size(of) => Ref::Int(self.size(*of)?),
            Node::Fold(kind, range, body, local) => Ref::Bool(self.fold(*kind, *range, *body, *local)?),
        })
    }

    fn truth(&mut self, at: At) -> Result<bool, Stop> {
        self.eval(at)?.truth()
    }

    fn args(&mut self, keys: &[Arc<str>]) -> Result<Ref<'a>, Stop> {
        // A key is looked for without reading what follows it: the loop sends canonical JSON.
        let args = self.request.call.args;
        if keys.is_empty() {
            self.work.take(args.len() / LOOKED_OVER)?;
            return Ref::of_json(json::read(args)?);
        }
        let mut value = Found::Object(args);
        for key in keys {
            let Found::Object(object) = value else { return Err(Stop::Leave) };
            self.work.take(object.len() / LOOKED_OVER)?;
            value = json::member(object, key)?.ok_or(Stop::Failed)?;
        }
        Ref::of_json(value)
    }

    /// What will be looked into.
    fn open(&mut self, at: At) -> Result<Ref<'a>, Stop> {
        let of = self.eval(at)?;
        self.look_over(of)?;
        Ok(of)
    }

    fn look_over(&mut self, of: Ref<'a>) -> Result<(), Stop> {
        match of {
            Ref::Map(Members::Json(bytes)) | Ref::List(List::Json(bytes)) => {
                self.work.take(bytes.len() / LOOKED_OVER)
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, at: At) -> Result<&'a str, Stop> {
        match self.eval(at)? {
            Ref::Text(text) if text.len() <= LONGEST_TEXT => Ok(text),
            _ => Err(Stop::Leave),
        }
    }

    /// `&&` (decisive: false) and `||` (decisive: true): a decisive operand decides, whatever errors stand beside it.
    fn decide(&mut self, operands: &[At], decisive: bool) -> Result<bool, Stop> {
        let mut failed = false;
        for operand in operands {
            match self.truth(*operand) {
                Ok(value) if value == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Stop::Failed) => failed = true,
                Err(Stop::Leave) => return Err(Stop::Leave),
            }
        }
        if failed { Err(Stop::Failed) } else { Ok(!decisive) }
    }

    fn contains(&mut self, of: Ref<'a>, element: Ref<'a>) -> Result<bool, Stop> {
        let compared = if let Ref::Text(text) = element { text.len() / COMPARED } else { 0 };
        match of {
            Ref::List(list) => {
                let mut found = false;
                self.each(list, |run, item| {
                    run.work.take(compared)?;
                    found = item.equals(element)?;
                    Ok(!found)
                })?;
                Ok(found)
            }
            Ref::Map(_) => match element {
                Ref::Text(key) => {
                    self.work.take(compared)?;
                    self.look_over(of)?;
                    Ok(of.find(key)?.is_some())
                }
                _ => Err(Stop::Leave),
            },
            _ => Err(Stop::Leave),
        }
    }

    /// Calls for each item until told to stop.
    fn each(
        &mut self,
        list: List<'a>,
        mut step: impl FnMut(&mut Self, Ref<'a>) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        self.look_over(Ref::List(list))?;
        let mut one = |run: &mut Self, item: Ref<'a>| {
            run.work.take(1)?;
            step(run, item)
        };
        match list {
            List::Values(values) => {
                for value in values {
                    if !one(self, Ref::of(value)?)? {
                        break;
                    }
                }
            }
            List::Texts(texts) => {
                for text in texts {
                    if !one(self, Ref::Text(text))? {
                        break;
                    }
                }
            }
            List::Json(bytes) => {
                for found in json::elements(bytes)? {
                    if !one(self, Ref::of_json(found?)?)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn fold(&mut self, kind: FoldKind, range: At, body: At, local: usize) -> Result<bool, Stop> {
        let Ref::List(list) = self.eval(range)? else { return Err(Stop::Leave) };
        let (mut failed, mut found) = (false, 0_u32);
        let decisive = matches!(kind, FoldKind::Exists);
        let mut decided = false;
        self.each(list, |run, item| {
            *run.locals.get_mut(local).ok_or(Stop::Leave)? = item;
            match run.truth(body) {
                Ok(holds) if kind == FoldKind::ExistsOne => found += u32::from(holds),
                Ok(holds) if holds == decisive => decided = true,
                Ok(_) => {}
                Err(Stop::Failed) if kind != FoldKind::ExistsOne => failed = true,
                Err(stop) => return Err(stop),
            }
            Ok(!decided)
        })?;
        match kind {
            FoldKind::ExistsOne => Ok(found == 1),
            _ if decided => Ok(decisive),
            _ if failed => Err(Stop::Failed),
            _ => Ok(!decisive),
        }
    }

    fn size(&mut self, at: At) -> Result<i64, Stop> {
        let length = match self.eval(at)? {
            Ref::Text(text) if text.len() <= LONGEST_TEXT => {
                self.work.take(text.len() / COMPARED)?;
                text.chars().count()
            }
            Ref::List(List::Values(values)) => values.len(),
            Ref::List(List::Texts(texts)) => texts.len(),
            Ref::List(list @ List::Json(_)) => {
                let mut length = 0;
                self.each(list, |_, _| {
                    length += 1;
                    Ok(true)
                })?;
                length
            }
            _ => return Err(Stop::Leave),
        };
        i64::try_from(length).map_err(|_| Stop::Leave)
    }
}

fn compare(operator: BinaryOp, left: Ref<'_>, right: Ref<'_>) -> Result<bool, Stop> {
    Ok(match operator {
        BinaryOp::Equal => left.equals(right)?,
        BinaryOp::NotEqual => !left.equals(right)?,
        BinaryOp::Less => left.order(right)? == Ordering::Less,
        BinaryOp::LessEqual => left.order(right)? != Ordering::Greater,
        BinaryOp::Greater => left.order(right)? == Ordering::Greater,
        BinaryOp::GreaterEqual => left.order(right)? != Ordering::Less,
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::In => return Err(Stop::Leave),
    })
}

fn arithmetic<'a>(operator: BinaryOp, left: Ref<'a>, right: Ref<'a>) -> Result<Ref<'a>, Stop> {
    match (left, right) {
        (Ref::Double(a), Ref::Double(b)) => Ok(Ref::Double(match operator {
            BinaryOp::Add => a + b,
            BinaryOp::Subtract => a - b,
            BinaryOp::Multiply => a * b,
            BinaryOp::Divide => a / b,
            _ => return Err(Stop::Leave),
        })),
        (Ref::Int(a), Ref::Int(b)) => match operator {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Subtract => a.checked_sub(b),
            BinaryOp::Multiply => a.checked_mul(b),
            BinaryOp::Divide => a.checked_div(b),
            BinaryOp::Modulo => a.checked_rem(b),
            _ => return Err(Stop::Leave),
        }
        .map(Ref::Int)
        .ok_or(Stop::Failed),
        // Text is built, times are not lowered, and the rest are errors.
        _ => Err(Stop::Leave),
    }
}

fn element<'a>(of: Ref<'a>, index: Ref<'a>) -> Result<Ref<'a>, Stop> {
    match (of, index) {
        (Ref::Map(_), Ref::Text(key)) => of.member(key),
        (Ref::List(list), Ref::Int(index)) => {
            let index = usize::try_from(index).map_err(|_| Stop::Failed)?;
            match list {
                List::Values(values) => values.get(index).map(Ref::of).unwrap_or(Err(Stop::Failed)),
                List::Texts(texts) => texts.get(index).map(|text| Ref::Text(text)).ok_or(Stop::Failed),
                List::Json(bytes) => match json::elements(bytes)?.nth(index) {
                    Some(found) => Ref::of_json(found?),
                    None => Err(Stop::Failed),
                },
            }
        }
        _ => Err(Stop::Leave),
    }
}
