//! What a disk can hold when the power goes.
//!
//! A file's octets and length are on the disk once the file has been synced, and names once their directory has. What was not
//! synced may be there, or not, or in part: each write by itself, in sectors of 512 octets, in any order. Of the changes in one
//! directory that were not synced the first ones are there, up to some.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::trace::{File, Step};

const SECTOR: usize = 512;

/// A number source that is the same on every machine (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("below n")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Kept,
    Lost,
    /// Some of it, by this seed.
    Some(u64),
}

/// Writes to `directory` what is left after `steps`.
pub(crate) fn image(steps: &[Step], unsynced: Unsynced, directory: &Path) {
    let mut dice = match unsynced {
        Unsynced::Some(seed) => Dice(seed),
        Unsynced::Kept | Unsynced::Lost => Dice(0),
    };
    let files = contents(steps, unsynced, &mut dice);
    for (name, file) in names(steps, unsynced, &mut dice) {
        let path = directory.join(&name);
        match file {
            // Nor can a directory.
            None => drop(fs::DirBuilder::new().mode(0o700).create(path)),
            // A file in a directory whose own name was lost cannot be reached.
            Some(_) if !path.parent().is_some_and(Path::is_dir) => {}
            Some(file) => {
                let octets = files.get(&file).map_or(&[][..], Vec::as_slice);
                let mut options = fs::OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(path).expect("a file");
                file.write_all(octets).expect("written");
            }
        }
    }
}

/// A file as whoever reads it after these steps sees it.
pub(crate) fn file(steps: &[Step], name: &Path) -> Option<Vec<u8>> {
    let file = names(steps, Unsynced::Kept, &mut Dice(0)).remove(name)??;
    contents(steps, Unsynced::Kept, &mut Dice(0)).remove(&file)
}

fn contents(steps: &[Step], unsynced: Unsynced, dice: &mut Dice) -> BTreeMap<File, Vec<u8>> {
    let mut pending: BTreeMap<File, Vec<&Step>> = BTreeMap::new();
    let mut files: BTreeMap<File, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Write { file, .. } | Step::Length(file, _) => pending.entry(*file).or_default().push(step),
            Step::Sync(file) => {
                let octets = files.entry(*file).or_default();
                pending.remove(file).unwrap_or_default().into_iter().for_each(|step| apply(octets, step));
            }
            _ => {}
        }
    }
    for (file, mut steps) in pending {
        let octets = files.entry(file).or_default();
        match unsynced {
            Unsynced::Lost => {}
            Unsynced::Kept => steps.into_iter().for_each(|step| apply(octets, step)),
            Unsynced::Some(_) => {
                if dice.below(2) == 0 {
                    dice.shuffle(&mut steps);
                }
                steps.into_iter().for_each(|step| apply_in_part(octets, step, dice));
            }
        }
    }
    files
}

fn apply(octets: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write { at, octets: written, .. } => {
            if octets.len() < at + written.len() {
                octets.resize(at + written.len(), 0);
            }
            octets.get_mut(*at..at + written.len()).expect("there").copy_from_slice(written);
        }
        Step::Length(_, length) => octets.resize(*length, 0),
        _ => {}
    }
}

fn apply_in_part(octets: &mut Vec<u8>, step: &Step, dice: &mut Dice) {
    match (dice.below(4), step) {
        (0, _) => {}
        (1, Step::Write { file, at, octets: written }) => {
            // Cut where the disk's sectors are.
            let mut from = 0;
            while from < written.len() {
                let to = written.len().min(((at + from) / SECTOR + 1) * SECTOR - at);
                if dice.below(2) == 0 {
                    let octets_there = written.get(from..to).expect("there").to_vec();
                    apply(octets, &Step::Write { file: *file, at: at + from, octets: octets_there });
                }
                from = to;
            }
        }
        _ => apply(octets, step),
    }
}

/// Directories (`None`) and files by name, outer ones first.
fn names(steps: &[Step], unsynced: Unsynced, dice: &mut Dice) -> BTreeMap<PathBuf, Option<File>> {
    let parent = |step: &Step| match step {
        Step::Directory(name) | Step::Create(name, _) | Step::Unlink(name) | Step::Rename(name, _) => {
            name.parent().map(Path::to_owned)
        }
        _ => None,
    };
    // How many of the changes in each directory are there for certain, and how many there were.
    let mut counts: BTreeMap<PathBuf, (usize, usize)> = BTreeMap::new();
    for step in steps {
        if let Step::SyncDirectory(directory) = step {
            let (synced, all) = counts.entry(directory.clone()).or_default();
            *synced = *all;
        }
        if let Some(directory) = parent(step) {
            counts.entry(directory).or_default().1 += 1;
        }
    }
    let mut there: BTreeMap<PathBuf, usize> = counts
        .into_iter()
        .map(|(directory, (synced, all))| {
            let more = match unsynced {
                Unsynced::Lost => 0,
                Unsynced::Kept => all - synced,
                Unsynced::Some(_) => dice.below(all - synced + 1),
            };
            (directory, synced + more)
        })
        .collect();
    let mut names = BTreeMap::new();
    for step in steps {
        let Some(left) = parent(step).and_then(|directory| there.get_mut(&directory)) else { continue };
        let Some(one_less) = left.checked_sub(1) else { continue };
        *left = one_less;
        match step {
            Step::Directory(name) => {
                names.insert(name.clone(), None);
            }
            Step::Create(name, file) => {
                names.insert(name.clone(), Some(*file));
            }
            Step::Unlink(name) => {
                names.remove(name);
            }
            Step::Rename(from, to) => {
                let file = names.remove(from).expect("it was there");
                names.insert(to.clone(), file);
            }
            _ => {}
        }
    }
    names
}
