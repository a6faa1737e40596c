//! A tenant's annex: what happened to runs after their close, as a signed chain of statements of its own.
//!
//! An [`Annex`] is verified: it was read strictly with trusted keys, or grown from nothing by [`Annex::append`], the one place
//! that signs for `fuze/annex/v1`. An erasure while a hold stands is neither written nor read. Not here: erasing itself, and
//! whether what a statement calls gone is gone, which [`crate::verify`] finds out.

mod entry;
mod holds;
mod line;

use std::collections::HashMap;
use std::fmt;

use crate::hash::{Hash, sha256};
use crate::keys::Signer;
use crate::name::Name;
use crate::record::RunId;
use crate::sign::{PublicKey, SignError};
use crate::time::Timestamp;
use crate::verify::{Failure, TrustedKeys, VerifyError, What};

pub use entry::{
    AnnexEntry, Contest, Erased, Erasure, ErasureReason, Event, GivenUp, Hold, HoldReason, HoldScope,
    RETENTION,
};
use holds::Holds;

/// What a failure calls the file.
pub(crate) const ANNEX: &str = "annex.jsonl";

/// A tenant's verified annex.
#[derive(Debug, Clone)]
pub struct Annex {
    origin: Name,
    tenant: Name,
    entries: Vec<AnnexEntry>,
    /// Places in `entries`.
    by_run: HashMap<RunId, Vec<usize>>,
    head: Hash,
    holds: Holds,
}

/// Why a statement was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnexError {
    /// A hold stands against an erasure: GDPR Art. 17(3)(e), AI Act Art. 73(6).
    Held {
        /// The line of the annex that ordered it.
        line: u64,
        /// Why it was ordered.
        reason: HoldReason,
    },
    /// A release without a hold of its scope and reason.
    NothingHeld,
    /// Members that this statement does not have.
    Shape(&'static str),
    /// The signature.
    Sign(SignError),
}

