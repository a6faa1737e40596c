//! Every operation that changes a file or the database is made to fail, to be cut off, or to be the last one that a process
//! does; with each of these, what was not yet made durable is lost in several ways. What must hold after each: nothing
//! acknowledged is lost, never two roots for one size, never a smaller size later, every tile fits.

mod halts;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::{Random, RandomError};
use fuze_evidence::sign::SignError;
use fuze_evidence::{Hash, Name, Signer};

use super::error::LogError;
use super::sequencer::Sequencer;
use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, FileSystem, Output};
use crate::note::{Algorithm, KeyName, VerifierKey};
use crate::policy::Policy;
use crate::reader::LogReader;

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and has done nothing.
    Fails(io::ErrorKind),
    /// It fails half way: of a write, half the octets are there; anything else is done and says that it failed.
    FailsLate(io::ErrorKind),
    /// The process ends before it.
    DiesBefore,
    /// The process ends after it; of a write, half the octets are there.
    DiesLate,
    /// The process really ends before it.
    Aborts,
}

/// A change that a power cut may undo.
#[derive(Debug, Clone)]
enum Undurable {
    Octets(PathBuf),
    Entry { path: PathBuf, before: Option<Vec<u8>> },
    Directory(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    steps: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    undurable: Vec<Undurable>,
}

/// The file system with one fault, and a memory of what a power cut may take.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

impl Faulty {
    pub(crate) fn arm(&self, fault: Option<(usize, Fault)>) {
        let mut state = self.0.lock().unwrap();
        (state.steps, state.fault) = (0, fault);
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.lock().unwrap().steps
    }

    /// Whether the operation that comes now has the fault.
    fn next(&self) -> io::Result<Option<Fault>> {
        let mut state = self.0.lock().unwrap();
        if state.dead {
            return Err(io::Error::other("this process is dead"));
        }
        let step = state.steps;
        state.steps += 1;
        let fault = state.fault.filter(|(at, _)| *at == step).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Fails(kind)) => Err(kind.into()),
            Some(Fault::DiesBefore) => {
                state.dead = true;
                Err(io::Error::other("dies"))
            }
            Some(Fault::DiesLate) => {
                state.dead = true;
                Ok(fault)
            }
            Some(Fault::Aborts) => std::process::abort(),
            _ => Ok(fault),
        }
    }

    fn run<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let fault = self.next()?;
        let done = work()?;
        match fault {
            Some(Fault::FailsLate(kind)) => Err(kind.into()),
            Some(_) => Err(io::Error::other("dies")),
            None => Ok(done),
        }
    }

    fn note(&self, change: impl FnOnce(&mut Vec<Undurable>)) {
        change(&mut self.0.lock().unwrap().undurable);
    }

    /// Loses what was not made durable: the changes that `loses` says, newest first.
    pub(crate) fn cut_power(&self, loses: impl Fn(usize) -> bool) {
        let undurable = std::mem::take(&mut self.0.lock().unwrap().undurable);
        for (at, change) in undurable.into_iter().enumerate().rev() {
            if !loses(at) {
                continue;
            }
            match change {
                Undurable::Octets(path) => {
                    if let Ok(octets) = fs::read(&path) {
                        fs::write(&path, &octets[..octets.len() / 2]).unwrap();
                    }
                }
                Undurable::Entry { path, before: Some(octets) } => fs::write(&path, octets).unwrap(),
                Undurable::Entry { path, before: None } => drop(fs::remove_file(&path)),
                Undurable::Directory(path) => drop(fs::remove_dir_all(&path)),
            }
        }
    }
}

struct FaultyOutput {
    disk: Faulty,
    path: PathBuf,
    file: Box<dyn Output>,
}

impl Output for FaultyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.disk.next()? {
            None => self.file.write(bytes),
            Some(fault) => {
                self.file.write(&bytes[..bytes.len() / 2])?;
                Err(match fault {
                    Fault::FailsLate(kind) => kind.into(),
                    _ => io::Error::other("dies"),
                })
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let Self { disk, path, file } = self;
        disk.run(|| file.sync())?;
        disk.note(|all| all.retain(|change| !matches!(change, Undurable::Octets(p) if p == path)));
        Ok(())
    }
}

