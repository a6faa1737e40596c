//! What can be done by whoever has the run's key, and perhaps the log's, one function for each class, with what finds it. Each
//! bundle of these is well signed; only the log, and a checkpoint that an auditor kept, tell.

use std::io::Cursor;

use fuze_audit::verify::verify;
use fuze_audit::{Accounts, AuditError, Selection, Trust, Verdict};
use fuze_evidence::Timestamp;
use fuze_log::{Finding, Monitor, Note};

use crate::logs::{World, close_root};
use crate::runs::{Keys, Run, Shape, later};

/// What an auditor is shown: bundles, and the log.
pub struct Shown {
    pub bundles: Vec<Vec<u8>>,
    pub world: World,
}

/// What an auditor knows from elsewhere.
pub struct Auditor {
    pub trust: Trust,
    /// A checkpoint of the log from the day before.
    pub kept: Note,
    pub now: Timestamp,
}

/// What finds it, in the order in which an auditor looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caught {
    /// A bundle is refused.
    Refused,
    /// About a bundle nothing can be said.
    Unsure,
    /// The log does not begin with the tree that was kept.
    Earlier,
    /// The log has a run that was opened and never closed.
    Overdue,
    /// The log has leaves of runs of which no bundle was shown.
    LeftOut(usize),
    /// Nothing.
    Unnoticed,
}

/// Three honest runs of one deployment, in a log.
pub struct Scene {
    pub runs: Vec<Run>,
    pub shown: Shown,
    pub auditor: Auditor,
}

fn world() -> World {
    World::new("log.example", 1)
}

/// A bundle with its anchors.
fn anchored(world: &mut World, run: &Run) -> Vec<u8> {
    let mut export = run.export(Selection::nothing());
    export.extras.anchored = Some(world.anchor(run, true));
    let mut out = Vec::new();
    export.write(".".as_ref(), &mut out).unwrap();
    out
}

fn run(seed: u64) -> Run {
    Run::new(Shape::full(seed))
}

/// The same run under the same key with another history.
fn rewritten(run: &Run) -> Run {
    let again = Run::new(Shape { turns: run.shape.turns - 1, ..run.shape });
    assert_ne!(close_root(&again), close_root(run));
    again
}

impl Scene {
    pub fn new(seed: u64) -> Self {
        let runs: Vec<Run> = (0..3).map(|n| run(seed * 10 + n)).collect();
        let mut world = world();
        let bundles = runs.iter().map(|run| anchored(&mut world, run)).collect();
        let trust = Trust::new().run_key(runs[0].public_key().id()).log(world.policy(1));
        let kept = world.log.checkpoint().unwrap().note().clone();
        Self { runs, shown: Shown { bundles, world }, auditor: Auditor { trust, kept, now: later() } }
    }
}

impl Auditor {
    /// Looks at everything.
    pub fn look(&self, shown: &Shown) -> Caught {
        for bundle in &shown.bundles {
            match verify(Cursor::new(bundle), &self.trust) {
                Ok(report) if report.verdict() == Verdict::Verified => {}
                // Intact, as far as it goes: the log knows when it should have ended.
                Ok(_) => {}
                Err(AuditError::Cannot { .. }) => return Caught::Unsure,
                Err(_) => return Caught::Refused,
            }
        }
        let (reader, policy) = (shown.world.log.reader(), shown.world.policy(0));
        let (mut monitor, mut accounts) = (Monitor::new(), Accounts::default());
        let newest = reader
            .audit(&policy, |index, entry| {
                monitor.observe(index, entry);
                accounts.observe(index, entry);
            })
            .unwrap();
        let kept = policy.verify(self.kept.clone()).unwrap();
        if reader.consistency(kept.checkpoint(), newest.checkpoint()).is_err() {
            return Caught::Earlier;
        }
        if monitor.report(self.now).iter().any(|finding| matches!(finding, Finding::Overdue { .. })) {
            return Caught::Overdue;
        }
        for bundle in &shown.bundles {
            drop(accounts.bundle(Cursor::new(bundle), &self.trust).unwrap());
        }
        match accounts.left_out().count() {
            0 => Caught::Unnoticed,
            leaves => Caught::LeftOut(leaves),
        }
    }
}

