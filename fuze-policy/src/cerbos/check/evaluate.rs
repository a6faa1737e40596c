//! The evaluation itself: actions, principal policies before resource policies, roles, scopes, rules.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::super::model::{Effect, ScopePermissions};
use super::super::names;
use super::super::set::{DerivedRole, PolicyKind, PolicySet};
use super::bindings::{self, Binding, Query, of_principal, of_resource};
use super::expressions::{activation, told};
use super::steps::{Outcome, Step};
use super::{ActionEffect, CheckError, CheckInput, CheckOutput, CheckParams, OutputEntry};
use crate::cel::{Activation, Budget, DerivedRoles, Map, Value};

/// What Cerbos calls the policy of an action that no policy speaks to.
const NO_MATCH: &str = "NO_MATCH";

/// Why evaluation of a condition stops.
pub(super) enum Stop {
    /// Strict: an expression failed.
    Failed,
    /// There is no answer at all.
    Fatal(CheckError),
}

/// What one kind of policy has to say.
struct Side {
    kind: PolicyKind,
    /// Scopes to ask, from the request's upwards.
    scopes: Vec<Arc<str>>,
    /// The policy that is named if no rule decides.
    policy: Arc<str>,
}

/// A decision in the making.
#[derive(Clone)]
struct Verdict {
    effect: Option<Effect>,
    policy: Arc<str>,
    scope: Arc<str>,
    rule: Option<Arc<str>>,
    rests_on_failure: bool,
}

impl Verdict {
    /// Nothing yet, in the name of a policy.
    fn none(policy: Arc<str>) -> Self {
        Self { effect: None, policy, scope: Arc::default(), rule: None, rests_on_failure: false }
    }
}

pub(super) struct Evaluation<'s> {
    set: &'s PolicySet,
    input: &'s CheckInput,
    pub(super) params: &'s CheckParams,
    pub(super) tell: &'s mut dyn FnMut(Step<'_>),
    pub(super) activation: Activation,
    pub(super) budget: Budget,
    resource_scope: Arc<str>,
    resource_version: &'s str,
    resource: String,
    /// The principal's roles with all roles above them.
    all_roles: HashSet<Arc<str>>,
    pub(super) variables: HashMap<u32, Arc<Map>>,
    pub(super) role_variables: HashMap<u32, Arc<Map>>,
    outcomes: HashMap<u32, bool>,
    scoped_roles: HashMap<Arc<str>, DerivedRoles>,
    pub(super) output: CheckOutput,
}

