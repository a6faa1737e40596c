//! A file in pieces of whole lines, so that several threads can look at it and memory stays the same whatever its length.

use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::ops::Range;

use super::lines::{LineError, MAX_LINE_BYTES};
use super::report::What;

/// What one thread takes at a time: large beside the cost of handing it over, small beside a processor's own memory.
const CHUNK_BYTES: usize = 512 * 1024;

/// Stored lines: in memory, or as they come.
pub enum Octets<'f> {
    /// In memory already: not copied.
    Slice(&'f [u8]),
    /// Read piece by piece.
    Stream(Box<dyn BufRead + 'f>),
}

impl std::fmt::Debug for Octets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Octets")
    }
}

/// Pieces of whole lines, in order.
pub(super) struct Chunks<'f> {
    octets: Octets<'f>,
    /// The beginning of a line whose end has not been read.
    carried: Vec<u8>,
}

impl<'f> Chunks<'f> {
    pub(super) const fn new(octets: Octets<'f>) -> Self {
        Self { octets, carried: Vec::new() }
    }

    /// The next piece, ended by a line feed; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Cow<'f, [u8]>>, LineError> {
        match &mut self.octets {
            Octets::Slice(rest) => {
                let near = rest.get(..CHUNK_BYTES).unwrap_or(rest);
                let end = memchr::memrchr(b'\n', near)
                    .or_else(|| memchr::memchr(b'\n', rest))
                    .map_or(rest.len(), |at| at + 1);
                let (chunk, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                *rest = after;
                match chunk {
                    [] => Ok(None),
                    [.., b'\n'] => Ok(Some(Cow::Borrowed(chunk))),
                    cut => Err(LineError::What(unended(cut))),
                }
            }
            Octets::Stream(reader) => {
                let mut chunk = std::mem::take(&mut self.carried);
                loop {
                    let before = chunk.len();
                    chunk.reserve(CHUNK_BYTES);
                    let wanted = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
                    let read = reader.take(wanted).read_to_end(&mut chunk).map_err(LineError::Io)?;
                    if let Some(at) = chunk.get(before..).and_then(|new| memchr::memrchr(b'\n', new)) {
                        self.carried = chunk.split_off(before + at + 1);
                        return Ok(Some(Cow::Owned(chunk)));
                    }
                    if read == 0 && chunk.is_empty() {
                        return Ok(None);
                    }
                    if read == 0 || is_long(&chunk) {
                        return Err(LineError::What(unended(&chunk)));
                    }
                }
            }
        }
    }
}

fn unended(cut: &[u8]) -> What {
    if is_long(cut) { What::LongLine } else { What::PartialLine }
}

fn is_long(line: &[u8]) -> bool {
    u64::try_from(line.len()).is_ok_and(|length| length > MAX_LINE_BYTES)
}

/// The lines of a piece without their line feeds, and where each stands; a line that is too long is an error in its place.
pub(super) fn lines(chunk: &[u8]) -> impl Iterator<Item = Result<Range<usize>, What>> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', chunk).map(move |end| {
        let line = start..end;
        start = end + 1;
        match chunk.get(line.clone()) {
            Some(octets) if is_long(octets) => Err(What::LongLine),
            _ => Ok(line),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all<'f>(mut chunks: Chunks<'f>) -> Result<Vec<Cow<'f, [u8]>>, LineError> {
        std::iter::from_fn(|| chunks.next().transpose()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_are_whole_lines_and_together_the_file(lengths in prop::collection::vec(prop_oneof![0_usize..50, 0_usize..600_000], 0..12)) {
            let file: Vec<u8> = lengths.iter().flat_map(|&length| [vec![b'x'; length], vec![b'\n']].concat()).collect();
            let streamed = Octets::Stream(Box::new(file.as_slice()));
            for octets in [Octets::Slice(&file), streamed] {
                let Ok(pieces) = all(Chunks::new(octets)) else { panic!("nothing is wrong with it") };
                prop_assert!(pieces.iter().all(|piece| piece.ends_with(b"\n")));
                prop_assert!(pieces.concat() == file);
                let found: Vec<usize> = pieces.iter().flat_map(|piece| lines(piece)).map(|line| line.unwrap().len()).collect();
                prop_assert_eq!(&found, &lengths);
            }
        }
    }

    #[test]
    fn a_line_without_end_and_one_without_measure_are_told_apart() {
        let longest = usize::try_from(MAX_LINE_BYTES).unwrap();
        for (length, ended, expected) in [
            (0, false, None),
            (1, false, Some(What::PartialLine)),
            (longest, false, Some(What::PartialLine)),
            (longest, true, None),
            (longest + 1, false, Some(What::LongLine)),
            (longest + 1, true, Some(What::LongLine)),
        ] {
            let mut file = vec![b'x'; length];
            file.extend(ended.then_some(b'\n'));
            for octets in [Octets::Slice(&file), Octets::Stream(Box::new(file.as_slice()))] {
                let found = match all(Chunks::new(octets)) {
                    Err(LineError::What(what)) => Some(what),
                    Err(LineError::Io(error)) => panic!("{error}"),
                    Ok(pieces) => pieces.iter().flat_map(|piece| lines(piece)).find_map(Result::err),
                };
                assert_eq!(found, expected, "{length} {ended}");
            }
        }
    }
}
