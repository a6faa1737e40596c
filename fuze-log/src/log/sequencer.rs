//! The one writer: takes the lock, sees where the log stands, finishes what was begun, adds a batch. Every way from leaves to a
//! signature goes through [`Sequencer::publish`], and that signs an intent that the database holds.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuze_evidence::{Hash, Signer};

use super::database::{Database, Head, Intent};
use super::error::{Halt, LogError};
use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, Publisher, at, read_file};
use crate::merkle::{empty_root, leaf_hash};
use crate::note::{Algorithm, MAX_NOTE_BYTES, Note, NoteSignature, VerifierKey};
use crate::policy::Policy;
use crate::reader::{CHECKPOINT, COSIGNED, MAX_TILE_BYTES};
use crate::tile::{Edge, TilePath};

const DATABASE: &str = "log.sqlite";
const LOCK: &str = "lock";

type Tile = (TilePath, Vec<u8>);

#[derive(Debug)]
pub(super) struct Sequencer {
    disk: Arc<dyn Disk>,
    publisher: Publisher,
    /// None after a failure: a fresh connection believes nothing.
    database: Option<Database>,
    lock: File,
    policy: Policy,
    signer: SignerHandle,
    /// What is known of the published tree; none before the first check.
    edge: Option<Edge>,
    /// Directories of partial tiles whose full tile is published.
    outdated: Vec<PathBuf>,
}

struct SignerHandle(Arc<dyn Signer>);

impl std::fmt::Debug for SignerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.key_id())
    }
}

impl Sequencer {
    /// Makes the directory and the database. A creation that was cut off can be begun again.
    pub(super) fn create(disk: &dyn Disk, directory: &Path, key: &VerifierKey) -> Result<(), LogError> {
        disk.create_dir(directory).map_err(at(directory))?;
        let lock = open_lock(directory)?;
        lock.lock().map_err(at(&directory.join(LOCK)))?;
        if [CHECKPOINT, COSIGNED, "tile"].iter().any(|name| directory.join(name).exists()) {
            return Err(LogError::Exists { directory: directory.to_owned() });
        }
        let first = Intent { size: 0, root: empty_root() };
        Database::create(disk, &directory.join(DATABASE), &key.to_string(), first)?;
        let parent = directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry_of in [directory, parent] {
            disk.sync_dir(entry_of).map_err(at(entry_of))?;
        }
        Ok(())
    }

    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, LogError> {
        let path = directory.join(DATABASE);
        if !path.is_file() {
            return Err(LogError::Missing { directory: directory.to_owned() });
        }
        let lock = open_lock(directory)?;
        lock.lock().map_err(at(&directory.join(LOCK)))?;
        let database = Database::open(&path)?;
        lock.unlock().map_err(at(&directory.join(LOCK)))?;
        let vkey = database.vkey()?;
        let key: VerifierKey =
            vkey.parse().map_err(|e: crate::note::NoteError| LogError::Corrupt { what: e.to_string() })?;
        let found = VerifierKey::of(key.name().clone(), Algorithm::Ed25519, signer.as_ref())?;
        if found != key {
            return Err(LogError::Key { expected: vkey, found: found.to_string() });
        }
        let policy =
            Policy::new(key, Vec::new(), 0).map_err(|e| LogError::Corrupt { what: e.to_string() })?;
        Ok(Self {
            disk,
            publisher: Publisher::new(directory.to_owned()),
            database: Some(database),
            lock,
            policy,
            signer: SignerHandle(signer),
            edge: None,
            outdated: Vec::new(),
        })
    }

    pub(super) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Adds the entries that the log does not have yet; the index of each, in their order. When this returns, a published checkpoint
    /// covers them all.
    pub(super) fn append(&mut self, entries: Vec<Vec<u8>>) -> Result<Vec<u64>, LogError> {
        self.locked(|this| this.append_locked(entries))
    }

