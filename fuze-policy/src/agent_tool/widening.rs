//! What a policy for tools may not say, because to Cerbos it means more than it seems to: each of these was seen to widen a decision.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::cerbos::{Effect, Place, PolicyInfo, PolicyKind, PolicySet, Row, Rule, ScopePermissions, Whom};

use super::{INVOKE, INVOKE_AUTO, KIND};

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
    /// An output of a conditional ALLOW in a scope with parental consent: it comes when the ALLOW does not hold.
    InvertedOutput,
}

impl Widening {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AutoByGlob,
        Self::DenyForSomeRoles,
        Self::PrincipalAllow,
        Self::OverridesParent,
        Self::InvertedOutput,
    ];

    /// The name by which a manifest allows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AutoByGlob => "auto-by-glob",
            Self::DenyForSomeRoles => "deny-for-some-roles",
            Self::PrincipalAllow => "principal-allow",
            Self::OverridesParent => "overrides-parent",
            Self::InvertedOutput => "inverted-output",
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
            && !is_for_everybody(set, rule, row)
        {
            let message = "a DENY for some roles does not hold for whoever has another role besides; write `roles: [\"*\"]` \
                           and put the roles into the condition"
                .to_owned();
            add(Widening::DenyForSomeRoles, policy, &rule.place, message);
        }
        let says_something = rule.output.rule_activated.is_some() || rule.output.condition_not_met.is_some();
        if rule.inverted && says_something {
            let message = "Cerbos decides a conditional ALLOW in a scope with parental consent by its opposite, so this output comes \
                           when the rule does not hold; put it on the rule of the scope above"
                .to_owned();
            add(Widening::InvertedOutput, policy, &rule.place, message);
        }
    }
    found.into_values().collect()
}

fn concerns_tools(policy: &PolicyInfo, row: &Row) -> bool {
    let resource = match (&policy.kind, &row.whom) {
        (PolicyKind::Resource, _) => &*policy.name == KIND,
        (PolicyKind::Principal, Whom::Resource(resource)) => resource.matches(KIND),
        _ => false,
    };
    resource && (row.action.matches(INVOKE) || row.action.matches(INVOKE_AUTO))
}

/// Whether the same rule stands for every role, for the action of this row.
fn is_for_everybody(set: &PolicySet, rule: &Arc<Rule>, row: &Row) -> bool {
    set.rows().iter().any(|other| {
        Arc::ptr_eq(&other.rule, rule)
            && other.action.as_str() == row.action.as_str()
            && matches!(&other.whom, Whom::Role(role) if role.as_str() == "*")
    })
}
