//! Every operation with which a witness changes a file fails, is cut off, or is the last one before the power goes. Whatever it
//! answered before, it never signs another tree than that one's continuation.
#![cfg(feature = "sqlite")]

use std::path::PathBuf;
use std::sync::Arc;

use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Hash, Name, sha256};

use super::{AddCheckpoint, Refusal, Witness};
use crate::checkpoint::Checkpoint;
use crate::log::crash::{CUTS, FAULTS, Faulty};
use crate::merkle::{consistency_proof, leaf_hash, root};
use crate::note::{Algorithm, KeyName, Note, NoteSignature, VerifierKey};

struct World {
    place: tempfile::TempDir,
    log: FileSigner,
    own: Arc<FileSigner>,
}

impl World {
    fn new() -> Self {
        let signer = || FileSigner::ephemeral(Name::new("test").unwrap(), &mut OsRandom::new()).unwrap();
        Self { place: crate::log::crash::place(), log: signer(), own: Arc::new(signer()) }
    }

    fn key(&self) -> VerifierKey {
        VerifierKey::of(KeyName::new("log.example/w").unwrap(), Algorithm::Ed25519, &self.log).unwrap()
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("witness")
    }

    fn open(&self, disk: &Faulty) -> Option<Witness> {
        let name = KeyName::new("witness.example/w").unwrap();
        Witness::open_on(Arc::new(disk.clone()), &self.directory(), name, self.own.clone(), [self.key()]).ok()
    }

    /// Asks about `size` leaves of `tree`, from `old`.
    fn ask(&self, witness: &Witness, tree: &[Hash], old: u64, size: u64) -> Result<NoteSignature, Refusal> {
        let checkpoint = Checkpoint::new(&self.key(), size, root(size, tree).unwrap());
        let checkpoint: Note = checkpoint.sign(&self.key(), &self.log).unwrap();
        let proof = consistency_proof(old, size, tree).unwrap();
        witness.add_checkpoint(AddCheckpoint { old, proof, checkpoint }.to_string().as_bytes())
    }

    /// What it has seen.
    fn seen(&self, witness: &Witness, tree: &[Hash]) -> u64 {
        match self.ask(witness, tree, 7, 7) {
            Err(Refusal::Conflict { size }) => size,
            other => panic!("{other:?}"),
        }
    }
}

/// A log's tree, and another one that the same key signs.
fn trees() -> [Vec<Hash>; 2] {
    ["a", "b"].map(|of| (0..8).map(|n| leaf_hash(sha256(format!("{of}{n}").as_bytes()).as_bytes())).collect())
}

#[test]
fn whatever_fails_a_witness_signs_one_tree() {
    let [tree, fork] = trees();
    let mut answered_before_a_fault = 0;
    for fault in FAULTS {
        for cut in CUTS {
            for step in 0.. {
                let what = format!("{fault:?} at step {step}");
                let (world, disk) = (World::new(), Faulty::default());
                disk.arm(Some((step, fault)));
                let mut answered = 0;
                if let Some(witness) = world.open(&disk) {
                    for (old, size) in [(0, 1), (1, 3)] {
                        if world.ask(&witness, &tree, old, size).is_ok() {
                            answered = size;
                        }
                    }
                }
                if disk.steps() <= step {
                    assert!(answered == 3 && step > 8, "{step} steps");
                    break;
                }
                answered_before_a_fault += u64::from(answered > 0);
                disk.cut_power(cut);
                let witness = world.open(&Faulty::default()).unwrap_or_else(|| panic!("{what}"));
                let seen = world.seen(&witness, &tree);
                assert!(seen >= answered, "{what}: it answered for {answered} leaves and knows of {seen}");
                if seen > 0 {
                    for size in seen..5 {
                        let forked = world.ask(&witness, &fork, seen, size);
                        let seen_it = match forked {
                            Err(Refusal::Forked { .. }) => size == seen,
                            Err(Refusal::Inconsistent(_)) => size > seen,
                            _ => false,
                        };
                        assert!(seen_it, "{what}: {forked:?}");
                    }
                }
                assert!(world.ask(&witness, &tree, seen, 6).is_ok(), "{what}");
            }
        }
    }
    assert!(answered_before_a_fault > 20, "{answered_before_a_fault}");
}

/// What was answered does not wait to be durable: not the file, not its directory, not the witness's own.
#[test]
fn nothing_that_was_answered_waits_to_be_durable() {
    let [tree, _] = trees();
    let (world, disk) = (World::new(), Faulty::default());
    let witness = world.open(&disk).unwrap();
    assert!(world.ask(&witness, &tree, 0, 1).is_ok());
    disk.cut_power(|_| true);
    let again = world.open(&disk).unwrap();
    assert_eq!(world.seen(&again, &tree), 1);
}

/// Many ask at once, on two processes' worth of witnesses over one directory: one tree is signed.
#[test]
fn of_two_trees_that_come_at_once_one_is_signed() {
    let trees = trees();
    for _ in 0..20 {
        let world = World::new();
        let witnesses = [0, 1].map(|_| world.open(&Faulty::default()).unwrap());
        let answers: Vec<Vec<bool>> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4)
                .map(|n| {
                    let (world, witness, tree) = (&world, &witnesses[n / 2], &trees[n % 2]);
                    scope.spawn(move || {
                        let one = |(old, size)| world.ask(witness, tree, old, size).is_ok();
                        [(0, 2), (2, 5)].map(one).to_vec()
                    })
                })
                .collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let signed = |tree: usize| answers.iter().skip(tree).step_by(2).flatten().any(|&signed| signed);
        assert!(signed(0) != signed(1), "{answers:?}");
    }
}
