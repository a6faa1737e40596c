//! Checks a bundle offline: the run first, so that what is named is the first bad record, then what holds the members together.
//!
//! Trust comes from outside: which keys may sign runs and bundles. Nothing in a bundle adds any. What is said holds under that
//! trust and no other; whether what was recorded is true, or what was never recorded, it does not know.

mod after;
mod anchors;
mod inspect;
mod outcome;
pub(crate) mod package;
mod trust;

use std::io::{BufRead, Read, Seek};

use fuze_evidence::content::Disclosure;
use fuze_evidence::record::Entry;

use crate::report::Outline;
use crate::zip::{Archive, Spool, ZipError};

pub(crate) use inspect::{Inspected, inspect, joined, signed_close, signed_parts};
pub use outcome::{Anchoring, AuditError, BundleReport, Decisions, Failure, Maker, Verdict};
pub use trust::Trust;

/// What looks at each record in turn, with what is disclosed of its content.
pub type Visit<'v> = &'v mut dyn FnMut(&Entry, Option<&Disclosure>);

/// Verifies a bundle.
///
/// # Errors
/// [`AuditError::Failed`] with the first thing that is wrong, [`AuditError::Cannot`] when nothing can be said, or the operating
/// system's own.
pub fn verify(bundle: impl Read + Seek, trust: &Trust) -> Result<BundleReport, AuditError> {
    verify_and_visit(bundle, trust, &mut |_, _| {})
}

/// Verifies a bundle and shows each record on the way. **What is shown is verified only once this returns `Ok`.**
///
/// # Errors
/// As [`verify`].
pub fn verify_and_visit(
    bundle: impl Read + Seek,
    trust: &Trust,
    visit: Visit<'_>,
) -> Result<BundleReport, AuditError> {
    let mut archive = Archive::open(bundle).map_err(|error| AuditError::of_zip("", error))?;
    package::check_names(&archive)?;
    let mut outline = Outline::default();
    let inspected = inspect(&mut archive, trust, &mut |entry, disclosed| {
        outline.add(entry, disclosed);
        visit(entry, disclosed);
    })?;
    package::check_manifest(&mut archive, trust, inspected, &outline)
}

/// Members by name, in a bundle or on the way into one.
pub(crate) trait Members {
    fn names(&self) -> Vec<String>;
    fn has(&self, name: &str) -> bool;
    /// A member from `offset` on.
    fn stream_from(&mut self, name: &str, offset: u64) -> Result<Box<dyn BufRead + '_>, ZipError>;

    fn stream(&mut self, name: &str) -> Result<Box<dyn BufRead + '_>, ZipError> {
        self.stream_from(name, 0)
    }

    /// A member as a whole, if it has at most `limit` octets.
    fn whole(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, ZipError> {
        let mut out = Vec::new();
        let read = self.stream(name)?.take(limit + 1).read_to_end(&mut out)?;
        if u64::try_from(read).is_ok_and(|read| read <= limit) {
            Ok(out)
        } else {
            Err(ZipError::Large { name: name.to_owned(), limit })
        }
    }
}

impl<R: Read + Seek> Members for Archive<R> {
    fn names(&self) -> Vec<String> {
        Self::names(self).map(str::to_owned).collect()
    }

    fn has(&self, name: &str) -> bool {
        Self::has(self, name)
    }

    fn stream_from(&mut self, name: &str, offset: u64) -> Result<Box<dyn BufRead + '_>, ZipError> {
        Ok(Box::new(self.reader_from(name, offset)?))
    }
}

impl Members for Spool {
    fn names(&self) -> Vec<String> {
        self.digests().map(|(name, _)| name.to_owned()).collect()
    }

    fn has(&self, name: &str) -> bool {
        Self::has(self, name)
    }

    fn stream_from(&mut self, name: &str, offset: u64) -> Result<Box<dyn BufRead + '_>, ZipError> {
        Ok(Box::new(self.reader_from(name, offset)?))
    }
}