impl fmt::Display for AnnexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { line, reason } => write!(
                f,
                "a hold for `{reason}` stands (line {line} of the annex), so nothing of it is erased; release the hold first"
            ),
            Self::NothingHeld => {
                f.write_str("no hold of this scope and reason stands that could be released")
            }
            Self::Shape(why) => f.write_str(why),
            Self::Sign(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AnnexError {}

impl From<AnnexError> for What {
    fn from(error: AnnexError) -> Self {
        match error {
            AnnexError::Held { line, .. } => Self::Held { line },
            AnnexError::NothingHeld => Self::NothingHeld,
            other @ (AnnexError::Shape(_) | AnnexError::Sign(_)) => {
                Self::not("a statement that can stand here", other)
            }
        }
    }
}

impl Annex {
    /// The annex of a tenant to whose runs nothing has happened yet.
    #[must_use]
    pub fn begin(origin: Name, tenant: Name) -> Self {
        Self {
            origin,
            tenant,
            entries: Vec::new(),
            by_run: HashMap::new(),
            head: Hash::ZERO,
            holds: Holds::default(),
        }
    }

    /// Reads and verifies a whole annex: strict lines, the chain, signatures of trusted keys, no erasure under a hold.
    ///
    /// # Errors
    /// [`VerifyError::Failed`] with the first line that is wrong; [`VerifyError::Cannot`] when its key is not trusted.
    pub fn read(bytes: &[u8], trusted: &TrustedKeys<'_>) -> Result<Self, VerifyError> {
        Self::read_beneath(bytes, trusted, false)
    }

    /// The same for whoever holds `own` and extends annexes with nothing else than [`Annex::append`]: if the last line is by that key,
    /// it was made upon a whole that had been verified, and names that whole by its hash. Then only its signature is verified.
    pub(crate) fn read_own(
        bytes: &[u8],
        trusted: &TrustedKeys<'_>,
        own: &PublicKey,
    ) -> Result<Self, VerifyError> {
        let last = bytes.strip_suffix(b"\n").and_then(|rest| rest.rsplit(|&b| b == b'\n').next());
        let holds = |line: line::Line| {
            let entry = line.entry();
            let key = trusted.key_at(&entry.key_id, &entry.origin, entry.at).ok();
            // Of a key that was revoked somebody else may have made the line.
            key.is_some_and(|key| key.revoked.is_none() && key.key == *own) && line.verify(own).is_ok()
        };
        let verified = last.and_then(|line| line::Line::read(line).ok()).is_some_and(holds);
        Self::read_beneath(bytes, trusted, verified)
    }

    /// `verified` says that the signature of the last line holds, and that all others did when it was made.
    fn read_beneath(bytes: &[u8], trusted: &TrustedKeys<'_>, verified: bool) -> Result<Self, VerifyError> {
        let mut annex: Option<Self> = None;
        // A line by a key that was revoked since may have been written at any time, unless a log had it before, or a key that
        // was not revoked has built upon it.
        let mut doubtful: Option<(u64, String)> = None;
        for octets in bytes.split_inclusive(|&b| b == b'\n') {
            let number = annex.as_ref().map_or(0, Self::next_sequence);
            let failed = |what| failure(number, what);
            let line = octets.strip_suffix(b"\n").ok_or_else(|| failed(What::PartialLine))?;
            if line.len() > line::MAX_LINE_BYTES {
                return Err(failed(What::LongLine));
            }
            let read = line::Line::read(line).map_err(|e| failed(What::from(&e)))?;
            let hash = sha256(line);
            let entry = if verified {
                read.into_entry()
            } else {
                let found = trusted.key_at(&read.entry().key_id, &read.entry().origin, read.entry().at);
                let key = found.map_err(|why| cannot(number, &why))?;
                doubtful = key.revoked.filter(|_| !trusted.stood(&hash)).map(|at| {
                    let why = format!(
                        "its key was revoked at {at}, no log shows that it stood there before, and no line of a later key follows it"
                    );
                    (number, why)
                });
                read.verify(&key.key).map_err(|e| failed(What::from(&e)))?
            };
            annex
                .get_or_insert_with(|| Self::begin(entry.origin.clone(), entry.tenant.clone()))
                .take(entry, hash)
                .map_err(failed)?;
        }
        if let Some((number, why)) = doubtful {
            return Err(cannot(number, &why));
        }
        annex.ok_or_else(|| failure(0, What::Empty))
    }

    /// The annex, if it is this tenant's of this deployment.
    pub(crate) fn expect_of(self, origin: &Name, tenant: &Name) -> Result<Self, VerifyError> {
        same("origin", origin, &self.origin)
            .and_then(|()| same("tenant", tenant, &self.tenant))
            .map_err(|what| failure(0, what))?;
        Ok(self)
    }

    /// Makes a statement and signs it. Returns its line without the line feed, to be stored durably; a caller that cannot store it
    /// throws this annex away and reads it again.
    ///
    /// A clock that fell behind the last line is not believed: the statement then has that line's time.
    ///
    /// # Errors
    /// When a hold stands against it, it releases nothing, or the signer fails. Then nothing has changed.
    pub fn append(
        &mut self,
        at: Timestamp,
        by: Name,
        event: Event,
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, AnnexError> {
        let entry = AnnexEntry {
            at: self.entries.last().map_or(at, |last| last.at.max(at)),
            by,
            event,
            key_id: signer.key_id(),
            origin: self.origin.clone(),
            prev: self.head,
            sequence: self.next_sequence(),
            tenant: self.tenant.clone(),
        };
        entry.check().map_err(AnnexError::Shape)?;
        let mut holds = self.holds.clone();
        holds.take(&entry)?;
        let line = line::Line::sign(entry.clone(), signer).map_err(AnnexError::Sign)?;
        self.holds = holds;
        self.push(entry, sha256(&line));
        Ok(line)
    }

    /// Takes the next line, whose signature holds.
    fn take(&mut self, entry: AnnexEntry, hash: Hash) -> Result<(), What> {
        same("sequence", self.next_sequence(), entry.sequence)?;
        same("prev", self.head, entry.prev)?;
        same("origin", &self.origin, &entry.origin)?;
        same("tenant", &self.tenant, &entry.tenant)?;
        if let Some(last) = self.entries.last().filter(|last| entry.at < last.at) {
            let expected = format!("not before {}", last.at);
            return Err(What::Differs { what: "at", expected, found: entry.at.to_string() });
        }
        self.holds.take(&entry)?;
        self.push(entry, hash);
        Ok(())
    }

    fn push(&mut self, entry: AnnexEntry, hash: Hash) {
        if let Some(run) = entry.event.run_id() {
            self.by_run.entry(run).or_default().push(self.entries.len());
        }
        self.entries.push(entry);
        self.head = hash;
    }

    /// The deployment.
    #[must_use]
    pub const fn origin(&self) -> &Name {
        &self.origin
    }

    /// Whose annex it is.
    #[must_use]
    pub const fn tenant(&self) -> &Name {
        &self.tenant
    }

    /// The hash of the last line, which the next one names: what a transparency log commits to.
    #[must_use]
    pub const fn head(&self) -> Hash {
        self.head
    }

    /// Its statements, in order.
    #[must_use]
    pub fn entries(&self) -> &[AnnexEntry] {
        &self.entries
    }

    /// The statements about one run, in order.
    pub fn of_run(&self, run: RunId) -> impl Iterator<Item = &AnnexEntry> {
        let places = self.by_run.get(&run).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|&at| self.entries.get(at))
    }

    /// The first hold that stands against erasing anything of `run`.
    ///
    /// # Errors
    /// [`AnnexError::Held`] if there is one.
    pub fn check_not_held(&self, run: RunId) -> Result<(), AnnexError> {
        self.holds.check(run)
    }

    /// The first hold that stands against erasing anything of the tenant.
    ///
    /// # Errors
    /// [`AnnexError::Held`] if there is one.
    pub fn check_tenant_not_held(&self) -> Result<(), AnnexError> {
        self.holds.check_all()
    }

    /// Whether a statement explains that `leaf` of the content `root` of `run` is gone: a leaf that is only a hash in a disclosure
    /// is then ERASED, and WITHHELD otherwise.
    #[must_use]
    pub fn explains(&self, run: RunId, root: Hash, leaf: Hash) -> bool {
        let listed = |entry: &AnnexEntry| match &entry.event {
            Event::Erased(Erasure { what: Erased::Field { root: of, leaves }, .. }) => {
                *of == root && leaves.binary_search(&leaf).is_ok()
            }
            _ => false,
        };
        self.explains_content(run, root) || self.of_run(run).any(listed)
    }

    /// Whether a statement explains that all content under `root` of `run` is gone.
    #[must_use]
    pub fn explains_content(&self, run: RunId, root: Hash) -> bool {
        self.of_run(run).any(|entry| match &entry.event {
            Event::Erased(erasure) => match &erasure.what {
                Erased::Field { .. } => false,
                Erased::Record { root: of } => *of == root,
                Erased::Run | Erased::Subject | Erased::Directory { .. } => true,
            },
            Event::Contested(_)
            | Event::LateOutcome(_)
            | Event::Hold(_)
            | Event::Release(_)
            | Event::GivenUp(_) => false,
        })
    }

    /// What it says of a run that never closed, if that was said, and when.
    #[must_use]
    pub fn given_up(&self, run: RunId) -> Option<(Timestamp, GivenUp)> {
        self.of_run(run).find_map(|entry| match &entry.event {
            Event::GivenUp(given_up) => Some((entry.at, *given_up)),
            Event::Erased(_)
            | Event::Contested(_)
            | Event::LateOutcome(_)
            | Event::Hold(_)
            | Event::Release(_) => None,
        })
    }

    /// Whether it already says that exactly this was erased.
    pub(crate) fn states(&self, erasure: &Erasure) -> bool {
        self.of_run(erasure.run_id).any(|entry| match &entry.event {
            Event::Erased(stated) => stated.what == erasure.what,
            Event::Contested(_)
            | Event::LateOutcome(_)
            | Event::Hold(_)
            | Event::Release(_)
            | Event::GivenUp(_) => false,
        })
    }

    fn next_sequence(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }
}

/// The name of a tenant's annex below the directory `annex`: a hash, so that no tenant can name a file elsewhere.
#[must_use]
pub fn file_name(tenant: &Name) -> String {
    format!("{}.jsonl", sha256(tenant.as_str().as_bytes()))
}

fn same<T: PartialEq + fmt::Display>(what: &'static str, expected: T, found: T) -> Result<(), What> {
    if expected == found {
        return Ok(());
    }
    Err(What::Differs { what, expected: expected.to_string(), found: found.to_string() })
}

fn cannot(line: u64, why: &str) -> VerifyError {
    VerifyError::Cannot { line, why: format!("a line of the annex: {why}") }
}

pub(crate) fn failure(line: u64, what: What) -> VerifyError {
    VerifyError::Failed(Box::new(Failure { file: ANNEX, line, what, last_good: None }))
}
