//! Reading a store as evidence: straight from the tables, without writing, at one moment. Judges nothing but whether the files agree.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fuze_agent::store::StoreError;
use fuze_evidence::files::refuse_link;
use fuze_evidence::place::{Misplaced, Place};
use fuze_evidence::verify::{Report, RunFiles, TrustedKeys, VerifyError, verify_files};
use fuze_evidence::{Name, RunId};
use rusqlite::params;

use crate::database::ReadOnly;
use crate::erase::{annex_file, annex_lines, holds_more, tenant_of};
use crate::error::{self, sql};
use crate::projection::differs;
use crate::query::{self, Page, Query};
use crate::stream::{self, STREAMS, Stream};
use crate::{place, rows, schema};

/// How many octets of lines are read from the tables at once, about.
const CHUNK_BYTES: usize = 256 * 1024;

/// A store that is only read: for auditors, beside whoever writes.
#[derive(Debug)]
pub struct StoreReader {
    directory: PathBuf,
    connection: ReadOnly,
}

/// A run as it stood in the tables at one moment.
#[derive(Debug)]
pub struct StoredEvidence {
    run: RunId,
    id: i64,
    directory: PathBuf,
    /// How long each file was before the moment.
    lengths: [Option<u64>; STREAMS.len()],
    connection: ReadOnly,
}

/// Whether the files under `runs/<id>/` hold what the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// All of it.
    Whole,
    /// The beginning of it; the files are completed when the store is opened.
    Behind {
        /// How many octets they lack together.
        octets: u64,
    },
}

/// What verification of a stored run answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a report can say that content is missing or that the run has not closed"]
pub struct StoredReport {
    /// What the tables hold.
    pub report: Report,
    /// Whether the files hold the same.
    pub files: Agreement,
}

/// Why a stored run is not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The store cannot be read; or its files hold what it does not: [`StoreError::Projection`].
    Store(StoreError),
    /// The evidence is not intact, or nothing can be said.
    Verify(VerifyError),
}

impl std::fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Verify(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EvidenceError {}

impl From<StoreError> for EvidenceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<VerifyError> for EvidenceError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl StoreReader {
    /// Opens the store in `directory` to read. Nothing is made, mended or brought up to date, and nothing is left beside it. Without
    /// the right to write there (a read-only disk, somebody else's directory) it is read as it is, which somebody who writes to it
    /// meanwhile makes an error; a write-ahead log with something in it cannot be read then.
    ///
    /// # Errors
    /// When there is none, when it is of another version, or cannot be read.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let given = directory.as_ref();
        let directory = std::fs::canonicalize(given).map_err(|e| error::io(given, &e))?;
        let connection = ReadOnly::open(&place::file(&directory), Duration::from_secs(10))?;
        schema::require_newest(&connection)?;
        Ok(Self { directory, connection })
    }

    /// The runs that `query` asks for, oldest first.
    ///
    /// # Errors
    /// Why the store cannot.
    pub fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let page = query::page(&self.connection, query)?;
        self.connection.check()?;
        Ok(page)
    }

    /// A run as it stands now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Projection`] when the tenant's annex as a file says what the tables do not: an older
    /// database in the place of a newer one would give again what was erased since. Else why the store cannot.
    pub fn evidence(&self, run: RunId) -> Result<StoredEvidence, StoreError> {
        StoredEvidence::open(&self.directory, run)
    }

    /// Verifies a run: what the tables hold, and that its files hold nothing else.
    ///
    /// # Errors
    /// When it is not found, not intact, or its files differ.
    pub fn verify(&self, run: RunId, keys: &TrustedKeys<'_>) -> Result<StoredReport, EvidenceError> {
        self.evidence(run)?.verify(keys)
    }
}

