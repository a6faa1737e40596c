//! Why one request is decided as it is: each rule that could have a say, with what came of it and why.
//!
//! What is told on the way to a decision ([`check_stepwise`]) is put beside what the set has: a rule that was never looked at is here,
//! too, with the reason.

mod condition;
mod silent;

use std::sync::Arc;

use super::Policies;
use crate::cerbos::{
    self, CheckError, CheckInput, CheckOutput, Effect, Outcome, Params, PolicyKind, PolicySet, Rule, Step,
    check_stepwise, parents,
};
use condition::{Seen, Writer};

/// Why a request is decided as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Each action of the request.
    pub actions: Vec<ActionExplained>,
}

/// Why an action is decided as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionExplained {
    /// The action.
    pub action: String,
    /// What was decided.
    pub effect: Effect,
    /// The rule or, if none did, the policy that decided.
    pub by: String,
    /// A tree, each line before what belongs to it.
    pub lines: Vec<Line>,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How far in the tree.
    pub depth: usize,
    /// What it is about.
    pub about: About,
    /// What it is, in the words of its author.
    pub text: String,
    /// How it came out.
    pub came: Came,
    /// Why so.
    pub why: Option<String>,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A role of the principal, or the policies of the principal itself.
    Role,
    /// A scope.
    Scope,
    /// A derived role.
    DerivedRole,
    /// A rule.
    Rule,
    /// A condition, or a part of one.
    Condition,
    /// What a variable stands for that the line above it names.
    Variable,
    /// None of these.
    Note,
}

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It holds.
    Held,
    /// It does not hold.
    NotHeld,
    /// It failed, and with it the decision.
    Failed,
    /// It was not looked at.
    NotAsked,
    /// It only stands above others.
    Heads,
}

impl From<Outcome> for Came {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Held => Self::Held,
            Outcome::NotHeld => Self::NotHeld,
            Outcome::NotTheRole => Self::NotAsked,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// Decides, and explains it.
///
/// # Errors
/// See [`cerbos::check`].
pub fn explain<'p>(
    policies: impl Into<Policies<'p>>,
    input: &CheckInput,
) -> Result<(CheckOutput, Explanation), CheckError> {
    let policies = policies.into();
    let mut teller = Teller::new(policies.set, input, &policies.params.default_policy_version);
    let output = check_stepwise(policies.set, input, &policies.params, &mut |step| teller.tell(&step))?;
    Ok((teller.end(&output), output)).map(|(explanation, output)| (output, explanation))
}

/// Listens to a decision.
struct Teller<'a> {
    set: &'a PolicySet,
    input: &'a CheckInput,
    version: &'a str,
    actions: Vec<ActionExplained>,
    /// Of which kind of policies it is, for which role, with those above it.
    asked: Option<(PolicyKind, Vec<Arc<str>>)>,
    scope: Option<Arc<str>>,
    /// Rules of the scope that were told.
    told: Vec<*const Rule>,
    /// The rule that ended the looking in this scope.
    denied_by: Option<String>,
    /// Expressions since the last rule.
    seen: Vec<Seen>,
    /// Roles that were asked.
    roles: usize,
    /// Whether a condition failed.
    failed: bool,
}

impl<'a> Teller<'a> {
    fn new(set: &'a PolicySet, input: &'a CheckInput, default_version: &'a str) -> Self {
        let version = &input.resource.policy_version;
        Self {
            set,
            input,
            version: if version.is_empty() { default_version } else { version },
            actions: Vec::new(),
            asked: None,
            scope: None,
            told: Vec::new(),
            denied_by: None,
            seen: Vec::new(),
            roles: 0,
            failed: false,
        }
    }

