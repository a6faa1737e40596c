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
