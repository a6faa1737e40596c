//! The chain alone: every line hashes to what it says, and names the line before. As fast as SHA-256.
//!
//! Says nothing about what records mean, nor who signed them. Whoever has a signed root, a checkpoint or an earlier report
//! compares its count and head with what comes out here: then these are the octets that it covers.

use super::Options;
use super::chunks::{Chunks, Octets, lines};
use super::frame::{Frame, Link};
use super::ordered::in_order;
use super::report::{VerifyError, What};
use super::run::{LineErrorAt, failed};
use crate::hash::Hash;
use crate::jcs;
use crate::sink::RECORDS;

/// What a chain comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a chain says something only beside a root that is signed"]
pub struct ChainHead {
    /// How many records.
    pub records: u64,
    /// The hash of the last one.
    pub head: Hash,
}

/// How closely [`check_chain`] looks at each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Its frame and its hashes.
    Hashes,
    /// That it is canonical, too.
    Canonical,
}

/// Checks the chain of `records` from its first line on.
///
/// # Errors
/// [`VerifyError::Failed`] with the first line that is wrong, or the operating system's own.
pub fn check_chain(records: Octets<'_>, look: Look, options: &Options) -> Result<ChainHead, VerifyError> {
    let mut chunks = Chunks::new(records);
    let mut chain = Link::genesis();
    let last_good = |chain: &Link| Some((chain.next.checked_sub(1)?, chain.head()?));
    let ended = in_order(
        options.threads(),
        || chunks.next(),
        |chunk| Piece::of(chunk, look),
        |_, piece| {
            let wrong = |chain: &Link, what| failed(RECORDS, chain.next, what, last_good(chain));
            if let Some((before, after)) = piece.links {
                chain.joins(&before).map_err(|what| wrong(&chain, what))?;
                chain = after;
            }
            piece.wrong.map_or(Ok(()), |what| Err(wrong(&chain, what)))
        },
    )?;
    ended.map_err(|error| LineErrorAt(error).at(RECORDS, chain.next, last_good(&chain)))?;
    match last_good(&chain) {
        Some((_, head)) => Ok(ChainHead { records: chain.next, head }),
        None => Err(failed(RECORDS, 0, What::Empty, None)),
    }
}

/// What one thread finds out about a piece of the file.
struct Piece {
    /// What the first line names as before itself, and where the last good line leads.
    links: Option<(Link, Link)>,
    /// What is wrong with the line after that.
    wrong: Option<What>,
}

impl Piece {
    fn of(chunk: &[u8], look: Look) -> Self {
        let mut frames = Vec::with_capacity(chunk.len() / 512);
        let wrong = lines(chunk).find_map(|line| {
            let line = line.map(|range| chunk.get(range).unwrap_or_default());
            line.and_then(|line| read_frame(line, look)).map(|frame| frames.push(frame)).err()
        });
        let mut links = None;
        for (frame, hash) in frames.iter().zip(Frame::check_hashes(&frames)) {
            let (_, after) = links.get_or_insert_with(|| (Link::before(frame), Link::before(frame)));
            match after.precedes(frame).and(hash) {
                Ok(()) => after.advance(frame),
                wrong => return Self { links, wrong: wrong.err() },
            }
        }
        Self { links, wrong }
    }
}

fn read_frame(line: &[u8], look: Look) -> Result<Frame<'_>, What> {
    if look == Look::Canonical {
        jcs::validate(line).map_err(|error| What::from(&error))?;
    }
    Frame::read(line)
}
