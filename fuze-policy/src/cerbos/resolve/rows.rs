//! Lays rules out as rows, one for each action and role, in the way of Cerbos's rule table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::glob::{Glob, Pattern};
use super::super::model::{
    self, Body, Effect, Policy, PrincipalPolicy, ResourcePolicy, RolePolicy, ScopePermissions,
};
use super::super::names;
use super::super::problem::{Collector, Place, Position};
use super::super::set::{
    Condition, DerivedRole, Output, Params, PolicyId, PolicyInfo, PolicyKind, PolicySet, RoleRow, Row, RowId,
    Rule, SchemaRef, SchemaRefs, Whom,
};
use super::super::yaml::Text;
use super::chance::{self, Numbered};
use super::expressions::Expressions;
use super::library::{Library, roles_or_any};
use super::named::Called;
use super::parents::Parents;
use super::title;

/// Rows that one policy can have: actions times roles multiply.
const MOST_ROWS: usize = 50_000;
/// Rows that all policies can have together.
const MOST_ROWS_OF_ALL: usize = 200_000;

/// Builds a set from policies that come one after another.
pub(super) struct Builder<'l> {
    library: &'l Library,
    set: PolicySet,
    parents: Parents,
    outcomes: HashMap<String, u32>,
    /// Whether there are as many rows as there can be.
    full: bool,
}

/// The policy whose rules are being laid out.
struct Current<'p> {
    policy: &'p Policy,
    id: PolicyId,
    key: Arc<str>,
    /// Whether the scope asks for parental consent.
    consent: bool,
    rows_left: usize,
}

/// Expressions of a rule that were read; `None` for a rule whose condition is none.
type Read = Option<(Option<Condition>, Output)>;

impl<'l> Builder<'l> {
    pub(super) fn new(library: &'l Library) -> Self {
        Self {
            library,
            set: PolicySet::default(),
            parents: Parents::default(),
            outcomes: HashMap::new(),
            full: false,
        }
    }

    /// Adds a policy; sets that others import add nothing of their own.
    pub(super) fn add(&mut self, key: &Arc<str>, policy: &Policy, out: &mut Collector) {
        match &policy.body {
            Body::Resource(body) => self.resource_policy(key, policy, body, out),
            Body::Principal(body) => self.principal_policy(key, policy, body, out),
            Body::Role(body) => self.role_policy(key, policy, body, out),
            Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => {}
        }
    }

    /// Ends the set.
    pub(super) fn finish(mut self) -> PolicySet {
        self.set.parent_roles = self.parents.finish();
        self.set
    }

    fn resource_policy(
        &mut self,
        key: &Arc<str>,
        policy: &Policy,
        body: &ResourcePolicy,
        out: &mut Collector,
    ) {
        let roles = self.derived_roles(policy, body, out);
        let definitions = self.library.definitions(policy, &body.variables, &body.constants, out);
        let mut expressions = Expressions::new(&policy.file, &definitions);
        let read: Vec<Read> = body
            .rules
            .iter()
            .map(|rule| read(&mut expressions, rule.condition.as_ref(), rule.output.as_ref(), out))
            .collect();
        let params = self.library.params.borrow_mut().params(&definitions, &expressions.usage);
        let mut current = self.begin(
            key,
            policy,
            (PolicyKind::Resource, &body.resource, &body.version, &body.scope),
            body.scope_permissions.unwrap_or_default(),
        );
        let sanitized = names::sanitized(&body.resource.value);
        let (mut rows, mut called) = (Vec::new(), Called::default());
        for (i, (rule, read)) in body.rules.iter().zip(read).enumerate() {
            let Some((condition, output)) = read else { continue };
            let name = name_or(rule.name.as_ref(), || format!("rule-{:03}", i + 1));
            called.add(policy, (&name, rule.at, rule.name.is_some()), out);
            let rule_of_set = current.rule(name, rule.at, rule.effect, condition, output, &params);
            let plain = self.outcome(format!(
                "resource {sanitized} {} {} {}",
                body.version.value, body.scope.value, rule_of_set.name
            ));
            let for_roles: Vec<Pattern> = roles_or_any(&rule.roles)
                .into_iter()
                .filter_map(|role| pattern(policy, &role, rule.at, out))
                .collect();
            for action in patterns(policy, &rule.actions, out) {
                for role in &for_roles {
                    let whom = Whom::Role(role.clone());
                    rows.extend(self.row(&mut current, &rule_of_set, &action, whom, plain, out));
                }
                for derived in rule.derived_roles.iter().filter_map(|name| roles.get(&*name.value)) {
                    let outcome = self.outcome(format!(
                        "derived {} {sanitized} {} {} {}",
                        derived.name, body.version.value, body.scope.value, rule_of_set.name
                    ));
                    for parent in &derived.parent_roles {
                        let Some(parent) = pattern(policy, parent, rule.at, out) else { continue };
                        let whom = Whom::DerivedRole { parent, role: derived.clone() };
                        rows.extend(self.row(&mut current, &rule_of_set, &action, whom, outcome, out));
                    }
                }
            }
        }
        let index = self.set.resources.entry(body.scope.value.clone()).or_default();
        let index = index.entry(body.version.value.clone()).or_default();
        index.regular.insert(sanitized.into(), rows);
        if !roles.is_empty() {
            self.set.derived_roles.insert(key.clone(), roles.into_values().collect());
        }
        self.schemas(key, policy, body, out);
    }

