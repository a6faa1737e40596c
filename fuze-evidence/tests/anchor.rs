//! Leaves and lines of `anchors.jsonl`: one form, and they open to what they were made from.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{Counter, Sample, at, name};
use fuze_evidence::anchor::{AnchorLine, Blinding, LeafError, LeafKind, LogLeaf, MAX_LEAF_BYTES, Prepared};
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Hash, SignedRoot, sha256};

fn open_root() -> SignedRoot {
    let sample = Sample::closed();
    let key = sample.host.public_key();
    SignedRoot::read(sample.files.roots.split(|&b| b == b'\n').next().unwrap(), |_| Some(key)).unwrap()
}

fn line(root: &SignedRoot) -> AnchorLine {
    let prepared =
        Prepared::open(root, at(1_000_000), &Blinding::generate(&mut OsRandom::new()).unwrap()).unwrap();
    prepared.anchored(7, name("log.example/a"), at(50)).unwrap()
}

/// Section 13, written by hand: `random` gives sha256(1), sha256(2) as salt and tag.
#[test]
fn a_leaf_is_the_octets_of_the_format() {
    let what = sha256(b"a line");
    let prepared = Prepared::annex(what, &Blinding::generate(&mut Counter(1)).unwrap()).unwrap();
    let (salt, tag) = (sha256(&1_u64.to_be_bytes()), sha256(&2_u64.to_be_bytes()));
    let commit = sha256(&[salt.0, what.0].concat());
    let expected = format!(
        "{{\"commit\":\"{commit}\",\"domain\":\"fuze/log-leaf/v1\",\"kind\":\"annex\",\"runTag\":\"{tag}\"}}"
    );
    assert_eq!(std::str::from_utf8(prepared.leaf().bytes()).unwrap(), expected);
    let line = prepared.anchored(3, name("log.example/a"), at(0)).unwrap();
    let salt = b64(&salt.0);
    let expected = format!(
        "{{\"at\":\"{}\",\"index\":3,\"kind\":\"annex\",\"leaf\":{expected},\"log\":\"log.example/a\",\"salt\":\"{salt}\",\"v\":1}}",
        at(0)
    );
    assert_eq!(std::str::from_utf8(line.bytes()).unwrap(), expected);
}

fn b64(octets: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    Base64UrlUnpadded::encode_string(octets)
}

#[test]
fn a_line_opens_to_its_own_root_only() {
    let (root, other) = (open_root(), open_root());
    let line = line(&root);
    assert_eq!(line.opens_to(&root), Ok(()));
    assert!(matches!(line.opens_to(&other), Err(LeafError::Commit { .. })));
    assert_eq!(
        (line.index(), line.leaf().kind(), line.log().as_str()),
        (7, LeafKind::RunOpen, "log.example/a")
    );
    assert_eq!(AnchorLine::read(line.bytes()), Ok(line.clone()));
    // Salt and tag are new each time: two leaves of one root have nothing in common.
    let again = self::line(&root);
    assert_ne!(again.leaf().commit(), line.leaf().commit());
    assert_ne!(again.leaf().run_tag(), line.leaf().run_tag());
}

