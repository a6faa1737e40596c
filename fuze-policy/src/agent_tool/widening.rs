//! What a policy for tools may not say, because to Cerbos it means more than it seems to: each of these was seen to widen a decision.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::cerbos::{
    Effect, Pattern, Place, PolicyInfo, PolicyKind, PolicySet, Row, Rule, ScopePermissions, Whom, parents,
};

use super::{INVOKE, INVOKE_AUTO, KIND, VERSION};

/// A way to widen what seems to be narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Widening {
    /// An ALLOW reaches `invoke:auto` through a pattern.
    AutoByGlob,
    /// A DENY for other roles than `["*"]`: with a second role the call is allowed.
    DenyForSomeRoles,
    /// An ALLOW in a principal policy, which goes before every DENY of a resource policy.
    PrincipalAllow,
    /// A scope whose ALLOW goes before a DENY above it.
    OverridesParent,
    /// A role policy of a scope that gives its role what another role may.
    ParentRoles,
    /// An output of a conditional ALLOW in a scope with parental consent: it comes when the ALLOW does not hold.
    InvertedOutput,
    /// A scope's ALLOW of `invoke` that says nothing of `invoke:auto`, which a scope above allows: nobody is asked.
    AutoFromAbove,
}

impl Widening {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AutoByGlob,
        Self::DenyForSomeRoles,
        Self::PrincipalAllow,
        Self::OverridesParent,
        Self::ParentRoles,
        Self::InvertedOutput,
        Self::AutoFromAbove,
    ];

    /// The name by which a manifest allows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AutoByGlob => "auto-by-glob",
            Self::DenyForSomeRoles => "deny-for-some-roles",
            Self::PrincipalAllow => "principal-allow",
            Self::OverridesParent => "overrides-parent",
            Self::ParentRoles => "parent-roles",
            Self::InvertedOutput => "inverted-output",
            Self::AutoFromAbove => "auto-from-above",
        }
    }
}

impl fmt::Display for Widening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One place where a policy widens.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) widening: Widening,
    /// The key of the policy.
    pub(super) policy: Arc<str>,
    pub(super) place: Place,
    pub(super) message: String,
}

/// Every widening of a set.
pub(super) fn find(set: &PolicySet) -> Vec<Finding> {
    let mut found: BTreeMap<(Place, Widening), Finding> = BTreeMap::new();
    let mut add = |widening, policy: &PolicyInfo, place: &Place, message: String| {
        let policy = Arc::clone(&policy.key);
        found.entry((place.clone(), widening)).or_insert(Finding {
            widening,
            policy,
            place: place.clone(),
            message,
        });
    };
    let for_everybody = for_everybody(set);
    for row in set.rows() {
        let Some(policy) = set.policy(row.policy) else { continue };
        if !concerns_tools(policy, row) {
            continue;
        }
        let rule = &row.rule;
        if !policy.scope.is_empty() && policy.scope_permissions == ScopePermissions::OverrideParent {
            let message = format!(
                "what the scope `{}` allows goes before a DENY above it; give it \
                 `scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS`",
                policy.scope
            );
            add(Widening::OverridesParent, policy, &policy.place, message);
        }
        if rule.effect == Effect::Allow
            && row.action.matches(INVOKE_AUTO)
            && row.action.as_str() != INVOKE_AUTO
        {
            let message = format!(
                "this ALLOW reaches `{INVOKE_AUTO}` through the pattern `{}`, so that calls run without a person; \
                 write `{INVOKE_AUTO}` where that is meant, `{INVOKE}` where it is not",
                row.action.as_str()
            );
            add(Widening::AutoByGlob, policy, &rule.place, message);
        }
        if policy.kind == PolicyKind::Principal && rule.effect == Effect::Allow {
            let message = "an ALLOW for one principal goes before every DENY of the resource policies; \
                           give the principal a role and allow that"
                .to_owned();
            add(Widening::PrincipalAllow, policy, &rule.place, message);
        }
        if policy.kind == PolicyKind::Resource
            && rule.effect == Effect::Deny
            && !for_everybody.contains(&of(rule, row))
            && !is_derived_from_all(row)
        {
            let message = "a DENY for some roles does not hold for whoever has another role besides; write `roles: [\"*\"]` \
                           and put the roles into the condition"
                .to_owned();
            add(Widening::DenyForSomeRoles, policy, &rule.place, message);
        }
        if let Some(above) = auto_from_above(set, policy, row) {
            let message = format!(
                "this ALLOW of `{INVOKE}` does not ask for a person: in the scope `{}` nothing is said of `{INVOKE_AUTO}` for these roles, and \
                 the rule at {above} allows it; add a rule with a DENY of `{INVOKE_AUTO}` for `roles: [\"*\"]`, or name `{INVOKE_AUTO}` here, \
                 too, where no person is needed",
                policy.scope
            );
            add(Widening::AutoFromAbove, policy, &rule.place, message);
        }
        let says_something = rule.output.rule_activated.is_some() || rule.output.condition_not_met.is_some();
        if rule.inverted && says_something {
            let message = "Cerbos decides a conditional ALLOW in a scope with parental consent by its opposite, so this output comes \
                           when the rule does not hold; put it on the rule of the scope above"
                .to_owned();
            add(Widening::InvertedOutput, policy, &rule.place, message);
        }
    }
    for policy in set.policies().iter().filter(|policy| policy.kind == PolicyKind::Role) {
        let above = set.parent_roles.get(&policy.scope).and_then(|roles| roles.get(&policy.name));
        let parents = above.map_or(&[][..], Vec::as_slice);
        if !policy.scope.is_empty() && !parents.is_empty() && is_asked(set, &policy.scope) {
            let message = format!(
                "in the scope `{}` whoever has the role `{}` may do what the rules above it allow to `{}`; take the `parentRoles` \
                 out, or put the policy into the root scope, where it holds for all tenants",
                policy.scope,
                policy.name,
                parents.join("`, `")
            );
            add(Widening::ParentRoles, policy, &policy.place, message);
        }
    }
    found.into_values().collect()
}