    /// Checks where the log stands and finishes what was begun.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        self.locked(|this| this.settle_locked().map(drop))
    }

    /// Publishes witnesses' lines on a checkpoint of this log.
    pub(super) fn add_cosignatures(
        &mut self,
        cosigned: &Note,
        lines: Vec<NoteSignature>,
    ) -> Result<(), LogError> {
        self.locked(|this| this.add_cosignatures_locked(cosigned, lines))
    }

    /// Runs `work` alone among all processes. After a failure, a COMMIT's among them, only a fresh connection is believed. What
    /// is known of the tree stays: it is never ahead of what is published, and the next batch compares it with the database.
    fn locked<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LogError>) -> Result<T, LogError> {
        let path = self.publisher.root().join(LOCK);
        self.lock.lock().map_err(at(&path))?;
        let done = work(self);
        if done.is_err() {
            self.database = None;
        }
        let unlocked = self.lock.unlock().map_err(at(&path));
        let value = done?;
        unlocked?;
        Ok(value)
    }

    fn database(&mut self) -> Result<&mut Database, LogError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::open(&self.publisher.root().join(DATABASE))?,
        };
        Ok(self.database.insert(database))
    }

    fn append_locked(&mut self, entries: Vec<Vec<u8>>) -> Result<Vec<u64>, LogError> {
        let edge = self.settle_locked()?;
        let mut next = edge.clone();
        let (mut full, mut fresh) = (Vec::new(), Vec::new());
        let mut here: HashMap<Hash, u64> = HashMap::new();
        let mut indexes = Vec::with_capacity(entries.len());
        for entry in entries {
            let hash = leaf_hash(&entry);
            let known = match here.get(&hash) {
                Some(index) => Some(*index),
                None => self.database()?.find(hash)?,
            };
            let index = match known {
                Some(index) => index,
                None => {
                    let index = next.size();
                    full.extend(next.push(&entry)?);
                    here.insert(hash, index);
                    fresh.push((hash, entry));
                    index
                }
            };
            indexes.push(index);
        }
        if !fresh.is_empty() {
            let intent = Intent { size: next.size(), root: next.root() };
            let disk = Arc::clone(&self.disk);
            self.database()?.append(disk.as_ref(), edge.size(), &fresh, intent)?;
            self.publish(intent, &next, full)?;
            self.edge = Some(next);
        }
        self.tidy();
        Ok(indexes)
    }

    /// Compares database and checkpoint, brings the edge up to the last intent, and publishes that if it is not.
    fn settle_locked(&mut self) -> Result<Edge, LogError> {
        let head = self.database()?.head()?;
        if head.leaves != head.last.size {
            return Err(Halt::Count { expected: head.last.size, found: head.leaves }.into());
        }
        let is_published = self.is_published(&head)?;
        let known = self.edge.as_ref().map_or(0, Edge::size);
        if known > head.last.size {
            // Also where the checkpoint was rolled back with it: this process has published more, and does not forget it.
            return Err(Halt::DatabaseRolledBack { published: known, stored: head.last.size }.into());
        }
        let (edge, full) = match self.edge.take() {
            Some(edge) => self.advance(edge, &head.last)?,
            None => {
                self.check_cosigned(&head)?;
                (self.examine(&head, is_published)?, Vec::new())
            }
        };
        if !is_published {
            self.publish(head.last, &edge, full)?;
        }
        self.edge = Some(edge.clone());
        Ok(edge)
    }

    /// Whether the checkpoint is the last intent's; it may be one behind, and no other.
    fn is_published(&self, head: &Head) -> Result<bool, LogError> {
        let stored = head.last.size;
        let Some(found) = self.published()? else {
            // Only the first can be missing: each was published before the next was meant.
            return match head.before {
                None => Ok(false),
                Some(_) => Err(Halt::CheckpointRolledBack { published: None, stored }.into()),
            };
        };
        let same = |intent: &Intent| {
            if intent.root == found.root() {
                Ok(())
            } else {
                Err(Halt::Fork { size: intent.size, published: found.root(), stored: intent.root })
            }
        };
        match &head.before {
            _ if found.size() == stored => same(&head.last).map(|()| true).map_err(LogError::from),
            Some(before) if found.size() == before.size => {
                same(before).map(|()| false).map_err(LogError::from)
            }
            _ if found.size() > stored => {
                Err(Halt::DatabaseRolledBack { published: found.size(), stored }.into())
            }
            _ => Err(Halt::CheckpointRolledBack { published: Some(found.size()), stored }.into()),
        }
    }

    /// What witnesses cosigned was signed here: else database and checkpoint were rolled back together, and the next signature would
    /// be a second one for a size that others have seen.
    fn check_cosigned(&mut self, head: &Head) -> Result<(), LogError> {
        let Some(note) = self.read_note(COSIGNED)? else { return Ok(()) };
        let halt = |error: &dyn std::fmt::Display| Halt::Checkpoint { why: format!("`{COSIGNED}`: {error}") };
        let verified = self.policy.verify(note).map_err(|error| halt(&error))?;
        let (size, published) = (verified.checkpoint().size(), verified.checkpoint().root());
        match self.database()?.root_of(size)? {
            _ if size > head.last.size => {
                Err(Halt::DatabaseRolledBack { published: size, stored: head.last.size }.into())
            }
            Some(root) if root == published => Ok(()),
            Some(stored) => Err(Halt::Fork { size, published, stored }.into()),
            None => Err(halt(&format!("this log never signed {size} leaves")).into()),
        }
    }

    /// The published checkpoint, as far as this log signed it.
    fn published(&self) -> Result<Option<Checkpoint>, LogError> {
        let Some(note) = self.read_note(CHECKPOINT)? else { return Ok(None) };
        let verified =
            self.policy.verify(note).map_err(|error| Halt::Checkpoint { why: error.to_string() })?;
        Ok(Some(verified.checkpoint().clone()))
    }

    fn read_note(&self, name: &str) -> Result<Option<Note>, LogError> {
        let most = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX);
        let Some(bytes) = read_file(&self.publisher.root().join(name), most)? else { return Ok(None) };
        Ok(Some(Note::read(&bytes).map_err(|error| Halt::Checkpoint { why: error.to_string() })?))
    }

    /// Takes the leaves that another process has added, or that this one did not publish.
    fn advance(&mut self, mut edge: Edge, to: &Intent) -> Result<(Edge, Vec<Tile>), LogError> {
        let mut full = Vec::new();
        if edge.size() < to.size {
            self.database()?.for_each(edge.size(), |entry| {
                full.extend(edge.push(entry)?);
                Ok(())
            })?;
        }
        expect_root(&edge, to)?;
        Ok((edge, full))
    }

    /// Reads every leaf and compares all that is published with it. A tile that is gone is written again: the leaves say what it was.
    /// So is one beyond what is published: it may be there and not be durable.
    fn examine(&mut self, head: &Head, is_published: bool) -> Result<Edge, LogError> {
        let published = if is_published { Some(&head.last) } else { head.before.as_ref() };
        let published_size = published.map_or(0, |intent| intent.size);
        let mut outdated = Vec::new();
        let mut edge = Edge::default();
        let mut lost: Vec<Tile> = Vec::new();
        let root = self.publisher.root().to_owned();
        let disk = Arc::clone(&self.disk);
        self.database()?;
        let Self { publisher, database: Some(database), .. } = self else { return Err(LogError::Closed) };
        let mut compare = |(path, bytes): Tile, size: u64| -> Result<(), LogError> {
            let there = root.join(path.to_string());
            let found = match size <= published_size {
                // A longer file is another one too.
                true => read_file(&there, MAX_TILE_BYTES)?,
                false => None,
            };
            // Where the full tile is there already, the partial one may be gone.
            let replaced = !path.is_full() && root.join(path.full().to_string()).exists();
            match found.or_else(|| replaced.then(|| bytes.clone())) {
                Some(found) if found == bytes => Ok(()),
                Some(_) => Err(Halt::Tile { tile: path }.into()),
                None => {
                    lost.push((path, bytes));
                    if lost.len() < LOST_AT_ONCE {
                        return Ok(());
                    }
                    write_tiles(publisher, disk.as_ref(), &std::mem::take(&mut lost))
                }
            }
        };
        database.for_each(0, |entry| {
            for tile in edge.push(entry)? {
                let partial = PathBuf::from(format!("{}.p", tile.0));
                if root.join(&partial).exists() {
                    outdated.push(partial);
                }
                compare(tile, edge.size())?;
            }
            if let Some(intent) = published.filter(|intent| intent.size == edge.size()) {
                expect_root(&edge, intent)?;
                for tile in edge.partial()? {
                    compare(tile, edge.size())?;
                }
            }
            Ok(())
        })?;
        write_tiles(publisher, disk.as_ref(), &lost)?;
        expect_root(&edge, &head.last)?;
        self.outdated = outdated;
        Ok(edge)
    }

    /// Tiles, then the signature, then the checkpoint, each durable before the next.
    fn publish(&mut self, intent: Intent, edge: &Edge, full: Vec<Tile>) -> Result<(), LogError> {
        let mut tiles = full;
        let completed: Vec<TilePath> = tiles.iter().map(|(path, _)| *path).collect();
        tiles.extend(edge.partial()?);
        write_tiles(&mut self.publisher, self.disk.as_ref(), &tiles)?;
        let key = self.policy.log();
        let note = Checkpoint::new(key, intent.size, intent.root).sign(key, self.signer.0.as_ref())?;
        let note = note.to_string();
        let file = (PathBuf::from(CHECKPOINT), note.as_bytes());
        self.publisher.publish(self.disk.as_ref(), [file])?;
        self.outdated.extend(completed.into_iter().map(|path| PathBuf::from(format!("{path}.p"))));
        Ok(())
    }

    /// Partial tiles that a full one has replaced. What cannot be removed now is tried again with the next batch.
    fn tidy(&mut self) {
        let Self { disk, publisher, outdated, .. } = self;
        outdated.retain(|path| publisher.remove_dir(disk.as_ref(), path).is_err());
        outdated.truncate(LOST_AT_ONCE);
    }

    fn add_cosignatures_locked(
        &mut self,
        cosigned: &Note,
        lines: Vec<NoteSignature>,
    ) -> Result<(), LogError> {
        self.settle_locked()?;
        let halt = |error: &dyn std::fmt::Display| Halt::Checkpoint { why: error.to_string() };
        let checkpoint = Checkpoint::read(cosigned.text()).map_err(|error| halt(&error))?;
        let newest = match self.read_note(COSIGNED)? {
            Some(note) => Checkpoint::read(note.text()).map_err(|error| halt(&error))?.size(),
            None => 0,
        };
        if checkpoint.size() < newest {
            return Ok(());
        }
        let mut files = Vec::new();
        for name in [CHECKPOINT, COSIGNED] {
            // A file of the same checkpoint may have other witnesses' lines, which stay.
            let mut note = match self.read_note(name)? {
                Some(note) if note.text() == cosigned.text() => note,
                _ if name == COSIGNED => cosigned.clone(),
                _ => continue,
            };
            for line in &lines {
                note.add(line.clone()).map_err(|error| halt(&error))?;
            }
            files.push((PathBuf::from(name), note.to_string()));
        }
        let files = files.iter().map(|(path, text)| (path.clone(), text.as_bytes()));
        self.publisher.publish(self.disk.as_ref(), files)?;
        Ok(())
    }
}

/// How many tiles are held in memory when many are gone, and directories that could not be removed.
const LOST_AT_ONCE: usize = 256;

fn expect_root(edge: &Edge, intent: &Intent) -> Result<(), LogError> {
    let found = edge.root();
    if edge.size() == intent.size && found == intent.root {
        Ok(())
    } else {
        Err(Halt::Leaves { size: intent.size, expected: intent.root, found }.into())
    }
}

fn write_tiles(publisher: &mut Publisher, disk: &dyn Disk, tiles: &[Tile]) -> Result<(), LogError> {
    let files = tiles.iter().map(|(path, bytes)| (PathBuf::from(path.to_string()), bytes.as_slice()));
    Ok(publisher.publish(disk, files)?)
}

fn open_lock(directory: &Path) -> Result<File, LogError> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    Ok(options.open(&path).map_err(at(&path))?)
}