    fn tell(&mut self, step: &Step<'_>) {
        match step {
            Step::Action(action) => {
                (self.roles, self.failed) = (0, false);
                let action = (*action).to_owned();
                self.actions.push(ActionExplained {
                    action,
                    effect: Effect::Deny,
                    by: String::new(),
                    lines: Vec::new(),
                });
            }
            Step::Role { kind, role } => self.role(*kind, role),
            Step::Scope(scope) => {
                self.end_scope();
                self.scope = Some((*scope).into());
                self.add(1, About::Scope, named(scope), Came::Heads, None);
            }
            Step::DerivedRole { role, outcome } => {
                let why = (*outcome == Outcome::NotTheRole).then(|| {
                    format!(
                        "the principal has none of the roles that it is for: {}",
                        listed(&role.parent_roles)
                    )
                });
                let text = format!("derived role {} ({})", role.name, role.place);
                self.add(2, About::DerivedRole, text, (*outcome).into(), why);
                self.conditions(role.condition.as_ref(), &role.params);
            }
            Step::Expression { expression, outcome, seen } => {
                self.seen.push(Seen::new(expression, *outcome, seen));
            }
            Step::Rule { rule, policy, effect, outcome } => self.rule(*rule, policy, *effect, *outcome),
            Step::ConsentNeeded(scope) => {
                let why = "it asks for the consent of the scopes above it for what it allows".to_owned();
                self.add(2, About::Note, format!("{} allows", named(scope)), Came::Heads, Some(why));
            }
            Step::Decided(effect) => {
                let failed = self.failed;
                self.end_role();
                self.rest(*effect, failed);
                if let Some(action) = self.actions.last_mut() {
                    action.effect = *effect;
                }
            }
        }
    }

    fn role(&mut self, kind: PolicyKind, role: &str) {
        self.end_role();
        if kind == PolicyKind::Principal {
            self.asked = Some((kind, Vec::new()));
            let text = format!("policies of the principal {}", self.input.principal.id);
            return self.add(0, About::Role, text, Came::Heads, None);
        }
        let scope = self.input.resource.scope.as_str();
        let roles = self.set.with_parent_roles(scope, &[role.into()]);
        let above = roles.get(1..).filter(|above| !above.is_empty());
        let why = above.map(|above| format!("and with it {}, its parents by role policies", listed(above)));
        self.asked = Some((kind, roles));
        self.roles += 1;
        self.add(0, About::Role, format!("role {role}"), Came::Heads, why);
    }

    fn rule(&mut self, rule: Option<&Rule>, policy: &str, effect: Option<Effect>, outcome: Outcome) {
        let Some(rule) = rule else {
            let why =
                "it does not name the action, and what a role policy does not name is denied".to_owned();
            self.denied_by = Some(policy.to_owned());
            return self.add(2, About::Rule, format!("role policy {policy}"), Came::Held, Some(why));
        };
        self.told.push(rule);
        let condition = rule.condition.as_ref();
        // As its author wrote it: what allows while its condition holds denies while it does not.
        let turned = effect == Some(Effect::Deny) && rule.effect == Effect::Allow;
        let came = match outcome {
            Outcome::Held if turned => Came::NotHeld,
            Outcome::NotHeld if turned => Came::Held,
            other => other.into(),
        };
        self.failed |= outcome == Outcome::Failed;
        let denies = effect == Some(Effect::Deny) && outcome == Outcome::Held;
        if denies || outcome == Outcome::Failed {
            self.denied_by = Some(rule.source.as_ref().to_owned());
        }
        let of_principal = matches!(self.asked, Some((PolicyKind::Principal, _)));
        let as_before = self.seen.is_empty() && condition.is_some();
        let why = match (outcome, came) {
            (Outcome::NotTheRole, _) => Some("the derived role that it is for does not hold"),
            (Outcome::Failed, _) => Some("its condition fails, and the run halts"),
            (_, Came::NotHeld) if denies && rule.inverted => {
                Some("its condition does not hold, and in a scope that asks for consent that is a denial")
            }
            (_, Came::NotHeld) if denies => {
                Some("its condition does not hold, and what a role policy does not allow is denied")
            }
            (_, Came::NotHeld) if as_before => Some("it does not hold, as above"),
            (_, Came::NotHeld) => Some("its condition does not hold"),
            (_, Came::Held) if denies && of_principal => {
                Some("it denies, and the tool's policies are not asked")
            }
            (_, Came::Held) if denies => Some("it denies, whatever other rules of this role allow"),
            (_, Came::Held) if rule.inverted => Some("the scopes above have to allow, too"),
            (_, Came::Held) if turned || effect.is_none() => {
                Some("its role may do no more than this; other rules decide whether it does")
            }
            _ => None,
        };
        let text = format!("{} {} ({})", rule.effect.as_str(), rule.source, rule.place);
        self.add(2, About::Rule, text, came, why.map(str::to_owned));
        self.conditions(condition, &rule.params);
    }