    fn principal_policy(
        &mut self,
        key: &Arc<str>,
        policy: &Policy,
        body: &PrincipalPolicy,
        out: &mut Collector,
    ) {
        let definitions = self.library.definitions(policy, &body.variables, &body.constants, out);
        let mut expressions = Expressions::new(&policy.file, &definitions);
        let mut all = Vec::new();
        for rules in &body.rules {
            for (i, action) in rules.actions.iter().enumerate() {
                let read = read(&mut expressions, action.condition.as_ref(), action.output.as_ref(), out);
                all.push((rules, i, action, read));
            }
        }
        let params = self.library.params.borrow_mut().params(&definitions, &expressions.usage);
        let mut current = self.begin(
            key,
            policy,
            (PolicyKind::Principal, &body.principal, &body.version, &body.scope),
            body.scope_permissions.unwrap_or_default(),
        );
        chance::tell_names(policy, body, out);
        let (mut rows, mut called) = (Vec::new(), Called::default());
        for (rules, i, action, read) in all {
            let Some((condition, output)) = read else { continue };
            let name =
                name_or(action.name.as_ref(), || format!("{}_rule-{:03}", rules.resource.value, i + 1));
            called.add(policy, (&name, action.at, action.name.is_some()), out);
            let rule = current.rule(name, action.at, action.effect, condition, output, &params);
            let outcome = self.outcome(format!(
                "principal {} {} {} {}",
                body.principal.value, body.version.value, body.scope.value, rule.name
            ));
            let resource = names::sanitized(&rules.resource.value);
            let (resource, action) = (
                pattern(policy, &resource, rules.resource.at, out),
                pattern(policy, &action.action.value, action.action.at, out),
            );
            if let (Some(resource), Some(action)) = (resource, action) {
                rows.extend(self.row(&mut current, &rule, &action, Whom::Resource(resource), outcome, out));
            }
        }
        let index = self.set.principals.entry(body.scope.value.clone()).or_default();
        let index = index.entry(body.version.value.clone()).or_default();
        index.rows.insert(body.principal.value.clone(), rows);
    }

