//! Lines of a file: split at 0x0A alone, each ended by it, none without bound.

use std::io::{self, BufRead, Read};

use super::report::What;

/// The longest line, without its line feed.
pub(super) const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// What reading a line can meet.
pub(super) enum LineError {
    What(What),
    Io(io::Error),
}

/// One file, read line by line, with one line of look-ahead.
pub(super) struct Lines<'f> {
    pub(super) file: &'static str,
    reader: Box<dyn BufRead + 'f>,
    /// The number of the line that comes next.
    pub(super) number: u64,
    peeked: Option<Vec<u8>>,
}

impl<'f> Lines<'f> {
    pub(super) fn new(file: &'static str, reader: Box<dyn BufRead + 'f>) -> Self {
        Self { file, reader, number: 0, peeked: None }
    }

    /// The next line without its line feed; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let line = match self.peeked.take() {
            Some(line) => Some(line),
            None => self.read()?,
        };
        self.number += u64::from(line.is_some());
        Ok(line)
    }

    /// The next line, which stays.
    pub(super) fn peek(&mut self) -> Result<Option<&[u8]>, LineError> {
        if self.peeked.is_none() {
            self.peeked = self.read()?;
        }
        Ok(self.peeked.as_deref())
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let mut line = Vec::with_capacity(1536);
        (&mut self.reader).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(LineError::Io)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) if u64::try_from(line.len()).is_ok_and(|n| n >= MAX_LINE_BYTES) => {
                Err(LineError::What(What::LongLine))
            }
            Some(_) => Err(LineError::What(What::PartialLine)),
        }
    }
}
