//! Where evidence is: a run's directory, its records alone, a store, a bundle. Found out by looking, never by a file's name.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fuze_audit::{RunDirectory, RunSource as _, source::RunFile};
use fuze_evidence::annex::{self, Annex};
use fuze_evidence::record::Entry;
use fuze_evidence::replay::{Replay, replay};
use fuze_evidence::verify::{Report, RunFiles, TrustedKeys, VerifyError, verify};
use fuze_evidence::{Name, RunId};
use fuze_store::{EvidenceError, StoreReader};

use crate::outcome::{Problem, Result};
use crate::trust::{Trust, read};

/// The file that makes a directory a store.
pub(crate) const STORE: &str = "fuze.sqlite";
const RECORDS: &str = "records.jsonl";
/// Longer is no annex that this command reads into memory.
const MAX_ANNEX_BYTES: u64 = 256 << 20;

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
        let zip =
            File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"PK";
        Ok(if zip { Self::Bundle(path.to_owned()) } else { Self::Records(path.to_owned()) })
    }

    /// The annex of the run's tenant, if it lies where a sink or a store puts it.
    pub(crate) fn annex(&self, trust: &Trust) -> Result<Option<Annex>> {
        let runs = match self {
            Self::Run(directory) => {
                fs::canonicalize(directory).ok().and_then(|path| Some(path.parent()?.to_owned()))
            }
            Self::Stored { store, .. } => Some(store.join("runs")),
            Self::Records(_) | Self::Bundle(_) => None,
        };
        let Some((base, tenant)) = runs.as_deref().and_then(Path::parent).zip(self.tenant()) else {
            return Ok(None);
        };
        let path = base.join("annex").join(annex::file_name(&tenant));
        if !path.exists() {
            return Ok(None);
        }
        read_annex(&path, trust).map(Some)
    }

    /// What the first record says, unverified: enough to find the annex, which is verified with it.
    fn tenant(&self) -> Option<Name> {
        let directory = match self {
            Self::Run(directory) => directory.clone(),
            Self::Stored { store, run } => store.join("runs").join(run.to_string()),
            Self::Records(_) | Self::Bundle(_) => return None,
        };
        let mut first = Vec::new();
        let directory = RunDirectory(directory);
        let mut records = directory.open(RunFile::Records).ok()?;
        std::io::BufRead::read_until(&mut records, b'\n', &mut first).ok()?;
        Entry::read(first.strip_suffix(b"\n")?).ok().map(|entry| entry.common.tenant)
    }

    /// Verifies what is no bundle.
    pub(crate) fn verify(&self, keys: &TrustedKeys<'_>) -> Result<std::result::Result<Report, VerifyError>> {
        match self {
            Self::Run(path) | Self::Records(path) => Ok(verify(path, keys)),
            Self::Stored { store, run } => {
                match StoreReader::open(store).map_err(Problem::io)?.verify(*run, keys) {
                    Ok(stored) => Ok(Ok(stored.report)),
                    Err(EvidenceError::Verify(error)) => Ok(Err(error)),
                    Err(other) => Err(Problem::io(other)),
                }
            }
            Self::Bundle(path) => Err(unfit(path)),
        }
    }

    /// Reads the run again. Of a bundle its report is the picture.
    pub(crate) fn replay(&self, keys: &TrustedKeys<'_>) -> Result<Replay> {
        let read = |error: VerifyError| Problem::io(error);
        match self {
            Self::Run(path) => {
                let directory = RunDirectory(path.clone());
                let open = |file| directory.open(file).map_err(|error| Problem::file(path, error));
                let files = RunFiles {
                    records: open(RunFile::Records)?,
                    roots: Some(open(RunFile::Roots)?),
                    content: Some((open(RunFile::Content)?, open(RunFile::Keys)?)),
                };
                replay(files, keys).map_err(read)
            }
            Self::Records(path) => {
                let file = File::open(path).map_err(|error| Problem::file(path, error))?;
                let records = Box::new(std::io::BufReader::new(file));
                replay(RunFiles { records, roots: None, content: None }, keys).map_err(read)
            }
            Self::Stored { store, run } => {
                let reader = StoreReader::open(store).map_err(Problem::io)?;
                let evidence = reader.evidence(*run).map_err(Problem::io)?;
                let replayed = replay(evidence.files(), keys).map_err(read)?;
                Ok(replayed)
            }
            Self::Bundle(path) => Err(unfit(path)),
        }
    }
}

fn unfit(path: &Path) -> Problem {
    Problem::usage(format_args!(
        "`{}` is a bundle: `fuze audit verify` checks it, and its `report.html` shows the run",
        path.display()
    ))
}

/// Reads and verifies a tenant's annex.
pub(crate) fn read_annex(path: &Path, trust: &Trust) -> Result<Annex> {
    Annex::read(&read(path, MAX_ANNEX_BYTES)?, &trust.keys()).map_err(|error| match error {
        VerifyError::Cannot { .. } => Problem::cannot(format_args!("`{}`: {error}", path.display())),
        other => Problem::failed(format_args!("`{}`: {other}", path.display())),
    })
}
