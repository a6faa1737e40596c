//! Where a run's files come from. Each can be read more than once.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use fuze_evidence::files::open_own;
use fuze_evidence::sink::MemoryRun;

/// One of a run's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFile {
    /// `records.jsonl`
    Records,
    /// `roots.jsonl`
    Roots,
    /// `content.jsonl`
    Content,
    /// `keys.jsonl`
    Keys,
    /// `anchors.jsonl`: only of a run that was anchored in a log.
    Anchors,
}

impl RunFile {
    /// Its name in a run's directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records.jsonl",
            Self::Roots => "roots.jsonl",
            Self::Content => "content.jsonl",
            Self::Keys => "keys.jsonl",
            Self::Anchors => "anchors.jsonl",
        }
    }
}

/// A run's files, wherever they are kept.
pub trait RunSource {
    /// A file from its beginning; one that is not there is empty.
    ///
    /// # Errors
    /// The operating system's or the store's own.
    fn open(&self, file: RunFile) -> io::Result<Box<dyn BufRead + '_>>;
}

/// A run's directory.
#[derive(Debug, Clone)]
pub struct RunDirectory(pub PathBuf);

impl RunSource for RunDirectory {
    fn open(&self, file: RunFile) -> io::Result<Box<dyn BufRead + '_>> {
        match open_own(&self.0.join(file.name())) {
            Ok(file) => Ok(Box::new(BufReader::with_capacity(64 * 1024, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && file != RunFile::Records => {
                Ok(Box::new(io::empty()))
            }
            Err(error) => Err(error),
        }
    }
}

impl RunSource for MemoryRun {
    fn open(&self, file: RunFile) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(match file {
            RunFile::Records => self.records.as_slice(),
            RunFile::Roots => self.roots.as_slice(),
            RunFile::Content => self.content.as_slice(),
            RunFile::Keys => self.keys.as_slice(),
            RunFile::Anchors => self.anchors.as_slice(),
        }))
    }
}
