//! Rules that nobody looked at, and why: for another action, role or kind of resource, or behind a rule that decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{About, Came, Line, listed};
use crate::cerbos::{PolicyKind, PolicySet, Row, Rule, Whom};

/// What was asked of one scope.
pub(super) struct Asked<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) kind: PolicyKind,
    /// The role, and those above it.
    pub(super) roles: &'a [Arc<str>],
    pub(super) principal: &'a str,
    pub(super) resource: &'a str,
    pub(super) version: &'a str,
    pub(super) scope: &'a str,
    pub(super) action: &'a str,
    /// The rule that ended the looking.
    pub(super) denied_by: Option<&'a str>,
}

/// The rules of the scope that are not among those that were told.
pub(super) fn lines(asked: &Asked<'_>, told: &[*const Rule]) -> Vec<Line> {
    let mut all: Vec<(&Arc<Rule>, Came, String)> = Vec::new();
    if asked.kind == PolicyKind::Principal {
        of_rows(asked, &principal_rows(asked), told, &mut all);
    } else {
        role_rows(asked, told, &mut all);
        of_rows(asked, &resource_rows(asked), told, &mut all);
    }
    let line = |(rule, came, why): (&Arc<Rule>, Came, String)| {
        let name = if rule.name.is_empty() { rule.source.trim_end_matches('#') } else { &rule.source };
        let text = format!("{} {name} ({})", rule.effect.as_str(), rule.place);
        Line { depth: 2, about: About::Rule, text, came, why: Some(why) }
    };
    all.into_iter().map(line).collect()
}

/// That there is nothing to look at.
pub(super) fn nothing(asked: &Asked<'_>) -> Option<Line> {
    let none = asked.kind == PolicyKind::Principal && principal_rows(asked).is_empty();
    let text = "there are none for this principal".to_owned();
    none.then_some(Line { depth: 2, about: About::Note, text, came: Came::Heads, why: None })
}

fn principal_rows<'a>(asked: &Asked<'a>) -> Vec<&'a Row> {
    let index = asked.set.principals.get(asked.scope).and_then(|versions| versions.get(asked.version));
    let ids = index.and_then(|index| index.rows.get(asked.principal));
    ids.into_iter().flatten().filter_map(|id| asked.set.row(*id)).collect()
}

fn resource_rows<'a>(asked: &Asked<'a>) -> Vec<&'a Row> {
    let index = asked.set.resources.get(asked.scope).and_then(|versions| versions.get(asked.version));
    let ids = index.and_then(|index| index.regular.get(asked.resource));
    ids.into_iter().flatten().filter_map(|id| asked.set.row(*id)).collect()
}

fn of_rows<'a>(
    asked: &Asked<'_>,
    rows: &[&'a Row],
    told: &[*const Rule],
    all: &mut Vec<(&'a Arc<Rule>, Came, String)>,
) {
    let mut done: Vec<*const Rule> = told.to_vec();
    for row in rows {
        if done.contains(&Arc::as_ptr(&row.rule)) {
            continue;
        }
        done.push(Arc::as_ptr(&row.rule));
        let same: Vec<&Row> =
            rows.iter().copied().filter(|other| Arc::ptr_eq(&other.rule, &row.rule)).collect();
        all.push((&row.rule, Came::NotAsked, why(asked, &same)));
    }
}

/// Why the rule of these rows was not looked at.
fn why(asked: &Asked<'_>, rows: &[&Row]) -> String {
    let patterns = |of: &dyn Fn(&Row) -> Option<String>| -> String {
        let all: BTreeSet<String> = rows.iter().filter_map(|row| of(row)).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let of_whom = |row: &Row| match &row.whom {
        Whom::Role(pattern) | Whom::DerivedRole { parent: pattern, .. } => {
            asked.roles.iter().any(|role| pattern.matches(role))
        }
        Whom::Resource(pattern) => pattern.matches(asked.resource),
    };
    if !rows.iter().any(|row| row.action.matches(asked.action)) {
        return format!("it is for {}", patterns(&|row| Some(format!("`{}`", row.action.as_str()))));
    }
    if !rows.iter().any(|row| of_whom(row)) {
        return match rows.first().map(|row| &row.whom) {
            Some(Whom::Resource(_)) => {
                let about = patterns(&|row| match &row.whom {
                    Whom::Resource(pattern) => Some(format!("`{}`", pattern.as_str())),
                    Whom::Role(_) | Whom::DerivedRole { .. } => None,
                });
                format!("it is about {about}, which `{}` does not match", asked.resource)
            }
            _ => format!("it is for {}", patterns(&for_whom)),
        };
    }
    match asked.denied_by {
        Some(by) => format!("{by} decided before it"),
        None => "it was not needed any more".to_owned(),
    }
}

fn for_whom(row: &Row) -> Option<String> {
    match &row.whom {
        Whom::Role(pattern) => Some(format!("the role `{}`", pattern.as_str())),
        Whom::DerivedRole { parent, role } => {
            Some(format!("the derived role `{}`, which is for `{}`", role.name, parent.as_str()))
        }
        Whom::Resource(_) => None,
    }
}

fn role_rows<'a>(asked: &Asked<'a>, told: &[*const Rule], all: &mut Vec<(&'a Arc<Rule>, Came, String)>) {
    let index = asked.set.resources.get(asked.scope).and_then(|versions| versions.get(asked.version));
    let rows = index.into_iter().flat_map(|index| &index.roles);
    for row in rows.filter(|row| asked.roles.contains(&row.role)) {
        if told.contains(&Arc::as_ptr(&row.rule)) {
            continue;
        }
        let names = row
            .allow_actions
            .iter()
            .any(|allow| allow.as_str() == asked.action || allow.matches(asked.action));
        let (came, why) = if !row.resource.matches(asked.resource) {
            let why =
                format!("it is about `{}`, which `{}` does not match", row.resource.as_str(), asked.resource);
            (Came::NotAsked, why)
        } else if !names {
            let named: Vec<Arc<str>> = row.allow_actions.iter().map(|allow| allow.as_str().into()).collect();
            (Came::NotAsked, format!("it names {} alone", listed(&named)))
        } else if row.rule.condition.is_none() {
            (Came::Held, "its role may do no more than this; other rules decide whether it does".to_owned())
        } else {
            let by = asked.denied_by.unwrap_or("another rule");
            (Came::NotAsked, format!("{by} decided before it"))
        };
        all.push((&row.rule, came, why));
    }
}
