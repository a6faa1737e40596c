//! Content and key lines beside the records: in the same order, some of them perhaps gone.

use std::io::BufRead;

use super::TrustedKeys;
use super::explain::{Explained, check_leaves, there};
use super::lines::Lines;
use super::report::{ContentCounts, FieldStatus, VerifyError, What};
use super::run::{LineErrorAt, failed};
use crate::content::{ContentLine, DisclosedLeaf, Disclosure, KeyEntry, KeysLine, Lacks};
use crate::hash::Hash;
use crate::keys::{KeyError, RunKeys, WrappedRunKeys};
use crate::name::Name;
use crate::record::{ContentRef, RunId};
use crate::sink::{CONTENT, KEYS};

/// What else than a file can lack what opens content.
const SUBJECT_KEY: &str = "the data subject's key";

/// Why content cannot be opened, or with what it can.
enum Access {
    Keys(Box<RunKeys>),
    /// The verifier was not given what it needs.
    Withheld,
    /// The run's or the subject's key is gone: which.
    Gone(&'static str),
}

pub(crate) struct ContentCheck<'f> {
    content: Lines<'f>,
    keys: Lines<'f>,
    access: Access,
    run_id: RunId,
    subject: Option<Name>,
    gone_from: &'static str,
}

impl<'f> ContentCheck<'f> {
    /// Over the two files of a run.
    pub(crate) fn over(
        content: Box<dyn BufRead + 'f>,
        keys: Box<dyn BufRead + 'f>,
        trusted: &TrustedKeys<'_>,
        run_id: RunId,
        subject: Option<&Name>,
        explained: &Explained<'_>,
    ) -> Result<Self, VerifyError> {
        let (content, keys) = (Lines::new(CONTENT, content), Lines::new(KEYS, keys));
        Self::begin(content, keys, trusted, run_id, subject, explained)
    }

    /// Reads the first key line and finds out what can be opened.
    pub(super) fn begin(
        content: Lines<'f>,
        mut keys: Lines<'f>,
        trusted: &TrustedKeys<'_>,
        run_id: RunId,
        subject: Option<&Name>,
        explained: &Explained<'_>,
    ) -> Result<Self, VerifyError> {
        let wrong =
            |why: String| failed(KEYS, 0, What::not("the run's own wrapped keys, which open", why), None);
        if let (Some(sequence), Some(subjects), Some(alias)) =
            (explained.subject(), trusted.subjects, subject)
            && subjects.find(alias).map_err(|e| wrong(e.to_string()))?.is_some()
        {
            return Err(there(sequence, "the data subject's key"));
        }
        let first = keys.peek().map_err(|e| LineErrorAt(e).at(KEYS, 0, None))?.map(<[u8]>::to_vec);
        // A content line in first place means that the run's own line was taken away.
        let wrapped = match first {
            Some(line) if KeysLine::read(&line).is_err() => {
                Some(WrappedRunKeys::from_line(&line).map_err(|e| wrong(e.to_string()))?)
            }
            _ => None,
        };
        let access = match &wrapped {
            None => Access::Gone(KEYS),
            Some(wrapped) if wrapped.run_id() != run_id => {
                let (found, why) = (wrapped.run_id(), format!("the keys are of run {}", wrapped.run_id()));
                return Err(failed(
                    KEYS,
                    0,
                    What::line(why, format_args!("run {run_id}"), format_args!("run {found}")),
                    None,
                ));
            }
            Some(wrapped) => unwrap(wrapped, trusted, subject).map_err(wrong)?,
        };
        if wrapped.is_some() {
            if let Some(sequence) = explained.whole() {
                return Err(there(sequence, "the run's key line"));
            }
            keys.next().map_err(|e| LineErrorAt(e).at(KEYS, 0, None))?;
        }
        Ok(Self { content, keys, access, run_id, subject: subject.cloned(), gone_from: CONTENT })
    }

