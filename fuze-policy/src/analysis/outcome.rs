//! What a call comes to, and which of two lets through more: denied, with approval, alone; of two approvals, by whom and until when.

use std::collections::BTreeSet;

use super::atoms::AtomId;
use super::search::Salt;
use crate::{Decision, Obligation, Verdict};

/// How far a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Denied, or the run halts.
    Nothing,
    /// Allowed with a person's approval.
    WithApproval,
    /// Allowed.
    Alone,
}

impl Reach {
    /// In a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "denied",
            Self::WithApproval => "allowed with approval",
            Self::Alone => "allowed without approval",
        }
    }
}

/// An output that cannot be looked into, and what tells it apart from itself elsewhere.
pub(super) type Open = (AtomId, Salt);

/// What a call comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Denied, or the run halts.
    Nothing,
    /// Allowed with approval: at least this, and besides what the open outputs ask for, who may also leave nobody to approve.
    WithApproval { known: Obligation, open: BTreeSet<Open> },
    /// Allowed. Where the tool or the law demands an approval all the same, it asks at least for this, as above.
    Alone { known: Obligation, open: BTreeSet<Open> },
}

impl Outcome {
    /// What the real evaluation decided.
    pub(super) fn of(decided: Option<Verdict>) -> Self {
        let Some(Verdict { decision, approval, .. }) = decided else { return Self::Nothing };
        let open = BTreeSet::new();
        match decision {
            Decision::Allow => Self::Alone { known: approval.unwrap_or_default(), open },
            Decision::RequiresApproval(known) => Self::WithApproval { known, open },
            Decision::Deny => Self::Nothing,
        }
    }

    pub(super) fn reach(&self) -> Reach {
        match self {
            Self::Nothing => Reach::Nothing,
            Self::WithApproval { .. } => Reach::WithApproval,
            Self::Alone { .. } => Reach::Alone,
        }
    }

    /// Whether this certainly lets through no more than another, whatever the open outputs say.
    pub(super) fn is_at_most(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) => true,
            (_, Self::Nothing) | (Self::Alone { .. }, Self::WithApproval { .. }) => false,
            // An approval that the other does not ask for may be demanded by others; then it is to be no easier than there.
            (
                Self::WithApproval { known, open } | Self::Alone { known, open },
                Self::WithApproval { known: other, open: open_of_other }
                | Self::Alone { known: other, open: open_of_other },
            ) => open.is_superset(open_of_other) && is_as_strict(known, other),
        }
    }

    /// What this lets through that another does not, in a sentence about what was and what is now.
    pub(super) fn beyond(&self, before: &Self) -> String {
        match (before, self) {
            (Self::WithApproval { known: before, .. }, Self::WithApproval { known: now, .. }) => {
                laxer(before, now)
            }
            (
                Self::Alone { known: before, .. },
                Self::WithApproval { known: now, .. } | Self::Alone { known: now, .. },
            ) => {
                format!("where the tool or the law demands an approval, {}", laxer(before, now))
            }
            _ => format!("what was {} is {} now", before.reach().words(), self.reach().words()),
        }
    }
}

/// Whether whoever meets the new obligation has met the old one, too: the two together ask for nothing more than the new one.
fn is_as_strict(new: &Obligation, old: &Obligation) -> bool {
    let nobody = new.may_approve.as_ref().is_some_and(BTreeSet::is_empty);
    nobody || new == old || old.clone().strictest(new.clone()).as_ref() == Some(new)
}

/// In what the new obligation asks for less than the old one.
fn laxer(old: &Obligation, new: &Obligation) -> String {
    let mut all = Vec::new();
    if new.approvers < old.approvers {
        let had = people(old.approvers);
        let has = match new.approvers {
            1 => "one has".to_owned(),
            several => format!("{} have", number(several)),
        };
        all.push(format!("{had} had to approve, {has} to now"));
    }
    if let Some(before) = &old.may_approve {
        match &new.may_approve {
            None => all.push(format!(
                "only {} could approve, anyone in the overseer registry can now",
                listed(before.iter())
            )),
            Some(now) if !now.is_subset(before) => {
                all.push(format!("{} could not approve, and can now", listed(now.difference(before))));
            }
            Some(_) => {}
        }
    }
    let dropped: Vec<&String> = old.trainings.difference(&new.trainings).collect();
    if !dropped.is_empty() {
        all.push(format!("who approves had to have the training {}, and need not now", listed(dropped)));
    }
    match (old.deadline_seconds, new.deadline_seconds) {
        (Some(before), Some(now)) if now > before => {
            all.push(format!("silence was a denial after {before} seconds, and is after {now} now"));
        }
        (Some(before), None) => {
            all.push(format!(
                "silence was a denial after {before} seconds, and is when the deployment says so now"
            ));
        }
        _ => {}
    }
    all.join("; ")
}

