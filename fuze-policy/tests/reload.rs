//! Policies that are replaced: what is in force, what is told, and that no decision is of two sets.
#![cfg(feature = "cerbos-reload")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::reload::{Reload, Reloading, Watcher};
use fuze_policy::{CallFacts, Decision, Engine, Gate, Policy, Request, RunFacts, ToolFacts};

/// What every set here begins with: the tool is allowed.
const ALLOW: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  rules:
    - name: allowed
      actions: [\"invoke\", \"invoke:auto\"]
      effect: EFFECT_ALLOW
      roles: [\"agent\"]
      condition:
        match:
          expr: R.attr.tool_name == \"send\"
";

/// What makes the same file deny.
const DENY: &str = "    - name: denied
      actions: [\"invoke\", \"invoke:auto\"]
      effect: EFFECT_DENY
      roles: [\"*\"]
";

const EVERY: Duration = Duration::from_secs(10);

fn write(directory: &Path, text: &str) {
    fs::write(directory.join("send.yaml"), text).unwrap();
}

fn denying() -> String {
    format!("{ALLOW}{DENY}")
}

/// The policies in a directory of their own.
fn load(text: &str) -> (tempfile::TempDir, Arc<Reloading>) {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), text);
    let engine = Arc::new(Reloading::load(directory.path()).unwrap());
    (directory, engine)
}

fn hash(text: &str) -> [u8; 32] {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), text);
    Cerbos::load(directory.path()).unwrap().bundle_hash()
}

fn decide(engine: &dyn Engine) -> Decision {
    let roles = ["agent".to_owned()];
    let tool = ToolFacts {
        name: "send",
        classification: "public",
        art9_basis: None,
        residency: "eu",
        effect: "once",
        egress: "none",
    };
    let run = RunFacts {
        tenant: "acme",
        principal: "agent-1",
        roles: &roles,
        purpose: "test",
        lawful_basis: "contract",
        annex_iii: "none",
        art22: "none",
        has_subject: false,
    };
    engine.decide(&Request { tool, run, call: CallFacts { args: b"{}", depth: 0 } }).unwrap().decision
}

#[test]
fn another_set_is_taken_when_told_to_look() {
    let (directory, engine) = load(ALLOW);
    assert_eq!(engine.reload().unwrap(), Reload::Unchanged);
    write(directory.path(), &denying());
    assert_eq!(
        (decide(&*engine), engine.identity().bundle_hash),
        (Decision::Allow, hash(ALLOW)),
        "nobody looked"
    );
    let replaced = Reload::Replaced { from: hash(ALLOW), to: hash(&denying()) };
    assert_eq!(engine.reload().unwrap(), replaced);
    assert_eq!((decide(&*engine), engine.identity().bundle_hash), (Decision::Deny, hash(&denying())));
    assert_eq!(engine.reload().unwrap(), Reload::Unchanged);
}

/// The manifest is part of the set, and a test suite is not.
#[test]
fn what_is_no_part_of_the_set_changes_nothing() {
    let (directory, engine) = load(ALLOW);
    fs::write(directory.path().join("send_test.yaml"), "name: half").unwrap();
    fs::write(directory.path().join("notes.txt"), "x").unwrap();
    assert_eq!(engine.reload().unwrap(), Reload::Unchanged);
    fs::write(directory.path().join("fuze-policy.manifest"), "format: 1\n").unwrap();
    assert!(matches!(engine.reload().unwrap(), Reload::Replaced { .. }));
}