impl Disk for Faulty {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let new = !path.exists();
        self.run(|| FileSystem.create_dir(path))?;
        if new {
            self.note(|all| all.push(Undurable::Directory(path.to_owned())));
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = self.run(|| FileSystem.create(path))?;
        self.note(|all| all.push(Undurable::Octets(path.to_owned())));
        Ok(Box::new(FaultyOutput { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let before = fs::read(to).ok();
        let done = self.run(|| FileSystem.rename(from, to));
        if !from.exists() {
            self.note(|all| {
                for change in all.iter_mut() {
                    if matches!(change, Undurable::Octets(path) if path == from) {
                        *change = Undurable::Octets(to.to_owned());
                    }
                }
                all.push(Undurable::Entry { path: to.to_owned(), before });
            });
        }
        done
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(|| FileSystem.sync_dir(path))?;
        self.note(|all| {
            all.retain(|change| match change {
                Undurable::Entry { path: p, .. } | Undurable::Directory(p) => p.parent() != Some(path),
                Undurable::Octets(_) => true,
            });
        });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.run(|| FileSystem.remove_dir(path))
    }

    fn commit(&self, commit: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        self.run(commit)
    }
}

/// Remembers every checkpoint that it ever signed.
struct Witnessing {
    key: FileSigner,
    signed: Mutex<Vec<(u64, Hash)>>,
    fails: Mutex<u32>,
}

struct Fixed;

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(7);
        Ok(())
    }
}

impl Witnessing {
    /// Always the same key, for processes that follow one another.
    fn new() -> Arc<Self> {
        let key = FileSigner::ephemeral(Name::new("test").unwrap(), &mut Fixed).unwrap();
        Arc::new(Self { key, signed: Mutex::default(), fails: Mutex::default() })
    }
}

impl Signer for Witnessing {
    fn key_id(&self) -> Hash {
        self.key.key_id()
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(SignError::Signer("the device is gone".into()));
        }
        let checkpoint = Checkpoint::read(std::str::from_utf8(message).unwrap()).unwrap();
        self.signed.lock().unwrap().push((checkpoint.size(), checkpoint.root()));
        self.key.sign(message)
    }

    fn identity(&self) -> Name {
        self.key.identity()
    }
}

const ORIGIN: &str = "log.example/crash";

/// A log with 254 leaves, so that the next ones fill the first tile.
struct World {
    place: tempfile::TempDir,
    disk: Faulty,
    signer: Arc<Witnessing>,
    /// Index and octets of what `append` returned for.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    /// Each checkpoint that was ever published.
    published: Vec<Checkpoint>,
}

fn entries(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("leaf {n}").into_bytes()).collect()
}

fn key(signer: &Witnessing) -> VerifierKey {
    VerifierKey::of(KeyName::new(ORIGIN).unwrap(), Algorithm::Ed25519, signer).unwrap()
}

/// In memory where there is such a place: thousands of syncs.
pub(crate) fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)
        } else {
            assert!(fs::copy(entry.path(), to).is_ok())
        }
    }
}

impl World {
    fn empty() -> Self {
        let (disk, signer) = (Faulty::default(), Witnessing::new());
        Self { place: place(), disk, signer, acknowledged: BTreeMap::new(), published: Vec::new() }
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("log")
    }

    fn create(&self) -> Result<(), LogError> {
        Sequencer::create(&self.disk, &self.directory(), &key(&self.signer))
    }

    fn open(&self) -> Result<Sequencer, LogError> {
        let mut log = Sequencer::open(Arc::new(self.disk.clone()), &self.directory(), self.signer.clone())?;
        log.settle()?;
        Ok(log)
    }

    fn prepared() -> Self {
        let mut world = Self::empty();
        world.create().unwrap();
        let mut log = world.open().unwrap();
        world.append(&mut log, 0..254).unwrap();
        world
    }

    /// The same again, without doing all of it again.
    fn like(prepared: &Self) -> Self {
        let world = Self::empty();
        copy(&prepared.directory(), &world.directory());
        Self { acknowledged: prepared.acknowledged.clone(), published: prepared.published.clone(), ..world }
    }

    fn append(&mut self, log: &mut Sequencer, numbers: std::ops::Range<u64>) -> Result<(), LogError> {
        let entries = entries(numbers);
        let indexes = log.append(entries.clone());
        self.look();
        for (index, entry) in indexes?.into_iter().zip(entries) {
            let before = self.acknowledged.insert(index, entry.clone());
            assert!(before.is_none_or(|before| before == entry), "leaf {index} is another one now");
        }
        Ok(())
    }

