//! An expression that was read and checked.

use super::activation::Activation;
use super::ast::{Expr, Kind, Span};
use super::budget::Budget;
use super::error::{EvalError, ParseError};
use super::eval::Interpreter;
use super::functions::time;
use super::nesting::{DEEPEST, nesting};
use super::value::{Type, Value};
use super::{check, folding, parser};

/// An expression that was read and checked.
///
/// ```
/// use std::sync::Arc;
/// use fuze_policy::cel::{Activation, Budget, Principal, Program, Resource, Timestamp, Value};
///
/// let program = Program::parse(r#"R.attr.owner == P.id && "manager" in P.roles"#)?;
/// let principal =
///     Principal { id: "ana".into(), roles: Arc::from([Value::from("manager")]), ..Principal::default() };
/// let attributes = [("owner", Value::from("ana"))].into_iter().collect();
/// let resource = Resource { attr: Arc::new(attributes), ..Resource::default() };
/// let now = Timestamp::new(1_780_000_000, 0, 0).ok_or("no such time")?;
/// let activation = Activation::new(principal, resource, now);
/// assert!(matches!(program.eval(&activation, &mut Budget::default())?, Value::Bool(true)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    expr: Expr,
    /// The type of what it comes to, if that is known before it is evaluated.
    comes_to: Option<Type>,
    /// Where it fails whatever is asked, before Cerbos evaluates it.
    hopeless: Option<Span>,
}

impl Program {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// If it is not CEL, names what is not declared, applies a function to kinds it is not for, or is too large.
    pub fn parse(source: &str) -> Result<Program, ParseError> {
        let node = parser::parse(source)?;
        let (expr, comes_to, hopeless) = check::check(source, &node)?;
        if nesting(&expr, &|_| 1) > DEEPEST {
            let message = format!(
                "what the variables of macros stand for (`cel.bind`, `map`) is nested deeper than {DEEPEST} levels in the end: put less into one \
                 another"
            );
            return Err(parser::error(source, expr.span.start as usize, message));
        }
        Ok(Program { expr, comes_to, hopeless })
    }

    /// The expression, for lowering, lint and proofs.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The type of what it comes to, if that is known before it is evaluated. A variable's or an attribute's is not.
    pub(crate) fn comes_to(&self) -> Option<Type> {
        self.comes_to
    }

    /// What Cerbos 0.55 gets wrong or fails at, which it would be wrong to decide by.
    pub(crate) fn misread(&self, source: &str) -> Option<ParseError> {
        if let Some(span) = self.hopeless {
            let part = source.get(span.start as usize..span.end as usize).unwrap_or_default();
            let message = format!(
                "`{part}` cannot be computed, whatever is asked (a constant that does not convert, is no pattern, or is nothing to look up \
                 by). Cerbos 0.55 finds that out when it reads the expression, and then the whole of it fails, strict or not, also where \
                 what stands beside it would decide (`R.attr.ok || …`); only where a constant does (`true || …`) it is left out. Write a \
                 constant that can be computed, or leave out the part that it stands in"
            );
            return Some(parser::error(source, span.start as usize, message));
        }
        if let Some((span, message)) = no_zone(&self.expr) {
            return Some(parser::error(source, span.start as usize, message));
        }
        let span = folding::lost(&self.expr)?;
        let message = "this macro walks a constant with `true` or `false` for all of it, and Cerbos 0.55 makes `null` of that \
                       instead of its value: write the value";
        Some(parser::error(source, span.start as usize, message))
    }

    /// A part of an expression that was checked, on its own: it may name no variable of a macro around it.
    pub(crate) fn of_part(expr: Expr) -> Program {
        Program { expr, comes_to: None, hopeless: None }
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// Errors of the language, and a spent budget.
    pub fn eval(&self, activation: &Activation, budget: &mut Budget) -> Result<Value, EvalError> {
        Interpreter { activation, budget, locals: Vec::new(), sees: true }.eval(&self.expr)
    }
}

/// The first time zone written out that there is not.
fn no_zone(expr: &Expr) -> Option<(Span, String)> {
    let mut found = None;
    expr.visit(&mut |part| {
        let Kind::Call(function, args) = &part.kind else { return };
        let [_, zone] = args.as_slice() else { return };
        let Kind::Literal(Value::String(name)) = &zone.kind else { return };
        if found.is_none() && function.name().starts_with("get") {
            found = time::no_zone(name).map(|why| (zone.span, why));
        }
    });
    found
}
