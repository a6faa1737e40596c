//! Each class of tampering, by name: where it is found, and how far the run was good.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{pack, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{CLASSES, Class, Dice, Expected, Packing, set_key, tampered};
use fuze_audit::verify::verify;
use fuze_audit::{AuditError, BundleReport, Selection, Trust, Verdict};

fn class(name: &str) -> &'static Class {
    CLASSES.iter().find(|class| class.name == name).unwrap()
}

fn judge(bundle: &[u8], trust: &Trust) -> Result<BundleReport, AuditError> {
    verify(Cursor::new(bundle), trust)
}

fn matches(result: &Result<BundleReport, AuditError>, expected: &Expected) -> bool {
    match (result, expected) {
        (Err(AuditError::Failed(failure)), Expected::FailedAt(member, line)) => {
            // Record n is bad: all before it is good, and known to be.
            let good = failure.last_good.map(|(sequence, _)| sequence);
            let known = *member != "records.jsonl" || good == line.checked_sub(1);
            failure.member == *member && failure.line == Some(*line) && known
        }
        (Err(AuditError::Failed(failure)), Expected::FailedIn(member)) => failure.member.starts_with(member),
        (Err(AuditError::Failed(_)), Expected::Failed) => true,
        (Err(AuditError::Cannot { .. }), Expected::Cannot) => true,
        (Ok(report), Expected::NotClosed) => report.verdict() == Verdict::NotClosed,
        (Ok(report), Expected::Unnoticed) => report.verdict() == Verdict::Verified,
        _ => false,
    }
}

/// A class on some runs, packed by whoever has no key and by whoever may make bundles.
fn check(name: &str) {
    let class = class(name);
    for seed in 0..4 {
        let run = Run::new(Shape::full(seed));
        let other = Run::new(Shape::full(seed + 100));
        for packing in [Packing::AsIs, Packing::Remade] {
            let (bundle, mut expected) = tampered(class, &run, &other, &mut Dice(seed), packing);
            if bundle == run.bundle(run.selection()) {
                assert!(seed != 0, "{name} changes nothing");
                continue;
            }
            match (name, packing) {
                // What no signature of the run covers, its maker vouches for.
                ("report_changed", Packing::Remade) => expected = Expected::Unnoticed,
                (_, Packing::AsIs) if expected == Expected::Unnoticed => expected = Expected::Failed,
                _ => {}
            }
            let result = judge(&bundle, &run.trust());
            assert!(
                matches(&result, &expected),
                "{name} {seed} {packing:?}: expected {expected:?}, found {result:?}"
            );
        }
    }
}

