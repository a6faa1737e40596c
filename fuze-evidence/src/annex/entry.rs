//! What a line of the annex says, typed, and its closed form on the wire.

use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::name::Name;
use crate::record::RunId;
use crate::sign::KeyId;
use crate::time::Timestamp;
use crate::vocab::wire_enum;

/// Who ordered an erasure whose window ended.
pub const RETENTION: &str = "retention";

wire_enum! {
    /// Why something was erased.
    ErasureReason {
        /// GDPR Art. 17(1):
        Request = "request",
        /// GDPR Art. 17(1)(b):
        ConsentWithdrawn = "consent_withdrawn",
        /// GDPR Art. 5(1)(e), the window for content:
        ContentWindow = "content_window",
        /// GDPR Art. 5(1)(e), the window for content of oversight:
        DecisionWindow = "decision_window",
        /// GDPR Art. 5(1)(e), the window for the chain itself:
        HashWindow = "hash_window",
    }

    /// Why nothing may be erased for now.
    HoldReason {
        /// GDPR Art. 17(3)(e):
        LegalClaims = "legal_claims",
        /// An authority's order, or AI Act Art. 73(6):
        EvidenceFreeze = "evidence_freeze",
    }
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Erased,
    Contested,
    LateOutcome,
    Hold,
    Release,
    GivenUp,
}

/// How far it reaches.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Field,
    Record,
    Run,
    Subject,
    Tenant,
}

/// The domain of the signature.
#[derive(Serialize, Deserialize)]
enum AnnexDomain {
    #[serde(rename = "fuze/annex/v1")]
    V1,
}

impl ErasureReason {
    /// Whether a window of the retention policy ended, and nobody asked.
    #[must_use]
    pub const fn is_window(self) -> bool {
        match self {
            Self::ContentWindow | Self::DecisionWindow | Self::HashWindow => true,
            Self::Request | Self::ConsentWithdrawn => false,
        }
    }
}

/// What is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// Leaves of one content, with all of its decoys' salts: never how many of the leaves were real.
    Field {
        /// The content.
        root: Hash,
        /// Everything that is gone of it, by an earlier statement too; sorted.
        leaves: Vec<Hash>,
    },
    /// All content of one record.
    Record {
        /// The content.
        root: Hash,
    },
    /// All content of the run, and its keys.
    Run,
    /// As for [`Erased::Run`], and the data subject's key with it.
    Subject,
    /// The run as a whole, its records too: only at the end of the last window.
    Directory {
        /// SHA-256 of JCS of the signed close root.
        close_root: Hash,
    },
}

/// An erasure of something of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The run.
    pub run_id: RunId,
    /// Why.
    pub reason: ErasureReason,
    /// What is gone.
    pub what: Erased,
}

/// Something said about a run after its close. What was said is kept elsewhere, like content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contest {
    /// The run.
    pub run_id: RunId,
    /// The content it is about, if it is about one.
    pub root: Option<Hash>,
    /// The commitment to what was said: a salted leaf hash.
    pub statement: Hash,
}

/// A run that never closed and never will: whoever wrote it is gone, and its records are these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// The run.
    pub run_id: RunId,
    /// How many records it has.
    pub count: u64,
    /// The hash of the last.
    pub head: Hash,
}

/// How far a hold reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldScope {
    /// One run.
    Run(RunId),
    /// Every run of the tenant.
    Tenant,
}

/// An order that nothing may be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hold {
    /// How far it reaches.
    pub scope: HoldScope,
    /// Why.
    pub reason: HoldReason,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something is gone.
    Erased(Erasure),
    /// Somebody contested a decision (GDPR Art. 22(3)).
    Contested(Contest),
    /// What came of a call that was in doubt became known.
    LateOutcome(Contest),
    /// Nothing may be erased from here on.
    Hold(Hold),
    /// One such order ends.
    Release(Hold),
    /// A run without a close will never have one.
    GivenUp(GivenUp),
}

impl Event {
    /// The run that it is about; none for a hold or release of a whole tenant.
    #[must_use]
    pub const fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Erased(erasure) => Some(erasure.run_id),
            Self::Contested(contest) | Self::LateOutcome(contest) => Some(contest.run_id),
            Self::GivenUp(given_up) => Some(given_up.run_id),
            Self::Hold(hold) | Self::Release(hold) => match hold.scope {
                HoldScope::Run(run) => Some(run),
                HoldScope::Tenant => None,
            },
        }
    }
}

/// One line of the annex, without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnexEntry {
    /// When.
    pub at: Timestamp,
    /// Alias of who ordered it; [`RETENTION`] exactly for a window that ended.
    pub by: Name,
    /// What it says.
    pub event: Event,
    /// The key that signs.
    pub key_id: KeyId,
    /// The deployment.
    pub origin: Name,
    /// The hash of the line before.
    pub prev: Hash,
    /// Its place.
    pub sequence: u64,
    /// Whose annex it is.
    pub tenant: Name,
}

