//! Which rules speak to an action in a scope.

use std::sync::Arc;

use super::super::model::Effect;
use super::super::names;
use super::super::set::{
    Condition, DerivedRole, Expression, PolicySet, ResourceIndex, RoleRow, Row, Rule, Whom,
};

/// A rule as it speaks to one action.
pub(crate) enum Binding<'s> {
    /// A row of a resource or principal policy.
    Row(&'s Row),
    /// A role policy that does not name the action: a denial.
    RoleIsSilent {
        /// Its key.
        policy: Arc<str>,
    },
    /// A role policy's rule that names the action without condition: it decides nothing, and may say something.
    RoleSays(&'s RoleRow),
    /// A role policy's rule with a condition: a denial while the condition does not hold.
    RoleUnless(&'s RoleRow),
}

impl<'s> Binding<'s> {
    /// The rule.
    pub(crate) fn rule(&self) -> Option<&'s Rule> {
        match self {
            Self::Row(row) => Some(&row.rule),
            Self::RoleSays(row) | Self::RoleUnless(row) => Some(&row.rule),
            Self::RoleIsSilent { .. } => None,
        }
    }

    /// The key of its policy.
    pub(crate) fn policy(&self, set: &'s PolicySet) -> Arc<str> {
        let id = match self {
            Self::Row(row) => row.policy,
            Self::RoleSays(row) | Self::RoleUnless(row) => row.policy,
            Self::RoleIsSilent { policy } => return policy.clone(),
        };
        set.policy(id).map_or_else(Arc::default, |policy| policy.key.clone())
    }

    /// Whether it comes from a role policy, which then is named as the one that decided.
    pub(crate) fn is_of_role_policy(&self) -> bool {
        !matches!(self, Self::Row(_))
    }

    /// What it decides if it holds.
    pub(crate) fn effect(&self) -> Option<Effect> {
        match self {
            Self::Row(row) if row.rule.inverted => Some(Effect::Deny),
            Self::Row(row) => Some(row.rule.effect),
            Self::RoleIsSilent { .. } | Self::RoleUnless(_) => Some(Effect::Deny),
            Self::RoleSays(_) => None,
        }
    }

    /// The derived role that must hold first.
    pub(crate) fn derived_role(&self) -> Option<&'s DerivedRole> {
        match self {
            Self::Row(Row { whom: Whom::DerivedRole { role, .. }, .. }) => Some(role),
            _ => None,
        }
    }

    /// Its condition, and whether it is turned around.
    pub(crate) fn condition(&self) -> Option<(&'s Condition, bool)> {
        match self {
            Self::Row(row) => row.rule.condition.as_ref().map(|condition| (condition, row.rule.inverted)),
            Self::RoleUnless(row) => row.rule.condition.as_ref().map(|condition| (condition, true)),
            Self::RoleIsSilent { .. } | Self::RoleSays(_) => None,
        }
    }

    /// What it says if it holds, or if it does not. Cerbos turns the outputs of role policies around together with their
    /// conditions, but not those of rules that ask for parental consent.
    pub(crate) fn output(&self, held: bool) -> Option<&'s Arc<Expression>> {
        let (rule, turned) = match self {
            Self::Row(row) => (&row.rule, false),
            Self::RoleSays(row) => (&row.rule, false),
            Self::RoleUnless(row) => (&row.rule, true),
            Self::RoleIsSilent { .. } => return None,
        };
        if held != turned {
            rule.output.rule_activated.as_ref()
        } else {
            rule.output.condition_not_met.as_ref()
        }
    }

    /// Bindings with the same number share the outcome of their conditions within a request.
    pub(crate) fn outcome(&self) -> Option<u32> {
        match self {
            Self::Row(row) => Some(row.outcome),
            Self::RoleSays(row) | Self::RoleUnless(row) => Some(row.outcome),
            Self::RoleIsSilent { .. } => None,
        }
    }
}

/// What is asked of one scope.
pub(crate) struct Query<'q> {
    /// The version of the resource's policies; Cerbos asks principal policies for the same one.
    pub(crate) version: &'q str,
    pub(crate) resource: &'q str,
    pub(crate) scope: &'q str,
    pub(crate) action: &'q str,
}

