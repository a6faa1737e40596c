//! What the verifiers do not read.

use fuze_agent_bundle_tests::forge::{Members, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::replace;
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use serde_json::json;

use crate::after_the_close::annex;
use crate::judges::Other;
use crate::keys::history;

/// What they do not read they say, whatever it is; and never before everything else has been looked at.
#[test]
fn what_they_do_not_read_is_never_verified() {
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let run = Run::new(Shape::full(1));
    let id = run.public_key().id();
    let mut codes = |members: &Members| {
        other_verifier.judge(&repack(members, run.signer()), id, false).map(|(code, _)| code)
    };
    let mut members = unpack(&run.bundle(Selection::all()));
    assert_eq!(codes(&members), [0, 0]);
    let annexed = |name: &str| {
        let hold = json!({"kind": "hold", "reason": "legal_claims", "scope": "tenant"});
        let octets = match name.starts_with("annex/") {
            true => annex(&run, &[hold]),
            // It begins with a key that nobody knows, and so says nothing.
            false => history(&[json!({"of": 5})]),
        };
        (name.to_owned(), octets)
    };
    for (name, expected) in [("annex/annex.jsonl", [0, 3]), ("keys/run.history.jsonl", [0, 3])] {
        let mut members = members.clone();
        members.extend([annexed(name)]);
        assert_eq!(codes(&members), expected, "{name}");
    }
    let disclosed = |(name, octets): &(&String, &Vec<u8>)| {
        name.starts_with("content/") && String::from_utf8_lossy(octets).contains("\"value\":\"")
    };
    let content = members.iter().find(disclosed).unwrap().0.clone();
    replace(&mut members, &content, "\"value\":\"", "\"value\":\"x");
    for name in ["annex/annex.jsonl", "keys/run.history.jsonl"] {
        let mut members = members.clone();
        members.extend([annexed(name)]);
        assert_eq!(codes(&members), [1, 1], "{name}");
    }
    other_verifier.end();
}
