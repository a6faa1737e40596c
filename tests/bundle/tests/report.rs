//! `report.html`: what lies around a run in its bundle is shown, what it does not prove is said, and nothing that a stranger wrote
//! becomes markup.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Keys, Run, Shape, annex_of};
use fuze_audit::verify::verify;
use fuze_audit::{Anchored, Extras, Selection, Trust};

fn page(run: &Run, extras: impl FnOnce(&mut Extras)) -> String {
    let mut export = run.export(Selection::all());
    extras(&mut export.extras);
    let mut out = Vec::new();
    export.write(".".as_ref(), &mut out).unwrap();
    String::from_utf8(unpack(&out)["report.html"].clone()).unwrap()
}

#[test]
fn what_is_in_the_bundle_is_shown() {
    let run = Run::new(Shape::full(1));
    let (keys, mut world) = (Keys::new(None), World::new("log.example", 1));
    let anchored = world.anchor(&run, true);
    let (leaf, revocation) = (anchored.close.as_ref().unwrap().0.index(), world.revoke(&keys.history));
    let annex = annex_of(&run, &keys);
    let whole = page(&run, |extras| {
        extras.anchored = Some(Anchored { revocations: vec![revocation], ..anchored.clone() });
        extras.history = Some((keys.history.to_bytes(), keys.first));
        extras.annex = Some(annex);
    });
    for shown in [
        "In the transparency log",
        &format!("<th scope=\"row\">close</th><td>{leaf}</td>"),
        "log.example, witness.example",
        "After the run",
        "the decision was contested, about record 0",
        "nothing of this run may be erased",
        "nothing of all runs of the tenant may be erased",
        "the hold over this run ended",
        "legal claims",
        "One line about another run is not shown.",
        "Keys over time",
        "introduced <strong>(signed this run)</strong>",
        "revoked <strong>(signed this run)</strong>",
        &keys.history.current().unwrap().id().to_string(),
        "The key that signed it was revoked at",
        "What this does not prove",
        "That the key which signed it is still good.",
        "That no other history exists.",
    ] {
        assert!(whole.contains(shown), "{shown}");
    }
    assert!(!whole.contains("<script") && !whole.contains("http://") && !whole.contains("src="));
    assert!(!whole.contains("The close is not among them"));
    let open = page(&run, |extras| {
        extras.anchored = Some(Anchored { close: None, ..anchored });
    });
    assert!(open.contains("The close is not among them"));
    // What is not there is not spoken of.
    let bare = page(&run, |_| {});
    for absent in ["In the transparency log", "After the run", "Keys over time", "was revoked at"] {
        assert!(!bare.contains(absent), "{absent}");
    }
    assert!(bare.contains("What this does not prove"));
}

/// A person's decision says what was decided, leads to the records of it and of what was asked, and shows what was asked.
#[test]
fn who_decided_what_is_said_with_its_records() {
    let run = Run::new(Shape::full(1));
    let whole = page(&run, |_| {});
    let people = section(&whole, "decisions");
    for shown in [
        "<strong>overseer-3</strong> approved record_recommendation</p>",
        "<a href=\"#r4\">record 4</a>, asked in <a href=\"#r3\">record 3</a>, answered after 2 h 14 min",
        "<blockquote>the dossier holds</blockquote>",
        "<dt>candidate</dt><dd class=\"value\">&quot;17&quot;</dd>",
    ] {
        assert!(people.contains(shown), "{shown}\n{people}");
    }
    assert!(!whole.contains("(accepted)") && !whole.contains("of step"));
    // What ran says on whose decision, by the number that records are linked by.
    assert!(section(&whole, "records").contains("ran, approved by overseer-3 (record 4)"));
    assert!(section(&whole, "timeline").contains("ran, approved by overseer-3 (record 4)"));
    let mut export = run.export(Selection::nothing());
    export.extras.oversight.clear();
    let mut nothing = Vec::new();
    export.write(".".as_ref(), &mut nothing).unwrap();
    let nothing = String::from_utf8(unpack(&nothing)["report.html"].clone()).unwrap();
    let people = section(&nothing, "decisions");
    assert!(
        people.contains("What it was about is not disclosed") && !people.contains("candidate"),
        "{people}"
    );
    let unasked = page(&Run::new(Shape { waits: false, ..Shape::full(1) }), |_| {});
    assert!(section(&unasked, "decisions").contains("No person decided anything in this run."));
}