    /// What lacks the leaves that were missing last.
    pub(super) const fn gone_from(&self) -> &'static str {
        self.gone_from
    }

    /// What holds for the content of one record.
    pub(super) fn record(
        &mut self,
        expected: &ContentRef,
        explained: &Explained<'_>,
        last_good: Option<(u64, Hash)>,
    ) -> Result<ContentCounts, VerifyError> {
        self.open(expected, explained, last_good).map(|(counts, ..)| counts)
    }

    /// As [`Self::record`], with what was opened, and what holds for the leaves of it that are only hashes: erased if every one is.
    pub(crate) fn open(
        &mut self,
        expected: &ContentRef,
        explained: &Explained<'_>,
        last_good: Option<(u64, Hash)>,
    ) -> Result<(ContentCounts, Option<Disclosure>, FieldStatus), VerifyError> {
        let mut counts = ContentCounts::default();
        let leaves = u64::from(expected.leaves);
        let (gone, listed) = (explained.gone(expected.root), explained.fields(expected.root));
        let place = (self.content.file, self.content.number);
        let content =
            take(&mut self.content, last_good, expected.root, ContentLine::read, ContentLine::root)?;
        let keys = take(&mut self.keys, last_good, expected.root, KeysLine::read, KeysLine::root)?;
        let wrong = |what: What| failed(place.0, place.1, what, last_good);
        let unopened =
            |why: String| wrong(What::not(format_args!("what opens to the content {}", expected.root), why));
        if let Some(content) = &content
            && u64::try_from(content.leaves()) != Ok(leaves)
        {
            let (expected, found) = (leaves.to_string(), content.leaves().to_string());
            return Err(failed(
                place.0,
                place.1,
                What::Differs { what: "leaves", expected, found },
                last_good,
            ));
        }
        if let Some(keys) = &keys
            && keys.subject() != self.subject.as_ref()
        {
            let named =
                |subject: Option<&Name>| subject.map_or("no data subject".to_owned(), Name::to_string);
            return Err(wrong(What::line(
                "the key line names another data subject than the run",
                named(self.subject.as_ref()),
                named(keys.subject()),
            )));
        }
        if let Some(content) = &content {
            check_leaves(expected.root, listed, content.states().map(|(hash, _)| hash))?;
        }
        if let Some(sequence) = gone {
            if content.is_some() || keys.is_some() {
                return Err(there(sequence, format!("the content {}", expected.root)));
            }
            counts.add(FieldStatus::Erased, leaves);
            return Ok((counts, None, FieldStatus::Erased));
        }
        // A data line that is there has lost its key, or its key never was of use without it.
        self.gone_from = if content.is_some() && keys.is_none() { KEYS } else { CONTENT };
        let (Some(content), Some(keys)) = (content, keys) else {
            // Statements about fields explain these fields and nothing more.
            counts.add_explained(
                u64::try_from(listed.len()).unwrap_or(u64::MAX),
                FieldStatus::Missing,
                leaves,
            );
            return Ok((counts, None, FieldStatus::Missing));
        };
        for (hash, data) in content.states() {
            if let Some(sequence) = listed.get(&hash).filter(|_| data) {
                return Err(there(*sequence, format!("the cipher text of the leaf {hash}")));
            }
        }
        let explained_leaves = u64::try_from(listed.len()).unwrap_or(u64::MAX);
        let opened = match &self.access {
            Access::Withheld => {
                // What it says nobody here can read; that it is there, and as much as there must be, anybody can see.
                let rest = leaves.saturating_sub(explained_leaves);
                let missing = match content.lacks(&keys, listed.len()) {
                    Ok(Lacks::Data(leaves)) => u64::try_from(leaves).unwrap_or(u64::MAX),
                    Ok(Lacks::Keys) => {
                        self.gone_from = KEYS;
                        rest
                    }
                    Err(_) => {
                        return Err(wrong(What::line(
                            "more leaves have cipher text than have keys",
                            "a key for each leaf with cipher text",
                            "fewer",
                        )));
                    }
                };
                counts.add(FieldStatus::Erased, explained_leaves.min(leaves));
                counts.add(FieldStatus::Missing, missing);
                counts.add(FieldStatus::Withheld, rest.saturating_sub(missing));
                None
            }
            Access::Gone(what) => {
                self.gone_from = *what;
                counts.add_explained(explained_leaves, FieldStatus::Missing, leaves);
                None
            }
            Access::Keys(run_keys) => {
                let entries =
                    keys.entries(content.leaves(), run_keys).map_err(|e| unopened(e.to_string()))?;
                for ((hash, _), entry) in content.states().zip(&entries) {
                    if let Some(sequence) = listed.get(&hash)
                        && !matches!(entry, KeyEntry::Erased)
                    {
                        return Err(there(*sequence, format!("the salt of the leaf {hash}")));
                    }
                }
                let disclosed =
                    content.open_entries(entries, self.run_id).map_err(|e| unopened(e.to_string()))?;
                let without_data = |hash: &Hash| content.states().any(|(leaf, data)| leaf == *hash && !data);
                let unexplained = disclosed.leaves.iter().find_map(|leaf| match leaf {
                    DisclosedLeaf::Hash(hash) if !listed.contains_key(hash) => Some(hash),
                    _ => None,
                });
                if unexplained.is_some_and(without_data) {
                    self.gone_from = CONTENT;
                }
                for leaf in &disclosed.leaves {
                    counts.add(
                        match leaf {
                            DisclosedLeaf::Leaf(_) | DisclosedLeaf::Decoy(_) => FieldStatus::Verified,
                            DisclosedLeaf::Hash(hash) if listed.contains_key(hash) => FieldStatus::Erased,
                            DisclosedLeaf::Hash(_) => FieldStatus::Missing,
                        },
                        1,
                    );
                }
                Some(disclosed)
            }
        };
        let gone = if counts.missing == 0 { FieldStatus::Erased } else { FieldStatus::Missing };
        Ok((counts, opened, gone))
    }

    /// Lines that no record named: the tail of a crash, or a failure. Returns how many.
    pub(super) fn finish(
        &mut self,
        closed: bool,
        last_good: Option<(u64, Hash)>,
    ) -> Result<u64, VerifyError> {
        let mut orphans = 0;
        for lines in [&mut self.content, &mut self.keys] {
            let (file, is_keys) = (lines.file, lines.file == KEYS);
            loop {
                let number = lines.number;
                let next = lines.next().map_err(|e| LineErrorAt(e).at(file, number, last_good))?;
                let Some(line) = next else { break };
                let read = if is_keys {
                    KeysLine::read(&line).map(drop)
                } else {
                    ContentLine::read(&line).map(drop)
                };
                if let Err(error) = read {
                    return Err(failed(file, number, unread(&error), last_good));
                }
                if closed {
                    let what = What::line(
                        "no record commits to this line",
                        "nothing after the lines of the records' contents",
                        "a line",
                    );
                    return Err(failed(file, number, what, last_good));
                }
                orphans += 1;
            }
        }
        Ok(orphans)
    }
}

