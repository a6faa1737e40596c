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

#[test]
fn the_report_is_one_page_that_loads_and_runs_nothing() {
    let run = Run::new(Shape::full(1));
    let members = unpack(&run.bundle(Selection::all()));
    let page = String::from_utf8(members["report.html"].clone()).unwrap();
    for active in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "src=",
        "http:",
        "https:",
        "@import",
        "javascript:",
        "<b ",
    ] {
        assert!(!page.contains(active), "{active}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("<html lang=\"en\">"));
    assert!(page.contains("turn 0: &lt;b onclick=x&gt;é€😀"), "what was disclosed is shown, as text");
    assert!(page.contains("<strong>overseer-3</strong> approved record_recommendation</p>"));
    // Each record that the picture or a table leads to is there.
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
    }
    let hidden = unpack(&run.bundle(Selection::nothing()));
    let hidden = String::from_utf8(hidden["report.html"].clone()).unwrap();
    assert!(!hidden.contains("onclick") && hidden.contains("withheld"));
}