/// So many people, in words.
pub(super) fn people(count: u8) -> String {
    if count == 1 { "one person".to_owned() } else { format!("{} people", number(count)) }
}

fn number(count: u8) -> String {
    const WORDS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];
    WORDS.get(usize::from(count)).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(approvers: u8, who: Option<&[&str]>, trainings: &[&str], deadline: Option<u64>) -> Obligation {
        let texts = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Obligation {
            approvers,
            may_approve: who.map(texts),
            trainings: texts(trainings),
            deadline_seconds: deadline,
        }
    }

    fn approval(known: Obligation, open: &[u32]) -> Outcome {
        Outcome::WithApproval { known, open: open.iter().map(|id| (AtomId(*id), Salt::default())).collect() }
    }

    fn alone(known: Obligation, open: &[u32]) -> Outcome {
        match approval(known, open) {
            Outcome::WithApproval { known, open } => Outcome::Alone { known, open },
            other => other,
        }
    }

    /// Each in what it is laxer than the first, and the words for it; `None` where it is not.
    #[test]
    fn one_approval_is_laxer_than_another() {
        let old = of(2, Some(&["a", "b", "c"]), &["t"], Some(60));
        for (new, said) in [
            (old.clone(), None),
            (of(3, Some(&["a", "b", "c"]), &["t", "u"], Some(59)), None),
            (of(2, Some(&["a", "c"]), &["t"], Some(60)), None),
            (of(1, Some(&["a", "b"]), &["t"], Some(60)), Some("two people had to approve, one has to now")),
            (of(2, Some(&["a", "d"]), &["t"], Some(60)), Some("`d` could not approve, and can now")),
            (of(2, None, &["t"], Some(60)), Some("only `a`, `b`, `c` could approve, anyone")),
            (
                of(2, Some(&["a", "b"]), &["u"], Some(60)),
                Some("had to have the training `t`, and need not now"),
            ),
            (of(2, Some(&["a", "b"]), &["t"], Some(61)), Some("after 60 seconds, and is after 61 now")),
            (of(2, Some(&["a", "b"]), &["t"], None), Some("after 60 seconds, and is when the deployment")),
        ] {
            let (before, after) = (approval(old.clone(), &[]), approval(new, &[]));
            assert_eq!(after.is_at_most(&before), said.is_none(), "{after:?}");
            let words = after.beyond(&before);
            assert!(said.map_or(words.is_empty(), |said| words.contains(said)), "{after:?}: {words}");
        }
    }

    #[test]
    fn an_output_that_is_not_known_may_ask_for_more_and_for_nothing() {
        let one = || of(1, None, &[], None);
        let two = || of(2, None, &[], None);
        assert!(approval(two(), &[1]).is_at_most(&approval(one(), &[1])));
        assert!(approval(two(), &[1, 2]).is_at_most(&approval(two(), &[1])));
        assert!(!approval(two(), &[]).is_at_most(&approval(one(), &[1])), "it may ask for three");
        assert!(!approval(one(), &[1]).is_at_most(&approval(two(), &[])), "it may ask for nothing");
        assert!(!approval(one(), &[2]).is_at_most(&approval(one(), &[1])), "another");
        assert!(
            !approval(one(), &[1]).is_at_most(&Outcome::Nothing)
                && !alone(two(), &[1]).is_at_most(&approval(two(), &[1]))
        );
        assert!(
            Outcome::Nothing.is_at_most(&Outcome::Nothing)
                && approval(one(), &[]).is_at_most(&alone(one(), &[]))
        );
        // Where others demand an approval, what is said of it counts.
        assert!(!approval(one(), &[]).is_at_most(&alone(two(), &[])));
        assert!(
            !alone(one(), &[]).is_at_most(&alone(two(), &[]))
                && !alone(one(), &[]).is_at_most(&alone(one(), &[1]))
        );
        assert!(alone(two(), &[]).is_at_most(&alone(one(), &[])));
        assert!(alone(Obligation::of_nobody(), &[]).is_at_most(&alone(two(), &[])));
        assert_eq!(
            alone(one(), &[]).beyond(&alone(two(), &[])),
            "where the tool or the law demands an approval, two people had to approve, one has to now"
        );
    }

    #[test]
    fn numbers_are_words_while_they_are_small() {
        assert_eq!([people(1), people(2), people(7)], ["one person", "two people", "7 people"]);
    }
}
