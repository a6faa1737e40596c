//! Where runs in files lie, and what of it is really there: one rule for whoever erases, verifies or hands on. Reads no evidence.
//!
//! `runs/<run>/` has a run's files, `annex/` beside it what happened to them since, `erasures/` what is under way. None of these is a
//! symbolic link: through one, a run would have two places, of which one has the hold and the other is erased from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::annex::file_name;
use crate::files::{refuse_link, refuse_other_name};
use crate::name::Name;
use crate::record::RunId;

/// A place of runs in files: what a sink was given, or a store's directory.
#[derive(Debug, Clone)]
pub struct Place {
    directory: PathBuf,
}

/// What in a place is not what it must be, and where.
#[derive(Debug)]
pub struct Misplaced {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub source: io::Error,
}

impl Place {
    /// The place in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The place that a run's directory lies in, if it is there.
    ///
    /// # Errors
    /// When it, or the one that it was named in, is a link: whoever named it that way may mean the place
    /// before the link or the one behind it, and the annex is looked for in one.
    pub fn of_run(directory: &Path) -> Result<Option<Self>, Misplaced> {
        // Without a separator at its end, which would follow a link.
        let directory: PathBuf = directory.components().collect();
        let named_in = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        for path in [Some(directory.as_path()), named_in].into_iter().flatten() {
            refuse_link(path).map_err(at(path))?;
        }
        let real = match fs::canonicalize(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            real => real.map_err(at(&directory))?,
        };
        Ok(real.parent().and_then(Path::parent).map(Self::new))
    }

    /// Where runs are.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.directory.join("runs")
    }

    /// Where a run's files are.
    #[must_use]
    pub fn run(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// Where annexes are.
    #[must_use]
    pub fn annexes(&self) -> PathBuf {
        self.directory.join("annex")
    }

    /// Where a tenant's annex is, or will be.
    #[must_use]
    pub fn annex(&self, tenant: &Name) -> PathBuf {
        self.annexes().join(file_name(tenant))
    }

    /// Where intents of erasures are.
    #[must_use]
    pub fn erasures(&self) -> PathBuf {
        self.directory.join("erasures")
    }

    /// Refuses links in the place of its directories.
    ///
    /// # Errors
    /// The first one.
    pub fn check(&self) -> Result<(), Misplaced> {
        [self.runs(), self.annexes(), self.erasures()]
            .iter()
            .try_for_each(|path| refuse_link(path).map_err(at(path)))
    }

    /// Refuses links in the place of its directories, and of those in which runs lie.
    ///
    /// # Errors
    /// The first one.
    pub fn check_runs(&self) -> Result<(), Misplaced> {
        self.check()?;
        entries(&self.runs())?.iter().try_for_each(|path| refuse_link(path).map_err(at(path)))
    }
}

/// Refuses to erase from the run in `directory` when something of it would stay: where the directory or a file in it is a link, or a file
/// has another name. A directory that is not there is well.
///
/// # Errors
/// The first such thing.
pub fn check_erasable(directory: &Path) -> Result<(), Misplaced> {
    refuse_link(directory).map_err(at(directory))?;
    entries(directory)?.iter().try_for_each(|path| refuse_other_name(path).map_err(at(path)))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Misplaced {
    let path = path.to_owned();
    move |source| Misplaced { path, source }
}

/// What is in a directory that may not be there, in the order of the names.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Misplaced> {
    let read = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(at(directory))?,
    };
    let paths = read.map(|entry| entry.map(|entry| entry.path()).map_err(at(directory)));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort_unstable();
    Ok(paths)
}