    /// What anyone can see of the log at this moment.
    fn look(&mut self) {
        if let Ok(note) = LogReader::new(self.directory()).checkpoint() {
            let checkpoint = Checkpoint::read(note.text()).unwrap();
            if self.published.last() != Some(&checkpoint) {
                self.published.push(checkpoint);
            }
        }
    }

    /// The work during which things go wrong: fills a tile, begins the next, has a leaf twice.
    fn work(&mut self) -> Result<(), LogError> {
        let mut log = self.open()?;
        self.append(&mut log, 254..257)?;
        self.append(&mut log, 256..258)
    }

    /// All of what must hold.
    fn check(&mut self, what: &str) {
        self.look();
        let reader = LogReader::new(self.directory());
        let policy = Policy::new(key(&self.signer), Vec::new(), 0).unwrap();
        let mut found = Vec::new();
        let audited = reader.audit(&policy, |_, entry| found.push(entry.to_vec()));
        let newest = audited.unwrap_or_else(|error| panic!("{what}: {error}")).checkpoint().clone();
        for (index, entry) in &self.acknowledged {
            assert_eq!(found.get(*index as usize), Some(entry), "{what}: leaf {index} was acknowledged");
        }
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), found.len(), "{what}: a leaf twice");
        for two in self.published.windows(2) {
            assert!(two[0].size() < two[1].size(), "{what}: {} after {}", two[1].size(), two[0].size());
        }
        for old in &self.published {
            reader.consistency(old, &newest).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        let (mut roots, mut largest) = (BTreeMap::new(), 0);
        for (size, root) in self.signer.signed.lock().unwrap().iter() {
            assert_eq!(roots.entry(*size).or_insert(*root), root, "{what}: two roots for {size}");
            assert!(*size >= largest, "{what}: signed {size} after {largest}");
            largest = *size;
        }
    }
}

pub(crate) const FAULTS: [Fault; 6] = [
    Fault::Fails(io::ErrorKind::Other),
    Fault::Fails(io::ErrorKind::StorageFull),
    Fault::FailsLate(io::ErrorKind::Other),
    Fault::FailsLate(io::ErrorKind::StorageFull),
    Fault::DiesBefore,
    Fault::DiesLate,
];

/// Which of the changes that were not durable a power cut takes: none, all, every other one.
pub(crate) const CUTS: [fn(usize) -> bool; 4] = [|_| false, |_| true, |at| at % 2 == 0, |at| at % 2 == 1];

#[test]
fn whatever_operation_fails_the_log_goes_on_as_if_it_had_not() {
    let prepared = World::prepared();
    let mut calm = World::like(&prepared);
    calm.disk.arm(None);
    calm.work().unwrap();
    let steps = calm.disk.steps();
    calm.check("calm");
    assert_eq!(calm.acknowledged.len(), 258);
    // Two commits, two checkpoints, tiles and bundles of two batches, and what is removed.
    assert!(steps > 60, "{steps} steps");

    for fault in FAULTS {
        let dies = matches!(fault, Fault::DiesBefore | Fault::DiesLate);
        for step in 0..steps {
            for cut in if dies { &CUTS[..] } else { &CUTS[..1] } {
                let what = format!("{fault:?} at step {step}");
                let mut world = World::like(&prepared);
                world.disk.arm(Some((step, fault)));
                // Tidying up is the only work whose failure nobody hears of.
                let heard = world.work();
                assert!(heard.is_err() || step > steps / 2, "{what}: {heard:?}");
                assert!(!matches!(heard, Err(LogError::Halted(_))), "{what}: {heard:?}");
                if dies {
                    world.disk.cut_power(cut);
                }
                world.disk = Faulty::default();
                let mut log = world.open().unwrap_or_else(|error| panic!("{what}: {error}"));
                world.check(&what);
                world.append(&mut log, 254..260).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(world.acknowledged.len(), 260, "{what}");
                world.check(&what);
            }
        }
    }
}