fn unread(error: &crate::content::OpenError) -> What {
    What::not("a line of a content, or of its keys", error)
}

/// The next line, if it belongs to `root`.
fn take<T>(
    lines: &mut Lines<'_>,
    last_good: Option<(u64, Hash)>,
    root: Hash,
    read: impl FnOnce(&[u8]) -> Result<T, crate::content::OpenError>,
    root_of: impl FnOnce(&T) -> Hash,
) -> Result<Option<T>, VerifyError> {
    let (file, number) = (lines.file, lines.number);
    let Some(line) = lines.peek().map_err(|e| LineErrorAt(e).at(file, number, last_good))? else {
        return Ok(None);
    };
    let read = read(line).map_err(|e| failed(file, number, unread(&e), last_good))?;
    if root_of(&read) != root {
        return Ok(None);
    }
    lines.next().map_err(|e| LineErrorAt(e).at(file, number, last_good))?;
    Ok(Some(read))
}

fn unwrap(
    wrapped: &WrappedRunKeys,
    trusted: &TrustedKeys<'_>,
    subject: Option<&Name>,
) -> Result<Access, String> {
    let Some(master) = trusted.master else { return Ok(Access::Withheld) };
    let subject_key = match (subject, trusted.subjects) {
        (None, _) => None,
        (Some(_), None) => return Ok(Access::Withheld),
        (Some(alias), Some(subjects)) => match subjects.find(alias).map_err(|e| e.to_string())? {
            Some(key) => Some((alias.clone(), key)),
            None => return Ok(Access::Gone(SUBJECT_KEY)),
        },
    };
    let borrowed = subject_key.as_ref().map(|(alias, key)| (alias.clone(), key));
    match RunKeys::unwrap(wrapped, master, borrowed) {
        Ok(keys) => Ok(Access::Keys(Box::new(keys))),
        Err(KeyError::OtherMaster { .. }) => Ok(Access::Withheld),
        Err(error) => Err(error.to_string()),
    }
}
