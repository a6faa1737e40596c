//! Where a run's signed roots stand in a log: gathered from the run's `anchors.jsonl` and the log's public files, for a bundle and
//! for a run that is verified where it lies. And what that says about a key that was revoked since.
//!
//! Nothing is gathered that does not verify under the policy it is gathered for. Not here: the log, its proofs (`fuze-log`).

mod gather;
mod revoked;

use std::io::{self, BufRead, Read as _};

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{KeyId, PublicKey, SignatureError, SignedRoot};
use fuze_evidence::{Name, Span, Timestamp};
use fuze_log::proof::ProofError;
use fuze_log::{Policy, VerifierKey, verify_anchor};

use crate::source::{RunFile, RunSource};
use crate::verify::{Anchoring, signed_close};

pub(crate) use gather::lines_of;
pub use gather::{GatherError, check_leaves, missing_close};
pub use revoked::roots_before_revocation;

/// The longest line of a run's files, with its line feed.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// Where a run's roots stand in a log, and the proofs.
#[derive(Debug, Clone)]
pub struct Anchored {
    /// The log's verifier key.
    pub log: VerifierKey,
    /// Of the open root: its line of `anchors.jsonl` and a tlog-proof.
    pub open: Option<(AnchorLine, Vec<u8>)>,
    /// The same of the close root.
    pub close: Option<(AnchorLine, Vec<u8>)>,
    /// Where the log has revocations of keys. These do not go into a bundle: see [`KeyAnchor`].
    pub revocations: Vec<KeyAnchor>,
}

/// Where a line of a key history stands in a log, with a tlog-proof.
///
/// Told from outside, like a key: whoever may append to a log can append the same line again, later than the first time. The first
/// time is what counts, and only who was told of it then knows which leaf that is.
#[derive(Debug, Clone)]
pub struct KeyAnchor {
    /// A line of `anchors.jsonl`, of kind `key`.
    pub line: AnchorLine,
    /// The proof.
    pub proof: Vec<u8>,
}

/// The roots of a run that go into a log. Their signatures hold; whether they are of the run's records, verification says.
#[derive(Debug, Clone)]
pub struct RunRoots {
    /// The deployment, as the first record has it.
    pub origin: Name,
    /// The key that the first record names.
    pub key: KeyId,
    /// When the run began.
    pub began: Timestamp,
    /// The first line of `roots.jsonl`.
    pub open: Option<SignedRoot>,
    /// The signature in `run.close`.
    pub close: Option<SignedRoot>,
}

/// Why a run's roots cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RootsError {
    /// A file cannot be read.
    Io {
        /// Which.
        file: RunFile,
        /// What happened.
        source: io::Error,
    },
    /// A first or last record is none, so that verification fails at it.
    Records(String),
    /// A root's signature does not hold, or nobody gave its key.
    Root(SignatureError),
}

impl std::fmt::Display for RootsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { file, source } => write!(f, "`{}`: {source}", file.name()),
            Self::Records(why) => write!(f, "`{}`: {why}", RunFile::Records.name()),
            Self::Root(error) => write!(f, "a signed root of the run: {error}"),
        }
    }
}

impl std::error::Error for RootsError {}

impl RunRoots {
    /// Reads them; `find` gives the key of an id that signs at a time.
    ///
    /// # Errors
    /// When the run cannot be read, or a root is not signed by that key.
    pub fn read(
        run: &dyn RunSource,
        find: impl Fn(&KeyId, Timestamp) -> Option<PublicKey>,
    ) -> Result<Self, RootsError> {
        let (first, last) = ends(run)?;
        let unreadable = |error: &dyn std::fmt::Display| RootsError::Records(error.to_string());
        let entry = Entry::read(&first).map_err(|error| unreadable(&error))?;
        let Span::AgentInvoke(invoke) = entry.span else {
            return Err(unreadable(&"the first record is no `agent.invoke`"));
        };
        let began = entry.started_at;
        let signed = |octets: &[u8]| SignedRoot::read(octets, |id| find(id, began)).map_err(RootsError::Root);
        let open = first_line(run, RunFile::Roots)?;
        let open = if open.is_empty() { None } else { Some(signed(&open)?) };
        let closed = matches!(Entry::read(&last), Ok(Entry { span: Span::RunClose(_), .. }));
        let close = if closed {
            Some(signed(&signed_close(&last).map_err(|error| unreadable(&error))?)?)
        } else {
            None
        };
        Ok(Self { origin: invoke.origin, key: invoke.key_id, began, open, close })
    }
}

fn first_line(run: &dyn RunSource, file: RunFile) -> Result<Vec<u8>, RootsError> {
    let io = |source| RootsError::Io { file, source };
    let mut line = Vec::new();
    run.open(file).map_err(io)?.take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(io)?;
    line.pop();
    Ok(line)
}

/// The first and the last record, without their line feeds.
fn ends(run: &dyn RunSource) -> Result<(Vec<u8>, Vec<u8>), RootsError> {
    let io = |source| RootsError::Io { file: RunFile::Records, source };
    let mut reader = run.open(RunFile::Records).map_err(io)?;
    let (mut first, mut last, mut line) = (Vec::new(), Vec::new(), Vec::new());
    while reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(io)? > 0 {
        line.pop();
        if first.is_empty() {
            first.clone_from(&line);
        }
        std::mem::swap(&mut last, &mut line);
        line.clear();
    }
    Ok((first, last))
}

impl Anchored {
    /// Each anchor with its root.
    fn with_roots<'a>(
        &'a self,
        roots: &'a RunRoots,
    ) -> impl Iterator<Item = (&'a SignedRoot, &'a AnchorLine, &'a [u8])> {
        let open = roots.open.as_ref().zip(self.open.as_ref());
        let close = roots.close.as_ref().zip(self.close.as_ref());
        open.into_iter().chain(close).map(|(root, (line, proof))| (root, line, proof.as_slice()))
    }

    /// What the log says about the run, as `policy` trusts it.
    ///
    /// # Errors
    /// When an anchor does not hold under it.
    pub fn judge(&self, roots: &RunRoots, policy: &Policy) -> Result<Anchoring, ProofError> {
        let mut witnesses = None;
        for (root, line, proof) in self.with_roots(roots) {
            let found = verify_anchor(root, line, proof, policy)?.checkpoint.cosigned().len();
            witnesses = Some(witnesses.map_or(found, |least: usize| least.min(found)));
        }
        let first = self.open.iter().chain(&self.close).next();
        let index = |anchor: &Option<(AnchorLine, Vec<u8>)>| anchor.as_ref().map(|(line, _)| line.index());
        Ok(match (first, witnesses) {
            (Some((line, _)), Some(witnesses)) => Anchoring::Trusted {
                log: line.log().clone(),
                open: index(&self.open),
                close: index(&self.close),
                witnesses,
            },
            _ => Anchoring::None,
        })
    }
}
