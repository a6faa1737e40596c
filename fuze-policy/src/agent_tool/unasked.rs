//! What a policy for tools says that nobody would ever ask: its author believes in a denial that does not exist.

use std::collections::BTreeMap;

use crate::cerbos::{Place, PolicyInfo, PolicyKind, PolicySet, Problem, Whom};

use super::{KIND, VERSION};

/// Policies about tools that no question reaches, and schemas, which this engine does not enforce.
pub(super) fn find(set: &PolicySet) -> Vec<Problem> {
    let mut found: BTreeMap<Place, String> = BTreeMap::new();
    let mut look = |policy: &PolicyInfo| {
        if &*policy.version != VERSION {
            let why = format!(
                "tools are asked about in the version `{VERSION}` alone, so this policy never decides"
            );
            found.insert(policy.place.clone(), why);
        } else if policy.kind == PolicyKind::Principal && !policy.scope.is_empty() {
            let why =
                "principals are asked about in the root scope alone, so this policy never decides".to_owned();
            found.insert(policy.place.clone(), why);
        }
    };
    for policy in set.policies() {
        if policy.kind == PolicyKind::Resource && &*policy.name == KIND {
            look(policy);
        }
    }
    for row in set.rows() {
        if matches!(&row.whom, Whom::Resource(resource) if resource.matches(KIND))
            && let Some(policy) = set.policy(row.policy)
        {
            look(policy);
        }
    }
    for row in set.role_rows() {
        if row.resource.matches(KIND)
            && let Some(policy) = set.policy(row.policy)
        {
            look(policy);
        }
    }
    for policy in set.policies().iter().filter(|policy| &*policy.name == KIND) {
        let schemas = set.schemas().find(|(key, _)| **key == policy.key).map(|(_, schemas)| schemas);
        if let Some(schema) = schemas.and_then(|refs| refs.principal.as_ref().or(refs.resource.as_ref())) {
            let why = "schemas are not enforced on tools: their arguments are checked against the tool's own; take this out";
            found.insert(schema.place.clone(), why.to_owned());
        }
    }
    found.into_iter().map(|(place, message)| Problem { place, message }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cerbos::Source;

    fn problems(policies: &[&str]) -> Vec<String> {
        let sources: Vec<Source> = policies
            .iter()
            .enumerate()
            .map(|(at, body)| {
                Source::new(&format!("{at}.yaml"), &format!("apiVersion: api.cerbos.dev/v1\n{body}"))
            })
            .collect();
        find(&PolicySet::load(&sources).unwrap()).iter().map(ToString::to_string).collect()
    }

    const ROOT: &str = "resourcePolicy: {resource: agent.tool, version: default, rules: [{actions: [invoke], effect: EFFECT_ALLOW, roles: [a]}]}";

    #[test]
    fn what_is_asked_about_is_fine() {
        assert!(problems(&[ROOT]).is_empty());
        assert!(problems(&[ROOT, "resourcePolicy: {resource: album, version: v2, rules: []}"]).is_empty());
    }

    #[test]
    fn another_version_is_never_asked_about() {
        for policy in [
            "resourcePolicy: {resource: agent.tool, version: v2, rules: [{actions: [invoke], effect: EFFECT_DENY, roles: ['*']}]}",
            "principalPolicy: {principal: p, version: v2, rules: [{resource: agent.*, actions: [{action: invoke, effect: EFFECT_DENY}]}]}",
            "rolePolicy: {role: a, version: v2, rules: [{resource: agent.tool, allowActions: [view]}]}",
        ] {
            let found = problems(&[ROOT, policy]);
            assert!(
                found.len() == 1 && found[0].starts_with("1.yaml:") && found[0].contains("`default`"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_principal_s_scope_is_never_asked_about() {
        let rules = "rules: [{resource: agent.tool, actions: [{action: invoke, effect: EFFECT_DENY}]}]";
        let root = format!("principalPolicy: {{principal: p, version: default, {rules}}}");
        let scoped = format!("principalPolicy: {{principal: p, version: default, scope: acme, {rules}}}");
        assert!(problems(&[ROOT, &root]).is_empty());
        let found = problems(&[ROOT, &root, &scoped]);
        assert!(
            found.len() == 1 && found[0].starts_with("2.yaml:") && found[0].contains("root scope"),
            "{found:?}"
        );
    }

    #[test]
    fn a_schema_that_nobody_enforces_is_refused() {
        let with = ROOT.replace("rules:", "schemas: {resourceSchema: {ref: 'cerbos:///x.json'}}, rules:");
        let found = problems(&[&with]);
        assert!(found.len() == 1 && found[0].contains("schemas are not enforced"), "{found:?}");
    }
}
