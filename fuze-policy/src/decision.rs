//! What an engine may answer, and how several demands for approval become one.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// An engine's answer. Exhaustive on purpose: a new variant must make every reader think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The call may run.
    Allow,
    /// The call may run once the obligation is met.
    RequiresApproval(Obligation),
    /// The call may not run.
    Deny,
}

/// A decision and the rule that made it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// The deciding rule.
    pub rule: RuleId,
    /// How an approval has to be, should the tool or the law demand one of a call that the policy allows alone. It makes no call wait by
    /// itself; where one waits, it counts among the demands, of which the strictest hold.
    pub approval: Option<Obligation>,
}

impl Verdict {
    /// A decision, and the rule that made it.
    #[must_use]
    pub fn new(decision: Decision, rule: RuleId) -> Self {
        Self { decision, rule, approval: None }
    }

    /// With what the policy says of approvals that others demand.
    #[must_use]
    pub fn approval(self, approval: Option<Obligation>) -> Self {
        Self { approval, ..self }
    }
}

/// The name of a policy rule: 1 to 128 characters of `A–Z a–z 0–9 . _ : / @ + - #`. Anything else is replaced by `_`,
/// so that a rule's name can never carry text into a record.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// A rule's name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let clean = |c: char| if c.is_ascii_alphanumeric() || "._:/@+-#".contains(c) { c } else { '_' };
        let name: String = name.chars().take(128).map(clean).collect();
        Self(if name.is_empty() { "unnamed".into() } else { name.into() })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// Who must approve before a call may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// How many distinct persons; at least 1.
    pub approvers: u8,
    /// Overseer aliases that count. `None`: everyone in the overseer registry.
    pub may_approve: Option<BTreeSet<String>>,
    /// Trainings that each approver must hold.
    pub trainings: BTreeSet<String>,
    /// Seconds from the suspension until silence is a denial. `None`: the deployment's default.
    pub deadline_seconds: Option<u64>,
}

impl Default for Obligation {
    /// One person, anyone in the registry.
    fn default() -> Self {
        Self { approvers: 1, may_approve: None, trainings: BTreeSet::new(), deadline_seconds: None }
    }
}

/// Somebody who approved a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The alias in the overseer registry.
    pub alias: String,
    /// Trainings held.
    pub trainings: BTreeSet<String>,
}

impl Obligation {
    /// What nobody can meet.
    #[cfg(feature = "cerbos")]
    pub(crate) fn of_nobody() -> Self {
        Self { may_approve: Some(BTreeSet::new()), ..Self::default() }
    }

    /// Whether enough distinct persons approved, counting those alone who may and who hold every training.
    #[must_use]
    pub fn is_met_by(&self, approved: &[Approver]) -> bool {
        let counts = |person: &&Approver| {
            self.may_approve.as_ref().is_none_or(|who| who.contains(&person.alias))
                && self.trainings.is_subset(&person.trainings)
        };
        let persons: BTreeSet<&str> =
            approved.iter().filter(counts).map(|person| person.alias.as_str()).collect();
        persons.len() >= usize::from(self.approvers.max(1))
    }

    /// Both obligations at once: most approvers, the intersection of who may approve, the union of trainings, the
    /// earliest deadline. `None` when nobody is left who could approve, or when the approvers asked for outnumber
    /// those who may: that is a denial.
    #[must_use]
    pub fn strictest(self, other: Self) -> Option<Self> {
        let may_approve = match (self.may_approve, other.may_approve) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (one, None) | (None, one) => one,
        };
        let approvers = self.approvers.max(other.approvers).max(1);
        if may_approve.as_ref().is_some_and(|set: &BTreeSet<String>| set.len() < usize::from(approvers)) {
            return None;
        }
        let deadline_seconds = match (self.deadline_seconds, other.deadline_seconds) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        let trainings = self.trainings.into_iter().chain(other.trainings).collect();
        Some(Self { approvers, may_approve, trainings, deadline_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(approvers: u8, who: Option<&[&str]>, training: &str, deadline: Option<u64>) -> Obligation {
        Obligation {
            approvers,
            may_approve: who.map(|w| w.iter().map(|s| (*s).to_owned()).collect()),
            trainings: [training.to_owned()].into(),
            deadline_seconds: deadline,
        }
    }

    #[test]
    fn strictest_takes_the_harder_of_each() {
        let both =
            of(1, Some(&["a", "b", "c"]), "x", None).strictest(of(2, Some(&["b", "c"]), "y", Some(60)));
        let mut want = of(2, Some(&["b", "c"]), "x", Some(60));
        want.trainings.insert("y".into());
        assert_eq!(both, Some(want));
    }

    #[test]
    fn nobody_left_is_no_obligation_at_all() {
        assert_eq!(of(1, Some(&["a"]), "x", None).strictest(of(1, Some(&["b"]), "x", None)), None);
        assert_eq!(of(2, Some(&["a"]), "x", None).strictest(of(1, None, "x", None)), None);
    }

    #[test]
    fn an_obligation_is_met_by_enough_persons_who_count() {
        let person = |alias: &str, training: &str| Approver {
            alias: alias.to_owned(),
            trainings: [training.to_owned()].into(),
        };
        let (a, b) = (person("a", "x"), person("b", "x"));
        let two = of(2, None, "x", None);
        assert!(two.is_met_by(&[a.clone(), b.clone()]));
        assert!(!two.is_met_by(&[a.clone(), a.clone()]), "one person twice");
        assert!(!two.is_met_by(&[a.clone(), person("c", "y")]), "untrained");
        assert!(!of(1, Some(&["b"]), "x", None).is_met_by(std::slice::from_ref(&a)), "another may");
        assert!(!of(0, None, "x", None).is_met_by(&[]), "nobody");
    }

    #[test]
    fn zero_approvers_still_needs_one() {
        assert_eq!(of(0, None, "x", None).strictest(of(0, None, "x", None)).map(|o| o.approvers), Some(1));
    }

    #[test]
    fn a_rule_name_cannot_carry_text() {
        assert_eq!(RuleId::new("allow anna@example.eu\n").as_str(), "allow_anna@example.eu_");
        assert_eq!(RuleId::new("").as_str(), "unnamed");
        assert_eq!(RuleId::new(&"x".repeat(500)).as_str().len(), 128);
        let name = RuleId::new("pay#1");
        assert_eq!((name.to_string(), format!("{name:?}")), ("pay#1".to_owned(), "\"pay#1\"".to_owned()));
    }
}
