//! Conditions and outputs, and how they are read.

use super::super::problem::{Collector, Position};
use super::super::yaml::{Node, Text};
use super::fields::{Fields, MATCHES, list_of};

/// `condition.match`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Where it begins.
    pub at: Position,
    /// What must hold.
    pub matches: Match,
}

/// What must hold.
#[derive(Clone, Debug)]
pub enum Match {
    /// An expression.
    Expr(Text),
    /// All of them.
    All(Vec<Match>),
    /// One of them at least.
    Any(Vec<Match>),
    /// None of them.
    None(Vec<Match>),
}

/// `output`: expressions whose values go into the answer. At least one is there.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where it begins.
    pub at: Position,
    /// Said when the rule holds.
    pub rule_activated: Option<Text>,
    /// Said when the rule's condition does not hold.
    pub condition_not_met: Option<Text>,
}

/// Reads `condition`.
pub(super) fn condition(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Condition> {
    let mut inner = fields.mapping("condition", "a condition", out)?;
    if let Some(entry) = inner.take("script") {
        inner.refuse(
            entry.key_at,
            "scripts are no longer part of Cerbos: write `match` with an expression",
            out,
        );
        inner.finish(out);
        return None;
    }
    let matches = inner.mapping("match", "`match`", out);
    if matches.is_none() && !inner.has("match") {
        inner.refuse(inner.at, "a condition needs `match`", out);
    }
    let condition =
        matches.and_then(|m| one_match(m, out)).map(|matches| Condition { at: inner.at, matches });
    inner.finish(out);
    condition
}

fn one_match(mut fields: Fields<'_>, out: &mut Collector) -> Option<Match> {
    let mut given: Vec<&str> = MATCHES.into_iter().filter(|kind| fields.has(kind)).collect();
    given.sort_by_key(|kind| fields.key_at(kind));
    let found = match *given.as_slice() {
        [] => {
            fields.refuse(fields.at, "a match needs one of `expr`, `all`, `any` and `none`", out);
            None
        }
        ["expr"] => fields.expression("expr", out).map(Match::Expr),
        [kind] => match_list(&mut fields, kind, out).map(|list| match kind {
            "all" => Match::All(list),
            "any" => Match::Any(list),
            _ => Match::None(list),
        }),
        [first, second, ..] => {
            let at = fields.key_at(second);
            let message =
                format!("a match has one of `expr`, `all`, `any` and `none`: `{first}` stands here already");
            fields.refuse(at, message, out);
            None
        }
    };
    for kind in given {
        fields.take(kind);
    }
    fields.finish(out);
    found
}

fn match_list(fields: &mut Fields<'_>, kind: &'static str, out: &mut Collector) -> Option<Vec<Match>> {
    let mut inner = fields.mapping(kind, "a list of matches", out)?;
    let file = inner.file.clone();
    let list = list_of(&mut inner, "of", out, |node: &Node, out| {
        Fields::of(&file, node, "a match", out).and_then(|fields| one_match(fields, out))
    });
    if list.as_ref().is_none_or(Vec::is_empty) && !inner.reported("of") {
        inner.refuse(inner.at, format!("`{kind}` needs `of` with at least one match"), out);
    }
    inner.finish(out);
    list.filter(|list| !list.is_empty())
}

/// Reads `output`.
pub(super) fn output(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Output> {
    let mut inner = fields.mapping("output", "an output", out)?;
    let expr = inner.expression("expr", out);
    let (mut rule_activated, mut condition_not_met) = (None, None);
    if let Some(mut when) = inner.mapping("when", "`when`", out) {
        rule_activated = when.expression("ruleActivated", out);
        condition_not_met = when.expression("conditionNotMet", out);
        when.finish(out);
    }
    let given = |text: Option<Text>| text.filter(|text| !text.value.is_empty());
    // Cerbos lets `when.ruleActivated` replace the deprecated `expr`.
    let rule_activated = given(rule_activated).or(given(expr));
    let condition_not_met = given(condition_not_met);
    if rule_activated.is_none() && condition_not_met.is_none() {
        inner.refuse(inner.at, "an output needs `when.ruleActivated` or `when.conditionNotMet`", out);
    }
    let output = Output { at: inner.at, rule_activated, condition_not_met };
    inner.finish(out);
    Some(output)
}