/// Directories too: the second batch makes new ones below old ones.
#[test]
fn nothing_that_was_acknowledged_waits_to_be_durable() {
    let mut world = World::like(&World::prepared());
    let mut log = world.open().unwrap();
    for numbers in [254..255, 255..258] {
        world.append(&mut log, numbers).unwrap();
        let undurable = world.disk.0.lock().unwrap().undurable.clone();
        assert!(undurable.is_empty(), "{undurable:?}");
    }
}

/// The same without a new process: what failed is tried again on the same log.
#[test]
fn after_a_failure_the_same_log_can_be_used() {
    let prepared = World::prepared();
    for fault in &FAULTS[..4] {
        for step in 0.. {
            let what = format!("{fault:?} at step {step}");
            let mut world = World::like(&prepared);
            let mut log = world.open().unwrap();
            world.disk.arm(Some((step, *fault)));
            let heard = world.append(&mut log, 254..257);
            if world.disk.steps() <= step {
                assert!(step > 30, "{step} steps");
                break;
            }
            world.append(&mut log, 254..257).unwrap_or_else(|error| panic!("{what}: {heard:?}, {error}"));
            assert_eq!(world.acknowledged.len(), 257, "{what}");
            world.check(&what);
        }
    }
}

#[test]
fn a_creation_that_was_cut_off_is_begun_again_or_opened() {
    for fault in FAULTS {
        for cut in CUTS {
            for step in 0.. {
                let what = format!("{fault:?} at step {step}");
                let mut world = World::empty();
                world.disk.arm(Some((step, fault)));
                let heard = world.create().and_then(|()| world.open().map(drop));
                if world.disk.steps() <= step {
                    assert!(heard.is_ok() && step > 6, "{step} steps, {heard:?}");
                    break;
                }
                // The database has been made durable before this disk says so; its directory is older than its entry.
                if world.directory().join("log.sqlite").exists() {
                    world.disk.note(|all| all.retain(|c| !matches!(c, Undurable::Directory(_))));
                }
                world.disk.cut_power(cut);
                world.disk = Faulty::default();
                match world.create() {
                    Ok(()) | Err(LogError::Exists { .. }) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
                let mut log = world.open().unwrap_or_else(|error| panic!("{what}: {error}"));
                world.append(&mut log, 0..3).unwrap();
                world.check(&what);
            }
        }
    }
}

/// Not a test of its own: what the next one runs in processes that end in the middle of it.
#[test]
fn child() {
    let Ok(orders) = std::env::var("FUZE_LOG_CRASH") else { return };
    let (step, directory) = orders.split_once(':').unwrap();
    let disk = Faulty::default();
    let mut log = Sequencer::open(Arc::new(disk.clone()), Path::new(directory), Witnessing::new()).unwrap();
    log.settle().unwrap();
    disk.arm(Some((step.parse().unwrap(), Fault::Aborts)));
    log.append(entries(254..257)).unwrap();
    fs::write(format!("{directory}.acknowledged"), "").unwrap();
}

#[test]
fn a_process_that_ends_anywhere_leaves_a_log_that_goes_on() {
    let prepared = World::prepared();
    let mut died = 0;
    for step in 0.. {
        let mut world = World::like(&prepared);
        let orders = format!("{step}:{}", world.directory().display());
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::crash::child", "--nocapture"])
            .env("FUZE_LOG_CRASH", orders)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        let acknowledged = world.place.path().join("log.acknowledged").exists();
        assert_eq!(status.success(), acknowledged, "step {step}");
        if acknowledged {
            break;
        }
        died += 1;
        let mut log = world.open().unwrap_or_else(|error| panic!("step {step}: {error}"));
        world.append(&mut log, 254..258).unwrap();
        world.check(&format!("step {step}"));
    }
    assert!(died > 30, "{died}");
}

#[test]
fn a_signer_that_fails_leaves_an_intent_that_is_signed_later() {
    let mut world = World::like(&World::prepared());
    let mut log = world.open().unwrap();
    *world.signer.fails.lock().unwrap() = 2;
    for _ in 0..2 {
        assert!(matches!(world.append(&mut log, 254..256), Err(LogError::Sign(_))));
    }
    // Another leaf than the one that failed: what was begun is finished first, under its own size.
    world.append(&mut log, 300..301).unwrap();
    let sizes: Vec<u64> = world.signer.signed.lock().unwrap().iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes, [256, 257]);
    world.check("signer");
}
