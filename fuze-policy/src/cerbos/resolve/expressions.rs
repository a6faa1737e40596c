//! Reading expressions, and which constants and variables they name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::model;
use super::super::problem::{Collector, Place};
use super::super::set::{Condition, Expression, Output};
use super::super::yaml::Text;
use super::definitions::{Definitions, Usage};
use crate::cel::{Expr, Kind, Path, Program, Root};

/// What the patterns of a set may weigh together.
const MOST_PATTERNS: u64 = 100_000;
/// Problems beyond which no more expressions are read.
const MOST_PROBLEMS: usize = 200;

/// Reads an expression; what is wrong with it goes into the collector.
pub(super) fn expression(file: &Arc<str>, text: &Text, out: &mut Collector) -> Option<Arc<Expression>> {
    if out.count() > MOST_PROBLEMS {
        return None;
    }
    let read = Program::parse(&text.value).and_then(|program| match program.misread(&text.value) {
        Some(error) => Err(error),
        None => Ok(program),
    });
    match read {
        Ok(program) => {
            if out.weigh(patterns(program.expr())) > MOST_PATTERNS {
                let why = "the patterns of all policies are too large together, as of here: write fewer or simpler ones";
                out.add(file, text.at, why);
                return None;
            }
            let place = Place { file: file.clone(), at: text.at };
            Some(Arc::new(Expression { source: text.value.clone(), place, program }))
        }
        Err(error) => {
            out.add(
                file,
                text.position_of(error.line, error.column),
                format!("in the expression: {}", error.message),
            );
            None
        }
    }
}

/// What the patterns of an expression weigh.
fn patterns(expr: &Expr) -> u64 {
    let mut weight = 0_u64;
    expr.visit(&mut |expr| {
        if let Kind::Matches(_, pattern) = &expr.kind {
            weight = weight.saturating_add(pattern.weight());
        }
    });
    weight
}

/// Expressions of one policy, with what they can name and what they do name.
pub(super) struct Expressions<'d> {
    pub(super) file: Arc<str>,
    pub(super) definitions: &'d Definitions,
    pub(super) usage: Usage,
}

impl<'d> Expressions<'d> {
    pub(super) fn new(file: &Arc<str>, definitions: &'d Definitions) -> Self {
        Self { file: file.clone(), definitions, usage: Usage::default() }
    }

    /// Reads an expression and notes what it names.
    fn read(&mut self, text: &Text, out: &mut Collector) -> Option<Arc<Expression>> {
        let expression = expression(&self.file, text, out)?;
        self.definitions.note(&mut self.usage, &expression, out);
        Some(expression)
    }

    /// Reads a condition. `None` if it, or a part of it, is no expression.
    pub(super) fn condition(
        &mut self,
        condition: &model::Condition,
        out: &mut Collector,
    ) -> Option<Condition> {
        self.one(&condition.matches, out)
    }

    fn one(&mut self, condition: &model::Match, out: &mut Collector) -> Option<Condition> {
        match condition {
            model::Match::Expr(text) => self.read(text, out).map(Condition::Expr),
            model::Match::All(list) => self.list(list, out).map(Condition::All),
            model::Match::Any(list) => self.list(list, out).map(Condition::Any),
            model::Match::None(list) => self.list(list, out).map(Condition::None),
        }
    }

    fn list(&mut self, list: &[model::Match], out: &mut Collector) -> Option<Vec<Condition>> {
        // All are read before one is found wanting, so that each tells its own problem.
        let read: Vec<Option<Condition>> = list.iter().map(|item| self.one(item, out)).collect();
        read.into_iter().collect()
    }

    /// Reads an output.
    pub(super) fn output(&mut self, output: Option<&model::Output>, out: &mut Collector) -> Output {
        let Some(output) = output else { return Output::default() };
        let mut read = |text: Option<&Text>| text.and_then(|text| self.read(text, out));
        Output {
            rule_activated: read(output.rule_activated.as_ref()),
            condition_not_met: read(output.condition_not_met.as_ref()),
        }
    }
}

/// Constants and variables that an expression names.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    pub(super) constants: BTreeSet<Arc<str>>,
    pub(super) variables: BTreeSet<Arc<str>>,
}

impl References {
    pub(super) fn of(expr: &Expr) -> Self {
        let mut references = Self::default();
        expr.visit(&mut |expr| match &expr.kind {
            Kind::Path(path) => {
                if let Some(first) = path.keys.first() {
                    references.name(path.root, first);
                }
            }
            // `V.?x` looks the name up while deciding, as `V["x"]` does: Cerbos does not count it as a use.
            Kind::Select { operand, field, optional: false } | Kind::Has { operand, field } => {
                if let Kind::Path(Path { root, keys }) = &operand.kind
                    && keys.is_empty()
                {
                    references.name(*root, field);
                }
            }
            _ => {}
        });
        references
    }

    fn name(&mut self, root: Root, name: &Arc<str>) {
        match root {
            Root::Constants => self.constants.insert(name.clone()),
            Root::Variables => self.variables.insert(name.clone()),
            _ => false,
        };
    }
}
