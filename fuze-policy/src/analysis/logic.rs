//! Conditions with their constants and variables written out, as a tree of what decides them.

use std::sync::Arc;

use super::atoms::AtomId;
use crate::cel::{Entry, Expr, Fold, Item, Kind, Map, Path, Root, Span, Value};
use crate::cerbos::Params;

/// What an expression comes to where a boolean is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Truth {
    True,
    False,
    Error,
    /// A value that is no boolean: not true at the top of a condition, an error within.
    Other,
}

/// What says how atoms come out.
pub(super) trait Truths {
    fn truth(&mut self, atom: AtomId) -> Truth;

    /// How one comes out, if nothing has to be asked for that.
    fn settled(&self, atom: AtomId) -> Option<Truth>;
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    None(Vec<Test>),
    Expr(Logic),
}

/// An expression down to what is not put together of booleans.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logic {
    And(Vec<Logic>),
    Or(Vec<Logic>),
    Not(Box<Logic>),
    If(Box<[Logic; 3]>),
    Atom(AtomId),
}

impl Test {
    /// Whether it holds; `None` where an expression fails. As [`cerbos::check`](crate::cerbos::check) does it: in order, and no further
    /// than decides.
    pub(super) fn holds(&self, truths: &mut dyn Truths) -> Option<bool> {
        let mut first = |of: &[Test], wanted: bool| -> Option<bool> {
            for test in of {
                if test.holds(truths)? == wanted {
                    return Some(true);
                }
            }
            Some(false)
        };
        match self {
            Self::All(of) => first(of, false).map(|found| !found),
            Self::Any(of) => first(of, true),
            Self::None(of) => first(of, true).map(|found| !found),
            Self::Expr(logic) => match logic.truth(truths) {
                Truth::True => Some(true),
                Truth::False | Truth::Other => Some(false),
                Truth::Error => None,
            },
        }
    }

    /// Calls back for each atom.
    pub(super) fn each_atom(&self, of: &mut dyn FnMut(AtomId)) {
        match self {
            Self::All(tests) | Self::Any(tests) | Self::None(tests) => {
                tests.iter().for_each(|test| test.each_atom(of));
            }
            Self::Expr(logic) => logic.each_atom(of),
        }
    }
}

impl Logic {
    /// CEL's own logic: an operand that decides wins over errors beside it.
    pub(super) fn truth(&self, truths: &mut dyn Truths) -> Truth {
        let mut decide = |of: &[Logic], decisive: Truth, otherwise: Truth| {
            let settled =
                |logic: &Logic| matches!(logic, Self::Atom(atom) if truths.settled(*atom) == Some(decisive));
            if of.iter().any(settled) {
                return decisive;
            }
            let mut failed = false;
            for logic in of {
                let found = logic.truth(truths);
                if found == decisive {
                    return decisive;
                }
                failed |= found != otherwise;
            }
            if failed { Truth::Error } else { otherwise }
        };
        match self {
            Self::And(of) => decide(of, Truth::False, Truth::True),
            Self::Or(of) => decide(of, Truth::True, Truth::False),
            Self::Not(of) => match of.truth(truths) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Error | Truth::Other => Truth::Error,
            },
            Self::If(three) => {
                let [condition, then, otherwise] = &**three;
                match condition.truth(truths) {
                    Truth::True => then.truth(truths),
                    Truth::False => otherwise.truth(truths),
                    Truth::Error | Truth::Other => Truth::Error,
                }
            }
            Self::Atom(atom) => truths.truth(*atom),
        }
    }

    pub(super) fn each_atom(&self, of: &mut dyn FnMut(AtomId)) {
        match self {
            Self::And(logics) | Self::Or(logics) => logics.iter().for_each(|logic| logic.each_atom(of)),
            Self::Not(logic) => logic.each_atom(of),
            Self::If(three) => three.iter().for_each(|logic| logic.each_atom(of)),
            Self::Atom(atom) => of(*atom),
        }
    }
}

/// At most so many parts, with all variables written out.
const LARGEST: usize = 20_000;

/// Writes out the constants, globals and variables of an expression.
pub(super) struct Closing<'a> {
    pub(super) params: &'a Params,
    pub(super) globals: &'a Map,
    /// Whether each variable means what stands for it.
    pub(super) exact: bool,
    pub(super) parts: usize,
    /// Variables of macros around.
    pub(super) bound: usize,
}