impl StoredEvidence {
    pub(crate) fn open(store: &Path, run: RunId) -> Result<Self, StoreError> {
        let place = Place::new(store);
        let directory = place.run(run);
        place.check().map_err(misplaced)?;
        refuse_link(&directory).map_err(|source| misplaced(Misplaced { path: directory.clone(), source }))?;
        // Whatever stands in a file was committed before it was written: so what is measured first must be in what is read next.
        let mut lengths = [None; STREAMS.len()];
        for (length, stream) in lengths.iter_mut().zip(STREAMS) {
            let path = directory.join(stream.file_name());
            *length = match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_file() => Some(found.len()),
                Ok(_) => {
                    let path = path.display();
                    return Err(StoreError::Projection(format!("`{path}` is no regular file")));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error::io(&path, &error)),
            };
        }
        let connection = ReadOnly::open(&place::file(store), Duration::from_secs(10))?;
        // For the same reason the annex as a file comes before the moment: whose it is never changes.
        let annex = match tenant_of(&connection, run)? {
            Some(tenant) => annex_file(store, &tenant)?.map(|(path, octets)| (tenant, path, octets)),
            None => None,
        };
        // One moment for everything that is read below; it ends with the connection.
        connection.execute_batch("BEGIN").map_err(sql)?;
        let id = rows::require(&connection, run)?.id;
        if let Some((tenant, path, octets)) = annex
            && !annex_lines(&connection, &tenant)?.starts_with(&octets)
        {
            return Err(holds_more(&path));
        }
        Ok(Self { run, id, directory, lengths, connection })
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Its lines as the four files, read from the tables piece by piece.
    #[must_use]
    pub fn files(&self) -> RunFiles<'_> {
        RunFiles {
            records: Box::new(self.lines(Stream::Records)),
            roots: Some(Box::new(self.lines(Stream::Roots))),
            content: Some((Box::new(self.lines(Stream::Content)), Box::new(self.lines(Stream::Keys)))),
        }
    }

    /// What opens its leaves in a log, as `anchors.jsonl`.
    #[must_use]
    pub fn anchors(&self) -> Box<dyn BufRead + '_> {
        Box::new(self.lines(Stream::Anchors))
    }

    /// The annex of `tenant` as its file, at the same moment; empty where nothing has happened to its runs.
    ///
    /// # Errors
    /// Why the store cannot.
    pub fn annex(&self, tenant: &Name) -> Result<Vec<u8>, StoreError> {
        let lines = annex_lines(&self.connection, tenant)?;
        self.connection.check()?;
        Ok(lines)
    }

    fn lines(&self, stream: Stream) -> Lines<'_> {
        let (connection, id) = (&self.connection, self.id);
        Lines { connection, stream, id, next: stream::FIRST, chunk: Vec::new(), read: 0 }
    }

    /// Verifies what the tables hold, and that the files hold nothing else.
    ///
    /// # Errors
    /// When it is not intact, or the files differ.
    pub fn verify(&self, keys: &TrustedKeys<'_>) -> Result<StoredReport, EvidenceError> {
        let report = verify_files(self.files(), keys)?;
        Ok(StoredReport { report, files: self.compare()? })
    }

    /// Whether the files hold the beginning of what the tables hold, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Projection`] with the first line that differs.
    pub fn compare(&self) -> Result<Agreement, StoreError> {
        let mut lacking = 0;
        for (stream, length) in STREAMS.into_iter().zip(self.lengths) {
            let path = self.directory.join(stream.file_name());
            let mut here = self.lines(stream);
            let mut lines = 0;
            let mut left = length.unwrap_or(0);
            let mut there: Box<dyn BufRead> = match length {
                None => Box::new(io::empty()),
                Some(length) => {
                    let file = File::open(&path).map_err(|e| error::io(&path, &e))?;
                    Box::new(BufReader::with_capacity(64 * 1024, file).take(length))
                }
            };
            while left > 0 {
                let failed = |e: io::Error| error::io(&path, &e);
                let ours = here.fill_buf().map_err(failed)?;
                let theirs = there.fill_buf().map_err(failed)?;
                let length = ours.len().min(theirs.len());
                let (Some(a), Some(b)) = (ours.get(..length), theirs.get(..length)) else { break };
                if length == 0 {
                    return Err(differs(&path, lines, "the store lacks"));
                }
                if a != b {
                    let same = a.iter().zip(b).take_while(|(a, b)| a == b);
                    lines += u64::try_from(same.filter(|(a, _)| **a == b'\n').count()).unwrap_or(u64::MAX);
                    return Err(differs(&path, lines, "the store has otherwise"));
                }
                lines += u64::try_from(a.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u64::MAX);
                here.consume(length);
                there.consume(length);
                left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
            }
            lacking += here.rest().map_err(|e| error::io(&path, &e))?;
        }
        Ok(if lacking == 0 { Agreement::Whole } else { Agreement::Behind { octets: lacking } })
    }
}

/// Whoever put it there may have the run's files elsewhere as well.
fn misplaced(Misplaced { path, source }: Misplaced) -> StoreError {
    StoreError::Projection(format!("`{}`: {source}", path.display()))
}

/// One stream of lines, read from the tables piece by piece.
struct Lines<'c> {
    connection: &'c ReadOnly,
    stream: Stream,
    id: i64,
    next: i64,
    chunk: Vec<u8>,
    read: usize,
}

impl Lines<'_> {
    fn fill(&mut self) -> rusqlite::Result<()> {
        self.chunk.clear();
        self.read = 0;
        let mut statement = self.connection.prepare_cached(self.stream.query())?;
        let mut rows = statement.query(params![self.id, self.next])?;
        while self.chunk.len() < CHUNK_BYTES
            && let Some(row) = rows.next()?
        {
            self.chunk.extend_from_slice(row.get_ref(0)?.as_blob()?);
            self.chunk.push(b'\n');
            self.next = row.get::<_, i64>(1)? + 1;
        }
        Ok(())
    }

    /// How many octets are left.
    fn rest(&mut self) -> io::Result<u64> {
        let mut octets = 0;
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                return Ok(octets);
            }
            octets += u64::try_from(length).unwrap_or(u64::MAX);
            self.consume(length);
        }
    }
}

impl BufRead for Lines<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read >= self.chunk.len() {
            self.fill().map_err(io::Error::other)?;
            self.connection.check().map_err(io::Error::other)?;
        }
        Ok(self.chunk.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.read = self.read.saturating_add(amount).min(self.chunk.len());
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let read = ready.read(out)?;
        self.consume(read);
        Ok(read)
    }
}
