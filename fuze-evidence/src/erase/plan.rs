//! What an erasure will do and say, decided before anything is touched. Pure: no file, no clock.

use std::collections::BTreeSet;

use super::{EraseError, Order, Repeat, RunFacts, Target};
use crate::annex::{Annex, Erased, Erasure, ErasureReason, Event};
use crate::content::{ContentLine, DisclosedLeaf, KeyEntry, KeysLine};
use crate::hash::Hash;
use crate::keys::RunKeys;
use crate::name::Name;
use crate::random::{OsRandom, Random};
use crate::retention::Due;
use crate::time::Timestamp;

/// The two lines of a content, from which fields were erased, without their line feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The content.
    pub root: Hash,
    /// The line for `content.jsonl`.
    pub content: Vec<u8>,
    /// The line for `keys.jsonl`.
    pub keys: Vec<u8>,
}

/// What becomes of the two lines of one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'p> {
    /// They stay.
    Keep,
    /// They are replaced.
    Replace(&'p Replacement),
    /// They go.
    Drop,
}

/// What goes, and what the annex will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(super) erasures: Vec<Erasure>,
    pub(super) replace: Option<Replacement>,
    pub(super) subject: Option<Name>,
}

/// A content line and its key line.
pub type Lines = (Vec<u8>, Vec<u8>);

impl Plan {
    /// What `order` asks for. `lines` finds the two lines of a content, `keys` the run's keys; both are asked only for fields. `None`
    /// when all of it was erased before, and the annex says so.
    ///
    /// # Errors
    /// As the functions below.
    pub fn of_order<E: From<EraseError>>(
        facts: &RunFacts,
        annex: &Annex,
        target: &Target,
        order: &Order,
        lines: impl FnOnce(Hash) -> Result<Option<Lines>, E>,
        keys: impl FnOnce() -> Result<RunKeys, E>,
    ) -> Result<Option<Self>, E> {
        if order.reason.is_window() {
            return Err(EraseError::Window.into());
        }
        match target {
            Target::Fields { root, pointers, repeat } => {
                let root = *root;
                if !facts.contents.iter().any(|content| content.root == root) {
                    return Err(EraseError::UnknownContent { root }.into());
                }
                let Some((content, key_line)) = lines(root)? else {
                    let explained = annex.explains_content(facts.run_id, root);
                    return if explained { Ok(None) } else { Err(EraseError::Missing { root }.into()) };
                };
                let (both, keys) = ((content.as_slice(), key_line.as_slice()), keys()?);
                let random = &mut OsRandom::new();
                Ok(Self::fields(facts, annex, both, &keys, pointers, *repeat, order.reason, random)?)
            }
            Target::Record { root } => Ok(Self::record(facts, annex, *root, order.reason)?),
            Target::Run => Ok(Self::run(facts, annex, order.reason)?),
            Target::Subject => Ok(Self::subject(facts, annex, order.reason)?),
        }
    }