impl<'a> Closing<'a> {
    pub(super) fn new(params: &'a Params, globals: &'a Map) -> Self {
        Self { params, globals, exact: true, parts: 0, bound: 0 }
    }

    pub(super) fn close(&mut self, expr: &Expr) -> Expr {
        self.parts += 1;
        let kind = match &expr.kind {
            Kind::Literal(value) => Kind::Literal(value.clone()),
            Kind::Local(slot) => Kind::Local(*slot),
            Kind::Path(path) => return self.path(path),
            Kind::Select { operand, field, optional } => {
                let operand = self.close(operand);
                if !optional {
                    return select(operand, field);
                }
                Kind::Select { operand: Box::new(operand), field: Arc::clone(field), optional: true }
            }
            Kind::Has { operand, field } => {
                let operand = self.close(operand);
                Kind::Has { operand: Box::new(operand), field: Arc::clone(field) }
            }
            Kind::Index { operand, index, optional } => {
                let (operand, index) = (self.close(operand), self.close(index));
                if let (Kind::Literal(Value::String(field)), false) = (&index.kind, optional) {
                    return select(operand, field);
                }
                Kind::Index { operand: Box::new(operand), index: Box::new(index), optional: *optional }
            }
            Kind::Not(of) => Kind::Not(Box::new(self.close(of))),
            Kind::Negate(of) => Kind::Negate(Box::new(self.close(of))),
            Kind::Matches(of, pattern) => Kind::Matches(Box::new(self.close(of)), pattern.clone()),
            Kind::Binary(op, both) => Kind::Binary(*op, Box::new(both.each_ref().map(|e| self.close(e)))),
            Kind::And(of) => Kind::And(self.all(of)),
            Kind::Or(of) => Kind::Or(self.all(of)),
            Kind::Conditional(three) => Kind::Conditional(Box::new(three.each_ref().map(|e| self.close(e)))),
            Kind::List(items) => {
                let item = |item: &Item| Item { value: self.close(&item.value), optional: item.optional };
                Kind::List(items.iter().map(item).collect())
            }
            Kind::Map(entries) => {
                let entry = |entry: &Entry| Entry {
                    key: self.close(&entry.key),
                    value: self.close(&entry.value),
                    optional: entry.optional,
                };
                Kind::Map(entries.iter().map(entry).collect())
            }
            Kind::Call(function, of) => Kind::Call(*function, self.all(of)),
            Kind::Fold(fold) => {
                let range = self.close(&fold.range);
                self.bound += fold.variables;
                let filter = fold.filter.as_ref().map(|filter| self.close(filter));
                let body = self.close(&fold.body);
                self.bound -= fold.variables;
                Kind::Fold(Box::new(Fold { kind: fold.kind, range, variables: fold.variables, filter, body }))
            }
            Kind::Bind(both) => {
                let [init, body] = &**both;
                let init = self.close(init);
                Kind::Bind(Box::new([init, self.within(body)]))
            }
            Kind::OptMap { operand, body, flat } => {
                let operand = Box::new(self.close(operand));
                Kind::OptMap { operand, body: Box::new(self.within(body)), flat: *flat }
            }
        };
        Expr { kind, span: Span::default() }
    }

    fn all(&mut self, of: &[Expr]) -> Vec<Expr> {
        of.iter().map(|e| self.close(e)).collect()
    }

    fn within(&mut self, body: &Expr) -> Expr {
        self.bound += 1;
        let body = self.close(body);
        self.bound -= 1;
        body
    }

    fn path(&mut self, path: &Path) -> Expr {
        let found = path.keys.split_first().and_then(|(name, rest)| {
            let start = match path.root {
                Root::Constants => literal(self.params.constants.get_str(name)?.clone()),
                Root::Globals => literal(self.globals.get_str(name)?.clone()),
                Root::Variables => self.variable(name)?,
                _ => return None,
            };
            Some(rest.iter().fold(start, select))
        });
        match (found, path.root) {
            (Some(found), _) => return found,
            (None, Root::Constants) if path.keys.is_empty() => {
                return literal(Value::Map(Arc::clone(&self.params.constants)));
            }
            (None, Root::Globals) if path.keys.is_empty() => {
                return literal(Value::Map(Arc::new(self.globals.clone())));
            }
            (None, _) => {}
        }
        Expr { kind: Kind::Path(path.clone()), span: Span::default() }
    }

