//! Keys that were revoked since: what a log had before the revocation counts, and nothing else does. Whoever has the key can sign
//! for any time, and may append to the log.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Keys, Run, Shape, beginning, later};
use fuze_audit::verify::verify;
use fuze_audit::{Anchored, AuditError, ExportError, KeyAnchor, Selection, Trust, Verdict};
use fuze_evidence::Timestamp;

fn bundle(run: &Run, anchored: Anchored, history: Option<&Keys>) -> Result<Vec<u8>, ExportError> {
    let mut export = run.export(Selection::nothing());
    export.extras.anchored = Some(anchored);
    export.extras.history = history.map(|keys| (keys.history.to_bytes(), keys.first));
    let mut out = Vec::new();
    export.write(".".as_ref(), &mut out).map(|()| out)
}

#[track_caller]
fn check(bundle: &[u8], trust: &Trust, expected: Result<(), &str>) {
    match (verify(Cursor::new(bundle), trust), expected) {
        (Ok(report), Ok(())) => assert_eq!(report.verdict(), Verdict::Verified),
        (Err(AuditError::Cannot { why }), Err(expected)) => assert!(why.contains(expected), "{why}"),
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
}

const REVOKED: Result<(), &str> = Err("was revoked at");

/// A run in the log before its key's revocation, and what an auditor knows.
struct Case {
    run: Run,
    keys: Keys,
    world: World,
    before: Anchored,
    revocation: KeyAnchor,
}

impl Case {
    fn new(compromised_since: Option<Timestamp>) -> Self {
        let (run, keys, mut world) =
            (Run::new(Shape::full(1)), Keys::new(compromised_since), World::new("log.example", 1));
        let before = world.anchor(&run, true);
        let revocation = world.revoke(&keys.history);
        Self { run, keys, world, before, revocation }
    }

    fn bundle(&self) -> Vec<u8> {
        bundle(&self.run, self.before.clone(), None).unwrap()
    }

    /// The history and the log.
    fn trust(&self) -> Trust {
        Trust::new().history(self.keys.history.clone()).log(self.world.policy(1))
    }

    fn told(&self) -> Trust {
        self.trust().revocation(self.revocation.clone())
    }
}

#[test]
fn what_stood_in_the_log_before_the_revocation_counts() {
    let case = Case::new(None);
    let bundle = case.bundle();
    check(&bundle, &case.told(), Ok(()));
    // Nobody told where the revocation stands; or no log; or the key was trusted by itself all the same.
    check(&bundle, &case.trust(), REVOKED);
    let history = || Trust::new().history(case.keys.history.clone());
    check(&bundle, &history().revocation(case.revocation.clone()), REVOKED);
    check(&bundle, &history().run_key(case.keys.first), REVOKED);
    // Before anybody knew of a revocation.
    check(&bundle, &Trust::new().history(case.keys.older.clone()), Ok(()));
}

#[test]
fn a_run_that_was_backdated_and_put_into_the_log_later_does_not_count() {
    let mut case = Case::new(None);
    // Its every time lies long before the revocation, and its key was in force then.
    let forged = Run::new(Shape { turns: 1, ..Shape::full(9) });
    let after = case.world.anchor(&forged, true);
    check(&bundle(&forged, after, None).unwrap(), &case.told(), REVOKED);
    // The thief appends the revocation's line once more, after the forged run, and tells of that.
    let again = case.world.revoke(&case.keys.history);
    let other = Run::new(Shape { turns: 1, ..Shape::full(9) });
    let between = case.world.anchor(&other, true);
    let last = case.world.revoke(&case.keys.history);
    let forged = bundle(&other, between, None).unwrap();
    check(&forged, &case.told().revocation(again).revocation(last.clone()), REVOKED);
    // That is why the place of the revocation is not taken from a bundle: whoever is told of the last alone is deceived.
    check(&forged, &case.trust().revocation(last), Ok(()));
}

#[test]
fn anchors_of_another_run_or_in_another_log_do_not_count() {
    let mut case = Case::new(None);
    let forged = Run::new(Shape { turns: 1, ..Shape::full(9) });
    let after = case.world.anchor(&forged, true);
    let theirs = unpack(&case.bundle());
    let mut members = unpack(&bundle(&forged, after, None).unwrap());
    for name in ["anchors/anchors.jsonl", "anchors/open.tlog-proof", "anchors/close.tlog-proof"] {
        members.insert(name.to_owned(), theirs[name].clone());
    }
    check(&repack(&members, forged.signer()), &case.told(), REVOKED);
    // A log of the same name and another key, and one in which the revocation stands but the run does not.
    let mut other = World::new("log.example", 3);
    let revocation = other.revoke(&case.keys.history);
    let history = || Trust::new().history(case.keys.history.clone());
    let untrusted = history().log(other.policy(0));
    check(&case.bundle(), &untrusted.clone().revocation(case.revocation.clone()), REVOKED);
    check(&case.bundle(), &untrusted.revocation(revocation.clone()), REVOKED);
    check(&case.bundle(), &case.trust().revocation(revocation), REVOKED);
    // A place of the revocation that nothing proves, and one of that other log.
    let proof = case.world.revoke(&case.keys.older).proof;
    let unproven = KeyAnchor { proof, ..case.world.revoke(&case.keys.history) };
    check(&case.bundle(), &case.trust().revocation(unproven), REVOKED);
    other.grow(40);
    let revocation = other.revoke(&case.keys.history);
    check(&case.bundle(), &case.trust().revocation(revocation), REVOKED);
    // Fewer witnesses than asked for, at the run's anchors.
    let mut alone = World::new("log.example", 1);
    let unseen = bundle(&case.run, alone.anchor(&case.run, false), None).unwrap();
    let revocation = alone.revoke(&case.keys.history);
    check(&unseen, &history().log(alone.policy(1)).revocation(revocation), REVOKED);
}

#[test]
fn another_line_of_the_history_is_no_revocation() {
    let mut case = Case::new(None);
    let rotation = case.world.revoke(&case.keys.older);
    check(&case.bundle(), &case.trust().revocation(rotation), REVOKED);
    let other = Keys::new(Some(later()));
    let theirs = case.world.revoke(&other.history);
    check(&case.bundle(), &case.trust().revocation(theirs), REVOKED);
}

#[test]
fn what_was_signed_since_others_had_the_key_does_not_count() {
    let case = Case::new(Some(beginning()));
    check(&case.bundle(), &case.told(), REVOKED);
    let case = Case::new(Some(later()));
    check(&case.bundle(), &case.told(), Ok(()));
}

#[test]
fn the_auditors_history_counts_and_not_an_older_one_in_the_bundle() {
    let case = Case::new(None);
    let mut export = case.run.export(Selection::nothing());
    export.extras.history = Some((case.keys.older.to_bytes(), case.keys.first));
    let mut out = Vec::new();
    export.write(".".as_ref(), &mut out).unwrap();
    let first = Trust::new().run_key(case.keys.first);
    check(&out, &first, Ok(()));
    check(&out, &first.history(case.keys.history.clone()), REVOKED);
}

#[test]
fn a_bundle_made_after_the_revocation_brings_the_history() {
    let case = Case::new(None);
    // Whoever makes it has to know where the revocation stands, too.
    let alone = bundle(&case.run, case.before.clone(), Some(&case.keys));
    assert!(matches!(alone, Err(ExportError::Run(_))), "{alone:?}");
    let anchored = Anchored { revocations: vec![case.revocation.clone()], ..case.before.clone() };
    let made = bundle(&case.run, anchored, Some(&case.keys)).unwrap();
    let trust = Trust::new().run_key(case.keys.first).log(case.world.policy(1));
    check(&made, &trust, REVOKED);
    check(&made, &trust.revocation(case.revocation.clone()), Ok(()));
}

#[test]
fn an_open_run_of_a_revoked_key_never_counts() {
    let keys = Keys::new(None);
    let run = Run::new(Shape { closed: false, waits: false, ..Shape::full(1) });
    let mut world = World::new("log.example", 1);
    let before = world.anchor(&run, true);
    let revocation = world.revoke(&keys.history);
    let trust = Trust::new().history(keys.history).log(world.policy(1)).revocation(revocation);
    // Its open stood there; what follows may have been written since.
    check(&bundle(&run, before, None).unwrap(), &trust, REVOKED);
}
