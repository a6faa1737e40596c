//! The manifest: an in-toto Statement v1 that lists every other member and says of which run the bundle is, and when it was made.

use fuze_evidence::{Hash, Name, RunId, Timestamp, jcs};
use serde::{Deserialize, Serialize};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "urn:fuze:evidence-bundle:v1";
const FORMAT: u64 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    pub(crate) predicate: Predicate,
    predicate_type: String,
    pub(crate) subject: Vec<Subject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Predicate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) close_root: Option<Hash>,
    pub(crate) exported_at: Timestamp,
    pub(crate) format: u64,
    pub(crate) origin: Name,
    pub(crate) run_id: RunId,
    pub(crate) tenant: Name,
    pub(crate) withheld: u64,
}

impl Predicate {
    pub(crate) const FORMAT: u64 = FORMAT;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    digest: Digest,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    sha256: Hash,
}

impl Subject {
    pub(crate) fn new(name: &str, sha256: Hash) -> Self {
        Self { digest: Digest { sha256 }, name: name.to_owned() }
    }

    pub(crate) const fn sha256(&self) -> Hash {
        self.digest.sha256
    }
}

impl Statement {
    pub(crate) fn new(predicate: Predicate, subject: Vec<Subject>) -> Self {
        Self { kind: STATEMENT.to_owned(), predicate, predicate_type: PREDICATE.to_owned(), subject }
    }

    /// Reads it strictly; `None` if it is not canonical, or another kind of statement.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_value(jcs::from_slice(octets).ok()?).ok()?;
        let known = read.kind == STATEMENT && read.predicate_type == PREDICATE;
        (known && jcs::to_vec(&read).ok()? == octets).then_some(read)
    }
}
