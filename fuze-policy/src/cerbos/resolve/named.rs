//! Rules that are named like the place of another.
//!
//! Cerbos calls a rule without a name by its place (`rule-002`, `doc_rule-001`), and keeps the outcome of a rule's condition by its name. A rule
//! that bears such a name takes over the outcome of the other, or gives it its own: a DENY whose condition holds may then deny nothing.
//! Cerbos takes such a set; here it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::model::Policy;
use super::super::problem::{Collector, Position};
use super::title;

/// The names of one policy's rules, as they are come to.
#[derive(Default)]
pub(super) struct Called(HashMap<Arc<str>, (Position, bool)>);

impl Called {
    /// Notes what a rule is called, by its name or by its place, and tells one of each.
    pub(super) fn add(
        &mut self,
        policy: &Policy,
        (called, at, named): (&Arc<str>, Position, bool),
        out: &mut Collector,
    ) {
        // Two of one written name were told when the policy was read.
        if let Some((other, other_named)) = self.0.insert(called.clone(), (at, named))
            && named != other_named
        {
            let message = format!(
                "{}: this rule and the one at {other} are both called `{called}`, one by its name and the other, which has none, by its \
                 place; Cerbos evaluates the condition of only one of them: give both names of their own",
                title(policy)
            );
            out.add(&policy.file, at, message);
        }
    }
}