/// The section that is labelled by this heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let begin = page.find(&format!("<section aria-labelledby=\"{heading}\">")).unwrap();
    let section = page.get(begin..).unwrap();
    section.get(..section.find("</section>").unwrap()).unwrap()
}

/// Whether a key signed before others had it, a bundle does not say of itself: such a run is not shown as if all were well.
#[test]
fn a_revoked_key_is_no_green_headline() {
    let run = Run::new(Shape::full(1));
    let keys = Keys::new(None);
    let headline = |page: &str| {
        let begin = page.find("<section class=\"verdict ").unwrap();
        page.get(begin..).unwrap().split("</h2>").next().unwrap().to_owned()
    };
    let good = headline(&page(&run, |_| {}));
    assert!(good.contains("verdict fine") && good.contains("Intact, and the run completed"), "{good}");
    let revoked = headline(&page(&run, |extras| {
        let mut world = World::new("log.example", 1);
        let anchored = world.anchor(&run, true);
        extras.anchored = Some(Anchored { revocations: vec![world.revoke(&keys.history)], ..anchored });
        extras.history = Some((keys.history.to_bytes(), keys.first));
    }));
    assert!(revoked.contains("verdict notice"), "{revoked}");
    assert!(revoked.contains("but the key that signed it was revoked"), "{revoked}");
}

/// Browsers print what is open, and what their own style sheet closes only where it can be opened by another.
#[test]
fn what_is_disclosed_is_printed_too() {
    let whole = page(&Run::new(Shape::full(1)), |_| {});
    assert!(whole.contains("<details open>") && !whole.contains("<details>"));
    let print = whole.split("@media print").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(print.contains("details::details-content") && print.contains("max-height: none"), "{print}");
    // A section is longer than a page: kept together, it leaves the page before it half empty.
    assert!(!whole.contains("section { break-inside"));
}

#[test]
fn one_is_not_many() {
    let run = Run::new(Shape { turns: 0, ..Shape::full(1) });
    let bundle = unpack(&run.bundle(Selection::nothing().field(0, "/applicant").unwrap()));
    let one = String::from_utf8(bundle["report.html"].clone()).unwrap();
    assert!(one.contains("1 field disclosed"));
    let text: Vec<&str> = one.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for many in ["fields", "leaves", "roots", "records", "signatures"] {
        assert!(!text.windows(2).any(|pair| pair == ["1", many]), "{many}");
    }
}

/// Who signs the list of members may write what people read as they like. It is made again from the evidence, and what is otherwise is named.
#[test]
fn pages_that_somebody_else_wrote_are_named() {
    let run = Run::new(Shape::full(1));
    let (keys, mut world) = (Keys::new(None), World::new("log.example", 1));
    let otherwise = |bundle: &[u8], trust: &Trust| verify(Cursor::new(bundle), trust).unwrap().made_otherwise;
    for bundle in [run.bundle(Selection::all()), run.bundle(Selection::nothing())] {
        assert_eq!(otherwise(&bundle, &run.trust()), Vec::<&str>::new());
        assert_eq!(otherwise(&bundle, &run.trust().overseer(run.overseer)), Vec::<&str>::new());
    }
    let mut export = run.export(Selection::all());
    export.extras.anchored = Some(world.anchor(&run, true));
    export.extras.history = Some((keys.older.to_bytes(), keys.first));
    export.extras.annex = Some(annex_of(&run, &keys));
    let mut whole = Vec::new();
    export.write(".".as_ref(), &mut whole).unwrap();
    // Whoever believes the history in the bundle, and whoever knows it from elsewhere, is shown the same page.
    for trust in [run.trust().log(world.policy(1)), Trust::new().history(keys.older)] {
        assert_eq!(otherwise(&whole, &trust), Vec::<&str>::new());
    }
    for (name, expected) in [("report.html", vec!["report.html"]), ("README.txt", vec!["README.txt"])] {
        let mut members = unpack(&whole);
        members.get_mut(name).unwrap().push(b' ');
        assert_eq!(otherwise(&repack(&members, run.signer()), &run.trust()), expected);
    }
}
