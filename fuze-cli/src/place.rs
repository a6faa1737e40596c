//! Where evidence is: a run's directory, its records alone, a store, a bundle. Found out by looking, never by a file's name.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use fuze_agent::store::StoreError;
use fuze_audit::{RunDirectory, RunSource, source::RunFile};
use fuze_evidence::Annex;
use fuze_evidence::files::{MAX_ANNEX_BYTES, open_regular, read_own};
use fuze_evidence::place::{self as evidence, Misplaced};
use fuze_evidence::record::Entry;
use fuze_evidence::replay::{Replay, replay};
use fuze_evidence::verify::{Report, RunFiles, TrustedKeys, VerifyError, verify_files};
use fuze_evidence::{Name, RunId};
use fuze_store::{Query, RunSummary, StoreReader, StoredEvidence};

use crate::outcome::{Problem, Result};
use crate::progress::Progress;
use crate::trust::read;

/// The file that makes a directory a store.
pub(crate) const STORE: &str = "fuze.sqlite";
const RECORDS: &str = "records.jsonl";
/// As long as a line of records may be (`docs/evidence-format.md`).
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Which annex explains what is gone of a run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AnnexArgs {
    /// The annex of the run's tenant, which explains erasures; found beside `runs/` or in the store without this. A bundle brings its
    /// own.
    #[arg(long, value_name = "FILE")]
    annex: Option<PathBuf>,
}

impl AnnexArgs {
    /// The file that was named, if one was.
    pub(crate) const fn named(path: Option<PathBuf>) -> Self {
        Self { annex: path }
    }

    /// The annex of the run's tenant, verified with `keys`.
    pub(crate) fn of(
        &self,
        source: &Source,
        keys: &TrustedKeys<'_>,
    ) -> std::result::Result<Option<Annex>, BadAnnex> {
        source.annex(self.annex.as_deref(), keys)
    }

    /// What a bundle does not bring, nothing from elsewhere can put there.
    pub(crate) fn not_for_bundles(&self) -> Result<()> {
        match &self.annex {
            None => Ok(()),
            Some(path) => Err(Problem::usage(format_args!(
                "a bundle brings its own annex, so `{}` would not be looked at; verify the run where it lies with it, \
                 or ask for a bundle of today",
                path.display()
            ))),
        }
    }
}

/// Why there is no annex to explain anything.
pub(crate) enum BadAnnex {
    /// It is not what it must be, or nobody can say.
    Verdict(VerifyError),
    /// It cannot be read, or is another's.
    Problem(Problem),
}

impl From<Problem> for BadAnnex {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<BadAnnex> for Problem {
    fn from(bad: BadAnnex) -> Self {
        match bad {
            BadAnnex::Problem(problem) => problem,
            BadAnnex::Verdict(error @ VerifyError::Cannot { .. }) => {
                Self::cannot(format_args!("the tenant's annex: {error}"))
            }
            BadAnnex::Verdict(error) => Self::failed(format_args!("the tenant's annex: {error}")),
        }
    }
}

/// One run, or the octets that stand for one.
pub(crate) enum Place {
    /// A run's directory.
    Run(PathBuf),
    /// `records.jsonl` alone.
    Records(PathBuf),
    /// A run of a store.
    Stored { store: PathBuf, run: RunId },
    /// A bundle.
    Bundle(PathBuf),
}

impl Place {
    /// Looks at `path`; `run` says which run of a store is meant.
    pub(crate) fn find(path: &Path, run: Option<RunId>) -> Result<Self> {
        let found = fs::metadata(path).map_err(|error| Problem::file(path, error))?;
        if found.is_dir() {
            if path.join(RECORDS).exists() {
                return Ok(Self::Run(path.to_owned()));
            }
            return match run {
                _ if !path.join(STORE).exists() => Err(Problem::file(
                    path,
                    format_args!(
                        "expected a run's directory with `{RECORDS}` or a store with `{STORE}`, found neither"
                    ),
                )),
                Some(run) => Ok(Self::Stored { store: path.to_owned(), run }),
                None => Err(Problem::usage(format_args!(
                    "`{}` is a store; say which of its runs with `--run` (`fuze audit query {0}` lists them)",
                    path.display()
                ))),
            };
        }
        let mut magic = [0u8; 2];
        let mut file = open_regular(path).map_err(|error| Problem::file(path, error))?;
        let zip = file.read_exact(&mut magic).is_ok() && &magic == b"PK";
        Ok(if zip { Self::Bundle(path.to_owned()) } else { Self::Records(path.to_owned()) })
    }