    /// Fields of one content. `None` when all of it was erased before.
    ///
    /// # Errors
    /// When a hold stands, there is no pointer or one meets nothing (any more), the lines do not open, or fields were erased before and `repeat`
    /// refuses.
    #[expect(clippy::too_many_arguments, reason = "two lines, their keys, and what is to be done with them")]
    pub fn fields(
        facts: &RunFacts,
        annex: &Annex,
        (content, keys): (&[u8], &[u8]),
        run_keys: &RunKeys,
        pointers: &[String],
        repeat: Repeat,
        reason: ErasureReason,
        random: &mut dyn Random,
    ) -> Result<Option<Self>, EraseError> {
        annex.check_not_held(facts.run_id)?;
        if pointers.is_empty() {
            // It would take the decoys alone, and so tell all that is left from them.
            return Err(EraseError::NothingNamed);
        }
        let (content, keys) = (ContentLine::read(content)?, KeysLine::read(keys)?);
        let root = content.root();
        let mut entries = keys.entries(content.leaves(), run_keys)?;
        let disclosure = content.open_entries(entries.clone(), facts.run_id)?;
        let mut met = vec![false; pointers.len()];
        let mut gone = BTreeSet::new();
        let (mut new, mut repeated) = (false, false);
        for (((hash, data), entry), leaf) in content.states().zip(&mut entries).zip(&disclosure.leaves) {
            let goes = match (&*entry, leaf) {
                (KeyEntry::Erased, _) => {
                    repeated = true;
                    true
                }
                (KeyEntry::Decoy { .. }, _) => true,
                (KeyEntry::Leaf { .. }, DisclosedLeaf::Leaf(opening)) => {
                    let mut goes = false;
                    for (pointer, met) in pointers.iter().zip(&mut met) {
                        if reaches(pointer, &opening.path) {
                            (goes, *met) = (true, true);
                        }
                    }
                    new |= goes;
                    goes
                }
                // Its salt is there and its cipher text is not.
                (KeyEntry::Leaf { .. }, DisclosedLeaf::Decoy(_) | DisclosedLeaf::Hash(_)) => {
                    debug_assert!(!data);
                    return Err(EraseError::Missing { root });
                }
            };
            if goes {
                *entry = KeyEntry::Erased;
                gone.insert(hash);
            }
        }
        let erased = Erased::Field { root, leaves: gone.iter().copied().collect() };
        if repeated && !new {
            // What is gone must be explained.
            let explained = disclosure.leaves.iter().all(|leaf| match leaf {
                DisclosedLeaf::Hash(hash) => annex.explains(facts.run_id, root, *hash),
                DisclosedLeaf::Leaf(_) | DisclosedLeaf::Decoy(_) => true,
            });
            return match (explained, entries.iter().all(|entry| matches!(entry, KeyEntry::Erased))) {
                (false, _) => Err(EraseError::Missing { root }),
                // Wherever a pointer points, what was there is gone.
                (true, true) => Ok(None),
                // Erased before, or never there: nobody can tell any more, and a pointer that was mistyped leaves its field.
                (true, false) => Err(EraseError::NothingLeft { index: 0 }),
            };
        }
        if let Some(index) = met.iter().position(|met| !met) {
            return Err(match repeated {
                true => EraseError::NothingLeft { index },
                false => EraseError::NoSuchField { index },
            });
        }
        if repeated && repeat == Repeat::Refuse {
            return Err(EraseError::Repeated);
        }
        let replacement = Replacement {
            root,
            content: content.without(&gone)?,
            keys: keys.reseal(&entries, run_keys, random)?,
        };
        let erasures = vec![Erasure { run_id: facts.run_id, reason, what: erased }];
        Ok(Some(Self { erasures, replace: Some(replacement), subject: None }))
    }

    /// All content of one record. `None` when the annex says so already.
    ///
    /// # Errors
    /// When a hold stands, or no record commits to `root`.
    pub fn record(
        facts: &RunFacts,
        annex: &Annex,
        root: Hash,
        reason: ErasureReason,
    ) -> Result<Option<Self>, EraseError> {
        if !facts.contents.iter().any(|content| content.root == root) {
            return Err(EraseError::UnknownContent { root });
        }
        Self::of(facts, annex, vec![(Erased::Record { root }, reason)])
    }

    /// All content of the run, and its keys. `None` when the annex says so already.
    ///
    /// # Errors
    /// When a hold stands.
    pub fn run(facts: &RunFacts, annex: &Annex, reason: ErasureReason) -> Result<Option<Self>, EraseError> {
        Self::of(facts, annex, vec![(Erased::Run, reason)])
    }

    /// As [`Plan::run`], and the data subject's key, even if the run's content went before for another reason.
    ///
    /// # Errors
    /// When a hold stands, or the run has no data subject.
    pub fn subject(
        facts: &RunFacts,
        annex: &Annex,
        reason: ErasureReason,
    ) -> Result<Option<Self>, EraseError> {
        let subject = facts.subject.clone().ok_or(EraseError::NoSubject)?;
        let plan = Self::of(facts, annex, vec![(Erased::Subject, reason)])?;
        Ok(plan.map(|plan| Self { subject: Some(subject), ..plan }))
    }

