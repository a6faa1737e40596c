//! A log as its public files: checkpoint, tiles, entry bundles. Works on the log's own directory and on a copy that a
//! stranger downloaded. Nothing is handed out that does not fit the checkpoint; whether to believe the checkpoint is for a
//! [`Policy`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::disk::{At, at, read_file};
use crate::merkle::{MerkleError, consistency_proof, inclusion_proof, verify_consistency};
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::policy::{Policy, PolicyError, VerifiedCheckpoint};
use crate::proof::{ProofError, TlogProof};
use crate::text::read_decimal;
use crate::tile::{Edge, TileError, TileKind, TilePath, TileTree, Tiles, read_bundle, read_hashes};
use fuze_evidence::Hash;

/// Where the newest checkpoint is, below the log's directory.
pub const CHECKPOINT: &str = "checkpoint";

/// Where the newest checkpoint that witnesses have cosigned is. Not of tlog-tiles: a log goes on while its witnesses are asked.
pub const COSIGNED: &str = "checkpoint.cosigned";

/// A full bundle of the longest entries.
pub(crate) const MAX_TILE_BYTES: u64 = 256 * (2 + 65_535);

/// Reads a log's files.
#[derive(Debug, Clone)]
pub struct LogReader {
    directory: PathBuf,
}

impl LogReader {
    /// The log in `directory`, which holds `checkpoint` and `tile/`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest checkpoint, not verified.
    ///
    /// # Errors
    /// When there is none.
    pub fn checkpoint(&self) -> Result<Note, ReaderError> {
        self.note(CHECKPOINT)?.ok_or_else(|| ReaderError::NoCheckpoint { directory: self.directory.clone() })
    }

    /// The newest checkpoint that witnesses have cosigned, not verified, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cosigned(&self) -> Result<Option<Note>, ReaderError> {
        self.note(COSIGNED)
    }

    fn note(&self, name: &str) -> Result<Option<Note>, ReaderError> {
        let most = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX);
        let bytes = read_file(&self.directory.join(name), most)?;
        bytes.map(|bytes| Note::read(&bytes).map_err(ReaderError::Note)).transpose()
    }

    /// The proof for leaf `index`, on the newest cosigned checkpoint if that covers it, else on the newest.
    ///
    /// # Errors
    /// When no checkpoint covers it, or the files do not fit the checkpoint.
    pub fn proof(&self, index: u64) -> Result<TlogProof, ReaderError> {
        if let Some(note) = self.cosigned()?
            && Checkpoint::read(note.text())?.size() > index
        {
            return self.proof_on(index, note);
        }
        self.proof_on(index, self.checkpoint()?)
    }

    /// The proof for leaf `index` on a certain checkpoint of this log.
    ///
    /// # Errors
    /// As [`LogReader::proof`].
    pub fn proof_on(&self, index: u64, note: Note) -> Result<TlogProof, ReaderError> {
        let checkpoint = Checkpoint::read(note.text())?;
        let hashes = inclusion_proof(index, checkpoint.size(), &TileTree::new(self, checkpoint.size()))?;
        let proof = TlogProof::new(index, hashes, note);
        proof.verify_under(&checkpoint, &self.entry(index, checkpoint.size())?)?;
        Ok(proof)
    }

    /// The octets of leaf `index` in the tree of `size` leaves; not checked against any root.
    fn entry(&self, index: u64, size: u64) -> Result<Vec<u8>, ReaderError> {
        let path = TilePath::holding(TileKind::Entries, index, size)
            .ok_or(TileError::Merkle(MerkleError::Beyond { index, size }))?;
        let entries = self.bundle(path)?;
        let place = usize::try_from(index % u64::from(crate::tile::FULL_WIDTH)).unwrap_or(usize::MAX);
        let entry = entries.into_iter().nth(place);
        Ok(entry.ok_or(TileError::Merkle(MerkleError::Beyond { index, size }))?)
    }

    fn bundle(&self, path: TilePath) -> Result<Vec<Vec<u8>>, TileError> {
        let (bytes, found) = self.read_wide(path)?;
        let entries = read_bundle(&bytes, found.width())?;
        Ok(entries.into_iter().take(usize::from(path.width())).map(<[u8]>::to_vec).collect())
    }

    /// The octets at `path`, or of the full tile in its place, and which of the two.
    fn read_wide(&self, path: TilePath) -> Result<(Vec<u8>, TilePath), TileError> {
        for path in [path, path.full()] {
            let file = self.directory.join(path.to_string());
            let read = read_file(&file, MAX_TILE_BYTES);
            if let Some(bytes) = read.map_err(|At { path, error }| tile_io(&path, &error))? {
                return Ok((bytes, path));
            }
        }
        Err(tile_io(&self.directory.join(path.to_string()), &io::ErrorKind::NotFound.into()))
    }

    /// The proof that the tree of `new` leaves begins with the tree of `old`, verified against both roots.
    ///
    /// # Errors
    /// When the tiles do not give such a proof.
    pub fn consistency(&self, old: &Checkpoint, new: &Checkpoint) -> Result<Vec<Hash>, ReaderError> {
        let proof = self.consistency_hashes(old.size(), new.size())?;
        if old.size() > 0 {
            verify_consistency(old.size(), new.size(), old.root(), new.root(), &proof)
                .map_err(TileError::from)?;
        }
        Ok(proof)
    }

    /// The same for a size alone, as a witness asks for it.
    pub(crate) fn consistency_hashes(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReaderError> {
        Ok(consistency_proof(old, new, &TileTree::new(self, new))?)
    }

    /// Reads the whole log as `policy` trusts it: every entry is hashed, every tile compared, the root must come out. `each` gets
    /// index and octets of each leaf, in order; only when this returns `Ok` they are what the checkpoint covers.
    ///
    /// # Errors
    /// When the checkpoint is not accepted or the files do not give its root.
    pub fn audit(
        &self,
        policy: &Policy,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<VerifiedCheckpoint, ReaderError> {
        let verified = policy.verify(self.checkpoint()?)?;
        let (size, root) = (verified.checkpoint().size(), verified.checkpoint().root());
        let mut edge = Edge::default();
        while let Some(path) = TilePath::holding(TileKind::Entries, edge.size(), size) {
            for entry in self.bundle(path)? {
                each(edge.size(), &entry);
                for (tile, bytes) in edge.push(&entry)? {
                    self.compare(tile, &bytes)?;
                }
            }
        }
        for (tile, bytes) in edge.partial()? {
            self.compare(tile, &bytes)?;
        }
        if edge.root() == root {
            Ok(verified)
        } else {
            Err(TileError::Merkle(MerkleError::Root { expected: root, found: edge.root() }).into())
        }
    }

    /// Whether all files in the place of `tile` are what the entries give: the tile itself, and those that the tree had before or has ahead
    /// of its checkpoint. A log may remove partial tiles; one that is there and says something else was a log of other entries.
    fn compare(&self, tile: TilePath, expected: &[u8]) -> Result<(), ReaderError> {
        let (found, path) = self.read_wide(tile)?;
        // A full tile may stand for a partial one, which it begins with.
        if found != expected && !(path != tile && found.starts_with(expected)) {
            return Err(ReaderError::Differs { tile });
        }
        for other in self.beside(tile)? {
            let file = self.directory.join(other.to_string());
            // It may have been removed just now.
            let Some(found) = read_file(&file, MAX_TILE_BYTES)? else { continue };
            let (short, long) = if other.width() < tile.width() {
                (found.as_slice(), expected)
            } else {
                (expected, found.as_slice())
            };
            let whole = match other.kind() {
                TileKind::Hashes(_) => read_hashes(&found, other.width()).is_ok(),
                TileKind::Entries => read_bundle(&found, other.width()).is_ok(),
            };
            if !whole || !long.starts_with(short) {
                return Err(ReaderError::Differs { tile: other });
            }
        }
        Ok(())
    }

    /// The files of other widths in the place of `tile`.
    fn beside(&self, tile: TilePath) -> Result<Vec<TilePath>, ReaderError> {
        let mut others = Vec::new();
        if !tile.is_full() && self.directory.join(tile.full().to_string()).exists() {
            others.push(tile.full());
        }
        let Some(one) = TilePath::new(tile.kind(), tile.index(), 1) else { return Ok(others) };
        let file = self.directory.join(one.to_string());
        let partial = file.parent().unwrap_or(&self.directory);
        let entries = match std::fs::read_dir(partial) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(others),
            entries => entries.map_err(at(partial))?,
        };
        for entry in entries {
            let name = entry.map_err(at(partial))?.file_name();
            let width = name
                .to_str()
                .and_then(|name| read_decimal(name, 255))
                .and_then(|width| u16::try_from(width).ok());
            others.extend(width.and_then(|width| TilePath::new(tile.kind(), tile.index(), width)));
        }
        others.retain(|other| *other != tile);
        Ok(others)
    }
}

