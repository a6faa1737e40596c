//! Rules between which a Cerbos PDP decides by chance.
//!
//! Cerbos 0.55 remembers the outcome of a role policy's condition by the number of the rule among those for the same
//! resource, that of a principal policy's condition by the rule's name, and forgets the resource; in which order it
//! looks at resources is chance. Of two rules with the same number or name, for `doc` and for `*`, one takes over the
//! outcome of the other. A set where that could make a difference is refused.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::glob::{Glob, Pattern};
use super::super::model::{Policy, PrincipalPolicy, RoleRule};
use super::super::problem::{Collector, Place};
use super::super::yaml::Text;
use super::title;

/// Patterns of resources that the rules of one role policy can have: each is compared with all others.
const MOST: usize = 500;

/// A rule with its number among those for the same resource.
pub(super) struct Numbered<'r> {
    pub(super) rule: &'r RoleRule,
    pub(super) number: u32,
    pub(super) resource: Pattern,
    pub(super) allow_actions: Arc<[Glob]>,
}

/// Tells rules of a role policy that take over each other's outcomes.
pub(super) fn tell(policy: &Policy, rules: &[Numbered<'_>], out: &mut Collector) {
    let patterned = rules.iter().filter(|rule| matches!(rule.resource, Pattern::Glob(_)));
    if patterned.clone().count() > MOST {
        let message = format!("{} has more than {MOST} rules for patterns of resources", title(policy));
        out.add(&policy.file, policy.at, message);
        return;
    }
    for one in patterned {
        for other in rules.iter().filter(|other| other.number == one.number) {
            if differ(one, other) && meet(&one.resource, &other.resource) && share_an_action(one, other) {
                let (first, second) = if one.rule.at < other.rule.at { (one, other) } else { (other, one) };
                let place = Place { file: policy.file.clone(), at: first.rule.at };
                let message = format!(
                    "{}: this rule and the one at {place} can be for the same resource and action; of their conditions \
                     Cerbos 0.55 evaluates only one, by chance: write both rules for one resource, or one condition",
                    title(policy)
                );
                out.add(&policy.file, second.rule.at, message);
            }
        }
    }
}

/// Tells rules of a principal policy that take over each other's outcomes.
pub(super) fn tell_names(policy: &Policy, body: &PrincipalPolicy, out: &mut Collector) {
    let mut seen: HashMap<&str, (&Text, bool)> = HashMap::new();
    for rules in &body.rules {
        for action in &rules.actions {
            let Some(name) = &action.name else { continue };
            let conditional = action.condition.is_some();
            match seen.get(&*name.value) {
                Some((other, other_conditional)) if conditional || *other_conditional => {
                    let message = format!(
                        "{}: the name `{}` stands at {} already, for another resource; Cerbos 0.55 evaluates the condition \
                         of only one of them, by chance: give them different names",
                        title(policy),
                        name.value,
                        other.at
                    );
                    out.add(&policy.file, name.at, message);
                }
                Some(_) => {}
                None => {
                    seen.insert(&name.value, (name, conditional));
                }
            }
        }
    }
}

/// Whether it matters whose outcome is taken: they are for different resources, and one has a condition.
fn differ(one: &Numbered<'_>, other: &Numbered<'_>) -> bool {
    let speaks = |rule: &RoleRule| rule.condition.is_some() || rule.output.is_some();
    one.resource.as_str() != other.resource.as_str()
        && speaks(one.rule)
        && speaks(other.rule)
        && (one.rule.condition.is_some() || other.rule.condition.is_some())
}

/// Whether some resource could be meant by both; two patterns always could.
fn meet(one: &Pattern, other: &Pattern) -> bool {
    match (one, other) {
        (Pattern::Exact(exact), pattern) | (pattern, Pattern::Exact(exact)) => pattern.matches(exact),
        (Pattern::Glob(_), Pattern::Glob(_)) => true,
    }
}

fn share_an_action(one: &Numbered<'_>, other: &Numbered<'_>) -> bool {
    let plain = |glob: &Glob| !glob.as_str().contains(['*', '?', '[', '{', '\\']);
    one.allow_actions.iter().any(|a| {
        other.allow_actions.iter().any(|b| {
            (!plain(a) && !plain(b))
                || (plain(a) && b.matches(a.as_str()))
                || (plain(b) && a.matches(b.as_str()))
        })
    })
}
