//! What of a run's content a bundle discloses: chosen by record and JSON Pointer, nothing unless asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fuze_evidence::content::{ContentLine, DisclosedLeaf, Disclosure, DisclosureError};
use fuze_evidence::{Hash, jcs};
use serde::{Deserialize, Serialize};

/// Which content to disclose. Of everything else the bundle holds the hashes alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    all: bool,
    records: BTreeMap<u64, Fields>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fields {
    Whole,
    Under(BTreeSet<String>),
}

/// A text that is no JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPointer {
    /// The text.
    pub found: String,
}

impl fmt::Display for NotAPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no JSON Pointer: expected ``, or `/` before each key, with `~0` for `~` and `~1` for `/`",
            self.found
        )
    }
}

impl std::error::Error for NotAPointer {}

impl Selection {
    /// Nothing but hashes.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// All content of the run.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, records: BTreeMap::new() }
    }

    /// All content of the record with this sequence.
    #[must_use]
    pub fn record(mut self, sequence: u64) -> Self {
        self.records.insert(sequence, Fields::Whole);
        self
    }

    /// The field at `pointer` in the content of the record with this sequence, and all beneath it.
    ///
    /// # Errors
    /// When `pointer` is no JSON Pointer (RFC 6901).
    pub fn field(mut self, sequence: u64, pointer: &str) -> Result<Self, NotAPointer> {
        let escapes_hold =
            pointer.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
        if !(pointer.is_empty() || pointer.starts_with('/')) || !escapes_hold {
            return Err(NotAPointer { found: pointer.to_owned() });
        }
        match self.records.entry(sequence).or_insert_with(|| Fields::Under(BTreeSet::new())) {
            Fields::Whole => {}
            Fields::Under(pointers) => {
                pointers.insert(pointer.to_owned());
            }
        }
        Ok(self)
    }

    /// Whether anything of this record is asked for.
    pub(crate) fn wants(&self, sequence: u64) -> bool {
        self.all || self.records.contains_key(&sequence)
    }

    /// Whether this record was named, so that it must not be passed over.
    pub(crate) fn names(&self, sequence: u64) -> bool {
        self.records.contains_key(&sequence)
    }

    /// The records that were named.
    pub(crate) fn named(&self) -> impl Iterator<Item = u64> {
        self.records.keys().copied()
    }

    /// The chosen part of what `whole` opens; `hashes` are those of its leaves, in order.
    pub(crate) fn choose(
        &self,
        sequence: u64,
        whole: Disclosure,
        hashes: impl Iterator<Item = Hash>,
    ) -> Result<Disclosure, Unmatched> {
        let Some(Fields::Under(pointers)) = self.records.get(&sequence).filter(|_| !self.all) else {
            return Ok(whole);
        };
        let mut unmatched: BTreeSet<&String> = pointers.iter().collect();
        let mut choose = |leaf, hash| match leaf {
            DisclosedLeaf::Leaf(opening) => {
                let mut under = pointers.iter().filter(|pointer| is_under(&opening.path, pointer)).peekable();
                if under.peek().is_none() {
                    return DisclosedLeaf::Hash(hash);
                }
                under.for_each(|pointer| {
                    unmatched.remove(pointer);
                });
                DisclosedLeaf::Leaf(opening)
            }
            DisclosedLeaf::Decoy(_) | DisclosedLeaf::Hash(_) => DisclosedLeaf::Hash(hash),
        };
        let leaves = whole.leaves.into_iter().zip(hashes).map(|(leaf, hash)| choose(leaf, hash)).collect();
        match unmatched.first() {
            Some(pointer) => Err(Unmatched { pointer: (*pointer).clone() }),
            None => Ok(Disclosure { leaves, root: whole.root }),
        }
    }
}

/// A pointer at which there is nothing to disclose.
#[derive(Debug)]
pub(crate) struct Unmatched {
    pub(crate) pointer: String,
}