impl Tiles for LogReader {
    fn read(&self, path: TilePath) -> Result<Vec<u8>, TileError> {
        self.read_wide(path).map(|(bytes, _)| bytes)
    }
}

fn tile_io(path: &Path, error: &io::Error) -> TileError {
    TileError::Io { path: path.display().to_string(), why: error.to_string() }
}

/// Why a log's files do not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderError {
    /// There is no checkpoint.
    NoCheckpoint {
        /// Where one was looked for.
        directory: PathBuf,
    },
    /// A file cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The checkpoint is no note.
    Note(NoteError),
    /// The checkpoint is none.
    Checkpoint(CheckpointError),
    /// The policy does not accept the checkpoint.
    Policy(PolicyError),
    /// A tile is missing, malformed, or the tiles do not give the checkpoint's root.
    Tile(TileError),
    /// A tile does not fit the entries.
    Differs {
        /// Which.
        tile: TilePath,
    },
    /// The proof that the files give does not hold.
    Proof(ProofError),
}

impl fmt::Display for ReaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint { directory } => {
                write!(f, "`{}` holds no file `{CHECKPOINT}`: it is no log", directory.display())
            }
            Self::Io { path, why } => write!(f, "cannot read `{}`: {why}", path.display()),
            Self::Note(error) => write!(f, "the checkpoint: {error}"),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Policy(error) => write!(f, "the checkpoint is not accepted: {error}"),
            Self::Tile(error) => write!(f, "the log's files do not fit its checkpoint: {error}"),
            Self::Differs { tile } => write!(f, "`{tile}` is not what the entries give"),
            Self::Proof(error) => write!(f, "the log's files do not fit its checkpoint: {error}"),
        }
    }
}

impl std::error::Error for ReaderError {}

impl From<At> for ReaderError {
    fn from(At { path, error }: At) -> Self {
        Self::Io { path, why: error.to_string() }
    }
}

impl From<CheckpointError> for ReaderError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

impl From<TileError> for ReaderError {
    fn from(error: TileError) -> Self {
        Self::Tile(error)
    }
}

impl From<PolicyError> for ReaderError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<ProofError> for ReaderError {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}
