//! Erasures that have begun, as intents in `erasures/`: finished after a crash, and in the way of everything else until then.

use std::path::{Path, PathBuf};

use super::super::EraseError;
use super::super::disk::{self, NEW, io, read_if_there};
use super::super::intent::Intent;
use super::{Archive, Held, files};
use crate::files::{MAX_ANNEX_BYTES, read_own};
use crate::name::Name;
use crate::record::RunId;

/// What an intent's file is called after its run.
const JSON: &str = ".json";
/// More is no intent: it has the lines of one content, of at most 16 MiB each.
const MAX_INTENT_BYTES: u64 = 256 << 20;

/// What [`Archive::recover`] brought to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "what was finished and cut off is to be reported"]
pub struct Recovered {
    /// Runs whose erasure had been cut off and is now complete.
    pub finished: Vec<RunId>,
    /// Annexes whose last line was partial, and how many octets were cut off. What such a line said was never acknowledged.
    pub cut: Vec<(PathBuf, u64)>,
    /// Intents that no key of this deployment signed, as far as it is known here, and why: nothing was done about them.
    pub strays: Vec<(PathBuf, String)>,
}

/// What must not be under way.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// Anything of this run, which may be gone already.
    Run(RunId),
    /// Anything of this tenant.
    Tenant(&'a Name),
}

/// An intent's file.
struct UnderWay {
    path: PathBuf,
    run: RunId,
    /// Whether it is whole, under its name.
    whole: bool,
}

impl Archive<'_> {
    /// Finishes what a crash cut off: erasures whose intent is there, and an annex whose last line is partial.
    ///
    /// # Errors
    /// When something cannot be done; what was cut off then still is. What can be finished was finished.
    pub fn recover(&self) -> Result<Recovered, EraseError> {
        self.place.check()?;
        let (mut recovered, mut stuck) = (Recovered::default(), None);
        let annexes = self.place.annexes();
        let is_annex = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl") && path.is_file();
        for path in files(&annexes)?.into_iter().filter(is_annex) {
            let held = Held { file: disk::hold(&path, false)?, path };
            let octets = read_own(&held.path, MAX_ANNEX_BYTES).map_err(io(&held.path))?;
            let whole = octets.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            if whole < octets.len() {
                let length = u64::try_from(whole).unwrap_or(0);
                held.file.set_len(length).and_then(|()| held.file.sync_all()).map_err(io(&held.path))?;
                recovered
                    .cut
                    .push((held.path.clone(), u64::try_from(octets.len() - whole).unwrap_or(u64::MAX)));
            }
        }
        for UnderWay { path, whole, .. } in self.under_way()? {
            if !whole {
                // Nothing was touched yet.
                self.disk.remove(&path)?;
                continue;
            }
            let Some(octets) = read_if_there(&path, MAX_INTENT_BYTES)? else { continue };
            let intent = match Intent::read(&octets, &self.registrar) {
                Ok(intent) => intent,
                Err(why) => {
                    recovered.strays.push((path, why));
                    continue;
                }
            };
            match self.take_up(&path, &octets, &intent) {
                Ok(true) => recovered.finished.push(intent.run_id),
                Ok(false) => {}
                // The others are not kept waiting.
                Err(error) => stuck = stuck.or(Some(error)),
            }
        }
        stuck.map_or(Ok(recovered), Err)
    }

    /// Goes on with an intent; whether anything was left of it to do.
    fn take_up(&self, path: &Path, octets: &[u8], intent: &Intent) -> Result<bool, EraseError> {
        #[cfg(test)]
        self.disk.pause();
        let (held, mut annex) = self.hold_annex(&intent.tenant)?;
        let _run = self.hold_run(intent.run_id)?;
        // It may be another process's, which has finished it meanwhile and perhaps begun another: what this one would put
        // in place is then older than what is there.
        match read_if_there(path, MAX_INTENT_BYTES)? {
            None => return Ok(false),
            Some(now) if now != octets => return Err(EraseError::Locked { path: path.to_owned() }),
            Some(_) => {}
        }
        self.registrar.check_finishes(intent.signer, &annex, intent.at)?;
        self.check_erasable(intent)?;
        self.finish(intent, &held, &mut annex)?;
        Ok(true)
    }

    pub(super) fn erasures(&self) -> PathBuf {
        self.place.erasures()
    }

    pub(super) fn intent_path(&self, run: RunId) -> PathBuf {
        self.erasures().join(format!("{run}{JSON}"))
    }

    /// The intents that are there. Whatever else lies in `erasures/` is nobody's.
    fn under_way(&self) -> Result<Vec<UnderWay>, EraseError> {
        let named = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let (name, whole) = match name.strip_suffix(NEW) {
                Some(name) => (name, false),
                None => (name, true),
            };
            let run = name.strip_suffix(JSON)?.parse().ok()?;
            Some(UnderWay { path, run, whole })
        };
        Ok(files(&self.erasures())?.into_iter().filter_map(named).collect())
    }

    /// An erasure of a tenant that was cut off comes before anything else of that tenant: a hold ordered now would make it untrue.
    pub(super) fn refuse_unfinished(&self, of: Of<'_>) -> Result<(), EraseError> {
        self.place.check()?;
        for UnderWay { path, run, whole } in self.under_way()? {
            let Some(octets) = read_if_there(&path, MAX_INTENT_BYTES)? else { continue };
            let read = Intent::read(&octets, &self.registrar);
            let tenant = || match &read {
                Ok(intent) => Some(intent.tenant.clone()),
                // What nobody signed names the tenant of its run.
                Err(_) => self.begins(run).ok().flatten().map(|facts| facts.tenant),
            };
            let concerned = match of {
                Of::Run(wanted) => run == wanted,
                Of::Tenant(wanted) => tenant().as_ref() == Some(wanted),
            };
            match read {
                _ if !concerned => {}
                Err(why) if whole => return Err(EraseError::Stray { path, why }),
                Ok(_) | Err(_) => return Err(EraseError::Unfinished { path }),
            }
        }
        Ok(())
    }
}
