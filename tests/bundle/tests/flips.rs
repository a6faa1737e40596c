//! Bits: each one of a bundle, and each one of what the run itself says when everything around it was made to fit again.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Keys, Run, Shape, annex_of};
use fuze_audit::verify::verify;
use fuze_audit::{AuditError, Selection, Trust, Verdict};

/// These bits on two threads.
fn flip(octets: &[u8], bits: &[usize], check: impl Fn(usize, &[u8]) + Sync) {
    std::thread::scope(|scope| {
        // In turns, so that both have the same share of what is dear.
        for first in [0, 1] {
            let check = &check;
            scope.spawn(move || {
                let mut octets = octets.to_vec();
                for &bit in bits.iter().skip(first).step_by(2) {
                    octets[bit / 8] ^= 1 << (bit % 8);
                    check(bit, &octets);
                    octets[bit / 8] ^= 1 << (bit % 8);
                }
            });
        }
    });
}

/// The n-th bits of these octets; all with `FUZE_EXHAUSTIVE=1` (minutes; better with `--release`).
fn bits(octets: std::ops::Range<usize>, step: usize) -> Vec<usize> {
    let exhaustive = std::env::var_os("FUZE_EXHAUSTIVE").is_some_and(|v| v == "1");
    (octets.start * 8..octets.end * 8).step_by(if exhaustive { 1 } else { step }).collect()
}

/// The smallest run that has all kinds of members.
fn run() -> Run {
    Run::new(Shape { turns: 1, ..Shape::full(1) })
}

/// All bits of the zip and of what says anything about the run; of the two long texts for people one in each octet, another
/// one each time.
#[test]
fn every_bit_of_a_bundle_counts() {
    let run = Run::new(Shape { turns: 0, waits: false, ..Shape::full(1) });
    let bundle = run.bundle(Selection::nothing().field(0, "/applicant").unwrap());
    let trust = run.trust();
    let members = unpack(&bundle);
    let mut places = Vec::new();
    let mut last = 0;
    for name in ["README.txt", "report.html"] {
        let text = &members[name];
        let at = bundle.windows(text.len()).position(|window| window == text.as_slice()).unwrap();
        places.extend(bits(last..at, 1));
        places.extend(bits(at..at + text.len(), 9));
        last = at + text.len();
    }
    places.extend(bits(last..bundle.len(), 1));
    flip(&bundle, &places, |bit, changed| {
        let result = verify(Cursor::new(changed), &trust);
        assert!(result.is_err(), "bit {bit} of octet {}: {result:?}", bit / 8);
    });
}

/// The manifest and all checksums are made anew for each bit by a maker whom the verifier trusts.
#[test]
fn no_manifest_makes_a_changed_run_good() {
    let run = run();
    let members = unpack(&run.bundle(Selection::all()));
    let trust = run.trust();
    let outside = ["README.txt", "report.html", "manifest.json"];
    for (name, octets) in members.iter().filter(|(name, _)| !outside.contains(&name.as_str())) {
        flip(octets, &bits(0..octets.len(), 61), |bit, changed| {
            let mut members = members.clone();
            members.insert(name.clone(), changed.to_vec());
            let result =
                verify(Cursor::new(repack(&members, run.signer())), &trust.clone().overseer(run.overseer));
            match result {
                Err(AuditError::Failed(failure)) => {
                    // A key that is another key in one spelling is found in the other.
                    let keys = failure.member.starts_with("keys/run.") && name.starts_with("keys/run.");
                    assert!(failure.member == *name || keys, "{name} bit {bit}: {failure}");
                }
                // Another version or suite is not known to this reader.
                Err(AuditError::Cannot { .. }) => assert_eq!(name, "records.jsonl", "bit {bit}"),
                other => panic!("{name} bit {bit}: {other:?}"),
            }
        });
    }
}

/// The log, the annex and the key history, each of which can explain what else would be a failure. Whoever made the bundle is trusted with
/// its manifest and with nothing else.
#[test]
fn no_bit_of_what_lies_around_a_run_is_idle() {
    let (run, keys, mut world) = (run(), Keys::new(None), World::new("log.example", 1));
    let mut export = run.export(Selection::nothing());
    export.extras.anchored = Some(world.anchor(&run, true));
    export.extras.history = Some((keys.older.to_bytes(), keys.first));
    export.extras.annex = Some(annex_of(&run, &keys));
    let mut bundle = Vec::new();
    export.write(".".as_ref(), &mut bundle).unwrap();
    let trust = Trust::new().run_key(keys.first).overseer(run.overseer).log(world.policy(1));
    assert_eq!(verify(Cursor::new(&bundle), &trust).unwrap().verdict(), Verdict::Verified);
    let members = unpack(&bundle);
    let around = |name: &str| ["anchors/", "annex/", "keys/"].iter().any(|place| name.starts_with(place));
    let mut names = Vec::new();
    for (name, octets) in members.iter().filter(|(name, _)| around(name)) {
        names.push(name.as_str());
        flip(octets, &bits(0..octets.len(), 13), |bit, changed| {
            let mut members = members.clone();
            members.insert(name.clone(), changed.to_vec());
            let result = verify(Cursor::new(repack(&members, run.signer())), &trust);
            // When a line was written is what the operator says, and the manifest alone vouches for it.
            let operators = name == "anchors/anchors.jsonl" && is_time_of_a_line(octets, bit / 8);
            assert!(result.is_err() || operators, "{name} bit {bit}");
        });
    }
    for name in ["anchors/anchors.jsonl", "anchors/close.tlog-proof", "anchors/log.vkey", "annex/annex.jsonl"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(names.iter().any(|name| name.ends_with(".history.jsonl")), "{names:?}");
}

/// Whether this octet is one of the thirty in a line's first member, `at`.
fn is_time_of_a_line(lines: &[u8], at: usize) -> bool {
    const BEFORE: &[u8] = b"{\"at\":\"";
    let start = lines[..at].iter().rposition(|&octet| octet == b'\n').map_or(0, |end| end + 1);
    lines[start..].starts_with(BEFORE) && (BEFORE.len()..BEFORE.len() + 30).contains(&(at - start))
}