    /// All runs that lie at `path`: of a store, of a sink's directory, or the one that it is.
    pub(crate) fn all(path: &Path) -> Result<Places> {
        if path.join(STORE).exists() {
            let reader = open_store(path)?;
            let (mut runs, mut query) = (Vec::new(), Query::new().limit(Query::MAX_PAGE));
            loop {
                let page = reader.query(&query).map_err(|error| Problem::file(path, error))?;
                let stored = |run: &RunSummary| Self::Stored { store: path.to_owned(), run: run.run };
                runs.extend(page.runs.iter().map(stored));
                match page.next {
                    Some(next) => query = query.after(next),
                    None => return Ok(Places::Runs(runs)),
                }
            }
        }
        let place = evidence::Place::new(path);
        let runs = place.runs();
        if runs.is_dir() {
            place.check_runs().map_err(misplaced)?;
            let failed = |error| Problem::file(&runs, error);
            let mut places = Vec::new();
            for entry in fs::read_dir(&runs).map_err(failed)? {
                let directory = entry.map_err(failed)?.path();
                // What a crash left unbegun lies beside the runs.
                if directory.join(RECORDS).exists() {
                    places.push(Self::Run(directory));
                }
            }
            return Ok(Places::Runs(places));
        }
        Ok(match Self::find(path, None)? {
            Self::Bundle(path) => Places::Bundle(path),
            run => Places::Runs(vec![run]),
        })
    }

    /// The run's files.
    pub(crate) fn source(&self) -> Result<Source> {
        match self {
            Self::Run(path) => {
                if let Some(place) = evidence::Place::of_run(path).map_err(misplaced)? {
                    place.check().map_err(misplaced)?;
                }
                Ok(Source::Directory(RunDirectory(path.clone())))
            }
            Self::Records(path) => Ok(Source::Records(path.clone())),
            Self::Stored { store, run } => {
                let reader = open_store(store)?;
                let of_run = |error: StoreError| {
                    let said = format!("`{}`: run {run}: {error}", store.display());
                    Problem::new(of_store(&error).ended(), said)
                };
                Ok(Source::Stored(Box::new(reader.evidence(*run).map_err(of_run)?)))
            }
            Self::Bundle(path) => Err(Problem::usage(format_args!("`{}` is a bundle", path.display()))),
        }
    }
}

/// Evidence that lies where another place may have it as well.
pub(crate) fn misplaced(Misplaced { path, source }: Misplaced) -> Problem {
    Problem::file(&path, source)
}

/// What a store's answer about its evidence means: tables and files that do not fit together are as much tampering as records that do not.
pub(crate) fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::Projection(_) | StoreError::Corrupt(_) => Problem::failed(error),
        other => Problem::io(other),
    }
}

/// Opens a store to be read; what is wrong is said with its place.
pub(crate) fn open_store(path: &Path) -> Result<StoreReader> {
    StoreReader::open(path).map_err(|error| Problem::file(path, error))
}

/// What lies at a path.
pub(crate) enum Places {
    /// A bundle.
    Bundle(PathBuf),
    /// Runs.
    Runs(Vec<Place>),
}

/// A run's files, wherever they are kept but in a bundle.
pub(crate) enum Source {
    /// A directory.
    Directory(RunDirectory),
    /// Records alone.
    Records(PathBuf),
    /// A store's tables, at one moment.
    Stored(Box<StoredEvidence>),
}

impl Source {
    /// All that verification looks at, counted as it is read.
    pub(crate) fn files<'f>(&'f self, progress: &'f Progress) -> Result<RunFiles<'f>> {
        let open = |file: RunFile| {
            let opened = self.open(file).map_err(|error| self.problem(file, error))?;
            Ok::<_, Problem>(progress.read(opened))
        };
        let records = open(RunFile::Records)?;
        if let Self::Records(_) = self {
            return Ok(RunFiles { records, roots: None, content: None });
        }
        let content = Some((open(RunFile::Content)?, open(RunFile::Keys)?));
        Ok(RunFiles { records, roots: Some(open(RunFile::Roots)?), content })
    }

    fn problem(&self, file: RunFile, error: impl std::fmt::Display) -> Problem {
        match self {
            Self::Directory(RunDirectory(path)) => Problem::file(&path.join(file.name()), error),
            Self::Records(path) => Problem::file(path, error),
            Self::Stored(_) => Problem::io(error),
        }
    }

    /// Verifies the run; of a store also that its files hold nothing else than its tables.
    pub(crate) fn verify(
        &self,
        keys: &TrustedKeys<'_>,
        progress: &Progress,
    ) -> Result<std::result::Result<Report, VerifyError>> {
        let report = verify_files(self.files(progress)?, keys);
        if let (Self::Stored(evidence), Ok(_)) = (self, &report) {
            evidence.compare().map_err(|error| of_store(&error))?;
        }
        Ok(report)
    }

