//! The same for a transparency log: what was in it stays in it, and no checkpoint that anybody could fetch is ever contradicted.

use std::path::Path;
use std::sync::Arc;

use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Name, sha256};
use fuze_log::{Blinding, Checkpoint, Log, LogOptions, Note, Policy, Prepared};

use crate::disk::{self, Unsynced};
use crate::told::scratch;
use crate::trace::Step;
use crate::{moments, record, said};

struct Recorded {
    signer: Arc<FileSigner>,
    steps: Vec<Step>,
    /// After how many steps which checkpoint could be fetched.
    published: Vec<(usize, Checkpoint)>,
}

fn recorded() -> Option<Recorded> {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().join("place");
    std::fs::create_dir(&root).expect("a directory");
    let key = place.path().join("key");
    let name = Name::new("log").expect("a name");
    let signer = FileSigner::create(&key, name, &mut OsRandom::new()).expect("a key");
    let steps = record(&root, "log", "log", &[&key])?;
    let published = steps.iter().enumerate().filter_map(|(at, step)| match step {
        Step::Rename(_, to) if to.ends_with("checkpoint") => Some((at + 1, published(&steps, at + 1, to))),
        _ => None,
    });
    let published = published.collect();
    Some(Recorded { signer: Arc::new(signer), steps, published })
}

fn published(steps: &[Step], count: usize, name: &Path) -> Checkpoint {
    let octets = disk::file(steps.get(..count).expect("steps"), name).expect("it was renamed");
    let note = Note::read(&octets).expect("a note");
    Checkpoint::read(note.text()).expect("a checkpoint")
}

impl Recorded {
    /// Opens the log as the disk has it after so many steps. How many leaves there are that had been acknowledged.
    fn after(&self, steps: &[Step], count: usize, unsynced: Unsynced) -> Result<usize, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let steps = steps.get(..count).expect("steps");
        let said = said(steps);
        let place = scratch();
        disk::image(steps, unsynced, place.path());
        let directory = place.path().join("log");
        let open = || Log::open(&directory, self.signer.clone(), LogOptions::new());
        let log = match open() {
            Ok(log) => log,
            // Nobody was told that there is one: it can be made, once more or from what is there.
            Err(found) if !said.contains("made") => {
                let name = Name::new("log.example").expect("a name");
                return match Log::create(&directory, &name, self.signer.clone(), LogOptions::new()) {
                    Ok(_) => Ok(0),
                    Err(error) => Err(format!("{found}; {error}")),
                };
            }
            Err(error) => return Err(words(&error)),
        };
        // A leaf that never was there: whatever is at its place now was there before.
        let blinding = Blinding::generate(&mut OsRandom::new()).expect("a blinding");
        let leaf = Prepared::annex(sha256(b"another"), &blinding).expect("a leaf");
        log.append(leaf.leaf()).map_err(|error| words(&error))?;
        let policy = Policy::from_vkeys(&log.vkey().to_string(), [], 0).expect("a policy");
        let mut leaves = Vec::new();
        let verified = log.reader().audit(&policy, |_, octets| leaves.push(sha256(octets)));
        let now = verified.map_err(|error| words(&error))?;
        for (_, before) in self.published.iter().filter(|(at, _)| *at <= count) {
            if before.size() > now.checkpoint().size() {
                return Err(format!("{} leaves were published, {} are left", before.size(), leaves.len()));
            }
            log.reader().consistency(before, now.checkpoint()).map_err(|error| words(&error))?;
        }
        let told: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("leaf ")).collect();
        for line in &told {
            let (index, hash) = line.split_once(' ').expect("two words");
            let index: usize = index.parse().expect("a number");
            if leaves.get(index).map(ToString::to_string).as_deref() != Some(hash) {
                return Err(format!("leaf {index} is not there"));
            }
        }
        Ok(told.len())
    }
}

#[test]
fn a_power_failure_never_contradicts_what_a_log_has_published() {
    let Some(recorded) = recorded() else { return };
    let mut leaves = 0;
    let moments = moments(&recorded.steps);
    for (count, unsynced) in &moments {
        match recorded.after(&recorded.steps, *count, *unsynced) {
            Ok(told) => leaves += told,
            Err(what) => {
                panic!("after {count} steps, {unsynced:?}, last {:?}: {what}", recorded.steps.get(count - 1))
            }
        }
    }
    let (steps, published) = (recorded.steps.len(), recorded.published.len());
    println!("{steps} steps, {published} checkpoints, {} images, {leaves} leaves looked up", moments.len());
    assert!(
        published >= 10 && moments.len() > 200 && leaves > 1_000,
        "{published} {} {leaves}",
        moments.len()
    );
}

type LeftOut = fn(&Step) -> bool;

#[test]
fn without_any_kind_of_sync_it_would() {
    let Some(recorded) = recorded() else { return };
    let kinds: [(&str, LeftOut); 2] = [
        ("files", |step| matches!(step, Step::Sync(_))),
        ("names", |step| matches!(step, Step::SyncDirectory(_))),
    ];
    for (what, left_out) in kinds {
        let Recorded { steps, .. } = &recorded;
        // In place, so that checkpoints keep their moments.
        let nothing = Step::Said(String::new());
        let steps: Vec<Step> =
            steps.iter().map(|step| if left_out(step) { nothing.clone() } else { step.clone() }).collect();
        let ends =
            steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Said(line) if !line.is_empty()));
        let (mut lost, mut images) = (0, 0);
        for (at, _) in ends.step_by(29) {
            for unsynced in [Unsynced::Lost, Unsynced::Some(at as u64)] {
                images += 1;
                lost += usize::from(recorded.after(&steps, at + 1, unsynced).is_err());
            }
        }
        println!("without syncing {what}: {lost} of {images} images are not good");
        assert!(lost > 0, "{what}");
    }
}