/// Whether a derived role is for whoever has any role.
fn is_derived_from_all(row: &Row) -> bool {
    matches!(&row.whom, Whom::DerivedRole { role, .. } if role.parent_roles.iter().any(|parent| &**parent == "*"))
}

/// Where `invoke:auto` is allowed above a scope whose ALLOW of `invoke` seems to ask for a person, as no rule there is about `invoke:auto`
/// for the same roles.
fn auto_from_above<'s>(set: &'s PolicySet, policy: &PolicyInfo, row: &Row) -> Option<&'s Place> {
    let allows = row.rule.effect == Effect::Allow;
    let plain =
        policy.kind == PolicyKind::Resource && &*policy.version == VERSION && !policy.scope.is_empty();
    if !allows || !plain || !row.action.matches(INVOKE) {
        return None;
    }
    let auto_in = |scope: &str| {
        let index = set.resources.get(scope).and_then(|versions| versions.get(VERSION));
        let rows = index.and_then(|index| index.regular.get(KIND)).into_iter().flatten();
        rows.filter_map(|id| set.row(*id)).filter(|row| row.action.matches(INVOKE_AUTO))
    };
    // A role policy denies its role what it does not name.
    let of_roles = |scope: &str| {
        let index = set.resources.get(scope).and_then(|versions| versions.get(VERSION));
        index.into_iter().flat_map(|index| &index.roles).any(|of| match &row.whom {
            Whom::Role(role) => role.as_str() == &*of.role,
            Whom::DerivedRole { .. } | Whom::Resource(_) => false,
        })
    };
    if auto_in(&policy.scope).any(|auto| covers(&auto.whom, &row.whom)) || of_roles(&policy.scope) {
        return None;
    }
    for scope in parents(&policy.scope) {
        let denied = |auto: &Row| {
            auto.rule.effect == Effect::Deny
                && auto.rule.condition.is_none()
                && matches!(&auto.whom, Whom::Role(role) if role.as_str() == "*")
        };
        if auto_in(scope).any(denied) || of_roles(scope) {
            return None;
        }
        let allowed = |auto: &&Row| auto.rule.effect == Effect::Allow && overlaps(&auto.whom, &row.whom);
        if let Some(auto) = auto_in(scope).find(allowed) {
            return Some(&auto.rule.place);
        }
    }
    None
}

/// Whether a rule speaks for whoever another speaks for.
fn covers(one: &Whom, other: &Whom) -> bool {
    match (one, other) {
        (Whom::Role(one), _) if one.as_str() == "*" => true,
        (Whom::Role(one), Whom::Role(other)) => one.as_str() == other.as_str() || one.matches(other.as_str()),
        (Whom::Role(one), Whom::DerivedRole { parent, .. }) => {
            one.as_str() == parent.as_str() || one.matches(parent.as_str())
        }
        (Whom::DerivedRole { role: one, .. }, Whom::DerivedRole { role: other, .. }) => {
            one.name == other.name
        }
        (Whom::DerivedRole { .. }, Whom::Role(_)) | (Whom::Resource(_), _) | (_, Whom::Resource(_)) => false,
    }
}

/// Whether somebody may be meant by both. Of two patterns that is not known, and taken to be so.
fn overlaps(one: &Whom, other: &Whom) -> bool {
    let (Some(one), Some(other)) = (role_of(one), role_of(other)) else { return false };
    let is_pattern = |role: &Pattern| role.as_str().contains(['*', '?', '[', '{']);
    one.matches(other.as_str()) || other.matches(one.as_str()) || is_pattern(one) && is_pattern(other)
}

fn role_of(whom: &Whom) -> Option<&Pattern> {
    match whom {
        Whom::Role(role) | Whom::DerivedRole { parent: role, .. } => Some(role),
        Whom::Resource(_) => None,
    }
}

/// Whether tools are asked about in this scope.
fn is_asked(set: &PolicySet, scope: &str) -> bool {
    set.resources.get(scope).and_then(|versions| versions.get(VERSION)).is_some_and(|index| {
        index.regular.contains_key(KIND) || index.roles.iter().any(|row| row.resource.matches(KIND))
    })
}

fn concerns_tools(policy: &PolicyInfo, row: &Row) -> bool {
    let resource = match (&policy.kind, &row.whom) {
        (PolicyKind::Resource, _) => &*policy.name == KIND,
        (PolicyKind::Principal, Whom::Resource(resource)) => resource.matches(KIND),
        _ => false,
    };
    resource && (row.action.matches(INVOKE) || row.action.matches(INVOKE_AUTO))
}

/// A rule by its place in memory, and an action of it.
type RuleFor<'s> = (*const Rule, &'s str);

fn of<'s>(rule: &'s Arc<Rule>, row: &'s Row) -> RuleFor<'s> {
    (Arc::as_ptr(rule), row.action.as_str())
}

/// The rules that stand for every role, each with the actions for which it does.
fn for_everybody(set: &PolicySet) -> HashSet<RuleFor<'_>> {
    let everybody = |row: &&Row| matches!(&row.whom, Whom::Role(role) if role.as_str() == "*");
    set.rows().iter().filter(everybody).map(|row| of(&row.rule, row)).collect()
}
