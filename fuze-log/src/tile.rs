//! Tiles and entry bundles of c2sp.org/tlog-tiles: their paths, their octets, and the tree behind them.
//!
//! Not here: files. [`Tiles`] says where octets come from; nothing read through it is trusted before a root says so.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use fuze_evidence::Hash;
use fuze_evidence::content::merkle_root;

use crate::merkle::{MAX_TREE_SIZE, MerkleError, Subtrees, leaf_hash};
use crate::text::read_decimal;

/// Hashes in a full tile, entries in a full bundle.
pub const FULL_WIDTH: u16 = 256;

/// The highest level that a path can name.
pub const MAX_LEVEL: u8 = 63;

const HASH_BYTES: usize = 32;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of level n: each stands for 256^n leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// Names a tile or an entry bundle; its text is the path below the log's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// A path; `None` for a level above 63, a width of 0 or above 256, or an index that no tree has.
    #[must_use]
    pub fn new(kind: TileKind, index: u64, width: u16) -> Option<Self> {
        let level = matches!(kind, TileKind::Entries | TileKind::Hashes(0..=MAX_LEVEL));
        let there = (1..=FULL_WIDTH).contains(&width) && index <= MAX_TREE_SIZE;
        (level && there).then_some(Self { kind, index, width })
    }

    /// The tile that holds number `position` of its kind, as wide as it is in a tree of `size` leaves; `None` where that tree has none.
    #[must_use]
    pub fn holding(kind: TileKind, position: u64, size: u64) -> Option<Self> {
        let level = match kind {
            TileKind::Hashes(level) => u32::from(level),
            TileKind::Entries => 0,
        };
        // Hashes of this level that the tree has: only complete subtrees count.
        let there = size.checked_shr(level.checked_mul(8)?).unwrap_or(0);
        if position >= there {
            return None;
        }
        let index = position / u64::from(FULL_WIDTH);
        let width = (there - index * u64::from(FULL_WIDTH)).min(u64::from(FULL_WIDTH));
        Self::new(kind, index, u16::try_from(width).ok()?)
    }

    /// What it names.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it holds 256.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The full tile in the same place.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: FULL_WIDTH, ..self }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let digits = self.index.to_string();
        let padded = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        let last = padded.len().saturating_sub(3);
        for (at, digit) in padded.char_indices() {
            if at % 3 == 0 {
                if at != 0 {
                    f.write_str("/")?;
                }
                if at != last {
                    f.write_str("x")?;
                }
            }
            write!(f, "{digit}")?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        parse_path(text)
            // Writing it again refuses needless zeros: one tile, one path.
            .filter(|path| path.to_string() == text)
            .ok_or_else(|| TileError::Path { found: crate::text::excerpt(text) })
    }
}

fn parse_path(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(u8::try_from(read_decimal(level, u64::from(MAX_LEVEL))?).ok()?),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, u16::try_from(read_decimal(width, 255)?).ok()?),
        None => (rest, FULL_WIDTH),
    };
    let mut index = 0_u64;
    let mut elements = number.split('/').peekable();
    while let Some(element) = elements.next() {
        let digits = if elements.peek().is_some() { element.strip_prefix('x')? } else { element };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    TilePath::new(kind, index, width)
}

/// The octets of a tile of hashes.
#[must_use]
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads a tile of hashes, as wide as `width` says.
///
/// # Errors
/// When there are more octets or fewer.
pub fn read_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let expected = usize::from(width) * HASH_BYTES;
    if bytes.len() != expected {
        return Err(TileError::Length { expected, found: bytes.len() });
    }
    Ok(bytes.as_chunks::<HASH_BYTES>().0.iter().copied().map(Hash).collect())
}

/// The octets of an entry bundle: each entry after its length, two octets, big endian.
///
/// # Errors
/// When an entry is longer than 65535 octets.
pub fn write_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::Entry { found: entry.len() })?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Reads an entry bundle of `width` entries.
///
/// # Errors
/// When there are more or fewer, or one is cut off.
pub fn read_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(TileError::CutOff)?;
        entries.push(entry);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(TileError::CutOff);
    }
    if entries.len() != usize::from(width) {
        return Err(TileError::Entries { expected: width, found: entries.len() });
    }
    Ok(entries)
}

/// Where the octets of tiles come from.
pub trait Tiles {
    /// The octets at `path`; where a partial tile is gone, those of the full one, which begin with the same.
    ///
    /// # Errors
    /// When they cannot be had.
    fn read(&self, path: TilePath) -> Result<Vec<u8>, TileError>;
}

/// The tree of `size` leaves that tiles hold, as hashes of its subtrees. It keeps the tiles it has read.
#[derive(Debug)]
pub struct TileTree<'t, T: Tiles + ?Sized> {
    tiles: &'t T,
    size: u64,
    read: RefCell<HashMap<TilePath, Vec<Hash>>>,
}

impl<'t, T: Tiles + ?Sized> TileTree<'t, T> {
    /// A tree of `size` leaves.
    #[must_use]
    pub fn new(tiles: &'t T, size: u64) -> Self {
        Self { tiles, size, read: RefCell::default() }
    }

    fn hashes(&self, path: TilePath) -> Result<Vec<Hash>, TileError> {
        if let Some(hashes) = self.read.borrow().get(&path) {
            return Ok(hashes.clone());
        }
        let bytes = self.tiles.read(path)?;
        // The full tile may stand for a partial one: its beginning is the same.
        let wanted = bytes.get(..usize::from(path.width()) * HASH_BYTES).unwrap_or(&bytes);
        let hashes = read_hashes(wanted, path.width())?;
        self.read.borrow_mut().insert(path, hashes.clone());
        Ok(hashes)
    }
}

