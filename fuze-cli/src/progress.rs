//! How far long work has come: on standard error, where a person looks, and nowhere else.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal as _, Read, Seek, SeekFrom};
use std::time::Duration;

use fuze_audit::{RunSource, source::RunFile};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws at most this often in a second.
const DRAWS_PER_SECOND: u8 = 10;
const BAR: &str = "{msg} [{bar:32}] {bytes} of {total_bytes}, {eta} left";
const BUSY: &str = "{msg} {spinner} {bytes}";
const SPINNER: &str = "{msg} {spinner}";

/// A bar or a spinner while this lives; gone without a trace after. Without a terminal it is nothing at all.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Work that reads about `octets`, if that is known.
    pub(crate) fn reading(what: &'static str, octets: Option<u64>) -> Self {
        Self::new(what, octets, if octets.is_some() { BAR } else { BUSY })
    }

    /// Work of which nothing is known but that it goes on.
    pub(crate) fn busy(what: &'static str) -> Self {
        let progress = Self::new(what, None, SPINNER);
        if let Some(bar) = &progress.0 {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        progress
    }

    fn new(what: &'static str, octets: Option<u64>, template: &str) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if dumb || !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(octets, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        // Without colours: what there is to see is seen with `NO_COLOR` too.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        bar.tick();
        Self(Some(bar))
    }

    /// `inner`, counted.
    pub(crate) fn read<'f>(&'f self, inner: Box<dyn BufRead + 'f>) -> Box<dyn BufRead + 'f> {
        match &self.0 {
            None => inner,
            Some(bar) => Box::new(Counted { inner, bar }),
        }
    }

    fn count(&self, octets: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(octets as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

struct Counted<'f> {
    inner: Box<dyn BufRead + 'f>,
    bar: &'f ProgressBar,
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bar.inc(amount as u64);
        self.inner.consume(amount);
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

/// A run's files, counted as they are read.
pub(crate) struct CountedRun<'r> {
    pub(crate) run: &'r dyn RunSource,
    pub(crate) progress: &'r Progress,
}

impl RunSource for CountedRun<'_> {
    fn open(&self, file: RunFile) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(self.progress.read(self.run.open(file)?))
    }
}

/// A file, counted as it is read.
pub(crate) struct CountedFile<'r> {
    pub(crate) file: File,
    pub(crate) progress: &'r Progress,
}

impl Read for CountedFile<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.progress.count(read);
        Ok(read)
    }
}

impl Seek for CountedFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
