//! What no crash leaves behind: files and tables that somebody changed, restored or took away. The log signs nothing on them.

use std::fs;

use super::super::error::{Halt, LogError};
use super::{ORIGIN, Witnessing, World, entries};

fn halts(world: &World, expected: impl Fn(&Halt) -> bool) {
    match world.open() {
        Err(LogError::Halted(halt)) if expected(&halt) => {}
        other => panic!("{other:?}"),
    }
    // Nothing was signed on the way.
    assert!(world.signer.signed.lock().unwrap().is_empty());
}

#[test]
fn a_database_that_was_rolled_back_halts() {
    let prepared = World::prepared();
    let mut world = World::like(&prepared);
    {
        let mut log = world.open().unwrap();
        world.append(&mut log, 254..257).unwrap();
    }
    let old = World::like(&prepared);
    for file in ["log.sqlite", "log.sqlite-wal", "log.sqlite-shm"] {
        drop(fs::remove_file(world.directory().join(file)));
        if old.directory().join(file).exists() {
            fs::copy(old.directory().join(file), world.directory().join(file)).unwrap();
        }
    }
    world.signer = Witnessing::new();
    halts(&world, |halt| *halt == Halt::DatabaseRolledBack { published: 257, stored: 254 });
    // Without its checkpoint it does not start anew either.
    fs::remove_file(world.directory().join("checkpoint")).unwrap();
    halts(&world, |halt| *halt == Halt::CheckpointRolledBack { published: None, stored: 254 });
}

#[test]
fn a_running_log_sees_that_its_database_was_rolled_back() {
    let prepared = World::prepared();
    let mut world = World::like(&prepared);
    let mut log = world.open().unwrap();
    world.append(&mut log, 254..257).unwrap();
    // Another log's checkpoint of the same key, further on: as if this process had an old file under it.
    let mut ahead = World::like(&prepared);
    let mut other = ahead.open().unwrap();
    ahead.append(&mut other, 254..260).unwrap();
    fs::copy(ahead.directory().join("checkpoint"), world.directory().join("checkpoint")).unwrap();
    let signed = world.signer.signed.lock().unwrap().len();
    assert!(matches!(
        log.append(entries(400..401)),
        Err(LogError::Halted(Halt::DatabaseRolledBack { published: 260, stored: 257 }))
    ));
    assert_eq!(world.signer.signed.lock().unwrap().len(), signed);
}

/// Database and checkpoint go back together, as a backup of both does. A process that has published more does not sign the size again.
#[test]
fn a_running_log_does_not_forget_what_it_published() {
    let prepared = World::prepared();
    let mut world = World::like(&prepared);
    let mut log = world.open().unwrap();
    world.append(&mut log, 254..257).unwrap();
    tamper(&world, "DELETE FROM leaf WHERE idx >= 254; DELETE FROM intent WHERE size > 254");
    fs::copy(prepared.directory().join("checkpoint"), world.directory().join("checkpoint")).unwrap();
    let signed = world.signer.signed.lock().unwrap().len();
    for _ in 0..2 {
        let refused = log.append(entries(400..403));
        assert!(
            matches!(
                refused,
                Err(LogError::Halted(Halt::DatabaseRolledBack { published: 257, stored: 254 }))
            ),
            "{refused:?}"
        );
    }
    assert_eq!(world.signer.signed.lock().unwrap().len(), signed);
}

/// The same with nobody running: what witnesses cosigned is left to tell.
#[test]
fn what_was_cosigned_halts_a_log_that_has_forgotten_it() {
    let prepared = World::prepared();
    let cosigned = |world: &World, from: &World| {
        fs::copy(from.directory().join("checkpoint"), world.directory().join("checkpoint.cosigned")).unwrap();
    };
    let at = |numbers: &[(u64, u64)]| {
        let mut world = World::like(&prepared);
        let mut log = world.open().unwrap();
        for (from, to) in numbers {
            world.append(&mut log, *from..*to).unwrap();
        }
        drop(log);
        world.signer = Witnessing::new();
        world
    };
    let ahead = at(&[(254, 257)]);
    let world = at(&[]);
    cosigned(&world, &ahead);
    halts(&world, |halt| *halt == Halt::DatabaseRolledBack { published: 257, stored: 254 });
    // It went on before anybody looked: one size, two trees.
    let world = at(&[(500, 503), (503, 505)]);
    cosigned(&world, &ahead);
    halts(&world, |halt| matches!(halt, Halt::Fork { size: 257, .. }));
    let world = at(&[(500, 505)]);
    cosigned(&world, &ahead);
    halts(&world, |halt| matches!(halt, Halt::Checkpoint { why } if why.contains("257")));
    // Its own, older or the newest, is in nobody's way; another's is.
    let world = at(&[(254, 257)]);
    for from in [&prepared, &ahead] {
        cosigned(&world, from);
        drop(world.open().unwrap());
    }
    let text = fs::read_to_string(ahead.directory().join("checkpoint")).unwrap();
    for wrong in [text.replace("\n257\n", "\n256\n"), String::new()] {
        fs::write(world.directory().join("checkpoint.cosigned"), wrong).unwrap();
        halts(&world, |halt| matches!(halt, Halt::Checkpoint { .. }));
    }
    // No new log is begun beside it.
    let empty = World::empty();
    fs::create_dir(empty.directory()).unwrap();
    cosigned(&empty, &ahead);
    assert!(matches!(empty.create(), Err(LogError::Exists { .. })));
}

