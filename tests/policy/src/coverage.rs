//! What generated rules that held made use of: a grammar that never gets there tests nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fuze_policy::cerbos::{
    Condition, Outcome, PolicyInfo, PolicyKind, PolicySet, Rule, ScopePermissions, Step, Whom,
};
use serde_json::Value;

use crate::generate::Case;

/// How often a rule held that made use of it, or a request that did was decided.
pub type Uses = BTreeMap<&'static str, u64>;

/// What the expressions of a rule may name, by the text in which it shows.
const IN_TEXT: [(&str, &[&str]); 9] = [
    ("imported variable", &["V.w", "variables.w"]),
    ("imported constant", &["C.e", "constants.e"]),
    ("local variable", &["V.v", "variables.v"]),
    ("local constant", &["C.c", "constants.c"]),
    ("principal's scope", &["P.scope", "principal.scope"]),
    ("token", &["auxData.jwt"]),
    ("time", &["now()", "timeSince("]),
    ("globals", &["G.", "globals."]),
    ("effective derived roles", &["runtime."]),
];

/// Everything that is counted.
pub fn names() -> impl Iterator<Item = &'static str> {
    let of_policies = [
        "principal policy in a scope",
        "role policy of roles above roles",
        "parental consent",
        "override of the parent",
        "scope of three parts",
        "policy in a .json file",
        "derived role",
        "beside a disabled policy",
        "six roles or more",
    ];
    IN_TEXT.into_iter().map(|(name, _)| name).chain(of_policies)
}

/// What each rule of a set makes use of.
#[derive(Debug)]
pub struct Coverage {
    /// By the rule's source.
    rules: HashMap<String, BTreeSet<&'static str>>,
    disabled: bool,
}

impl Coverage {
    /// Of a case's set.
    pub fn of(case: &Case, set: &PolicySet) -> Self {
        let mut rules: HashMap<String, BTreeSet<&'static str>> = HashMap::new();
        let mut add = |rule: &Rule, policy: Option<&PolicyInfo>, whom: Option<&Whom>| {
            let uses = rules.entry(rule.source.to_string()).or_default();
            let mut texts = Vec::new();
            let output = [&rule.output.rule_activated, &rule.output.condition_not_met].into_iter().flatten();
            texts.extend(output.map(|expression| expression.source.to_string()));
            rule.condition.iter().for_each(|condition| sources(condition, &mut texts));
            if let Some(Whom::DerivedRole { role, .. }) = whom {
                uses.insert("derived role");
                role.condition.iter().for_each(|condition| sources(condition, &mut texts));
            }
            let text = texts.join("\n");
            let named = IN_TEXT.into_iter().filter(|(_, all)| all.iter().any(|part| text.contains(part)));
            uses.extend(named.map(|(name, _)| name));
            uses.extend(policy.into_iter().flat_map(|policy| of_policy(case, policy)));
        };
        for row in set.rows() {
            add(&row.rule, set.policy(row.policy), Some(&row.whom));
        }
        for row in set.role_rows() {
            add(&row.rule, set.policy(row.policy), None);
        }
        Self { rules, disabled: case.policies.iter().any(|(_, policy)| policy.get("disabled").is_some()) }
    }

    /// Counts a step of a decision.
    pub fn step(&self, step: &Step<'_>, uses: &mut Uses) {
        let Step::Rule { rule: Some(rule), outcome: Outcome::Held, .. } = step else { return };
        for name in self.rules.get(&*rule.source).into_iter().flatten() {
            *uses.entry(name).or_default() += 1;
        }
    }

    /// Counts a request.
    pub fn request(&self, principal: &Value, uses: &mut Uses) {
        let wide = principal["roles"].as_array().is_some_and(|roles| roles.len() >= 6);
        let counted = [("six roles or more", wide), ("beside a disabled policy", self.disabled)];
        for (name, _) in counted.into_iter().filter(|(_, is)| *is) {
            *uses.entry(name).or_default() += 1;
        }
    }
}

fn of_policy(case: &Case, policy: &PolicyInfo) -> Vec<&'static str> {
    let file: &str = &policy.place.file;
    let name = file.split('.').next().unwrap_or_default();
    let above_roles = || {
        let (_, body) = case.policies.iter().find(|(found, _)| found == name)?;
        body["rolePolicy"]["parentRoles"].as_array().map(|parents| !parents.is_empty())
    };
    let in_scope = !policy.scope.is_empty();
    [
        ("principal policy in a scope", policy.kind == PolicyKind::Principal && in_scope),
        ("role policy of roles above roles", policy.kind == PolicyKind::Role && above_roles() == Some(true)),
        ("parental consent", policy.scope_permissions == ScopePermissions::RequireParentalConsentForAllows),
        ("override of the parent", policy.scope_permissions == ScopePermissions::OverrideParent && in_scope),
        ("scope of three parts", policy.scope.split('.').count() >= 3),
        ("policy in a .json file", file.ends_with(".json")),
    ]
    .into_iter()
    .filter_map(|(name, is)| is.then_some(name))
    .collect()
}

fn sources(condition: &Condition, into: &mut Vec<String>) {
    match condition {
        Condition::Expr(expression) => into.push(expression.source.to_string()),
        Condition::All(list) | Condition::Any(list) | Condition::None(list) => {
            list.iter().for_each(|condition| sources(condition, into));
        }
    }
}