/// What it costs to find the rules for a resource or a principal, in comparisons.
pub(crate) fn cost(set: &PolicySet, query: &Query<'_>, roles: &[Arc<str>]) -> u64 {
    let index = set.resources.get(query.scope).and_then(|versions| versions.get(query.version));
    let Some(index) = index else { return 0 };
    let rows = index.regular.get(query.resource).map_or(&[][..], Vec::as_slice);
    let of_row = |row: &Row| match &row.whom {
        Whom::Role(pattern) | Whom::DerivedRole { parent: pattern, .. } => {
            roles.iter().map(|role| pattern.cost(role)).sum()
        }
        Whom::Resource(_) => 1_usize,
    };
    let rows: usize = rows.iter().filter_map(|id| set.row(*id)).map(of_row).sum();
    let role_rows = index.roles.len().saturating_mul(roles.len());
    rows.saturating_add(role_rows) as u64
}

/// The rules of a principal's policy.
pub(crate) fn of_principal<'s>(set: &'s PolicySet, query: &Query<'_>, principal: &str) -> Vec<Binding<'s>> {
    let index = set.principals.get(query.scope).and_then(|versions| versions.get(query.version));
    let rows = index.and_then(|index| index.rows.get(principal)).map_or(&[][..], Vec::as_slice);
    let speaks = |row: &&Row| {
        let resource = match &row.whom {
            Whom::Resource(resource) => resource,
            Whom::Role(_) | Whom::DerivedRole { .. } => return false,
        };
        resource.matches(query.resource) && row.action.matches(query.action)
    };
    rows.iter().filter_map(|id| set.row(*id)).filter(speaks).map(Binding::Row).collect()
}

/// The rules for a resource, for roles of which the first is the principal's own. What role policies have to say comes
/// first.
pub(crate) fn of_resource<'s>(set: &'s PolicySet, query: &Query<'_>, roles: &[Arc<str>]) -> Vec<Binding<'s>> {
    let Some(index) = set.resources.get(query.scope).and_then(|versions| versions.get(query.version)) else {
        return Vec::new();
    };
    let for_roles = |row: &&Row| match &row.whom {
        Whom::Role(pattern) | Whom::DerivedRole { parent: pattern, .. } => {
            roles.iter().any(|role| pattern.matches(role))
        }
        Whom::Resource(_) => false,
    };
    let rows = index.regular.get(query.resource).map_or(&[][..], Vec::as_slice);
    let rows: Vec<&Row> = rows.iter().filter_map(|id| set.row(*id)).filter(for_roles).collect();
    let role_rows_speak =
        || index.roles.iter().any(|row| roles.contains(&row.role) && row.resource.matches(query.resource));
    // As in Cerbos: role policies are asked only if some rule of the scope is for the resource and the roles at all.
    if rows.is_empty() && !role_rows_speak() {
        return Vec::new();
    }
    let mut bindings = Vec::new();
    role_policies(index, query, roles, &mut bindings);
    bindings.extend(rows.into_iter().filter(|row| row.action.matches(query.action)).map(Binding::Row));
    bindings
}

/// What role policies have to say: each role that has one may do no more than it names.
fn role_policies<'s>(
    index: &'s ResourceIndex,
    query: &Query<'_>,
    roles: &[Arc<str>],
    bindings: &mut Vec<Binding<'s>>,
) {
    for role in roles {
        let mut of_role = index.roles.iter().filter(|row| row.role == *role).peekable();
        if of_role.peek().is_none() {
            continue;
        }
        let named: Vec<&RoleRow> = of_role
            .filter(|row| row.resource.matches(query.resource))
            .filter(|row| {
                row.allow_actions
                    .iter()
                    .any(|allow| allow.as_str() == query.action || allow.matches(query.action))
            })
            .collect();
        if named.is_empty() {
            let policy = names::role_key(role, query.version, query.scope);
            bindings.push(Binding::RoleIsSilent { policy: policy.into() });
        }
        for row in named {
            if row.rule.condition.is_some() {
                bindings.push(Binding::RoleUnless(row));
            } else if row.rule.output.rule_activated.is_some() || row.rule.output.condition_not_met.is_some()
            {
                bindings.push(Binding::RoleSays(row));
            }
        }
    }
}
