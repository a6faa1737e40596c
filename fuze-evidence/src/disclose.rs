//! Selective disclosure: chosen fields of chosen contents to somebody who gets no key. What is not chosen stays a hash, in its place.
//!
//! A disclosure is checked against the root in a record and nothing else: [`Disclosure::fields`]. Not here: whether a field
//! that stays a hash was erased or is withheld, which [`crate::Annex::explains`] tells.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{
    ContentLine, DisclosedLeaf, Disclosure, DisclosureError, KeysLine, OpenError, Opening, unescape,
};
use crate::erase::reaches;
use crate::files::open_own;
use crate::hash::Hash;
use crate::jcs;
use crate::keys::{KeyError, MasterKey, RunKeys, SubjectKeyError, SubjectKeys, WrappedRunKeys};
use crate::sink::{CONTENT, KEYS};

/// The longest line, with its line feed.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// What is disclosed of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Everything that was not erased, decoys too.
    All,
    /// What JSON Pointers (RFC 6901) into the redacted value reach. Decoys stay hashes: how many leaves there are is not said.
    Fields(Vec<String>),
    /// Hashes alone.
    Nothing,
}

impl Disclosure {
    /// The part of it that `choice` takes.
    ///
    /// # Errors
    /// [`DiscloseError::NoSuchField`] when a pointer reaches nothing: it is not there, or was erased.
    pub fn select(&self, choice: &Choice) -> Result<Self, DiscloseError> {
        let mut met = match choice {
            Choice::Fields(pointers) => vec![false; pointers.len()],
            Choice::All | Choice::Nothing => Vec::new(),
        };
        let mut leaves = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            let chosen = match (choice, leaf) {
                (_, DisclosedLeaf::Hash(_)) | (Choice::All, _) => true,
                (Choice::Fields(pointers), DisclosedLeaf::Leaf(opening)) => {
                    let mut chosen = false;
                    for (pointer, met) in pointers.iter().zip(&mut met) {
                        if reaches(pointer, &opening.path) {
                            (chosen, *met) = (true, true);
                        }
                    }
                    chosen
                }
                (Choice::Fields(_), DisclosedLeaf::Decoy(_)) | (Choice::Nothing, _) => false,
            };
            leaves.push(match chosen {
                true => leaf.clone(),
                false => DisclosedLeaf::Hash(leaf.hash().map_err(DiscloseError::Canonical)?),
            });
        }
        match met.iter().position(|met| !met) {
            Some(index) => Err(DiscloseError::NoSuchField { root: self.root, index }),
            None => Ok(Self { leaves, root: self.root }),
        }
    }

    /// What is disclosed, by path, after checking that all leaves hash to `root`. No field twice and none inside another, so that
    /// nothing which was committed to besides can contradict it.
    ///
    /// # Errors
    /// When the leaves do not hash to `root`, or contradict each other.
    pub fn fields(&self, root: Hash) -> Result<BTreeMap<&str, &Value>, DisclosureError> {
        self.verify(root)?;
        let mut fields = BTreeMap::new();
        for leaf in &self.leaves {
            let DisclosedLeaf::Leaf(Opening { path, value, .. }) = leaf else { continue };
            if !is_leaf(path, value) || fields.insert(path.as_str(), value).is_some() {
                return Err(DisclosureError::Value { path: path.clone() });
            }
        }
        for path in fields.keys() {
            let mut around = path.match_indices('/').filter_map(|(at, _)| {
                let (outer, inner) = path.split_at_checked(at)?;
                fields.get(outer).map(|value| (*value, inner))
            });
            // Only the mark of an object that looks like an array stands above other leaves, and these are its elements.
            if around.any(|(value, inner)| !value.is_object() || !is_index(inner)) {
                return Err(DisclosureError::Value { path: (*path).to_owned() });
            }
        }
        Ok(fields)
    }

    /// The canonical octets of `content/<root>.json` in a bundle.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, jcs::Error> {
        jcs::to_vec(&DisclosureFile {
            leaves: self.leaves.clone(),
            root: self.root,
            v: crate::FORMAT_VERSION,
        })
    }

    /// Reads these octets; says nothing about their truth, which [`Disclosure::fields`] does.
    ///
    /// # Errors
    /// In words, when they are not canonical, of another version, or not of this form.
    pub fn from_bytes(octets: &[u8]) -> Result<Self, String> {
        let value = jcs::from_slice(octets).map_err(|e| e.to_string())?;
        let read: DisclosureFile = serde_json::from_value(value).map_err(|e| e.to_string())?;
        match jcs::to_vec(&read) {
            Ok(again) if again == octets && read.v == crate::FORMAT_VERSION => {
                Ok(Self { leaves: read.leaves, root: read.root })
            }
            _ => Err("it reads back otherwise, or its version is unknown".into()),
        }
    }
}

/// Whether something can stand at `path` as a leaf: the path is a pointer no deeper than a value is, and `value` holds nothing.
fn is_leaf(path: &str, value: &Value) -> bool {
    let pointer = match path.strip_prefix('/') {
        Some(tokens) => {
            tokens.split('/').take(jcs::MAX_DEPTH + 1).count() <= jcs::MAX_DEPTH
                && tokens.split('/').all(|token| unescape(token).is_some())
        }
        None => path.is_empty(),
    };
    let empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => true,
    };
    pointer && empty
}