impl<T: Tiles + ?Sized> Subtrees for TileTree<'_, T> {
    type Error = TileError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, TileError> {
        let beyond = || MerkleError::Beyond { index, size: self.size };
        let tile_level = u8::try_from(level / 8).map_err(|_| beyond())?;
        // 2^(level mod 8) hashes of one tile make this subtree.
        let count = 1_u64 << (level % 8);
        let first = index.checked_mul(count).ok_or_else(beyond)?;
        let path = TilePath::holding(TileKind::Hashes(tile_level), first, self.size).ok_or_else(beyond)?;
        let hashes = self.hashes(path)?;
        let start = usize::try_from(first % u64::from(FULL_WIDTH)).map_err(|_| beyond())?;
        let end = start + (1_usize << (level % 8));
        Ok(merkle_root(hashes.get(start..end).ok_or_else(beyond)?.iter().copied()))
    }
}

/// The right edge of a growing tree: what its next tiles are made of. Memory is that of a few tiles at any size.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
    entries: Vec<Vec<u8>>,
}

impl Edge {
    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        // From below: what is not complete stands right of its level's hashes, where RFC 6962 splits it off.
        let below = self.levels.iter().fold(None, |below: Option<Hash>, hashes| {
            if hashes.is_empty() { below } else { Some(merkle_root(hashes.iter().copied().chain(below))) }
        });
        below.unwrap_or_else(crate::merkle::empty_root)
    }

    /// Takes the next entry and returns the tiles that it made full.
    ///
    /// # Errors
    /// When the entry is longer than a bundle can hold; then nothing has changed.
    pub fn push(&mut self, entry: &[u8]) -> Result<Vec<(TilePath, Vec<u8>)>, TileError> {
        if u16::try_from(entry.len()).is_err() {
            return Err(TileError::Entry { found: entry.len() });
        }
        let mut full = Vec::new();
        let number = self.size / u64::from(FULL_WIDTH);
        self.size += 1;
        self.entries.push(entry.to_vec());
        if self.entries.len() == usize::from(FULL_WIDTH) {
            let bundle = write_bundle(&self.entries)?;
            full.extend(TilePath::new(TileKind::Entries, number, FULL_WIDTH).map(|path| (path, bundle)));
            self.entries.clear();
        }
        let mut carry = Some((leaf_hash(entry), number));
        for level in 0..=MAX_LEVEL {
            let Some((hash, number)) = carry.take() else { break };
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::with_capacity(usize::from(FULL_WIDTH)));
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(hash);
            if hashes.len() == usize::from(FULL_WIDTH) {
                let path = TilePath::new(TileKind::Hashes(level), number, FULL_WIDTH);
                full.extend(path.map(|path| (path, write_hashes(hashes))));
                carry = Some((merkle_root(hashes.iter().copied()), number / u64::from(FULL_WIDTH)));
                hashes.clear();
            }
        }
        Ok(full)
    }

    /// The partial tiles of the tree as it is.
    ///
    /// # Errors
    /// None: every entry was checked when it was taken.
    pub fn partial(&self) -> Result<Vec<(TilePath, Vec<u8>)>, TileError> {
        let mut tiles = Vec::new();
        let at = |kind, level: u32| {
            let there = self.size.checked_shr(level * 8).unwrap_or(0);
            TilePath::holding(kind, there.checked_sub(1)?, self.size)
        };
        if !self.entries.is_empty() {
            let bundle = write_bundle(&self.entries)?;
            tiles.extend(at(TileKind::Entries, 0).map(|path| (path, bundle)));
        }
        for (level, hashes) in (0..=MAX_LEVEL).zip(&self.levels) {
            if !hashes.is_empty() {
                let path = at(TileKind::Hashes(level), u32::from(level));
                tiles.extend(path.map(|path| (path, write_hashes(hashes))));
            }
        }
        Ok(tiles)
    }
}

/// Why a tile is not one, or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileError {
    /// Not the path of a tile.
    Path {
        /// Its beginning.
        found: String,
    },
    /// Not as long as its width says.
    Length {
        /// Octets that it must have.
        expected: usize,
        /// Octets that it has.
        found: usize,
    },
    /// A bundle whose last entry is cut off.
    CutOff,
    /// Not as many entries as it must have.
    Entries {
        /// How many it must have.
        expected: u16,
        /// How many it has.
        found: usize,
    },
    /// An entry that is longer than 65535 octets.
    Entry {
        /// Its octets.
        found: usize,
    },
    /// No such place in the tree.
    Merkle(MerkleError),
    /// It cannot be read.
    Io {
        /// Where.
        path: String,
        /// The system's words.
        why: String,
    },
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { found } => write!(f, "`{found}` is no path of a tile (c2sp.org/tlog-tiles)"),
            Self::Length { expected, found } => {
                write!(f, "a tile has {found} octets, expected {expected}")
            }
            Self::CutOff => f.write_str("the last entry of a bundle is cut off"),
            Self::Entries { expected, found } => {
                write!(f, "a bundle has {found} entries, expected {expected}")
            }
            Self::Entry { found } => write!(f, "an entry has {found} octets, at most 65535 are allowed"),
            Self::Merkle(error) => error.fmt(f),
            Self::Io { path, why } => write!(f, "cannot read `{path}`: {why}"),
        }
    }
}

impl std::error::Error for TileError {}

impl From<MerkleError> for TileError {
    fn from(error: MerkleError) -> Self {
        Self::Merkle(error)
    }
}
