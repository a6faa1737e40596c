//! Expressions on their own: with their constants, globals and variables written out, and conditionals brought outside.
//!
//! For whoever looks at what an expression says without a request; none of it decides.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Params;
use crate::cel::{
    Activation, Budget, Entry, EvalError, Expr, Fold, Item, Kind, Map, Path, Principal, Program, Resource,
    Root, Span, Timestamp, Value,
};

/// At most so many parts, with all variables written out.
const LARGEST: usize = 20_000;

/// Writes out the constants, globals and variables of an expression.
pub(crate) struct Closing<'a> {
    params: &'a Params,
    globals: &'a Map,
    /// Whether each variable means what stands for it.
    pub(crate) exact: bool,
    /// How many parts there are by now.
    pub(crate) parts: usize,
    /// Variables of macros around.
    bound: usize,
    /// Whether variables that look at the derived roles are written out as well.
    derived_roles: bool,
}

impl<'a> Closing<'a> {
    pub(crate) fn new(params: &'a Params, globals: &'a Map) -> Self {
        Self { params, globals, exact: true, parts: 0, bound: 0, derived_roles: false }
    }

    /// The same for whoever looks at one scope alone: variables that look at the derived roles are written out as well, although in a
    /// request of several scopes they keep those of the first.
    pub(crate) fn of_one_scope(params: &'a Params, globals: &'a Map) -> Self {
        Self { derived_roles: true, ..Self::new(params, globals) }
    }

    pub(crate) fn close(&mut self, expr: &Expr) -> Expr {
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
        let mut inner = Closing { exact: true, bound: 0, ..*self };
        let closed = inner.close(variable.expr.program.expr());
        self.parts = inner.parts;
        // It keeps the derived roles that were in force when it was first looked at, which may be others by now.
        let of_runtime = |kind: &Kind| matches!(kind, Kind::Path(path) if matches!(path.root, Root::Runtime | Root::EffectiveDerivedRoles));
        if !self.derived_roles && some_part(&closed, of_runtime) {
            return None;
        }
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

fn some_part(expr: &Expr, is: impl Fn(&Kind) -> bool) -> bool {
    let mut found = false;
    expr.visit(&mut |part| found |= is(&part.kind));
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
pub(crate) fn is_of_time(expr: &Expr) -> bool {
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

/// Why an expression has no value, whatever is asked.
pub(crate) struct Failure(pub(crate) String);

/// The value of an expression that looks at nothing, or why it has none. `None` if it looks at something, or costs more than is worth a
/// look: with its variables written out it may where the real evaluation, which computes each of them once, does not.
pub(crate) fn constant(expr: &Expr) -> Option<Result<Value, Failure>> {
    let mut looks = is_of_time(expr);
    expr.visit(&mut |part| looks |= matches!(part.kind, Kind::Path(_)));
    if looks {
        return None;
    }
    let never = Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 };
    let nobody = Activation::new(Principal::default(), Resource::default(), never);
    known(Program::of_part(expr.clone()).eval(&nobody, &mut Budget::default()))
}

/// The same as an output writes it.
pub(crate) fn value(expr: &Expr) -> Option<Result<Json, Failure>> {
    match constant(expr)? {
        Ok(value) => known(value.to_json()),
        Err(failure) => Some(Err(failure)),
    }
}

fn known<T>(found: Result<T, EvalError>) -> Option<Result<T, Failure>> {
    match found {
        Ok(value) => Some(Ok(value)),
        Err(error @ EvalError::Failed(_)) => Some(Err(Failure(error.to_string()))),
        Err(EvalError::Exhausted(_) | EvalError::NoTime) => None,
    }
}

/// The first `condition ? then : otherwise` within, brought outside: `a < (c ? x : y)` is `c ? a < x : a < y`. All that stands around it is
/// evaluated whatever else fails, so that it fails there if it fails here. With `truths`, what can only be true, false or a failure is
/// brought outside too, as `e ? true : false`.
pub(crate) fn split(expr: &Expr, truths: bool) -> Option<(&Expr, [Expr; 2])> {
    let with = |kind: Kind| Expr { kind, span: expr.span };
    match &expr.kind {
        Kind::Conditional(three) => {
            let [condition, then, otherwise] = &**three;
            Some((condition, [then.clone(), otherwise.clone()]))
        }
        Kind::List(items) => items.iter().enumerate().find_map(|(at, item)| {
            let (condition, both) = within(&item.value, truths)?;
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
            let (condition, both) = within(&entry.value, truths)?;
            let both = both.map(|value| {
                let mut entries: Vec<Entry> = entries.clone();
                if let Some(entry) = entries.get_mut(at) {
                    entry.value = value;
                }
                with(Kind::Map(entries))
            });
            Some((condition, both))
        }),
        Kind::Binary(op, both) => {
            let [left, right] = &**both;
            if let Some((condition, lefts)) = within(left, truths) {
                let kind = |left: Expr| Kind::Binary(*op, Box::new([left, right.clone()]));
                return Some((condition, lefts.map(|left| with(kind(left)))));
            }
            let (condition, rights) = within(right, truths)?;
            let kind = |right: Expr| Kind::Binary(*op, Box::new([left.clone(), right]));
            Some((condition, rights.map(|right| with(kind(right)))))
        }
        Kind::Negate(of) => {
            let (condition, both) = within(of, truths)?;
            Some((condition, both.map(|of| with(Kind::Negate(Box::new(of))))))
        }
        Kind::Matches(of, pattern) => {
            let (condition, both) = within(of, truths)?;
            Some((condition, both.map(|of| with(Kind::Matches(Box::new(of), pattern.clone())))))
        }
        Kind::Select { operand, field, optional: false } => {
            let (condition, both) = within(operand, truths)?;
            Some((condition, both.map(|operand| select(operand, field))))
        }
        Kind::Call(function, of) if function.is_eager() => of.iter().enumerate().find_map(|(at, one)| {
            let (condition, both) = within(one, truths)?;
            let both = both.map(|value| {
                let mut of: Vec<Expr> = of.clone();
                if let Some(one) = of.get_mut(at) {
                    *one = value;
                }
                with(Kind::Call(*function, of))
            });
            Some((condition, both))
        }),
        _ => None,
    }
}

/// The same of a part of an expression.
fn within(expr: &Expr, truths: bool) -> Option<(&Expr, [Expr; 2])> {
    let is_truth = match &expr.kind {
        Kind::And(_) | Kind::Or(_) | Kind::Not(_) | Kind::Has { .. } => true,
        Kind::Binary(op, _) => op.compares(),
        _ => false,
    };
    if truths && is_truth {
        return Some((expr, [true, false].map(|truth| literal(Value::Bool(truth)))));
    }
    split(expr, truths)
}
