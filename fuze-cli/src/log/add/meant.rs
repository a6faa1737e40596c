//! What hides the leaves that are about to go into a log, kept beside the lines that say where they are: whoever was interrupted in
//! between asks for the same leaf again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fuze_evidence::anchor::Blinding;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Hash, Name};
use serde::{Deserialize, Serialize};

use crate::outcome::{Problem, Result};

/// Leaves that were meant, in `FILE.meant`.
pub(super) struct Meant {
    path: PathBuf,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    blinding: Blinding,
    line: Hash,
    log: Name,
}

impl Meant {
    /// Beside the file `anchors`, whose lock keeps others away.
    pub(super) fn open(anchors: &Path) -> Result<Self> {
        let mut path = anchors.as_os_str().to_owned();
        path.push(".meant");
        let path = PathBuf::from(path);
        let octets = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| Problem::file(&path, error))?,
        };
        // Of a line that a crash has torn no log has heard yet.
        let lines = octets.split(|&octet| octet == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        Ok(Self { path, lines })
    }

    /// What hides the leaf of `line` in `log`: as it was meant before, or anew. Durable when this returns.
    pub(super) fn blinding(&mut self, log: &Name, line: Hash) -> Result<Blinding> {
        if let Some(meant) = self.lines.iter().find(|meant| meant.line == line && meant.log == *log) {
            return Ok(meant.blinding.clone());
        }
        let blinding = Blinding::generate(&mut OsRandom::new()).map_err(Problem::io)?;
        let meant = Line { blinding: blinding.clone(), line, log: log.clone() };
        self.write(&meant).map_err(|error| Problem::file(&self.path, error))?;
        self.lines.push(meant);
        Ok(blinding)
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        // A torn line before it ends here.
        file.write_all(&[b"\n", serde_json::to_vec(line)?.as_slice(), b"\n"].concat())?;
        file.sync_all()?;
        self.sync_directory()
    }

    /// That the lines of `history` in `log` are kept now: then nothing needs to be known of them here.
    pub(super) fn done(self, log: &Name, history: &[Hash]) -> Result<()> {
        let is_done = |meant: &Line| meant.log == *log && history.contains(&meant.line);
        if self.lines.is_empty() || !self.lines.iter().all(is_done) {
            return Ok(());
        }
        // What is kept instead is durable first.
        let removed = self.sync_directory().and_then(|()| fs::remove_file(&self.path));
        removed.map_err(|error| Problem::file(&self.path, error))
    }

    fn sync_directory(&self) -> io::Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fuze_evidence::sha256;

    #[test]
    fn what_was_meant_is_meant_again_until_it_is_done() {
        let place = tempfile::tempdir().unwrap();
        let anchors = place.path().join("key.anchors");
        let open = || Meant::open(&anchors).unwrap();
        let [one, other] = ["log.example/a", "log.example/b"].map(|name| Name::new(name).unwrap());
        let lines = [sha256(b"0"), sha256(b"1")];
        let first = open().blinding(&one, lines[0]).unwrap();
        assert_eq!(open().blinding(&one, lines[0]).unwrap(), first);
        assert_ne!(open().blinding(&one, lines[1]).unwrap(), first);
        assert_ne!(open().blinding(&other, lines[0]).unwrap(), first);
        // A crash tears the last line; what comes after it is read all the same.
        let path = open().path;
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let again = open().blinding(&other, lines[0]).unwrap();
        assert_eq!(open().blinding(&other, lines[0]).unwrap(), again);
        assert_eq!(open().blinding(&one, lines[0]).unwrap(), first);
        // What another log or another history still needs stays.
        for (log, history) in [(&one, &lines[..]), (&other, &lines[..]), (&one, &lines[..1])] {
            open().done(log, history).unwrap();
            assert!(path.exists());
        }
        fs::remove_file(&path).unwrap();
        let _ = open().blinding(&one, lines[0]).unwrap();
        open().done(&one, &lines).unwrap();
        assert!(!path.exists());
        open().done(&one, &lines).unwrap();
    }
}