impl AnnexEntry {
    /// What must hold for a line by itself.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let erasure = match &self.event {
            Event::Erased(erasure) => erasure,
            Event::GivenUp(GivenUp { count: 0, .. }) => return Err("a run without a record never began"),
            Event::GivenUp(_)
            | Event::Contested(_)
            | Event::LateOutcome(_)
            | Event::Hold(_)
            | Event::Release(_) => return Ok(()),
        };
        use ErasureReason::{ConsentWithdrawn, ContentWindow, DecisionWindow, HashWindow, Request};
        let fits = match (&erasure.what, erasure.reason) {
            (Erased::Field { .. } | Erased::Subject, Request | ConsentWithdrawn)
            | (
                Erased::Record { .. } | Erased::Run,
                Request | ConsentWithdrawn | ContentWindow | DecisionWindow,
            )
            | (Erased::Directory { .. }, HashWindow) => true,
            (Erased::Field { .. } | Erased::Subject, ContentWindow | DecisionWindow | HashWindow)
            | (Erased::Record { .. } | Erased::Run, HashWindow)
            | (Erased::Directory { .. }, Request | ConsentWithdrawn | ContentWindow | DecisionWindow) => {
                false
            }
        };
        if !fits {
            return Err("this scope is never erased for this reason");
        }
        if erasure.reason.is_window() != (self.by.as_str() == RETENTION) {
            return Err("`by` is `retention` exactly where a window ended");
        }
        match &erasure.what {
            Erased::Field { leaves, .. } if leaves.is_empty() || !leaves.is_sorted_by(|a, b| a < b) => {
                Err("`leaves` is sorted, without repetition, and not empty")
            }
            _ => Ok(()),
        }
    }
}

/// The entry as it stands in a line: every member that some kind has.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wire {
    at: Timestamp,
    by: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    close_root: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    domain: AnnexDomain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Hash>,
    key_id: KeyId,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaves: Option<Vec<Hash>>,
    origin: Name,
    prev: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<Hash>,
    tenant: Name,
}

impl From<AnnexEntry> for Wire {
    fn from(entry: AnnexEntry) -> Self {
        let AnnexEntry { at, by, event, key_id, origin, prev, sequence, tenant } = entry;
        let run_id = event.run_id();
        let mut wire = Self {
            at,
            by,
            close_root: None,
            count: None,
            domain: AnnexDomain::V1,
            head: None,
            key_id,
            kind: Kind::Erased,
            leaves: None,
            origin,
            prev,
            reason: None,
            root: None,
            run_id,
            scope: None,
            sequence,
            statement: None,
            tenant,
        };
        match event {
            Event::Erased(Erasure { run_id: _, reason, what }) => {
                wire.reason = Some(reason.to_string());
                let (scope, root, leaves, close_root) = match what {
                    Erased::Field { root, leaves } => (Scope::Field, Some(root), Some(leaves), None),
                    Erased::Record { root } => (Scope::Record, Some(root), None, None),
                    Erased::Run => (Scope::Run, None, None, None),
                    Erased::Subject => (Scope::Subject, None, None, None),
                    Erased::Directory { close_root } => (Scope::Run, None, None, Some(close_root)),
                };
                (wire.scope, wire.root, wire.leaves, wire.close_root) =
                    (Some(scope), root, leaves, close_root);
            }
            Event::Contested(contest) => wire.contest(Kind::Contested, contest),
            Event::LateOutcome(contest) => wire.contest(Kind::LateOutcome, contest),
            Event::Hold(hold) => wire.hold(Kind::Hold, hold),
            Event::Release(hold) => wire.hold(Kind::Release, hold),
            Event::GivenUp(GivenUp { run_id: _, count, head }) => {
                (wire.kind, wire.count, wire.head) = (Kind::GivenUp, Some(count), Some(head));
            }
        }
        wire
    }
}

impl Wire {
    fn contest(&mut self, kind: Kind, contest: Contest) {
        (self.kind, self.root, self.statement) = (kind, contest.root, Some(contest.statement));
    }

    fn hold(&mut self, kind: Kind, hold: Hold) {
        let scope = match hold.scope {
            HoldScope::Run(_) => Scope::Run,
            HoldScope::Tenant => Scope::Tenant,
        };
        (self.kind, self.scope, self.reason) = (kind, Some(scope), Some(hold.reason.to_string()));
    }

    /// The entry, if the members fit together. Members too many come to light when it is written again.
    pub(super) fn into_entry(self) -> Option<AnnexEntry> {
        let event = match self.kind {
            Kind::Erased => Event::Erased(Erasure {
                run_id: self.run_id?,
                reason: self.reason?.parse().ok()?,
                what: match (self.scope?, self.close_root) {
                    (Scope::Field, None) => Erased::Field { root: self.root?, leaves: self.leaves? },
                    (Scope::Record, None) => Erased::Record { root: self.root? },
                    (Scope::Run, None) => Erased::Run,
                    (Scope::Run, Some(close_root)) => Erased::Directory { close_root },
                    (Scope::Subject, None) => Erased::Subject,
                    (Scope::Field | Scope::Record | Scope::Subject | Scope::Tenant, _) => return None,
                },
            }),
            kind @ (Kind::Contested | Kind::LateOutcome) => {
                let contest = Contest { run_id: self.run_id?, root: self.root, statement: self.statement? };
                if kind == Kind::Contested { Event::Contested(contest) } else { Event::LateOutcome(contest) }
            }
            kind @ (Kind::Hold | Kind::Release) => {
                let scope = match (self.scope?, self.run_id) {
                    (Scope::Run, Some(run)) => HoldScope::Run(run),
                    (Scope::Tenant, None) => HoldScope::Tenant,
                    _ => return None,
                };
                let hold = Hold { scope, reason: self.reason?.parse().ok()? };
                if kind == Kind::Hold { Event::Hold(hold) } else { Event::Release(hold) }
            }
            Kind::GivenUp => {
                Event::GivenUp(GivenUp { run_id: self.run_id?, count: self.count?, head: self.head? })
            }
        };
        let Self { at, by, key_id, origin, prev, sequence, tenant, .. } = self;
        Some(AnnexEntry { at, by, event, key_id, origin, prev, sequence, tenant })
    }
}
