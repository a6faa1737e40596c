//! The rules that are for tools.

use std::collections::HashMap;
use std::sync::Arc;

use crate::agent_tool::{ACTIONS, KIND};
use crate::cerbos::{PolicySet, RoleRow, Row, Rule, Whom};

/// A rule about tools.
pub(super) struct RuleOf<'p> {
    pub(super) rule: &'p Arc<Rule>,
    pub(super) rows: Vec<&'p Row>,
    /// Of a role policy's rule; such a rule has one of these, and no row.
    pub(super) of_role: Option<&'p RoleRow>,
}

impl<'p> RuleOf<'p> {
    /// The version of its policy.
    pub(super) fn version(&self, set: &'p PolicySet) -> Option<&'p str> {
        let policy =
            self.of_role.map(|row| row.policy).or_else(|| self.rows.first().map(|row| row.policy))?;
        set.policy(policy).map(|policy| &*policy.version)
    }

    /// Whether it is about one of the actions that are asked about tools.
    pub(super) fn is_asked(&self) -> bool {
        let named = |action: &str| {
            self.of_role.is_some_and(|row| names_action(row, action))
                || self.rows.iter().any(|row| row.action.matches(action))
        };
        ACTIONS.into_iter().any(named)
    }
}

/// Whether a role policy's rule names an action.
pub(super) fn names_action(row: &RoleRow, action: &str) -> bool {
    row.allow_actions.iter().any(|allow| allow.as_str() == action || allow.matches(action))
}

/// The rules for tools, whatever version and action they are for; those of role policies last.
pub(super) fn rules(set: &PolicySet) -> Vec<RuleOf<'_>> {
    let mut rules: Vec<RuleOf<'_>> = Vec::new();
    let mut known: HashMap<*const Rule, usize> = HashMap::new();
    for row in set.rows() {
        let Some(policy) = set.policy(row.policy) else { continue };
        let about_tools = match &row.whom {
            Whom::Resource(resource) => resource.matches(KIND),
            Whom::Role(_) | Whom::DerivedRole { .. } => &*policy.name == KIND,
        };
        if !about_tools {
            continue;
        }
        let at = *known.entry(Arc::as_ptr(&row.rule)).or_insert(rules.len());
        match rules.get_mut(at) {
            Some(rule) => rule.rows.push(row),
            None => rules.push(RuleOf { rule: &row.rule, rows: vec![row], of_role: None }),
        }
    }
    let of_roles = set.role_rows().filter(|row| row.resource.matches(KIND));
    rules.extend(of_roles.map(|row| RuleOf { rule: &row.rule, rows: Vec::new(), of_role: Some(row) }));
    rules
}
