//! Why there is no bundle.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fuze_evidence::content::OpenError;
use fuze_evidence::jcs;
use fuze_evidence::keys::history::HistoryError;
use fuze_evidence::keys::{KeyError, KeyFileError, SubjectKeyError};
use fuze_evidence::sign::{SignError, SignatureError};
use fuze_evidence::verify::VerifyError;

use crate::verify::AuditError;
use crate::zip::ZipError;

/// Why a run was not exported.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// The run does not verify.
    Run(VerifyError),
    /// Content is gone, and no erasure explains it.
    Missing {
        /// The record that commits to it.
        sequence: u64,
    },
    /// What was put together does not verify: what came from outside does not belong to the run.
    Bundle(AuditError),
    /// A file cannot be read or written, or is there already.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The zip cannot hold it, or cannot be written.
    Zip(ZipError),
    /// The run's files changed while they were read.
    Changed(String),
    /// Content was to be disclosed and its keys were not given, or are gone.
    NoKey {
        /// The record.
        sequence: u64,
    },
    /// A record was named that has no content.
    NoContent {
        /// The record.
        sequence: u64,
    },
    /// There is no field at a pointer, or it was erased.
    NoField {
        /// The record.
        sequence: u64,
        /// The pointer.
        pointer: String,
    },
    /// Content does not open.
    Content(OpenError),
    /// The run's keys do not open.
    Key(KeyError),
    /// The key history does not hold.
    History(HistoryError),
    /// The data subject's key cannot be had.
    SubjectKey(SubjectKeyError),
    /// Something has no canonical form.
    Canonical(jcs::Error),
    /// The manifest was not signed.
    Sign(SignError),
    /// The maker's public key is refused.
    Maker(SignatureError),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(error) => write!(f, "a run that does not verify is not exported: {error}"),
            Self::Missing { sequence } => write!(
                f,
                "the content of record {sequence} is gone and no erasure explains it; give the tenant's annex if it was erased"
            ),
            Self::Bundle(error) => write!(f, "what was put together does not verify: {error}"),
            Self::Io { path, source } => write!(f, "`{}`: {source}", path.display()),
            Self::Zip(error) => error.fmt(f),
            Self::Changed(why) => write!(f, "the run changed while it was read, try again: {why}"),
            Self::NoKey { sequence } => write!(
                f,
                "the content of record {sequence} cannot be disclosed: its keys were not given or are erased"
            ),
            Self::NoContent { sequence } => {
                write!(f, "record {sequence} was to be disclosed and there is no content of such a record")
            }
            Self::NoField { sequence, pointer } => {
                write!(f, "the content of record {sequence} has nothing at `{pointer}`, or it was erased")
            }
            Self::Content(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::History(error) => error.fmt(f),
            Self::SubjectKey(error) => error.fmt(f),
            Self::Canonical(error) => error.fmt(f),
            Self::Sign(error) => write!(f, "the manifest was not signed: {error}"),
            Self::Maker(error) => write!(f, "the key of who exports is refused: {error}"),
        }
    }
}

impl ExportError {
    /// Whether a file or a device failed, and nothing is known to be wrong with the run.
    #[must_use]
    pub const fn is_io(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::Zip(ZipError::Io(_))
            | Self::Bundle(AuditError::Io(_))
            | Self::Run(VerifyError::Io { .. })
            | Self::SubjectKey(SubjectKeyError::File(KeyFileError::Io { .. })) => true,
            Self::Zip(_)
            | Self::Bundle(_)
            | Self::Run(_)
            | Self::SubjectKey(_)
            | Self::Missing { .. }
            | Self::Changed(_)
            | Self::NoKey { .. }
            | Self::NoContent { .. }
            | Self::NoField { .. }
            | Self::Content(_)
            | Self::Key(_)
            | Self::History(_)
            | Self::Canonical(_)
            | Self::Sign(_)
            | Self::Maker(_) => false,
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Run(error) => Some(error),
            Self::Bundle(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Zip(error) => Some(error),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident,)+) => {$(
        impl From<$source> for ExportError {
            fn from(error: $source) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}

from! {
    VerifyError => Run,
    AuditError => Bundle,
    ZipError => Zip,
    OpenError => Content,
    KeyError => Key,
    HistoryError => History,
    SubjectKeyError => SubjectKey,
    jcs::Error => Canonical,
    SignError => Sign,
}