impl<'s> Evaluation<'s> {
    pub(super) fn new(
        set: &'s PolicySet,
        input: &'s CheckInput,
        params: &'s CheckParams,
        tell: &'s mut dyn FnMut(Step<'_>),
    ) -> Self {
        let resource_scope = scope_or(&input.resource.scope, &params.default_scope);
        let all_roles = set.with_parent_roles(&resource_scope, &input.principal.roles).into_iter().collect();
        Self {
            set,
            input,
            params,
            tell,
            activation: activation(input, params),
            budget: params.budget.clone(),
            resource_scope,
            resource_version: or(&input.resource.policy_version, &params.default_policy_version),
            resource: names::sanitized(&input.resource.kind),
            all_roles,
            variables: HashMap::new(),
            role_variables: HashMap::new(),
            outcomes: HashMap::new(),
            scoped_roles: HashMap::new(),
            output: CheckOutput {
                request_id: input.request_id.clone(),
                resource_id: input.resource.id.clone(),
                ..CheckOutput::default()
            },
        }
    }

    pub(super) fn run(mut self) -> Result<CheckOutput, CheckError> {
        let version = or(&self.input.principal.policy_version, &self.params.default_policy_version);
        let principal_scope = scope_or(&self.input.principal.scope, &self.params.default_scope);
        let lenient = self.params.lenient_scope_search;
        let principal_scopes = scopes_of(&self.set.principals, &principal_scope, lenient);
        let resource_scopes = scopes_of(&self.set.resources, &self.resource_scope, lenient);
        let resource_key = resource_scopes
            .first()
            .map(|scope| names::resource_key(&self.input.resource.kind, self.resource_version, scope));

        if self.rejected(resource_key.as_deref()) {
            return Ok(self.answer_all(&resource_key.unwrap_or_default()));
        }
        let principal_exists = principal_scopes.iter().any(|scope| {
            self.set.principals.get(scope).is_some_and(|versions| versions.contains_key(version))
        });
        let resource_exists = resource_scopes.iter().any(|scope| self.resource_exists(scope));
        if !principal_exists && !resource_exists {
            return Ok(self.answer_all(NO_MATCH));
        }

        let policy = |exists: bool, key: Option<String>| -> Arc<str> {
            key.filter(|_| exists).map_or_else(|| NO_MATCH.into(), Arc::from)
        };
        let principal_key = principal_scopes
            .first()
            .map(|scope| names::principal_key(&self.input.principal.id, version, scope));
        let sides = [
            Side {
                kind: PolicyKind::Principal,
                policy: policy(principal_exists, principal_key),
                scopes: principal_scopes,
            },
            Side {
                kind: PolicyKind::Resource,
                policy: policy(resource_exists, resource_key),
                scopes: resource_scopes,
            },
        ];
        for action in &self.input.actions {
            if self.output.action(action).is_some() {
                continue;
            }
            (self.tell)(Step::Action(action));
            let verdict = self.action(action, &sides)?;
            let effect = verdict.effect.unwrap_or(Effect::Deny);
            (self.tell)(Step::Decided(effect));
            let Verdict { policy, scope, rule, rests_on_failure, .. } = verdict;
            let effect = ActionEffect { effect, policy, scope, rule, rests_on_failure };
            self.output.actions.push((action.clone(), effect));
        }
        Ok(self.output)
    }

    /// Whether a policy of the scope and the request's version is for the resource.
    fn resource_exists(&self, scope: &str) -> bool {
        let index = self.set.resources.get(scope).and_then(|versions| versions.get(self.resource_version));
        index.is_some_and(|index| {
            index.regular.contains_key(self.resource.as_str())
                || index.roles.iter().any(|row| row.resource.matches(&self.resource))
        })
    }

    /// Denies everything, in the name of one policy.
    fn answer_all(mut self, policy: &str) -> CheckOutput {
        for action in &self.input.actions {
            if self.output.action(action).is_none() {
                let effect = ActionEffect {
                    effect: Effect::Deny,
                    policy: policy.into(),
                    scope: Arc::default(),
                    rule: None,
                    rests_on_failure: false,
                };
                self.output.actions.push((action.clone(), effect));
            }
        }
        self.output
    }

    /// Notes attributes that do not follow their schemas; whether that alone denies.
    #[cfg(feature = "cerbos-schema")]
    fn rejected(&mut self, resource_key: Option<&str>) -> bool {
        let refs = resource_key.and_then(|key| self.set.schemas.get(key));
        let (Some(schemas), Some(refs)) = (&self.params.schemas, refs) else { return false };
        self.output.validation_errors = schemas.validate(refs, self.input);
        schemas.rejects() && !self.output.validation_errors.is_empty()
    }

    #[cfg(not(feature = "cerbos-schema"))]
    #[expect(clippy::unused_self, reason = "without schemas nothing is rejected")]
    fn rejected(&self, _: Option<&str>) -> bool {
        false
    }

    fn query<'q>(&'q self, scope: &'q str, action: &'q str) -> Query<'q> {
        Query { version: self.resource_version, resource: &self.resource, scope, action }
    }

    fn action(&mut self, action: &Arc<str>, sides: &[Side]) -> Result<Verdict, CheckError> {
        let mut verdict = Verdict::none(Arc::default());
        for side in sides {
            verdict.effect = None;
            for (i, role) in self.input.principal.roles.iter().enumerate() {
                // Principal policies ask for no role: once is enough.
                if i > 0 && side.kind == PolicyKind::Principal {
                    break;
                }
                (self.tell)(Step::Role { kind: side.kind, role });
                let of_role = match self.role(action, role, side) {
                    Ok(of_role) => of_role,
                    Err((Stop::Failed, failed)) => return Ok(Verdict { rests_on_failure: true, ..failed }),
                    Err((Stop::Fatal(error), _)) => return Err(error),
                };
                let allows = of_role.effect == Some(Effect::Allow);
                if verdict.effect.is_none() || allows {
                    verdict = of_role;
                }
                // Roles are independent: the first that may, may.
                if allows {
                    break;
                }
            }
            // What a principal policy decides is decided.
            if verdict.effect.is_some() {
                break;
            }
        }
        Ok(verdict)
    }

    /// What one role gets from one kind of policy. With an error comes the denial that strictness makes of it.
    fn role(&mut self, action: &Arc<str>, role: &Arc<str>, side: &Side) -> Result<Verdict, (Stop, Verdict)> {
        let mut verdict = Verdict::none(side.policy.clone());
        let roles = self.set.with_parent_roles(&self.resource_scope, std::slice::from_ref(role));
        let mut allowed_by: Option<Arc<str>> = None;
        for scope in &side.scopes {
            (self.tell)(Step::Scope(scope));
            if side.kind == PolicyKind::Resource {
                self.derived_roles(scope).map_err(|stop| (stop, verdict.clone()))?;
            }
            let cost = bindings::cost(self.set, &self.query(scope, action), &roles);
            self.spend(cost).map_err(|stop| (stop, verdict.clone()))?;
            let query = self.query(scope, action);
            let bindings = match side.kind {
                PolicyKind::Principal => of_principal(self.set, &query, &self.input.principal.id),
                PolicyKind::Resource | PolicyKind::Role => of_resource(self.set, &query, &roles),
            };
            for binding in bindings {
                let denial = |binding: &Binding<'s>| Verdict {
                    effect: Some(Effect::Deny),
                    policy: binding.policy(self.set),
                    scope: scope.clone(),
                    rule: binding.rule().map(|rule| rule.source.clone()),
                    rests_on_failure: false,
                };
                let held = match self.binding(&binding, action) {
                    Ok(held) => held,
                    Err(stop) => return Err((stop, denial(&binding))),
                };
                match binding.effect().filter(|_| held) {
                    Some(Effect::Allow) => {
                        allowed_by = allowed_by.or_else(|| binding.rule().map(|rule| rule.source.clone()));
                    }
                    Some(Effect::Deny) => {
                        let denial = denial(&binding);
                        let policy = if binding.is_of_role_policy() { denial.policy } else { verdict.policy };
                        return Ok(Verdict { policy, ..denial });
                    }
                    None => {}
                }
            }
            if allowed_by.is_some() {
                match self.set.scope_permissions.get(scope).copied().unwrap_or_default() {
                    ScopePermissions::RequireParentalConsentForAllows => {
                        (self.tell)(Step::ConsentNeeded(scope));
                        allowed_by = None;
                    }
                    ScopePermissions::OverrideParent => {
                        verdict.effect = Some(Effect::Allow);
                        verdict.scope = scope.clone();
                        verdict.rule = allowed_by;
                        return Ok(verdict);
                    }
                }
            }
        }
        Ok(verdict)
    }

    /// Whether a rule holds; what it says either way goes into the answer.
    fn binding(&mut self, binding: &Binding<'s>, action: &Arc<str>) -> Result<bool, Stop> {
        // Variables are evaluated whether the rule's condition names them or not, so that their failures are told.
        let seen = match binding.rule() {
            Some(rule) => Some((&rule.params, self.variables(&rule.params).map_err(Stop::Fatal)?)),
            None => None,
        };
        let known = binding.outcome().and_then(|outcome| self.outcomes.get(&outcome).copied());
        let held = match known {
            Some(held) => held,
            None => {
                if let Some(role) = binding.derived_role()
                    && let Some(condition) = &role.condition
                {
                    let variables = self.variables(&role.params).map_err(Stop::Fatal)?;
                    self.bring(&role.params.constants, &variables);
                    let held =
                        self.holds(condition).inspect_err(|_| self.tell_rule(binding, Outcome::Failed));
                    if !held? {
                        self.note(binding, false);
                        self.tell_rule(binding, Outcome::NotTheRole);
                        return Ok(false);
                    }
                }
                let held = match (binding.condition(), &seen) {
                    (Some((condition, turned)), Some((params, variables))) => {
                        self.bring(&params.constants, variables);
                        let held = self.holds(condition);
                        match held {
                            Ok(held) => held != turned,
                            Err(stop) => {
                                self.tell_rule(binding, Outcome::Failed);
                                return Err(stop);
                            }
                        }
                    }
                    _ => true,
                };
                self.note(binding, held);
                held
            }
        };
        self.tell_rule(binding, if held { Outcome::Held } else { Outcome::NotHeld });
        if let (Some(expression), Some((params, variables)), Some(rule)) =
            (binding.output(held), seen, binding.rule())
        {
            self.bring(&params.constants, &variables);
            let value = match self.value(expression).map_err(Stop::Fatal)? {
                Ok(value) => told(expression, value.to_json_within(&mut self.budget)).map_err(Stop::Fatal)?,
                Err(message) => Err(message),
            };
            self.output.outputs.push(OutputEntry {
                source: rule.source.clone(),
                action: action.clone(),
                value,
            });
        }
        Ok(held)
    }

    /// Accounts for what is not an expression.
    fn spend(&mut self, steps: u64) -> Result<(), Stop> {
        let left = self.budget.step(steps);
        left.map_err(|_| Stop::Fatal(CheckError::TooManyRules { resource: self.resource.as_str().into() }))
    }

    fn note(&mut self, binding: &Binding<'_>, held: bool) {
        if let Some(outcome) = binding.outcome() {
            self.outcomes.insert(outcome, held);
        }
    }

    fn tell_rule(&mut self, binding: &Binding<'s>, outcome: Outcome) {
        let policy = binding.policy(self.set);
        (self.tell)(Step::Rule { rule: binding.rule(), policy: &policy, effect: binding.effect(), outcome });
    }

    /// Puts the derived roles of a scope in force; they stay so until those of another scope are.
    fn derived_roles(&mut self, scope: &Arc<str>) -> Result<(), Stop> {
        if let Some(roles) = self.scoped_roles.get(scope) {
            self.activation.derived_roles = roles.clone();
            return Ok(());
        }
        let key = names::resource_key(&self.input.resource.kind, self.resource_version, scope);
        let roles = self.set.derived_roles.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        let mut effective: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut failed: BTreeSet<Arc<str>> = BTreeSet::new();
        for role in roles {
            let has_parent =
                role.parent_roles.iter().any(|parent| &**parent == "*" || self.all_roles.contains(parent));
            let outcome = if has_parent { self.derived_role(role)? } else { Outcome::NotTheRole };
            (self.tell)(Step::DerivedRole { role, outcome });
            match outcome {
                Outcome::Held => effective.insert(role.name.clone()),
                Outcome::Failed => failed.insert(role.name.clone()),
                Outcome::NotHeld | Outcome::NotTheRole => false,
            };
        }
        self.output.effective_derived_roles.extend(effective.iter().cloned());
        let roles = if failed.is_empty() {
            DerivedRoles::Known(effective.into_iter().map(Value::String).collect())
        } else {
            DerivedRoles::Failed(failed.into_iter().collect())
        };
        self.scoped_roles.insert(scope.clone(), roles.clone());
        self.activation.derived_roles = roles;
        Ok(())
    }

    fn derived_role(&mut self, role: &DerivedRole) -> Result<Outcome, Stop> {
        let variables = self.role_variables(role).map_err(Stop::Fatal)?;
        let Some(condition) = &role.condition else { return Ok(Outcome::Held) };
        self.bring(&role.params.constants, &variables);
        match self.holds(condition) {
            Ok(true) => Ok(Outcome::Held),
            Ok(false) => Ok(Outcome::NotHeld),
            Err(Stop::Failed) => Ok(Outcome::Failed),
            Err(stop) => Err(stop),
        }
    }
}

/// Scopes that have policies, from a scope upwards. Only a lenient search passes over a first scope that has none.
fn scopes_of<T>(by_scope: &BTreeMap<Arc<str>, T>, scope: &Arc<str>, lenient: bool) -> Vec<Arc<str>> {
    if !lenient && !by_scope.contains_key(scope) {
        return Vec::new();
    }
    let upwards = std::iter::once(&**scope).chain(names::parents(scope));
    upwards.filter_map(|scope| by_scope.get_key_value(scope)).map(|(scope, _)| scope.clone()).collect()
}

fn or<'a>(given: &'a str, default: &'a str) -> &'a str {
    if given.is_empty() { default } else { given }
}

/// A scope, without the dot that it may begin with.
pub(super) fn scope_or(given: &str, default: &str) -> Arc<str> {
    let scope = or(given, default);
    scope.strip_prefix('.').unwrap_or(scope).into()
}