/// A class: it changes what is shown, and what the auditor may know besides.
pub struct LogClass {
    pub name: &'static str,
    pub apply: fn(&mut Scene) -> Caught,
}

macro_rules! classes {
    ($($name:ident: |$scene:ident| $body:block)+) => {
        /// Every class that needs a log.
        pub const LOG_CLASSES: &[LogClass] =
            &[$(LogClass { name: stringify!($name), apply: |$scene| $body }),+];
    };
}

classes! {
    whole_run_omitted: |scene| {
        scene.shown.bundles.remove(1);
        Caught::LeftOut(2)
    }
    open_run_never_closed: |scene| {
        let open = Run::new(Shape { closed: false, ..Shape::full(77) });
        let bundle = anchored(&mut scene.shown.world, &open);
        scene.shown.bundles.push(bundle);
        Caught::Overdue
    }
    open_run_never_closed_and_never_shown: |scene| {
        let open = Run::new(Shape { closed: false, ..Shape::full(77) });
        drop(anchored(&mut scene.shown.world, &open));
        Caught::Overdue
    }
    log_rolled_back: |scene| {
        // Everything since is gone, and nothing that is left tells of it.
        let mut world = world();
        scene.shown.bundles = vec![anchored(&mut world, &scene.runs[0])];
        scene.shown.world = world;
        Caught::Earlier
    }
    log_forked: |scene| {
        // To this auditor a log is shown in which the second run went otherwise, and that has grown on.
        let mut world = world();
        let second = rewritten(&scene.runs[1]);
        let shown = [&scene.runs[0], &second, &scene.runs[2]].map(|run| anchored(&mut world, run));
        scene.shown.bundles = shown.to_vec();
        world.grow(9);
        scene.shown.world = world;
        Caught::Earlier
    }
    bundle_of_a_forked_log: |scene| {
        // The log is the one that everybody sees; the bundle proves its run in a tree that nobody else was shown.
        let mut fork = world();
        let second = rewritten(&scene.runs[1]);
        let forked = [&scene.runs[0], &second, &scene.runs[2]].map(|run| anchored(&mut fork, run));
        scene.shown.bundles[1] = forked[1].clone();
        // Both histories began with the same open.
        Caught::LeftOut(1)
    }
    rewritten_with_the_stolen_key: |scene| {
        // The new history is put into the log beside the old one, whose leaves nobody can take away.
        let again = rewritten(&scene.runs[0]);
        scene.shown.bundles[0] = anchored(&mut scene.shown.world, &again);
        Caught::LeftOut(2)
    }
    rewritten_with_the_stolen_keys_of_run_and_log: |scene| {
        let mut world = world();
        let again = rewritten(&scene.runs[0]);
        let shown = [&again, &scene.runs[1], &scene.runs[2]].map(|run| anchored(&mut world, run));
        scene.shown.bundles = shown.to_vec();
        scene.shown.world = world;
        Caught::Earlier
    }
    rewritten_and_known_from_an_earlier_bundle: |scene| {
        let again = rewritten(&scene.runs[0]);
        let trust = scene.auditor.trust.clone();
        scene.auditor.trust = trust.known_root(close_root(&scene.runs[0]));
        scene.shown.bundles = vec![anchored(&mut scene.shown.world, &again)];
        Caught::Refused
    }
    backdated_with_a_revoked_key: |scene| {
        // Whoever had the key signs a run of long ago and puts it into the log today.
        let keys = Keys::new(None);
        let revocation = scene.shown.world.revoke(&keys.history);
        let forged = Run::new(Shape { turns: 1, ..Shape::full(99) });
        let policy = scene.shown.world.policy(1);
        scene.auditor.trust = Trust::new().history(keys.history).log(policy).revocation(revocation);
        let bundle = anchored(&mut scene.shown.world, &forged);
        scene.shown.bundles.push(bundle);
        Caught::Unsure
    }
}
