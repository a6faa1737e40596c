//! Verifies a run and keeps what was read, so that nothing can be shown that was not verified.

use std::io::{self, BufRead, Read};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::content::Disclosure;
use crate::record::ContentRef;
use crate::sink::{CONTENT, KEYS, RECORDS};
use crate::verify::{
    ContentCheck, ContentCounts, Explained, FieldStatus, Report, RunFiles, TrustedKeys, VerifyError,
    verify_files,
};

/// A run's files as they were read.
pub(super) struct Captured {
    records: Vec<u8>,
    content: Option<(Vec<u8>, Vec<u8>)>,
}

/// What was read through one stream, to its end.
#[derive(Default)]
struct Seen {
    octets: Vec<u8>,
    failed: Option<io::Error>,
}

/// A stream that keeps what is consumed, and what is left when its reader lets go of it.
struct Tee<'f> {
    inner: Box<dyn BufRead + 'f>,
    seen: Arc<Mutex<Seen>>,
}

fn tee<'f>(inner: Box<dyn BufRead + 'f>) -> (Box<dyn BufRead + 'f>, Arc<Mutex<Seen>>) {
    let seen = Arc::<Mutex<Seen>>::default();
    (Box::new(Tee { inner, seen: Arc::clone(&seen) }), seen)
}

fn taken(seen: &Mutex<Seen>, file: &'static str) -> Result<Vec<u8>, VerifyError> {
    let Seen { octets, failed } = mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    match failed {
        None => Ok(octets),
        Some(source) => Err(VerifyError::Io { path: file.into(), source }),
    }
}

impl BufRead for Tee<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed is in the buffer already: nothing is read here, and nothing can fail.
        if let Ok(consumed) = self.inner.fill_buf() {
            let consumed = consumed.get(..amount).unwrap_or(consumed);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).octets.extend_from_slice(consumed);
        }
        self.inner.consume(amount);
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl Drop for Tee<'_> {
    fn drop(&mut self) {
        let rest = io::copy(self, &mut io::sink());
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).failed = rest.err();
    }
}

/// Verifies `files`. Where verification fails at the evidence, the rest is read all the same.
pub(super) fn verify(
    files: RunFiles<'_>,
    keys: &TrustedKeys<'_>,
) -> Result<(Result<Report, VerifyError>, Captured), VerifyError> {
    let (records, seen_records) = tee(files.records);
    let (content, seen_content) = files
        .content
        .map(|(a, b)| (tee(a), tee(b)))
        .map_or((None, None), |(a, b)| (Some((a.0, b.0)), Some((a.1, b.1))));
    let verdict = match verify_files(RunFiles { records, roots: files.roots, content }, keys) {
        Err(error @ VerifyError::Io { .. }) => return Err(error),
        verdict => verdict,
    };
    let content = match seen_content {
        None => None,
        Some((content, key_lines)) => Some((taken(&content, CONTENT)?, taken(&key_lines, KEYS)?)),
    };
    Ok((verdict, Captured { records: taken(&seen_records, RECORDS)?, content }))
}

impl Captured {
    /// The records' lines. After a failed verification there may be anything.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.split(|&octet| octet == b'\n').filter(|line| !line.is_empty())
    }

    /// What opens the content of the verified records.
    pub(super) fn content<'c>(
        &'c self,
        keys: &TrustedKeys<'c>,
        report: &Report,
    ) -> Result<Option<Opener<'c>>, VerifyError> {
        let Some((content, key_lines)) = &self.content else { return Ok(None) };
        let explained = keys.explained(&report.origin, &report.tenant, report.run_id)?;
        let check = ContentCheck::over(
            Box::new(content.as_slice()),
            Box::new(key_lines.as_slice()),
            keys,
            report.run_id,
            report.subject.as_ref(),
            &explained,
        )?;
        Ok(Some(Opener { check, explained }))
    }
}

/// Opens content as verification did, record by record.
pub(super) struct Opener<'c> {
    check: ContentCheck<'c>,
    explained: Explained<'c>,
}

impl Opener<'_> {
    pub(super) fn open(
        &mut self,
        reference: &ContentRef,
    ) -> Result<(ContentCounts, Option<Disclosure>, FieldStatus), VerifyError> {
        self.check.open(reference, &self.explained, None)
    }
}
