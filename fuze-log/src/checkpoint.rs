//! Checkpoints (c2sp.org/tlog-checkpoint): which log, how many leaves, which root. Ours have no extension lines; those of
//! others are kept as they are, for who witnesses them, and refused by a [`crate::Policy`].

use std::fmt;

use fuze_evidence::Hash;
#[cfg(feature = "sqlite")]
use fuze_evidence::{Signer, sign::SignError};

use crate::merkle::{MAX_TREE_SIZE, empty_root};
use crate::note::VerifierKey;
#[cfg(feature = "sqlite")]
use crate::note::{Note, sign_text};
use crate::text::{excerpt, read_decimal, read_hash, write_base64};

/// What a checkpoint says. Anyone may build one; only a [`crate::VerifiedCheckpoint`] counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: String,
}

impl Checkpoint {
    /// A checkpoint of the log that `key` signs for.
    #[must_use]
    pub fn new(key: &VerifierKey, size: u64, root: Hash) -> Self {
        Self { origin: key.name().to_string(), size, root, extensions: String::new() }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// When it is not in its form.
    pub fn read(text: &str) -> Result<Self, CheckpointError> {
        let refuse = |why: &'static str| CheckpointError { why, found: excerpt(text) };
        let (origin, rest) = text.split_once('\n').ok_or_else(|| refuse("it has no first line"))?;
        let (size, rest) = rest.split_once('\n').ok_or_else(|| refuse("it has no second line"))?;
        let (root, extensions) = rest.split_once('\n').ok_or_else(|| refuse("it has no third line"))?;
        if origin.is_empty() {
            return Err(refuse("its first line, the origin, is empty"));
        }
        let size = read_decimal(size, MAX_TREE_SIZE)
            .ok_or_else(|| refuse("its second line is no size: decimal, below 2^63, no leading zeros"))?;
        let root = read_hash(root).ok_or_else(|| refuse("its third line is no SHA-256 in base64"))?;
        let whole = extensions.is_empty() || extensions.ends_with('\n');
        if !whole || extensions.starts_with('\n') || extensions.contains("\n\n") {
            return Err(refuse("an extension line is empty or has no end"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: extensions.to_owned() })
    }

    /// The log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Whether the root can be that of so many leaves: of none it is the hash of nothing.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.size > 0 || self.root == empty_root()
    }

    /// Lines after the third, each with its line feed. Nobody but the log stands for them.
    #[must_use]
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// Signs it as the log's own.
    ///
    /// # Errors
    /// When the signer fails.
    #[cfg(feature = "sqlite")]
    pub(crate) fn sign(&self, key: &VerifierKey, signer: &dyn Signer) -> Result<Note, SignError> {
        let mut note = Note::unsigned(self.to_string());
        let line = sign_text(note.text(), key, signer)?;
        // A note without signatures has room for one.
        note.add(line).map_err(|error| SignError::Signer(error.to_string()))?;
        Ok(note)
    }
}

/// The note's text.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = write_base64(self.root.as_bytes());
        write!(f, "{}\n{}\n{root}\n{}", self.origin, self.size, self.extensions)
    }
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointError {
    why: &'static str,
    found: String,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text beginning {:?} is no checkpoint: {}", self.found, self.why)
    }
}

impl std::error::Error for CheckpointError {}