#[test]
fn a_leaf_has_one_form() {
    let good = String::from_utf8(line(&open_root()).leaf().bytes().to_vec()).unwrap();
    assert!(LogLeaf::read(good.as_bytes()).is_ok());
    let deadline = &good[good.find("\"deadline\"").unwrap()..good.find("\"domain\"").unwrap()];
    for wrong in [
        good.replace(deadline, ""),
        good.replace(deadline, "\"deadline\":null,"),
        good.replace("run_open", "run_close"),
        good.replace("run_open", "run_opened"),
        good.replace("/v1", "/v2"),
        good.replace("\"kind\"", "\"extra\":1,\"kind\""),
        good.replace("\"domain\":\"fuze/log-leaf/v1\",", ""),
        good.replace(':', ": "),
        good.replacen('{', "{\"a\":{},", 1),
        good.to_uppercase(),
        format!("{good}\n"),
        String::new(),
    ] {
        assert!(LogLeaf::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let long = format!("{{\"a\":\"{}\"}}", "b".repeat(MAX_LEAF_BYTES));
    assert!(matches!(LogLeaf::read(long.as_bytes()), Err(LeafError::TooLong { .. })));
}

#[test]
fn a_line_has_one_form_and_a_file_whole_lines() {
    let line = line(&open_root());
    let good = String::from_utf8(line.bytes().to_vec()).unwrap();
    let salt = &good[good.find("\"salt\"").unwrap()..good.find(",\"v\"").unwrap()];
    for wrong in [
        good.replace("\"kind\":\"run_open\",\"leaf\"", "\"kind\":\"run_close\",\"leaf\""),
        good.replace("\"index\":7", "\"index\":-7"),
        good.replace("\"index\":7", "\"index\":9007199254740992"),
        good.replace("log.example/a", "log.example+a"),
        good.replace("log.example/a", ""),
        good.replace(salt, "\"salt\":\"AAAA\""),
        good.replace("\"v\":1", "\"v\":1,\"w\":1"),
        format!(" {good}"),
    ] {
        assert!(AnchorLine::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let later = good.replace("\"v\":1", "\"v\":2");
    assert_eq!(AnchorLine::read(later.as_bytes()), Err(LeafError::Version { found: 2 }));

    let file = format!("{good}\n{good}\n");
    assert_eq!(AnchorLine::read_all(file.as_bytes()), Ok(vec![line.clone(), line]));
    assert_eq!(AnchorLine::read_all(b""), Ok(vec![]));
    assert!(matches!(AnchorLine::read_all(file.trim_end().as_bytes()), Err((2, _))));
    assert!(matches!(AnchorLine::read_all(format!("{good}\n\n").as_bytes()), Err((2, _))));
    assert!(matches!(AnchorLine::read_all(format!("x\n{good}\n").as_bytes()), Err((1, _))));
}

#[test]
fn an_index_or_a_name_that_no_log_has_is_refused() {
    let prepared = || Prepared::key(Hash::ZERO, &Blinding::generate(&mut OsRandom::new()).unwrap()).unwrap();
    assert!(prepared().anchored((1 << 53) - 1, name("a"), at(0)).is_ok());
    assert!(prepared().anchored(1 << 53, name("a"), at(0)).is_err());
    assert!(prepared().anchored(0, name("a+b"), at(0)).is_err());
}

#[test]
fn a_close_goes_with_its_own_open() {
    let sample = Sample::closed();
    let key = sample.host.public_key();
    let read = |line: &[u8]| SignedRoot::read(line, |_| Some(key)).unwrap();
    let open = read(sample.files.roots.split(|&b| b == b'\n').next().unwrap());
    let last = sample.files.records.split(|&b| b == b'\n').rev().nth(1).unwrap();
    let record: serde_json::Value = serde_json::from_slice(last).unwrap();
    let close = read(&fuze_evidence::jcs::to_vec(&record["payload"]["signature"]).unwrap());

    let opened = line(&open);
    let closed = |opened: &AnchorLine, index, log: &str| {
        let prepared = Prepared::close(&close, opened).unwrap();
        prepared.anchored(index, name(log), at(60)).unwrap()
    };
    assert_eq!(closed(&opened, 8, "log.example/a").closes(&close, &opened), Ok(()));
    let others = line(&open_root());
    assert!(matches!(
        closed(&others, 8, "log.example/a").closes(&close, &opened),
        Err(LeafError::Tag { .. })
    ));
    assert!(matches!(
        closed(&opened, 7, "log.example/a").closes(&close, &opened),
        Err(LeafError::Order { opened: 7, closed: 7 })
    ));
    assert!(matches!(
        closed(&opened, 8, "log.example/b").closes(&close, &opened),
        Err(LeafError::Log { .. })
    ));
    assert!(matches!(opened.closes(&open, &opened), Err(LeafError::Root { .. })));
}