#[test]
fn a_bad_set_leaves_the_good_one_in_force_and_says_so() {
    let (directory, engine) = load(&denying());
    for bad in [
        "apiVersion: [",
        &ALLOW.replace("R.attr.tool_name ==", "R.attr.tool_name =="[..18].trim_end()),
        &ALLOW.replace("EFFECT_ALLOW", "EFFECT_REQUIRES_APPROVAL"),
        // Good for Cerbos, and refused here.
        &ALLOW.replace("\"invoke\", \"invoke:auto\"", "\"*\""),
    ] {
        write(directory.path(), bad);
        let error = engine.reload().unwrap_err();
        assert!(error.to_string().starts_with("send.yaml:"), "{error}");
        assert_eq!(engine.last_error(), Some(error));
        assert_eq!((decide(&*engine), engine.identity().bundle_hash), (Decision::Deny, hash(&denying())));
    }
    write(directory.path(), &denying());
    assert_eq!(engine.reload().unwrap(), Reload::Unchanged);
    assert_eq!(engine.last_error(), None, "what is there is in force again");
    write(directory.path(), "nonsense");
    engine.reload().unwrap_err();
    write(directory.path(), ALLOW);
    engine.reload().unwrap();
    assert_eq!((engine.last_error(), decide(&*engine)), (None, Decision::Allow));
}

#[test]
fn a_directory_that_is_gone_leaves_the_good_one_in_force() {
    let (directory, engine) = load(ALLOW);
    let path = directory.path().to_owned();
    directory.close().unwrap();
    engine.reload().unwrap_err();
    assert!(engine.last_error().unwrap().to_string().contains("cannot be read"));
    assert_eq!(decide(&*engine), Decision::Allow);
    fs::create_dir(&path).unwrap();
    write(&path, &denying());
    engine.reload().unwrap();
    assert_eq!(decide(&*engine), Decision::Deny);
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn there_has_to_be_a_good_set_to_begin_with() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "nonsense");
    assert!(Reloading::load(directory.path()).is_err());
    assert!(Reloading::load(directory.path().join("nowhere")).is_err());
}

/// The file up to its last rule is a good policy, and allows what the whole one denies.
#[test]
fn a_file_that_is_half_written_is_never_in_force() {
    let (directory, engine) = load(&ALLOW.replace("send", "another"));
    let before = engine.identity();
    let mut watcher = Watcher::new(Arc::clone(&engine), EVERY);
    let mut now = Instant::now();
    let mut look = || {
        now += EVERY;
        watcher.look(now).expect("it is time").unwrap()
    };
    assert_eq!(look(), Reload::Unchanged);
    write(directory.path(), ALLOW);
    assert_eq!(look(), Reload::Settling);
    assert_eq!((decide(&*engine), engine.identity()), (Decision::Deny, before.clone()));
    let half = &denying()[..ALLOW.len() + 10];
    write(directory.path(), half);
    assert_eq!(look(), Reload::Settling, "not even loaded while it changes");
    write(directory.path(), &denying());
    assert_eq!(look(), Reload::Settling);
    assert_eq!(look(), Reload::Replaced { from: before.bundle_hash, to: hash(&denying()) });
    assert_eq!(look(), Reload::Unchanged);
}

#[test]
fn a_change_that_is_taken_back_before_it_settled_is_none() {
    let (directory, engine) = load(ALLOW);
    let mut watcher = Watcher::new(engine, EVERY);
    let mut now = Instant::now();
    for (text, seen) in
        [(denying(), Reload::Settling), (ALLOW.to_owned(), Reload::Unchanged), (denying(), Reload::Settling)]
    {
        write(directory.path(), &text);
        now += EVERY;
        assert_eq!(watcher.look(now).unwrap().unwrap(), seen);
    }
}

#[test]
fn a_bad_set_is_told_at_each_look_once_it_has_settled() {
    let (directory, engine) = load(ALLOW);
    let mut watcher = Watcher::new(Arc::clone(&engine), EVERY);
    write(directory.path(), "nonsense");
    let now = Instant::now();
    let mut look = |times| watcher.look(now + times * EVERY).unwrap();
    assert_eq!(look(0).unwrap(), Reload::Settling);
    assert_eq!(engine.last_error(), None);
    assert_eq!(look(1).unwrap_err(), look(2).unwrap_err());
    assert!(engine.last_error().is_some());
    assert_eq!(decide(&*engine), Decision::Allow);
}

