//! The hash of a stored line: of the line without its first member, which says what it is.

use crate::hash::{BLOCK_BYTES, Hash, Message, sha256};

/// What a stored line begins with, up to its hash.
pub(super) const LINE_START: &[u8] = b"{\"hash\":\"";

/// The hash of a stored line: of the line without its first member. `None` if it is not built like one.
#[must_use]
pub fn line_hash(line: &[u8]) -> Option<Hash> {
    let rest = after_hash(line)?;
    Some(message(rest).map_or_else(|| sha256(&[b"{", rest].concat()), |message| message.sha256()))
}

/// [`line_hash`] of each, two at a time.
pub(crate) fn line_hashes<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Vec<Option<Hash>> {
    let mut lines = lines.into_iter();
    let mut hashes = Vec::with_capacity(lines.size_hint().0);
    while let Some(one) = lines.next() {
        let two = lines.next();
        match [Some(one), two].map(|line| line.and_then(after_hash).and_then(message)) {
            [Some(one), Some(two)] => hashes.extend(Message::sha256_of_two([&one, &two]).map(Some)),
            [..] => hashes.extend([Some(one), two].into_iter().flatten().map(line_hash)),
        }
    }
    hashes
}

/// What is hashed of a line, but for the brace that it begins with.
fn after_hash(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(LINE_START)?.get(64..)?.strip_prefix(b"\",")
}

/// A brace and `rest`, of which only the ends are copied. `None` if it does not fill a block.
fn message(rest: &[u8]) -> Option<Message<'_>> {
    let (start, rest) = rest.split_first_chunk::<{ BLOCK_BYTES - 1 }>()?;
    let mut first = [b'{'; BLOCK_BYTES];
    let [_, after @ ..] = &mut first;
    *after = *start;
    Some(Message::new(first, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(length: usize) -> Vec<u8> {
        let rest = (0..length).map(|at| u8::try_from(at % 251).unwrap());
        LINE_START.iter().copied().chain([b'0'; 64]).chain(*b"\",").chain(rest).collect()
    }

    #[test]
    fn a_line_is_hashed_without_its_hash_whatever_its_length() {
        let begins = LINE_START.len() + 66;
        for length in 0..300 {
            let line = line(length);
            assert_eq!(line_hash(&line), Some(sha256(&[b"{", &line[begins..]].concat())), "{length}");
        }
        for cut in 0..begins {
            assert_eq!(line_hash(&line(100)[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn two_at_a_time_have_the_hashes_that_each_has() {
        let lengths = [0, 62, 63, 64, 300, 70, 5_000, 119, 120, 3, 4_000];
        let lines: Vec<Vec<u8>> = lengths.into_iter().map(line).chain([b"{}".to_vec()]).collect();
        for from in 0..lines.len() {
            for to in from..=lines.len() {
                let some = || lines[from..to].iter().map(Vec::as_slice);
                assert_eq!(line_hashes(some()), some().map(line_hash).collect::<Vec<_>>(), "{from} {to}");
            }
        }
    }
}