fn is_under(path: &str, pointer: &str) -> bool {
    path.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A member `content/<root>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentMember {
    leaves: Vec<DisclosedLeaf>,
    root: Hash,
    v: u64,
}

/// The member's octets: canonical, without a line feed.
pub(crate) fn write(disclosure: Disclosure) -> Result<Vec<u8>, jcs::Error> {
    let Disclosure { leaves, root } = disclosure;
    jcs::to_vec(&ContentMember { leaves, root, v: fuze_evidence::FORMAT_VERSION })
}

/// Why a member is not what is disclosed of its content.
#[derive(Debug)]
pub(crate) enum NotDisclosed {
    Form,
    Leaves(DisclosureError),
}

impl fmt::Display for NotDisclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected the canonical object `leaves`, `root`, `v` of version 1"),
            Self::Leaves(error) => error.fmt(f),
        }
    }
}

/// Reads a member strictly and checks that its leaves hash to `root` and do not contradict each other.
pub(crate) fn read(octets: &[u8], root: Hash) -> Result<Disclosure, NotDisclosed> {
    let value = jcs::from_slice(octets).map_err(|_| NotDisclosed::Form)?;
    let member: ContentMember = serde_json::from_value(value).map_err(|_| NotDisclosed::Form)?;
    if member.v != fuze_evidence::FORMAT_VERSION || jcs::to_vec(&member).as_deref() != Ok(octets) {
        return Err(NotDisclosed::Form);
    }
    let disclosure = Disclosure { leaves: member.leaves, root: member.root };
    disclosure.fields(root).map_err(NotDisclosed::Leaves)?;
    Ok(disclosure)
}

/// What is left of content that nobody opens: its hashes.
pub(crate) fn hashes_only(line: &ContentLine) -> Disclosure {
    Disclosure { leaves: line.hashes().map(DisclosedLeaf::Hash).collect(), root: line.root() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_covers_what_is_beneath_it_and_nothing_beside() {
        for (path, pointer, expected) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("", "", true),
            ("/a", "", true),
            ("", "/a", false),
        ] {
            assert_eq!(is_under(path, pointer), expected, "{path} {pointer}");
        }
        for wrong in ["a", "/~", "/~2", "#/a"] {
            assert!(Selection::nothing().field(0, wrong).is_err(), "{wrong}");
        }
        assert!(Selection::nothing().field(0, "/a~1b/~0").is_ok());
    }

    /// Well committed to, and no value: two of one path, one inside another, a path that is none, a leaf that is a whole object.
    #[test]
    fn leaves_that_make_no_value_are_refused() {
        use fuze_evidence::content::{Opening, merkle_root};
        use serde_json::{Value, json};
        let salt = |octet: u8| serde_json::from_value(Value::String(format!("{octet:A<43}"))).unwrap();
        let read = |leaves: &[(&str, Value)]| {
            let leaf = |(at, (path, value)): (u8, &(&str, Value))| {
                DisclosedLeaf::Leaf(Opening { path: (*path).into(), value: value.clone(), salt: salt(at) })
            };
            let mut all: Vec<DisclosedLeaf> = (0..).zip(leaves).map(leaf).collect();
            all.extend((0..).take(8 - leaves.len()).map(|n: u8| DisclosedLeaf::Hash(Hash([n; 32]))));
            all.sort_by_key(|leaf| leaf.hash().unwrap());
            let root = merkle_root(all.iter().map(|leaf| leaf.hash().unwrap()));
            super::read(&write(Disclosure { leaves: all, root }).unwrap(), root).is_ok()
        };
        assert!(read(&[("/a", json!(1)), ("/b/0", json!([])), ("/b/1", json!({}))]));
        assert!(read(&[("/o", json!({})), ("/o/0", json!(1)), ("/o/10", json!(2))]));
        assert!(!read(&[("/a", json!(1)), ("/a", json!(2))]));
        assert!(!read(&[("/a", json!(1)), ("/a/b", json!(2))]));
        assert!(!read(&[("/a", json!({})), ("/a/b", json!(2))]));
        assert!(!read(&[("/a", json!({"b": 1}))]));
        assert!(!read(&[("a", json!(1))]));
        assert!(!read(&[("/~2", json!(1))]));
    }

    #[test]
    fn naming_a_whole_record_is_not_narrowed_by_naming_a_field() {
        let whole = Selection::nothing().record(3);
        assert_eq!(whole.clone().field(3, "/a").unwrap(), whole);
    }
}
