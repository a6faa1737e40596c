//! The names of a bundle's members. What is not here is refused.

use fuze_evidence::Hash;

/// How to check the bundle by hand.
pub const README: &str = "README.txt";
/// The openings of the run's leaves in a transparency log.
pub const ANCHORS: &str = "anchors/anchors.jsonl";
/// The proof that the log holds the close root.
pub const ANCHOR_CLOSE: &str = "anchors/close.tlog-proof";
/// The log's verifier key: a convenience, no trust root.
pub const LOG_KEY: &str = "anchors/log.vkey";
/// The proof that the log holds the open root.
pub const ANCHOR_OPEN: &str = "anchors/open.tlog-proof";
/// The tenant's annex.
pub const ANNEX: &str = "annex/annex.jsonl";
/// The agent's definition.
pub const DEFINITION: &str = "definition/agent.json";
/// The key that signed the manifest, if it is not the run's.
pub const EXPORT_HEX: &str = "keys/export.hex";
/// As [`EXPORT_HEX`], for openssl.
pub const EXPORT_PEM: &str = "keys/export.pem";
/// The key that signed the run.
pub const RUN_HEX: &str = "keys/run.hex";
/// The history of keys that sign runs.
pub const KEY_HISTORY: &str = "keys/run.history.jsonl";
/// As [`RUN_HEX`], for openssl.
pub const RUN_PEM: &str = "keys/run.pem";
/// Who made the bundle, and the digests of all other members.
pub const MANIFEST: &str = "manifest.json";
/// The policy bundle.
pub const POLICY: &str = "policy/bundle";
/// The chain.
pub const RECORDS: &str = "records.jsonl";
/// For people.
pub const REPORT: &str = "report.html";
/// The signed roots.
pub const ROOTS: &str = "roots/roots.jsonl";
/// What was signed at the close.
pub const CLOSE_JSON: &str = "roots/close.json";
/// The signature at the close.
pub const CLOSE_SIG: &str = "roots/close.sig";

/// Members that every bundle has.
pub const REQUIRED: &[&str] = &[README, RUN_HEX, RUN_PEM, MANIFEST, RECORDS, REPORT, ROOTS];

/// What may be there besides.
const OPTIONAL: &[&str] = &[
    ANCHORS,
    ANCHOR_CLOSE,
    LOG_KEY,
    ANCHOR_OPEN,
    ANNEX,
    DEFINITION,
    EXPORT_HEX,
    EXPORT_PEM,
    KEY_HISTORY,
    POLICY,
    CLOSE_JSON,
    CLOSE_SIG,
];

const CONTENT: &str = "content/";
const OVERSIGHT: &str = "oversight/";
const JSON: &str = ".json";

/// What is disclosed of the content under `root`.
#[must_use]
pub fn content(root: Hash) -> String {
    format!("{CONTENT}{root}{JSON}")
}

/// The root that [`content`] was given.
#[must_use]
pub fn content_root(name: &str) -> Option<Hash> {
    name.strip_prefix(CONTENT)?.strip_suffix(JSON)?.parse().ok()
}

/// Decision number `n`.
#[must_use]
pub fn oversight(n: u64) -> String {
    format!("{OVERSIGHT}{n}{JSON}")
}

/// Whether `name` is one that [`oversight`] gives.
#[must_use]
pub fn is_oversight(name: &str) -> bool {
    number(name.strip_prefix(OVERSIGHT).and_then(|rest| rest.strip_suffix(JSON)))
        .is_some_and(|n| name == oversight(n))
}

/// The octets that were signed as line `n` of the roots.
#[must_use]
pub fn root_json(n: u64) -> String {
    format!("roots/{n}.json")
}

/// Their signature.
#[must_use]
pub fn root_sig(n: u64) -> String {
    format!("roots/{n}.sig")
}

fn number(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}

/// Whether a bundle may have a member of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    let root = |suffix, write: fn(u64) -> String| {
        number(name.strip_prefix("roots/").and_then(|rest| rest.strip_suffix(suffix)))
            .is_some_and(|n| name == write(n))
    };
    REQUIRED.contains(&name)
        || OPTIONAL.contains(&name)
        || content_root(name).is_some()
        || is_oversight(name)
        || root(JSON, root_json)
        || root(".sig", root_sig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_each_name_is_known() {
        let root = fuze_evidence::sha256(b"x");
        for name in
            [&content(root), &oversight(0), &oversight(12), &root_json(7), &root_sig(0), MANIFEST, ANNEX]
        {
            assert!(is_known(name), "{name}");
        }
        for name in [
            "oversight/00.json",
            "oversight/+1.json",
            "oversight/.json",
            "roots/01.sig",
            "roots/x.json",
            "records.jsonl/",
            "./records.jsonl",
            "Records.jsonl",
            "content/x.json",
            &content(root).to_uppercase(),
            "",
        ] {
            assert!(!is_known(name), "{name}");
        }
    }
}