macro_rules! each {
    ($($name:ident)+) => {
        $(#[test] fn $name() { check(stringify!($name)); })+

        #[test]
        fn every_class_has_its_test() {
            let tested = [$(stringify!($name)),+];
            for class in CLASSES {
                assert!(tested.contains(&class.name), "{}", class.name);
            }
        }
    };
}

each! {
    edit edit_and_rehash drop insert reorder duplicate cut_head cut_head_and_rehash cut_tail cut_the_close_with_its_files
    cut_a_line_feed append_after_the_close splice_between_runs other_tenants_name other_origins_name other_runs_roots
    other_runs_content other_runs_content_under_this_name rewrite_with_the_stolen_key rewrite_with_another_key key_swapped
    pem_of_another_key close_signature_stripped root_stripped roots_twice version_downgraded suite_downgraded
    suite_of_a_root_downgraded malleable_signature white_space keys_in_another_order escape_that_is_not_needed duplicate_key
    beyond_2_53 minus_zero unknown_member unknown_file missing_content disclosed_value_changed leaves_in_another_order
    decision_of_nobody rationale_changed case_changed decision_twice definition_of_another_agent signed_copy_changed
    report_changed
}

#[test]
fn an_open_run_is_never_verified() {
    let run = Run::new(Shape { closed: false, ..Shape::full(1) });
    let report = judge(&run.bundle(Selection::all()), &run.trust()).unwrap();
    assert_eq!((report.verdict(), report.verdict().exit_code()), (Verdict::NotClosed, 3));
}

#[test]
fn another_runs_bundle_says_which_run_it_is() {
    let (run, other) = (Run::new(Shape::full(1)), Run::new(Shape::full(2)));
    let report = judge(&other.bundle(Selection::all()), &run.trust()).unwrap();
    assert_ne!(report.run.run_id, judge(&run.bundle(Selection::all()), &run.trust()).unwrap().run.run_id);
}

#[test]
fn whoever_makes_a_bundle_must_be_trusted_or_waived() {
    let run = Run::new(Shape::full(1));
    let stranger = Run::new(Shape { deployment: 6, ..Shape::full(2) });
    let mut members = unpack(&run.bundle(Selection::all()));
    let unnamed = repack(&members, stranger.signer());
    assert!(matches(&judge(&unnamed, &run.trust()), &Expected::FailedIn("manifest.json")));
    set_key(&mut members, "keys/export", stranger.signer());
    let named = repack(&members, stranger.signer());
    assert!(matches(&judge(&named, &run.trust()), &Expected::Cannot));
    let id = stranger.public_key().id();
    assert!(judge(&named, &run.trust().exporter(id)).unwrap().maker.trusted);
    let waived = judge(&named, &run.trust().any_exporter()).unwrap();
    assert_eq!((waived.maker.key_id, waived.maker.trusted), (id, false));
    // A key for bundles signs no runs.
    assert!(matches(&judge(&named, &Trust::new().exporter(id)), &Expected::Cannot));
    members.remove("keys/export.pem");
    assert!(matches(
        &judge(&repack(&members, stranger.signer()), &run.trust()),
        &Expected::FailedIn("keys/export")
    ));
}

#[test]
fn what_the_manifest_says_about_the_run_must_be_so() {
    let run = Run::new(Shape::full(1));
    let members = unpack(&run.bundle(Selection::nothing()));
    for (member, wrong) in [
        ("withheld", serde_json::json!(0)),
        ("closeRoot", serde_json::json!(fuze_evidence::sha256(b"x"))),
        ("format", serde_json::json!(2)),
        ("origin", serde_json::json!("elsewhere")),
        ("tenant", serde_json::json!("other")),
        ("runId", serde_json::json!("01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1")),
        ("also", serde_json::json!(1)),
        ("exportedAt", serde_json::json!("yesterday")),
    ] {
        let mut statement = fuze_agent_bundle_tests::forge::statement(&members);
        statement["predicate"][member] = wrong;
        let mut changed = members.clone();
        let envelope = fuze_agent_bundle_tests::forge::envelope(&statement, run.signer());
        changed.insert("manifest.json".to_owned(), envelope);
        let result = judge(&pack(&changed), &run.trust());
        assert!(matches(&result, &Expected::FailedIn("manifest.json")), "{member}: {result:?}");
    }
}

#[test]
fn an_overseers_signature_is_verified_with_the_overseers_key() {
    let run = Run::new(Shape::full(1));
    let mut members = unpack(&run.bundle(Selection::all()));
    let with = |bundle: &[u8]| judge(bundle, &run.trust().overseer(run.overseer));
    let decisions = with(&pack(&members)).unwrap().decisions;
    assert_eq!((decisions.recorded, decisions.disclosed, decisions.signatures_verified), (1, 1, 1));
    let without = judge(&pack(&members), &run.trust()).unwrap().decisions;
    assert_eq!(without.signatures_verified, 0);
    // Another signature over the same decision: only the overseer's key can tell.
    let mut decision: serde_json::Value = serde_json::from_slice(&members["oversight/0.json"]).unwrap();
    let text = decision["decision"].as_str().unwrap();
    let (body, signature) = text.rsplit_once('.').unwrap();
    let flipped: String =
        signature.chars().rev().collect::<String>().replacen('A', "B", 1).chars().rev().collect();
    decision["decision"] =
        format!("{body}.{}{}", if flipped.starts_with('A') { "B" } else { "A" }, &flipped[1..]).into();
    members.insert("oversight/0.json".to_owned(), fuze_evidence::jcs::to_vec(&decision).unwrap());
    let result = with(&repack(&members, run.signer()));
    assert!(matches(&result, &Expected::FailedIn("oversight/0.json")), "{result:?}");
}
