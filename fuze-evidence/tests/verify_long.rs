//! Runs that are longer than one piece of the file: what several threads find is what one finds, and in the same place.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::num::NonZeroUsize;

use common::{Host, Sample, evaluate, times};
use fuze_evidence::verify::{
    ChainHead, Look, Octets, Options, Report, RunFiles, TrustedKeys, VerifyError, What, check_chain,
    verify_files_with,
};
use fuze_evidence::vocab::{PolicyDecision, RunStatus};
use fuze_evidence::{Hash, sha256};

const RECORDS: usize = 2_000;

fn long_run() -> Sample {
    let (mut sample, mut recorder) = Sample::begin(Host::new());
    for step in 1..u64::try_from(RECORDS).unwrap() - 1 {
        let span = evaluate(PolicyDecision::Allow, sha256(&step.to_be_bytes()));
        let record = recorder.append(step, 0, times(step), &span, None).unwrap();
        sample.add(&record, None);
    }
    let last = u64::try_from(RECORDS).unwrap();
    let closed = recorder.close(last, 0, times(last), RunStatus::Completed, &sample.host.signer).unwrap();
    sample.add(closed.record(), None);
    assert!(sample.files.records.len() > 4 * 512 * 1024, "more pieces than two threads have under way");
    sample
}

fn ways() -> impl Iterator<Item = Options> {
    let on = |threads| Options::new().with_threads(NonZeroUsize::new(threads).unwrap());
    [Options::new(), on(1), on(2), on(5), on(2).with_second_reader()].into_iter()
}

fn verify(sample: &Sample, records: &[u8], options: &Options) -> Result<Report, VerifyError> {
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let roots: Box<dyn std::io::BufRead> = Box::new(sample.files.roots.as_slice());
    verify_files_with(
        RunFiles { records: Box::new(records), roots: Some(roots), content: None },
        &keys,
        options,
    )
}

fn chain(records: &[u8], look: Look, options: &Options) -> Result<ChainHead, VerifyError> {
    let streamed = check_chain(Octets::Stream(Box::new(records)), look, options);
    let sliced = check_chain(Octets::Slice(records), look, options);
    assert_eq!(format!("{streamed:?}"), format!("{sliced:?}"));
    sliced
}

/// The line, what is wrong, and the record before; the same whoever looks.
type Finding = (u64, What, Option<(u64, Hash)>);

fn finding<T: std::fmt::Debug>(result: Result<T, VerifyError>) -> Finding {
    match result {
        Err(VerifyError::Failed(failure)) => (failure.line, failure.what, failure.last_good),
        other => panic!("expected a failure, found {other:?}"),
    }
}

/// What every way of looking finds; the chain alone as well, if what is wrong is in the chain.
fn check(sample: &Sample, records: &[u8], in_chain: bool) -> Finding {
    let mut found: Vec<Finding> = ways().map(|options| finding(verify(sample, records, &options))).collect();
    if in_chain {
        for look in [Look::Hashes, Look::Canonical] {
            found.extend(ways().map(|options| finding(chain(records, look, &options))));
        }
    }
    let first = found.remove(0);
    assert!(found.iter().all(|other| *other == first), "{first:?}, {found:?}");
    first
}

fn lines(records: &[u8]) -> Vec<Vec<u8>> {
    records.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
}

fn hash_of(line: &[u8]) -> Hash {
    std::str::from_utf8(&line[9..73]).unwrap().parse().unwrap()
}

#[test]
fn every_way_comes_to_the_same_report() {
    let sample = long_run();
    let records = &sample.files.records;
    let head = hash_of(lines(records).last().unwrap());
    for options in ways() {
        let report = verify(&sample, records, &options).unwrap();
        assert!(report.is_verified());
        assert_eq!((report.records, report.head), (RECORDS as u64, head));
        for look in [Look::Hashes, Look::Canonical] {
            assert_eq!(chain(records, look, &options).unwrap(), ChainHead { records: RECORDS as u64, head });
        }
    }
}

