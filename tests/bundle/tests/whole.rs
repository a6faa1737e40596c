//! What is exported verifies, says what it holds, and is the same each time.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{pack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_audit::verify::verify;
use fuze_audit::{Selection, Verdict};

#[test]
fn every_shape_of_run_makes_a_bundle_that_verifies() {
    for seed in 0..60 {
        let run = Run::new(Shape::of(seed));
        let bundle = run.bundle(run.selection());
        let report = verify(Cursor::new(&bundle), &run.trust()).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let expected = if run.shape.closed { Verdict::Verified } else { Verdict::NotClosed };
        assert_eq!(report.verdict(), expected, "{seed}");
        assert_eq!(bundle, run.bundle(run.selection()), "{seed}");
        assert_eq!(bundle, pack(&unpack(&bundle)), "{seed}");
    }
}

#[test]
fn what_was_not_asked_for_is_not_in_the_bundle() {
    let run = Run::new(Shape::full(1));
    let count = |selection| verify(Cursor::new(run.bundle(selection)), &run.trust()).unwrap().run.content;
    let (nothing, all) = (count(Selection::nothing()), count(Selection::all()));
    assert_eq!((nothing.verified, all.withheld), (0, 0));
    assert_eq!(nothing.withheld, all.verified);
    let one = count(Selection::nothing().field(0, "/applicant").unwrap());
    assert_eq!((one.verified, one.withheld), (1, all.verified - 1));
    let bundle = run.bundle(Selection::nothing());
    let holds = |text: &str| bundle.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("agent.invoke"));
    assert!(!holds("applicant") && !holds("recommend\""), "no word of the input");
}
