//! A decision over cells, step for step as [`cerbos::check`](crate::cerbos::check) decides over values, strictly.

use std::collections::HashMap;
use std::sync::Arc;

use super::frames::{Level, Speaks};
use super::model::TestId;
use super::search::Search;
use crate::cerbos::{Effect, Rule};

/// What an action comes to.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Allow {
        scope: Arc<str>,
    },
    Deny,
    /// A condition failed: the run halts.
    Failed,
}

impl Answer {
    pub(super) fn allows(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// A decision about one case.
pub(super) struct Decision<'d, 'm, 'p> {
    search: &'d mut Search<'m, 'p>,
    bundle: usize,
    /// A rule that is taken to be absent.
    without: Option<&'p Rule>,
    /// As in a real evaluation: rules share outcomes by their names.
    outcomes: HashMap<u32, bool>,
    /// Rules whose condition held.
    pub(super) held: Vec<&'p Rule>,
    /// Rules that were looked at.
    pub(super) reached: Vec<&'p Rule>,
}

/// What the policies of one kind say, to one role.
enum Of {
    Nothing,
    Said(Answer),
}

impl<'d, 'm, 'p> Decision<'d, 'm, 'p> {
    pub(super) fn new(search: &'d mut Search<'m, 'p>, bundle: usize) -> Self {
        Self {
            search,
            bundle,
            without: None,
            outcomes: HashMap::new(),
            held: Vec::new(),
            reached: Vec::new(),
        }
    }

    /// The same, as if a rule were not there.
    pub(super) fn without(search: &'d mut Search<'m, 'p>, bundle: usize, rule: &'p Rule) -> Self {
        Self { without: Some(rule), ..Self::new(search, bundle) }
    }

    /// What an action comes to, by its place in [`ACTIONS`](crate::agent_tool::ACTIONS). As the engine does, ask for the first one first.
    pub(super) fn action(&mut self, action: usize) -> Answer {
        let frame = self.search.frame;
        let Some(plan) = frame.plans.get(self.bundle).and_then(|plans| plans.get(action)) else {
            return Answer::Deny;
        };
        if let Of::Said(answer) = self.levels(&plan.principal) {
            return answer;
        }
        for levels in &plan.roles {
            match self.levels(levels) {
                // Each role on its own: the first that may, may.
                Of::Said(answer @ (Answer::Allow { .. } | Answer::Failed)) => return answer,
                Of::Said(Answer::Deny) | Of::Nothing => {}
            }
        }
        Answer::Deny
    }

    fn levels(&mut self, levels: &'m [Level<'p>]) -> Of {
        for (at, level) in levels.iter().enumerate() {
            let mut allowed = false;
            for speaks in &level.rules {
                if self.without.is_some_and(|rule| speaks.rule.is_some_and(|r| std::ptr::eq(r, rule))) {
                    continue;
                }
                let Some(held) = self.held(speaks, at) else {
                    return Of::Said(Answer::Failed);
                };
                match speaks.effect.filter(|_| held) {
                    Some(Effect::Deny) => return Of::Said(Answer::Deny),
                    Some(Effect::Allow) => allowed = true,
                    None => {}
                }
            }
            if allowed && !level.consent {
                return Of::Said(Answer::Allow { scope: Arc::clone(&level.scope) });
            }
        }
        Of::Nothing
    }

    /// Whether a rule decides; `None` where its condition fails.
    fn held(&mut self, speaks: &Speaks<'p>, level: usize) -> Option<bool> {
        self.reached.extend(speaks.rule);
        let known = speaks.outcome.and_then(|outcome| self.outcomes.get(&outcome).copied());
        if let Some(held) = known {
            return Some(held);
        }
        let derived = self.test(speaks.derived, level)?;
        let met = derived && self.test(speaks.condition, level)?;
        if met && let Some(rule) = speaks.rule {
            self.held.push(rule);
        }
        let held = derived && met != speaks.turned;
        if let Some(outcome) = speaks.outcome {
            self.outcomes.insert(outcome, held);
        }
        Some(held)
    }

    fn test(&mut self, test: Option<TestId>, level: usize) -> Option<bool> {
        let model = self.search.model;
        let Some(test) = test.and_then(|id| model.test(id)) else { return Some(true) };
        let (search, bundle) = (&mut *self.search, self.bundle);
        test.holds(&mut |atom| search.truth(atom, bundle, level))
    }
}
