//! What goes wrong in a log, and whether it may go on.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fuze_evidence::sign::{SignError, SignatureError};
use fuze_evidence::{Hash, Name};

use crate::disk::At;
use crate::reader::ReaderError;
use crate::tile::{TileError, TilePath};

/// Why a log does not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// What is on disk does not fit together. The log signs nothing more until a person has looked.
    Halted(Halt),
    /// Too many leaves wait: try again.
    Busy {
        /// How many may wait.
        limit: usize,
    },
    /// There is a log already.
    Exists {
        /// Where.
        directory: PathBuf,
    },
    /// There is no log.
    Missing {
        /// Where.
        directory: PathBuf,
    },
    /// The log is another key's.
    Key {
        /// The one it was made with.
        expected: String,
        /// The signer's.
        found: String,
    },
    /// An origin that no log may have.
    Origin {
        /// The one given.
        found: Name,
    },
    /// The log has another name.
    OtherOrigin {
        /// The one given.
        expected: Name,
        /// The log's.
        found: Name,
    },
    /// The disk is full. Nothing was lost.
    Full {
        /// What could not be written.
        what: String,
    },
    /// A file cannot be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The database fails.
    Database {
        /// SQLite's words.
        why: String,
    },
    /// The database is not as this program writes it.
    Corrupt {
        /// What is wrong.
        what: String,
    },
    /// Nothing was signed.
    Sign(SignError),
    /// The signer's public key is none.
    PublicKey(SignatureError),
    /// A tile could not be made.
    Tile(TileError),
    /// The public files cannot be read.
    Reader(Box<ReaderError>),
    /// The log was closed, or its writer stopped.
    Closed,
}

/// What does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// The published checkpoint is newer than the database: the database was rolled back.
    DatabaseRolledBack {
        /// Size of the checkpoint.
        published: u64,
        /// Size that the database last meant to sign.
        stored: u64,
    },
    /// The published checkpoint is older than the database can explain: it was rolled back.
    CheckpointRolledBack {
        /// Size of the checkpoint; none when the file is gone.
        published: Option<u64>,
        /// Size that the database last meant to sign.
        stored: u64,
    },
    /// Two roots for one size.
    Fork {
        /// The size.
        size: u64,
        /// The published root.
        published: Hash,
        /// The root in the database.
        stored: Hash,
    },
    /// The leaves do not give the root that was meant to be signed.
    Leaves {
        /// The size.
        size: u64,
        /// The root in the database.
        expected: Hash,
        /// The root that the leaves give.
        found: Hash,
    },
    /// There are more leaves than any intent covers, or fewer.
    Count {
        /// How many the last intent covers.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A tile is not what the leaves give.
    Tile {
        /// Which.
        tile: TilePath,
    },
    /// The published checkpoint is not this log's.
    Checkpoint {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatabaseRolledBack { published, stored } => write!(
                f,
                "the checkpoint has {published} leaves and the database knows of {stored}: the database was rolled \
                 back; restore the newest, or end this log"
            ),
            Self::CheckpointRolledBack { published: Some(published), stored } => write!(
                f,
                "the checkpoint has {published} leaves and the database signed up to {stored}: the checkpoint was \
                 rolled back; restore the newest"
            ),
            Self::CheckpointRolledBack { published: None, stored } => {
                write!(f, "the checkpoint is gone and the database signed up to {stored} leaves; restore it")
            }
            Self::Fork { size, published, stored } => {
                write!(f, "two roots for {size} leaves: published {published}, in the database {stored}")
            }
            Self::Leaves { size, expected, found } => {
                write!(
                    f,
                    "the first {size} leaves have the root {found}, expected {expected}: a leaf was changed"
                )
            }
            Self::Count { expected, found } => {
                write!(f, "the database has {found} leaves, expected {expected}")
            }
            Self::Tile { tile } => write!(
                f,
                "`{tile}` is not what the leaves give; find out why, then remove it to have it written again"
            ),
            Self::Checkpoint { why } => write!(f, "the published checkpoint is not this log's: {why}"),
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halted(halt) => write!(f, "the log has halted: {halt}"),
            Self::Busy { limit } => write!(f, "{limit} leaves wait already; try again"),
            Self::Exists { directory } => {
                write!(f, "there is a log in `{}` already; open it", directory.display())
            }
            Self::Missing { directory } => {
                write!(f, "there is no log in `{}`; create one", directory.display())
            }
            Self::Key { expected, found } => {
                write!(f, "the log was made with the key `{expected}`, found `{found}`")
            }
            Self::Origin { found } => {
                write!(f, "`{found}` cannot be an origin: no `+`, and not `cosignature/v1`")
            }
            Self::OtherOrigin { expected, found } => {
                write!(
                    f,
                    "the log there is `{found}`, expected `{expected}`: name it so, or choose another directory"
                )
            }
            Self::Full { what } => write!(f, "the disk is full: {what}"),
            Self::Io { path, why } => write!(f, "`{}`: {why}", path.display()),
            Self::Database { why } => write!(f, "the log's database failed: {why}"),
            Self::Corrupt { what } => write!(f, "the log's database is damaged: {what}"),
            Self::Sign(error) => write!(f, "the checkpoint was not signed: {error}"),
            Self::PublicKey(error) => write!(f, "the log's key: {error}"),
            Self::Tile(error) => error.fmt(f),
            Self::Reader(error) => error.fmt(f),
            Self::Closed => f.write_str("the log was closed"),
        }
    }
}

impl std::error::Error for LogError {}

const fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl From<At> for LogError {
    fn from(At { path, error }: At) -> Self {
        if is_full(error.kind()) {
            Self::Full { what: path.display().to_string() }
        } else {
            Self::Io { path, why: error.to_string() }
        }
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full { what: why },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Corrupt { what: why },
            _ => Self::Database { why },
        }
    }
}

impl From<Halt> for LogError {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

impl From<SignError> for LogError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

impl From<SignatureError> for LogError {
    fn from(error: SignatureError) -> Self {
        Self::PublicKey(error)
    }
}

impl From<TileError> for LogError {
    fn from(error: TileError) -> Self {
        Self::Tile(error)
    }
}

impl From<ReaderError> for LogError {
    fn from(error: ReaderError) -> Self {
        Self::Reader(Box::new(error))
    }
}
