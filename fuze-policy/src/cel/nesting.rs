//! How deep an expression is, with what its variables stand for written out.
//!
//! An expression of a hundred levels can make a value of thousands (`cel.bind(a, [[0]], cel.bind(b, [[a]], …))`), and so can variables of a
//! policy that name each other. Whatever walks expressions and values recurses, so that this is bounded when they are read.

use super::ast::{Expr, Fold, Item, Kind, Path};
use super::value::Value;

/// How deep. Whatever walks so much, as far as it goes, stays within a stack of two megabytes, which is what a thread gets.
pub(crate) const DEEPEST: u32 = 400;

/// How deep an expression is; `of` says how deep is what a path stands for.
pub(crate) fn nesting(expr: &Expr, of: &dyn Fn(&Path) -> u32) -> u32 {
    Nesting { of, locals: Vec::new() }.expr(expr)
}

/// How deep a value is.
fn of_value(value: &Value) -> u32 {
    match value {
        Value::List(items) => 1 + items.iter().map(of_value).max().unwrap_or(0),
        Value::Map(map) => 1 + map.iter().map(|(_, value)| of_value(value)).max().unwrap_or(0),
        Value::Optional(Some(value)) => 1 + of_value(value),
        _ => 1,
    }
}

struct Nesting<'o> {
    of: &'o dyn Fn(&Path) -> u32,
    /// How deep is what the variables of macros around stand for, the outermost first.
    locals: Vec<u32>,
}

impl Nesting<'_> {
    fn expr(&mut self, expr: &Expr) -> u32 {
        let below = match &expr.kind {
            Kind::Literal(value) => return of_value(value),
            Kind::Path(path) => return (self.of)(path).max(1),
            Kind::Local(slot) => return self.locals.get(*slot).copied().unwrap_or(1),
            Kind::Select { operand, .. } | Kind::Has { operand, .. } => self.expr(operand),
            Kind::Not(operand) | Kind::Negate(operand) | Kind::Matches(operand, _) => self.expr(operand),
            Kind::Index { operand, index, .. } => self.expr(operand).max(self.expr(index)),
            Kind::Binary(_, both) => self.all(both.iter()),
            Kind::Conditional(three) => self.all(three.iter()),
            Kind::And(terms) | Kind::Or(terms) | Kind::Call(_, terms) => self.all(terms.iter()),
            Kind::List(items) => self.all(items.iter().map(|Item { value, .. }| value)),
            Kind::Map(entries) => self.all(entries.iter().flat_map(|entry| [&entry.key, &entry.value])),
            Kind::Fold(fold) => self.fold(fold),
            Kind::Bind(both) => {
                let [init, body] = &**both;
                self.with(init, 1, |this| this.expr(body))
            }
            Kind::OptMap { operand, body, .. } => self.with(operand, 1, |this| this.expr(body)),
        };
        below.saturating_add(1)
    }

    fn all<'e>(&mut self, of: impl Iterator<Item = &'e Expr>) -> u32 {
        of.map(|expr| self.expr(expr)).max().unwrap_or(0)
    }

    fn fold(&mut self, fold: &Fold) -> u32 {
        self.with(&fold.range, fold.variables, |this| this.all(fold.filter.iter().chain([&fold.body])))
    }

    /// With so many variables that stand for what this comes to, or for what is in it.
    fn with(&mut self, stands_for: &Expr, variables: usize, within: impl FnOnce(&mut Self) -> u32) -> u32 {
        let around = self.locals.len();
        let deep = self.expr(stands_for);
        self.locals.resize(around + variables, deep);
        let within = within(self);
        self.locals.truncate(around);
        deep.max(within)
    }
}