    fn role_policy(&mut self, key: &Arc<str>, policy: &Policy, body: &RolePolicy, out: &mut Collector) {
        let definitions = self.library.definitions(policy, &body.variables, &body.constants, out);
        let mut expressions = Expressions::new(&policy.file, &definitions);
        let read: Vec<Read> = body
            .rules
            .iter()
            .map(|rule| read(&mut expressions, rule.condition.as_ref(), rule.output.as_ref(), out))
            .collect();
        let params = self.library.params.borrow_mut().params(&definitions, &expressions.usage);
        let current = self.begin(
            key,
            policy,
            (PolicyKind::Role, &body.role, &body.version, &body.scope),
            ScopePermissions::OverrideParent,
        );
        self.parents.add(policy, body, out);
        let mut counts: HashMap<&Arc<str>, u32> = HashMap::new();
        let mut numbered = Vec::new();
        for (rule, read) in body.rules.iter().zip(read) {
            // Rules count for each resource anew, and share their outcomes with those of another resource that have
            // the same number: so Cerbos does it.
            let count = counts.entry(&rule.resource.value).or_default();
            let outcome = self.outcome(format!(
                "role {} {} {} {count}",
                body.role.value, body.version.value, body.scope.value
            ));
            let number = *count;
            *count += 1;
            let Some((condition, output)) = read else { continue };
            let name = name_or(rule.name.as_ref(), String::new);
            let rule_of_set = current.rule(name, rule.at, Effect::Allow, condition, output, &params);
            let allow_actions: Arc<[Glob]> =
                rule.allow_actions.iter().filter_map(|action| glob(policy, action, out)).collect();
            let Some(resource) = pattern(policy, &rule.resource.value, rule.resource.at, out) else {
                continue;
            };
            numbered.push(Numbered {
                rule,
                number,
                resource: resource.clone(),
                allow_actions: allow_actions.clone(),
            });
            let index = self.set.resources.entry(body.scope.value.clone()).or_default();
            index.entry(body.version.value.clone()).or_default().roles.push(RoleRow {
                policy: current.id,
                rule: rule_of_set,
                role: body.role.value.clone(),
                resource,
                allow_actions,
                outcome,
            });
        }
        chance::tell(policy, &numbered, out);
    }

    /// The derived roles that the rules of a policy name, by name.
    fn derived_roles(
        &self,
        policy: &Policy,
        body: &ResourcePolicy,
        out: &mut Collector,
    ) -> BTreeMap<Arc<str>, Arc<DerivedRole>> {
        let imports: Vec<_> = body
            .import_derived_roles
            .iter()
            .filter_map(|import| Some((import, self.library.roles(policy, import, out)?)))
            .collect();
        let complete = imports.len() == body.import_derived_roles.len();
        let mut named = BTreeMap::new();
        for (i, rule) in body.rules.iter().enumerate() {
            for role in &rule.derived_roles {
                let found: Vec<_> = imports
                    .iter()
                    .filter_map(|(import, set)| Some((import, set.get(&role.value)?)))
                    .collect();
                match found.as_slice() {
                    // A missing import was told, and may well define the role.
                    [] if !complete => {}
                    [] => {
                        let name = name_or(rule.name.as_ref(), || format!("rule-{:03}", i + 1));
                        let message = format!(
                            "{}: the rule `{name}` names the derived role `{}`, which no imported set defines",
                            title(policy),
                            role.value
                        );
                        out.add(&policy.file, role.at, message);
                    }
                    [(_, read)] => {
                        if let Some(read) = read {
                            named.insert(role.value.clone(), read.clone());
                        }
                    }
                    several => {
                        let sets: Vec<String> =
                            several.iter().map(|(import, _)| format!("`{}`", import.value)).collect();
                        let message = format!(
                            "{}: the derived role `{}` is defined by more than one imported set: {}",
                            title(policy),
                            role.value,
                            sets.join(", ")
                        );
                        out.add(&policy.file, role.at, message);
                    }
                }
            }
        }
        named
    }

    /// Notes the schemas of a policy without scope; [`Builder::finish`] passes them on to the scopes below.
    fn schemas(&mut self, key: &Arc<str>, policy: &Policy, body: &ResourcePolicy, out: &mut Collector) {
        let own = SchemaRefs {
            principal: body.schemas.principal.as_ref().map(|schema| schema_ref(policy, schema, out)),
            resource: body.schemas.resource.as_ref().map(|schema| schema_ref(policy, schema, out)),
        };
        // INVARIANT: keys are added in their order, so that a root scope comes before the scopes below it.
        let root = names::resource_key(&body.resource.value, &body.version.value, "");
        let effective = if *root == **key {
            Some(own)
        } else {
            self.set.idle_schemas.extend(own.principal.into_iter().chain(own.resource));
            self.set.schemas.get(root.as_str()).cloned()
        };
        if let Some(schemas) = effective.filter(|s| s.principal.is_some() || s.resource.is_some()) {
            self.set.schemas.insert(key.clone(), schemas);
        }
    }

