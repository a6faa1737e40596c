//! A decision over cells, step for step as [`cerbos::check`](crate::cerbos::check) decides over values, strictly.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::frames::{Level, Speaks};
use super::logic::Truth;
use super::model::TestId;
use super::outcome::{Open, Outcome};
use super::says::{SayId, Says};
use super::search::{Asking, Search, Where};
use crate::Obligation;
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
    /// What rules said, each with where.
    said: Vec<(SayId, Where)>,
}

/// What was said about approval.
#[derive(Default)]
struct Asked {
    known: Vec<Obligation>,
    open: BTreeSet<Open>,
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
            said: Vec::new(),
        }
    }

    /// The same, as if a rule were not there.
    pub(super) fn without(search: &'d mut Search<'m, 'p>, bundle: usize, rule: &'p Rule) -> Self {
        Self { without: Some(rule), ..Self::new(search, bundle) }
    }

    /// What the call comes to, as [`verdict`](crate::agent_tool::verdict) reads it.
    pub(super) fn outcome(&mut self) -> Outcome {
        if !self.action(0).allows() {
            return Outcome::Nothing;
        }
        let auto = self.action(1);
        if matches!(auto, Answer::Failed) {
            return Outcome::Nothing;
        }
        match self.asked() {
            None => Outcome::Nothing,
            Some(Asked { known, open }) => {
                let known = known.into_iter().try_fold(Obligation::default(), Obligation::strictest);
                match known {
                    _ if auto.allows() => {
                        Outcome::Alone { known: known.unwrap_or_else(Obligation::of_nobody), open }
                    }
                    Some(known) => Outcome::WithApproval { known, open },
                    // Nobody is left who could approve: that is a denial.
                    None => Outcome::Nothing,
                }
            }
        }
    }

    /// What was said about approval; `None` if some of it cannot be read.
    fn asked(&mut self) -> Option<Asked> {
        let mut asked = Asked::default();
        for (id, at) in std::mem::take(&mut self.said) {
            let model = self.search.model;
            if let Some(says) = model.says(id) {
                self.resolve(says, at, &mut asked)?;
            }
        }
        Some(asked)
    }

    fn resolve(&mut self, says: &Says, at: Where, asked: &mut Asked) -> Option<()> {
        let search = &mut *self.search;
        match says {
            Says::Known(known) => asked.known.extend(known.clone()),
            Says::Fails => return None,
            Says::If(condition, both) => {
                let [then, otherwise] = &**both;
                let chosen = match condition.truth(&mut Asking { search, at }) {
                    Truth::True => then,
                    Truth::False => otherwise,
                    Truth::Error | Truth::Other => return None,
                };
                self.resolve(chosen, at, asked)?;
            }
            Says::Free(atom) => drop(asked.open.insert(search.speaks(*atom, at)?)),
        }
        Some(())
    }

    /// What an action comes to, by its place in [`ACTIONS`](crate::agent_tool::ACTIONS). As the engine does, ask for the first one first.
    pub(super) fn action(&mut self, action: usize) -> Answer {
        let frame = self.search.frame;
        let Some(plan) = frame.plans.get(self.bundle).and_then(|plans| plans.get(action)) else {
            return Answer::Deny;
        };
        // The derived roles that these see are those of the action before, or none.
        if let Of::Said(answer) = self.levels(&plan.principal, (1 + action) * LEVELS) {
            return answer;
        }
        for levels in &plan.roles {
            match self.levels(levels, 0) {
                // Each role on its own: the first that may, may.
                Of::Said(answer @ (Answer::Allow { .. } | Answer::Failed)) => return answer,
                Of::Said(Answer::Deny) | Of::Nothing => {}
            }
        }
        Answer::Deny
    }

    fn levels(&mut self, levels: &'m [Level<'p>], from: usize) -> Of {
        let tool = self.search.tool();
        for (above, level) in levels.iter().enumerate() {
            let at = Where { bundle: self.bundle, level: from + above };
            let mut allowed = false;
            for speaks in level.speaking(tool) {
                if self.search.is_spent() {
                    return Of::Said(Answer::Failed);
                }
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
    fn held(&mut self, speaks: &Speaks<'p>, at: Where) -> Option<bool> {
        self.search.took(1);
        self.reached.extend(speaks.rule);
        let known = speaks.outcome.and_then(|outcome| self.outcomes.get(&outcome).copied());
        let held = match known {
            Some(held) => held,
            None => {
                let derived = self.test(speaks.derived, at)?;
                let met = derived && self.test(speaks.condition, at)?;
                if met && let Some(rule) = speaks.rule {
                    self.held.push(rule);
                }
                let held = derived && met != speaks.turned;
                if let Some(outcome) = speaks.outcome {
                    self.outcomes.insert(outcome, held);
                }
                // That a derived role does not hold says nothing; told again, it is as if the condition did not hold.
                if !derived {
                    return Some(false);
                }
                held
            }
        };
        self.said.extend(if held { speaks.activated } else { speaks.not_met }.map(|id| (id, at)));
        Some(held)
    }

    fn test(&mut self, test: Option<TestId>, at: Where) -> Option<bool> {
        let model = self.search.model;
        let Some(test) = test.and_then(|id| model.test(id)) else { return Some(true) };
        test.holds(&mut Asking { search: &mut *self.search, at })
    }
}

/// More scopes than one within another.
const LEVELS: usize = 1 << 16;