    /// Verifies records and roots alone: whatever else is wrong, up to where they hold.
    pub(crate) fn verify_records(
        &self,
        keys: &TrustedKeys<'_>,
        progress: &Progress,
    ) -> Result<std::result::Result<Report, VerifyError>> {
        Ok(verify_files(RunFiles { content: None, ..self.files(progress)? }, keys))
    }

    /// Reads the run again.
    pub(crate) fn replay(&self, keys: &TrustedKeys<'_>, progress: &Progress) -> Result<Replay> {
        replay(self.files(progress)?, keys).map_err(Problem::io)
    }

    /// About how many octets verification reads, where that is known before.
    pub(crate) fn octets(&self) -> Option<u64> {
        let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        match self {
            Self::Directory(RunDirectory(path)) => {
                let files = [RunFile::Records, RunFile::Roots, RunFile::Content, RunFile::Keys];
                Some(files.map(|file| length(&path.join(file.name()))).iter().sum())
            }
            Self::Records(path) => Some(length(path)),
            Self::Stored(_) => None,
        }
    }
}

impl RunSource for Source {
    fn open(&self, file: RunFile) -> std::io::Result<Box<dyn BufRead + '_>> {
        let nothing = || -> Box<dyn BufRead> { Box::new(std::io::empty()) };
        match (self, file) {
            (Self::Directory(directory), _) => directory.open(file),
            (Self::Records(path), RunFile::Records) => {
                Ok(Box::new(BufReader::with_capacity(64 * 1024, open_regular(path)?)))
            }
            (Self::Records(_), _) => Ok(nothing()),
            (Self::Stored(evidence), RunFile::Anchors) => Ok(evidence.anchors()),
            (Self::Stored(evidence), _) => {
                let RunFiles { records, roots, content } = evidence.files();
                let (content, keys) = content.unzip();
                Ok(match file {
                    RunFile::Records => records,
                    RunFile::Roots => roots.unwrap_or_else(nothing),
                    RunFile::Content => content.unwrap_or_else(nothing),
                    RunFile::Keys | RunFile::Anchors => keys.unwrap_or_else(nothing),
                })
            }
        }
    }
}

impl Source {
    /// The octets of the annex of the run's tenant: those of `named`, or of where a sink or a store keeps it, if there is one.
    pub(crate) fn annex_octets(&self, named: Option<&Path>) -> Result<Option<Vec<u8>>> {
        if let Some(path) = named {
            return read(path, MAX_ANNEX_BYTES).map(Some);
        }
        let Some(tenant) = self.tenant() else { return Ok(None) };
        match self {
            Self::Records(_) => Ok(None),
            Self::Stored(evidence) => Ok(Some(evidence.annex(&tenant).map_err(|error| of_store(&error))?)
                .filter(|octets| !octets.is_empty())),
            Self::Directory(RunDirectory(directory)) => {
                let Some(place) = evidence::Place::of_run(directory).map_err(misplaced)? else {
                    return Ok(None);
                };
                let path = place.annex(&tenant);
                match read_own(&path, MAX_ANNEX_BYTES) {
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                        Ok(None)
                    }
                    read => read.map(Some).map_err(|error| Problem::file(&path, error)),
                }
            }
        }
    }

    /// The annex of the run's tenant, verified with `keys`.
    fn annex(
        &self,
        named: Option<&Path>,
        keys: &TrustedKeys<'_>,
    ) -> std::result::Result<Option<Annex>, BadAnnex> {
        let octets = self.annex_octets(named)?;
        let annex = octets.map(|octets| Annex::read(&octets, keys)).transpose().map_err(BadAnnex::Verdict)?;
        if let (Some(path), Some(annex), Some(first)) = (named, &annex, self.first())
            && (annex.tenant() != &first.common.tenant)
        {
            // Another tenant's would explain nothing, and nobody would be told.
            return Err(Problem::usage(format_args!(
                "`{}` is the annex of the tenant `{}`, and the run is of `{}`",
                path.display(),
                annex.tenant(),
                first.common.tenant
            ))
            .into());
        }
        Ok(annex)
    }

    /// The first record, unverified: enough to find the annex, which is verified with it.
    fn first(&self) -> Option<Entry> {
        let mut first = Vec::new();
        let records = self.open(RunFile::Records).ok()?;
        records.take(MAX_LINE_BYTES).read_until(b'\n', &mut first).ok()?;
        Entry::read(first.strip_suffix(b"\n")?).ok()
    }

    /// Whose it is, as its first record says.
    pub(crate) fn tenant(&self) -> Option<Name> {
        self.first().map(|entry| entry.common.tenant)
    }

    /// The run, as its first record says.
    pub(crate) fn run_id(&self) -> Option<RunId> {
        self.first().map(|entry| entry.run_id)
    }
}