#[test]
fn a_checkpoint_that_was_rolled_back_forked_or_is_anothers_halts() {
    let prepared = World::prepared();
    let at = |numbers: &[(u64, u64)]| {
        let mut world = World::like(&prepared);
        let mut log = world.open().unwrap();
        for (from, to) in numbers {
            world.append(&mut log, *from..*to).unwrap();
        }
        drop(log);
        world.signer = Witnessing::new();
        world
    };
    let swap = |world: &World, from: &World| {
        fs::copy(from.directory().join("checkpoint"), world.directory().join("checkpoint")).unwrap();
    };
    let world = at(&[(254, 255), (255, 257)]);
    swap(&world, &prepared);
    halts(&world, |halt| *halt == Halt::CheckpointRolledBack { published: Some(254), stored: 257 });
    swap(&world, &at(&[(500, 503)]));
    halts(&world, |halt| matches!(halt, Halt::Fork { size: 257, .. }));
    // One behind is what a crash leaves; with another root it is a fork.
    swap(&world, &at(&[(600, 601)]));
    halts(&world, |halt| matches!(halt, Halt::Fork { size: 255, .. }));
    let text = fs::read_to_string(world.directory().join("checkpoint")).unwrap();
    for wrong in
        [text.replace(ORIGIN, "log.example/other"), text.replace("\n255\n", "\n257\n"), String::new()]
    {
        fs::write(world.directory().join("checkpoint"), wrong).unwrap();
        halts(&world, |halt| matches!(halt, Halt::Checkpoint { .. }));
    }
}

#[test]
fn a_tile_that_was_changed_halts_and_one_that_is_gone_comes_back() {
    let mut world = World::like(&World::prepared());
    {
        let mut log = world.open().unwrap();
        world.append(&mut log, 254..260).unwrap();
    }
    world.signer = Witnessing::new();
    for tile in ["tile/0/000", "tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/4"]
    {
        let path = world.directory().join(tile);
        let octets = fs::read(&path).unwrap();
        let mut changed = octets.clone();
        changed[9] ^= 1;
        for wrong in [changed, octets[1..].to_vec(), [octets.clone(), vec![0]].concat(), Vec::new()] {
            fs::write(&path, wrong).unwrap();
            halts(&world, |halt| matches!(halt, Halt::Tile { tile: found } if found.to_string() == tile));
        }
        fs::remove_file(&path).unwrap();
        drop(world.open().unwrap());
        assert_eq!(fs::read(&path).unwrap(), octets, "{tile}");
    }
    world.check("tiles");
}

/// Runs SQL on the log's database behind its back, its triggers removed.
fn tamper(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.directory().join("log.sqlite")).unwrap();
    for trigger in ["leaf_order", "leaf_kept", "leaf_fixed", "intent_grows", "intent_kept", "intent_fixed"] {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
}

#[test]
fn a_database_that_was_changed_does_not_open() {
    let prepared = World::prepared();
    for (sql, what) in [
        ("UPDATE leaf SET entry = x'00' WHERE idx = 17", "its hash"),
        ("DELETE FROM leaf WHERE idx = 17", "a gap"),
        ("DELETE FROM leaf WHERE idx = 253", "the end"),
        ("INSERT INTO leaf VALUES (254, zeroblob(32), x'00')", "one more"),
        ("UPDATE intent SET root = zeroblob(32) WHERE size = 254", "the intent"),
        ("DELETE FROM intent WHERE size = 254", "no intent"),
        ("INSERT INTO intent VALUES (300, zeroblob(32))", "an intent ahead"),
        ("UPDATE log SET vkey = replace(vkey, 'crash', 'crush')", "the key"),
        ("UPDATE log SET format = 2", "the version"),
        ("PRAGMA application_id = 5", "the program"),
    ] {
        let world = World::like(&prepared);
        tamper(&world, sql);
        let opened = world.open().map(drop);
        assert!(
            matches!(opened, Err(LogError::Halted(_) | LogError::Corrupt { .. } | LogError::Key { .. })),
            "{what}: {opened:?}"
        );
        assert!(world.signer.signed.lock().unwrap().is_empty(), "{what}");
    }
}

#[test]
fn the_database_itself_refuses_to_forget() {
    let world = World::like(&World::prepared());
    let connection = rusqlite::Connection::open(world.directory().join("log.sqlite")).unwrap();
    for sql in [
        "UPDATE leaf SET entry = x'00' WHERE idx = 17",
        "DELETE FROM leaf WHERE idx = 253",
        "INSERT INTO leaf VALUES (255, zeroblob(32), x'00')",
        "UPDATE intent SET root = zeroblob(32) WHERE size = 254",
        "DELETE FROM intent WHERE size = 254",
        "INSERT INTO intent VALUES (254, zeroblob(32))",
        "INSERT INTO intent VALUES (7, zeroblob(32))",
    ] {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
}