    /// The conditions that were evaluated for what was told last: of the derived role, and its own.
    fn conditions(&mut self, own: Option<&cerbos::Condition>, params: &Params) {
        let seen = std::mem::take(&mut self.seen);
        if seen.is_empty() {
            return;
        }
        let Some(action) = self.actions.last_mut() else { return };
        let mut lines = Writer::new(&params.variables, &mut action.lines);
        match own {
            Some(own) if condition::was_asked(own, &seen) => lines.condition(own, &seen, 3),
            _ => lines.others(&seen, 3),
        }
    }

    /// What was not asked any more.
    fn rest(&mut self, effect: Effect, failed: bool) {
        let not_asked = |why: &str| (Came::NotAsked, Some(why.to_owned()));
        if self.roles == 0 {
            let (came, why) = not_asked("a policy of the principal decided");
            return self.add(0, About::Role, "policies of the tool".to_owned(), came, why);
        }
        let (came, why) = match (failed, effect) {
            (true, _) => not_asked("a condition failed, and the run halts"),
            (false, Effect::Allow) => not_asked("a role before it may, and each counts on its own"),
            (false, Effect::Deny) => return,
        };
        for role in self.input.principal.roles.iter().skip(self.roles) {
            self.add(0, About::Role, format!("role {role}"), came, why.clone());
        }
    }

    fn end_role(&mut self) {
        let last = self.scope.clone();
        let by = self.denied_by.clone();
        self.end_scope();
        let Some((kind, _)) = self.asked.take() else { return };
        let has_policies = |scope: &str| match kind {
            PolicyKind::Principal => self.set.principals.contains_key(scope),
            PolicyKind::Resource | PolicyKind::Role => self.set.resources.contains_key(scope),
        };
        match last {
            Some(last) => {
                let above: Vec<String> =
                    parents(&last).filter(|scope| has_policies(scope)).map(str::to_owned).collect();
                for scope in above {
                    let why = match &by {
                        Some(rule) => format!("{rule} decided"),
                        None => format!("{} decided", named(&last)),
                    };
                    self.add(1, About::Scope, named(&scope), Came::NotAsked, Some(why));
                }
            }
            None if kind == PolicyKind::Principal => {
                self.add(1, About::Note, "there are none".to_owned(), Came::Heads, None);
            }
            None => {}
        }
    }

    /// Tells of the rules of a scope that were not looked at.
    fn end_scope(&mut self) {
        let Some(scope) = self.scope.take() else { return };
        let told = std::mem::take(&mut self.told);
        let denied_by = self.denied_by.take();
        let (Some((kind, roles)), Some(action)) = (&self.asked, self.actions.last_mut()) else { return };
        let asked = silent::Asked {
            set: self.set,
            kind: *kind,
            roles,
            principal: &self.input.principal.id,
            resource: &self.input.resource.kind,
            version: self.version,
            scope: &scope,
            action: &action.action,
            denied_by: denied_by.as_deref(),
        };
        action.lines.extend(silent::lines(&asked, &told));
        action.lines.extend(silent::nothing(&asked));
    }

    fn add(&mut self, depth: usize, about: About, text: String, came: Came, why: Option<String>) {
        if let Some(action) = self.actions.last_mut() {
            action.lines.push(Line { depth, about, text, came, why });
        }
    }

    fn end(mut self, output: &CheckOutput) -> Explanation {
        for (action, effect) in &output.actions {
            let by = effect.rule.as_ref().unwrap_or(&effect.policy).as_ref().to_owned();
            match self.actions.iter_mut().find(|told| *told.action == **action) {
                Some(told) => told.by = by,
                None => {
                    let text = "no policy is about this, and what no policy allows is denied".to_owned();
                    let line = Line { depth: 0, about: About::Note, text, came: Came::Heads, why: None };
                    let action = action.as_ref().to_owned();
                    self.actions.push(ActionExplained {
                        action,
                        effect: effect.effect,
                        by,
                        lines: vec![line],
                    });
                }
            }
        }
        Explanation { actions: self.actions }
    }
}

fn named(scope: &str) -> String {
    if scope.is_empty() { "root scope".to_owned() } else { format!("scope {scope}") }
}

fn listed(names: &[Arc<str>]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