#[test]
fn what_is_wrong_is_found_where_it_is_whichever_piece_it_is_in() {
    let sample = long_run();
    let original = lines(&sample.files.records);
    // About 440 lines are a piece: inside the first, beside each border, in the last.
    for at in [1, 436, 437, 438, 439, 440, 1_000, RECORDS - 2] {
        let before = Some((at as u64 - 1, hash_of(&original[at - 1])));
        let chain_finds = |lines: &[Vec<u8>]| {
            let records = lines.concat();
            let mut found = ways().map(|options| finding(chain(&records, Look::Hashes, &options)));
            let first = found.next().unwrap();
            assert!(found.all(|other| other == first));
            first
        };
        let mut dropped = original.clone();
        dropped.remove(at);
        let (line, what, good) = chain_finds(&dropped);
        assert_eq!((line, good), (at as u64, before));
        assert!(matches!(what, What::Differs { what: "sequence", .. }), "{what:?}");

        let mut moved = original.clone();
        moved.swap(at, at + 1);
        assert_eq!(chain_finds(&moved).0, at as u64);

        let mut edited = original.clone();
        let place = edited[at].len() / 2;
        edited[at][place] ^= 1;
        let (line, what, good) = chain_finds(&edited);
        assert_eq!((line, good), (at as u64, before));
        assert!(matches!(what, What::Differs { what: "hash", .. }), "{what:?}");

        // Two things wrong: the first is named.
        let mut both = edited;
        both[RECORDS - 1].truncate(20);
        assert_eq!(chain_finds(&both).0, at as u64);
        if [438].contains(&at) {
            assert_eq!(check(&sample, &dropped.concat(), true).0, at as u64);
            assert_eq!(check(&sample, &both.concat(), false).0, at as u64);
        }
    }
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line_is_good_up_to_there() {
    let sample = long_run();
    let records = &sample.files.records;
    let cut = &records[..records.len() - 1];
    let (line, what, good) = check(&sample, cut, true);
    assert_eq!((line, what), (RECORDS as u64 - 1, What::PartialLine));
    assert_eq!(good.unwrap().0, RECORDS as u64 - 2);
    assert_eq!(finding(chain(b"", Look::Hashes, &Options::new())).1, What::Empty);
    assert_eq!(finding(chain(b"\n", Look::Hashes, &Options::new())).0, 0);
}

#[test]
fn the_chain_alone_says_what_its_octets_are_and_not_what_they_mean() {
    let sample = long_run();
    // A chain that somebody made himself: right in every hash, canonical, and no evidence of anything.
    let mut records = Vec::new();
    let mut head = Hash::ZERO;
    for sequence in 0..3 {
        let body =
            format!("\"payload\":{{\"made\":\"up\"}},\"prevHash\":\"{head}\",\"sequence\":{sequence}}}");
        head = sha256(format!("{{{body}").as_bytes());
        records.extend(format!("{{\"hash\":\"{head}\",{body}\n").into_bytes());
    }
    for look in [Look::Hashes, Look::Canonical] {
        assert_eq!(chain(&records, look, &Options::new()).unwrap(), ChainHead { records: 3, head });
    }
    assert!(verify(&sample, &records, &Options::new()).is_err());
    // Not canonical, with the right hash: only who looks sees it.
    let body = format!("\"payload\":{{ }},\"prevHash\":\"{}\",\"sequence\":0}}", Hash::ZERO);
    let hash = sha256(format!("{{{body}").as_bytes());
    let spaced = format!("{{\"hash\":\"{hash}\",{body}\n").into_bytes();
    assert!(chain(&spaced, Look::Hashes, &Options::new()).is_ok());
    assert!(chain(&spaced, Look::Canonical, &Options::new()).is_err());
}

#[test]
fn a_chain_that_begins_anywhere_but_at_its_beginning_is_refused() {
    let sample = long_run();
    let rest = lines(&sample.files.records)[1..].concat();
    let (line, what, good) = check(&sample, &rest, false);
    assert_eq!((line, good), (0, None), "{what:?}");
    assert_eq!(finding(chain(&rest, Look::Hashes, &Options::new())).0, 0);
}

#[test]
fn a_frame_has_one_spelling() {
    let sample = long_run();
    let first = String::from_utf8(lines(&sample.files.records)[0].clone()).unwrap();
    for (from, to) in [
        ("\"sequence\":0}", "\"sequence\":00}"),
        ("\"sequence\":0}", "\"sequence\":}"),
        ("\"sequence\":0}", "\"sequence\":-0}"),
        ("\"sequence\":0}", "\"sequence\":0 }"),
        ("\"sequence\":0}", "\"sequence\":10000000000000000000000}"),
        (",\"prevHash\":\"", ", \"prevHash\":\""),
        ("{\"hash\":\"", "{\"Hash\":\""),
        ("\"payload\":", "\"payLoad\":"),
    ] {
        // Hashed anew, so that nothing but the spelling is wrong.
        let body = first.replace(from, to);
        assert_ne!(body, first);
        let hash = sha256(format!("{{{}", &body.trim_end()[75..]).as_bytes());
        let line = format!("{}{hash}{}", &body[..9], &body[73..]);
        assert_eq!(finding(chain(line.as_bytes(), Look::Hashes, &Options::new())).0, 0, "{to}");
    }
}