    fn variable(&mut self, name: &str) -> Option<Expr> {
        let variable = self.params.variables.iter().find(|variable| &*variable.name == name)?;
        if self.parts > LARGEST {
            return None;
        }
        let mut inner = Closing { bound: 0, ..Closing::new(self.params, self.globals) };
        inner.parts = self.parts;
        let closed = inner.close(variable.expr.program.expr());
        self.parts = inner.parts;
        // A variable keeps of some values less than they are, and macros within macros count their variables from the outermost.
        self.exact &= inner.exact && !changes(&closed) && (self.bound == 0 || !binds(&closed));
        Some(closed)
    }
}

fn literal(value: Value) -> Expr {
    Expr { kind: Kind::Literal(value), span: Span::default() }
}

/// `operand.field`, as part of the path if it is one of attributes.
fn select(operand: Expr, field: &Arc<str>) -> Expr {
    let kind = match operand.kind {
        Kind::Path(mut path) if matches!(path.root, Root::PrincipalAttr | Root::ResourceAttr) => {
            path.keys.push(Arc::clone(field));
            Kind::Path(path)
        }
        kind => Kind::Select {
            operand: Box::new(Expr { kind, span: Span::default() }),
            field: Arc::clone(field),
            optional: false,
        },
    };
    Expr { kind, span: Span::default() }
}

/// Calls back for an expression and each of its parts.
pub(super) fn each_part(expr: &Expr, of: &mut dyn FnMut(&Expr)) {
    of(expr);
    let mut each = |e: &Expr| each_part(e, of);
    match &expr.kind {
        Kind::Literal(_) | Kind::Path(_) | Kind::Local(_) => {}
        Kind::Select { operand, .. } | Kind::Has { operand, .. } => each(operand),
        Kind::Index { operand, index, .. } => [operand, index].into_iter().for_each(|e| each(e)),
        Kind::Not(e) | Kind::Negate(e) | Kind::Matches(e, _) => each(e),
        Kind::Binary(_, both) | Kind::Bind(both) => both.iter().for_each(each),
        Kind::And(all) | Kind::Or(all) | Kind::Call(_, all) => all.iter().for_each(each),
        Kind::Conditional(three) => three.iter().for_each(each),
        Kind::List(items) => items.iter().for_each(|item| each(&item.value)),
        Kind::Map(entries) => entries.iter().for_each(|entry| {
            each(&entry.key);
            each(&entry.value);
        }),
        Kind::Fold(fold) => {
            each(&fold.range);
            fold.filter.iter().for_each(&mut each);
            each(&fold.body);
        }
        Kind::OptMap { operand, body, .. } => [operand, body].into_iter().for_each(|e| each(e)),
    }
}

fn some_part(expr: &Expr, is: impl Fn(&Kind) -> bool) -> bool {
    let mut found = false;
    each_part(expr, &mut |part| found |= is(&part.kind));
    found
}

/// Functions whose results a variable keeps as they are.
const PLAIN: [&str; 20] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "dyn",
    "hasIntersection",
    "isSubset",
    "intersect",
    "math.greatest",
    "math.least",
    "math.abs",
];

/// Whether an expression looks at the time, which is another for each request.
pub(super) fn is_of_time(expr: &Expr) -> bool {
    some_part(
        expr,
        |kind| matches!(kind, Kind::Call(function, _) if matches!(function.name(), "now" | "timeSince")),
    )
}

/// Whether a variable may keep something else than the value (see [`Value::into_variable`]).
fn changes(expr: &Expr) -> bool {
    some_part(expr, |kind| match kind {
        Kind::Literal(value) => matches!(value, Value::Type(_)),
        Kind::Select { optional, .. } | Kind::Index { optional, .. } => *optional,
        Kind::OptMap { .. } => true,
        Kind::Call(function, _) => !PLAIN.contains(&function.name()),
        _ => false,
    })
}

fn binds(expr: &Expr) -> bool {
    some_part(expr, |kind| matches!(kind, Kind::Fold(_) | Kind::Bind(_) | Kind::OptMap { .. }))
}