#[test]
fn nobody_looks_more_often_than_said() {
    let (_directory, engine) = load(ALLOW);
    let mut watcher = Watcher::new(engine, EVERY);
    let now = Instant::now();
    assert!(watcher.look(now).is_some());
    assert!(watcher.look(now).is_none());
    assert!(watcher.look(now + EVERY - Duration::from_nanos(1)).is_none());
    assert!(watcher.look(now + EVERY).is_some());
    assert!(watcher.look(now + EVERY).is_none());
}

#[test]
fn a_thread_of_the_callers_watches_until_it_is_told_to_stop() {
    let (directory, engine) = load(ALLOW);
    write(directory.path(), &denying());
    let mut watcher = Watcher::new(Arc::clone(&engine), Duration::ZERO);
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            watcher.watch(|seen| {
                told.push(seen.clone().unwrap());
                match told.last() {
                    Some(Reload::Replaced { .. }) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            });
        });
    });
    assert_eq!(told, [Reload::Settling, Reload::Replaced { from: hash(ALLOW), to: hash(&denying()) }]);
    assert_eq!(decide(&*engine), Decision::Deny);
}

#[cfg(unix)]
#[test]
fn the_directorys_name_may_be_a_link_that_is_exchanged() {
    let root = tempfile::tempdir().unwrap();
    let (old, new, link) = (root.path().join("1"), root.path().join("2"), root.path().join("current"));
    for (directory, text) in [(&old, ALLOW), (&new, &denying())] {
        fs::create_dir(directory).unwrap();
        write(directory, text);
    }
    std::os::unix::fs::symlink(&old, &link).unwrap();
    let engine = Reloading::load(&link).unwrap();
    assert_eq!(decide(&engine), Decision::Allow);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&new, &link).unwrap();
    engine.reload().unwrap();
    assert_eq!(decide(&engine), Decision::Deny);
}

#[test]
fn what_is_pinned_is_of_one_set_whatever_is_replaced() {
    let (directory, engine) = load(ALLOW);
    let gate = Gate::new(Policy::Local(Arc::clone(&engine) as _));
    let (before, engine_before) = (gate.pinned(), engine.pinned().unwrap());
    write(directory.path(), &denying());
    engine.reload().unwrap();
    assert_eq!(before.identity().bundle_hash, hash(ALLOW));
    assert_eq!(engine_before.identity().bundle_hash, hash(ALLOW));
    assert_eq!(decide(&*engine_before), Decision::Allow);
    assert_eq!(gate.pinned().identity().bundle_hash, hash(&denying()));
    assert_eq!(decide(&*engine.pinned().unwrap()), Decision::Deny);
    assert_eq!(before.identity().name, gate.identity().name);
}

#[test]
fn threads_that_decide_meanwhile_never_mix_two_sets() {
    let (directory, engine) = load(ALLOW);
    let (allow, deny) = (hash(ALLOW), hash(&denying()));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let decide_on = || {
            let mut decided = 0_u32;
            // At least once, also where the other thread is quicker.
            while decided == 0 || !done.load(Ordering::SeqCst) {
                let pinned = engine.pinned().unwrap();
                let before = pinned.identity().bundle_hash;
                let want = if before == allow { Decision::Allow } else { Decision::Deny };
                assert!(before == allow || before == deny);
                assert_eq!(decide(&*pinned), want);
                assert_eq!(pinned.identity().bundle_hash, before);
                decided += 1;
            }
        };
        scope.spawn(decide_on);
        scope.spawn(decide_on);
        let denying = denying();
        let texts = [denying.as_str(), ALLOW];
        let replaced = texts.iter().cycle().take(100).map(|text| {
            fs::write(directory.path().join("send.yaml"), text).ok()?;
            engine.reload().ok()
        });
        // Asserted once the others may end.
        let replaced: Vec<_> = replaced.collect();
        done.store(true, Ordering::SeqCst);
        assert!(replaced.iter().all(|seen| matches!(seen, Some(Reload::Replaced { .. }))), "{replaced:?}");
    });
    assert_eq!(engine.identity().bundle_hash, allow);
}