    /// What the windows that have ended at `now` take. `None` when nothing is due that is still there.
    ///
    /// # Errors
    /// When a hold stands against something that is due.
    pub fn due(facts: &RunFacts, annex: &Annex, now: Timestamp) -> Result<Option<Self>, EraseError> {
        // Of a run that never closed, from when it was given up.
        let given_up = || annex.given_up(facts.run_id).map(|(at, _)| at);
        let Some(from) = facts.close.map(|close| close.at).or_else(given_up) else { return Ok(None) };
        match (facts.windows.due(from, now), facts.close) {
            (Due::Nothing, _) => Ok(None),
            (Due::Content, _) if facts.contents.iter().any(|content| content.oversight) => {
                let due = facts.contents.iter().filter(|content| !content.oversight);
                let due = due.map(|content| Erased::Record { root: content.root });
                Self::of(facts, annex, due.map(|what| (what, ErasureReason::ContentWindow)).collect())
            }
            (Due::Content, _) => Self::of(facts, annex, vec![(Erased::Run, ErasureReason::ContentWindow)]),
            // Without a close root nothing can say which records went: those of a run that never closed stay.
            (Due::Decisions, _) | (Due::Run, None) => {
                Self::of(facts, annex, vec![(Erased::Run, ErasureReason::DecisionWindow)])
            }
            (Due::Run, Some(close)) => {
                let what = Erased::Directory { close_root: close.root };
                let plan = Self::of(facts, annex, vec![(what, ErasureReason::HashWindow)])?;
                // With the run nothing is left that needs the key.
                Ok(plan.map(|plan| Self { subject: facts.subject.clone(), ..plan }))
            }
        }
    }

    fn of(
        facts: &RunFacts,
        annex: &Annex,
        what: Vec<(Erased, ErasureReason)>,
    ) -> Result<Option<Self>, EraseError> {
        let run_id = facts.run_id;
        let erasures = what.into_iter().map(|(what, reason)| Erasure { run_id, reason, what });
        let erasures: Vec<Erasure> = erasures.filter(|erasure| !is_said(annex, erasure)).collect();
        if erasures.is_empty() {
            return Ok(None);
        }
        annex.check_not_held(run_id)?;
        Ok(Some(Self { erasures, replace: None, subject: None }))
    }

    /// What the annex will say, in this order.
    #[must_use]
    pub fn erasures(&self) -> &[Erasure] {
        &self.erasures
    }

    /// The data subject whose key goes too.
    #[must_use]
    pub const fn subject_key(&self) -> Option<&Name> {
        self.subject.as_ref()
    }

    /// What becomes of the lines of the content `root`.
    #[must_use]
    pub fn change(&self, root: Hash) -> Change<'_> {
        if let Some(replacement) = self.replace.as_ref().filter(|replacement| replacement.root == root) {
            return Change::Replace(replacement);
        }
        let drops = self.erasures.iter().any(|erasure| match erasure.what {
            Erased::Record { root: erased } => erased == root,
            Erased::Run | Erased::Subject | Erased::Directory { .. } => true,
            Erased::Field { .. } => false,
        });
        if drops { Change::Drop } else { Change::Keep }
    }

    /// Whether all content goes, and the run's keys.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.erasures
            .iter()
            .any(|erasure| matches!(erasure.what, Erased::Run | Erased::Subject | Erased::Directory { .. }))
    }

    /// Whether the run goes as a whole, its records too.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.erasures.iter().any(|erasure| matches!(erasure.what, Erased::Directory { .. }))
    }
}

/// Whether the annex already says as much or more.
fn is_said(annex: &Annex, erasure: &Erasure) -> bool {
    let said = |covers: fn(&Erased) -> bool| {
        annex.of_run(erasure.run_id).any(|entry| match &entry.event {
            Event::Erased(stated) => covers(&stated.what),
            Event::Contested(_)
            | Event::LateOutcome(_)
            | Event::Hold(_)
            | Event::Release(_)
            | Event::GivenUp(_) => false,
        })
    };
    match &erasure.what {
        Erased::Field { .. } => annex.states(erasure),
        Erased::Record { .. } => {
            annex.states(erasure)
                || said(|what| matches!(what, Erased::Run | Erased::Subject | Erased::Directory { .. }))
        }
        Erased::Run => said(|what| matches!(what, Erased::Run | Erased::Subject | Erased::Directory { .. })),
        Erased::Subject => said(|what| matches!(what, Erased::Subject | Erased::Directory { .. })),
        Erased::Directory { .. } => said(|what| matches!(what, Erased::Directory { .. })),
    }
}

/// Whether a JSON Pointer reaches a leaf: the leaf itself, or something that it is in.
pub(crate) fn reaches(pointer: &str, path: &str) -> bool {
    path.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