/// Whether the first token of a pointer is a number as elements have it.
fn is_index(pointer: &str) -> bool {
    let token = pointer.split('/').nth(1).unwrap_or("");
    // A commitment has at most 1048576 leaves.
    token.len() <= 7 && token.parse::<u32>().is_ok_and(|index| index.to_string() == token)
}

/// `content/<root>.json`: section 15 of the document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisclosureFile {
    leaves: Vec<DisclosedLeaf>,
    root: Hash,
    v: u64,
}

/// Why nothing was disclosed.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiscloseError {
    /// A pointer reaches nothing that is still there.
    NoSuchField {
        /// The content.
        root: Hash,
        /// Which of the pointers, from 0. Pointers are content, so that it is not spelt out.
        index: usize,
    },
    /// A content was chosen from that the run has no lines of: erased as a whole, or of another run.
    UnknownContent {
        /// The content.
        root: Hash,
    },
    /// The run's keys.
    Key(KeyError),
    /// The data subject's key.
    Subject(SubjectKeyError),
    /// Content or keys do not open.
    Open(OpenError),
    /// A value has no canonical form.
    Canonical(jcs::Error),
    /// The operating system's own.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl fmt::Display for DiscloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchField { root, index } => {
                write!(
                    f,
                    "pointer number {index} into the content {root} reaches nothing that is still there"
                )
            }
            Self::UnknownContent { root } => {
                write!(f, "the run has no lines of the content {root}: erased as a whole, or another run's")
            }
            Self::Key(error) => error.fmt(f),
            Self::Subject(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Canonical(error) => error.fmt(f),
            Self::Io { path, source } => write!(f, "cannot read `{}`: {source}", path.display()),
        }
    }
}

impl std::error::Error for DiscloseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Reads a run's contents and keys from its directory and discloses of each what `choices` has for it, [`Choice::Nothing`] if it
/// has nothing. In the order of the records; a content that was erased as a whole is not among them.
///
/// # Errors
/// When a file does not hold, keys are missing, or a choice meets nothing.
pub fn disclose_run(
    run_directory: &Path,
    master: &MasterKey,
    subjects: Option<&dyn SubjectKeys>,
    choices: &BTreeMap<Hash, Choice>,
) -> Result<Vec<Disclosure>, DiscloseError> {
    let mut keys_file = lines(&run_directory.join(KEYS))?;
    let Some(first) = keys_file.next() else { return unknown(choices.keys().next()) };
    let wrapped = WrappedRunKeys::from_line(&first?).map_err(DiscloseError::Key)?;
    let mut run_keys = None;
    let mut disclosed = Vec::new();
    for content in lines(&run_directory.join(CONTENT))? {
        let content = ContentLine::read(&content?).map_err(DiscloseError::Open)?;
        let keys = keys_file.next().ok_or(DiscloseError::UnknownContent { root: content.root() })?;
        let keys = KeysLine::read(&keys?).map_err(DiscloseError::Open)?;
        let run_keys = match &mut run_keys {
            Some(run_keys) => run_keys,
            none => none.insert(unwrap(&wrapped, &keys, master, subjects)?),
        };
        let choice = choices.get(&content.root()).unwrap_or(&Choice::Nothing);
        disclosed.push(content.open(&keys, run_keys).map_err(DiscloseError::Open)?.select(choice)?);
    }
    let missing = choices.keys().find(|root| !disclosed.iter().any(|content| content.root == **root));
    match missing {
        Some(_) => unknown(missing),
        None => Ok(disclosed),
    }
}

fn unknown(root: Option<&Hash>) -> Result<Vec<Disclosure>, DiscloseError> {
    root.map_or(Ok(Vec::new()), |root| Err(DiscloseError::UnknownContent { root: *root }))
}

fn unwrap(
    wrapped: &WrappedRunKeys,
    line: &KeysLine,
    master: &MasterKey,
    subjects: Option<&dyn SubjectKeys>,
) -> Result<RunKeys, DiscloseError> {
    let found = match line.subject() {
        None => None,
        Some(alias) => {
            let subjects = subjects.ok_or(DiscloseError::Key(KeyError::Subject))?;
            let key = subjects.find(alias).map_err(DiscloseError::Subject)?;
            Some((alias.clone(), key.ok_or(DiscloseError::Key(KeyError::Subject))?))
        }
    };
    let subject = found.as_ref().map(|(alias, key)| (alias.clone(), key));
    RunKeys::unwrap(wrapped, master, subject).map_err(DiscloseError::Key)
}

type Line = Result<Vec<u8>, DiscloseError>;

/// The lines of a file; none of one that is not there.
fn lines(path: &Path) -> Result<Box<dyn Iterator<Item = Line>>, DiscloseError> {
    let failed = |path: &Path, source| DiscloseError::Io { path: path.to_owned(), source };
    let mut reader = match open_own(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Box::new(std::iter::empty())),
        Err(error) => return Err(failed(path, error)),
        Ok(file) => BufReader::new(file),
    };
    let path = path.to_owned();
    Ok(Box::new(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.pop() == Some(b'\n') => Some(Ok(line)),
            Ok(_) => Some(Err(failed(&path, io::Error::new(io::ErrorKind::InvalidData, "no line feed")))),
            Err(error) => Some(Err(failed(&path, error))),
        }
    })))
}