    fn begin<'p>(
        &mut self,
        key: &Arc<str>,
        policy: &'p Policy,
        (kind, name, version, scope): (PolicyKind, &Text, &Text, &Text),
        scope_permissions: ScopePermissions,
    ) -> Current<'p> {
        let id = PolicyId(u32::try_from(self.set.policies.len()).unwrap_or(u32::MAX));
        if kind != PolicyKind::Role {
            self.set.scope_permissions.insert(scope.value.clone(), scope_permissions);
        }
        self.set.policies.push(PolicyInfo {
            key: key.clone(),
            kind,
            name: name.value.clone(),
            version: version.value.clone(),
            scope: scope.value.clone(),
            scope_permissions,
            place: Place { file: policy.file.clone(), at: policy.at },
            annotations: policy.annotations.iter().map(|a| (a.name.clone(), a.value.value.clone())).collect(),
        });
        Current {
            policy,
            id,
            key: key.clone(),
            consent: scope_permissions == ScopePermissions::RequireParentalConsentForAllows,
            rows_left: MOST_ROWS,
        }
    }

    fn row(
        &mut self,
        current: &mut Current<'_>,
        rule: &Arc<Rule>,
        action: &Pattern,
        whom: Whom,
        outcome: u32,
        out: &mut Collector,
    ) -> Option<RowId> {
        if self.set.rows.len() >= MOST_ROWS_OF_ALL {
            // Told once: the rows of the policies that follow are none, either.
            if !std::mem::replace(&mut self.full, true) {
                let message = format!(
                    "the policies have more than {MOST_ROWS_OF_ALL} combinations of actions and roles together, as of {}: use patterns",
                    title(current.policy)
                );
                out.add(&current.policy.file, current.policy.at, message);
            }
            return None;
        }
        let Some(left) = current.rows_left.checked_sub(1) else {
            let message = format!(
                "{} has more than {MOST_ROWS} combinations of actions and roles: use patterns",
                title(current.policy)
            );
            out.add(&current.policy.file, current.policy.at, message);
            return None;
        };
        current.rows_left = left;
        let id = RowId(u32::try_from(self.set.rows.len()).ok()?);
        self.set.rows.push(Row {
            policy: current.id,
            rule: rule.clone(),
            action: action.clone(),
            whom,
            outcome,
        });
        Some(id)
    }

    /// A number for rows that share the outcome of their conditions.
    fn outcome(&mut self, what: String) -> u32 {
        let next = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        *self.outcomes.entry(what).or_insert(next)
    }
}

impl Current<'_> {
    fn rule(
        &self,
        name: Arc<str>,
        at: Position,
        effect: Effect,
        condition: Option<Condition>,
        output: Output,
        params: &Arc<Params>,
    ) -> Arc<Rule> {
        Arc::new(Rule {
            source: format!("{}#{name}", self.key).into(),
            place: Place { file: self.policy.file.clone(), at },
            effect,
            inverted: self.consent && effect == Effect::Allow && condition.is_some(),
            name,
            condition,
            output,
            params: params.clone(),
        })
    }
}

fn read(
    expressions: &mut Expressions<'_>,
    condition: Option<&model::Condition>,
    output: Option<&model::Output>,
    out: &mut Collector,
) -> Read {
    let condition = condition.map(|condition| expressions.condition(condition, out));
    let output = expressions.output(output, out);
    match condition {
        None => Some((None, output)),
        Some(read) => read.map(|condition| (Some(condition), output)),
    }
}

fn name_or(name: Option<&Text>, otherwise: impl Fn() -> String) -> Arc<str> {
    name.map_or_else(|| otherwise().into(), |name| name.value.clone())
}

fn patterns(policy: &Policy, texts: &[Text], out: &mut Collector) -> Vec<Pattern> {
    texts.iter().filter_map(|text| pattern(policy, &text.value, text.at, out)).collect()
}

fn pattern(policy: &Policy, text: &str, at: Position, out: &mut Collector) -> Option<Pattern> {
    Pattern::new(text).map_err(|why| out.add(&policy.file, at, why)).ok()
}

fn glob(policy: &Policy, text: &Text, out: &mut Collector) -> Option<Glob> {
    Glob::new(&text.value).map_err(|why| out.add(&policy.file, text.at, why)).ok()
}

fn schema_ref(policy: &Policy, schema: &model::SchemaRef, out: &mut Collector) -> SchemaRef {
    SchemaRef {
        reference: schema.reference.value.clone(),
        place: Place { file: policy.file.clone(), at: schema.reference.at },
        ignore_when: schema.ignore_when.iter().filter_map(|action| glob(policy, action, out)).collect(),
    }
}
