//! What a store said that it had done, and whether what a crash left holds all of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuze_agent::store::{ClaimError, EffectState, RunState, RunStore as _, StoredRun};
use fuze_evidence::annex::file_name;
use fuze_evidence::erase::{Done, Registrar};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::{Annex, Hash, Name, RunId};
use fuze_store::{Agreement, Eraser, Options, Query, SqliteStore, StoredReport};
use fuze_store_suite::{Office, What, claim_from, far, subjects, token};
use rusqlite::Connection;

/// What was acknowledged of one run.
#[derive(Default)]
pub(crate) struct Told {
    key: Option<[u8; 32]>,
    records: u64,
    epoch: u64,
    started: Option<Hash>,
    /// What is to go, of a content with this root, in this order.
    plans: Vec<(What, Hash)>,
    erased: Erased,
    /// Octets of which nothing may be left once anything was erased.
    secrets: Vec<Vec<u8>>,
    /// Whether the room that they took was given back.
    given: bool,
    /// Whether somebody has a bundle of it.
    issued: bool,
}

#[allow(dead_code, reason = "not every test that reads this asks")]
impl Told {
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    pub(crate) fn key(&self) -> [u8; 32] {
        self.key.expect("it was said first")
    }
}

/// How much of a run's content is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Erased {
    #[default]
    Nothing,
    Field,
    Record,
    Run,
}

impl Erased {
    const fn after(what: What) -> Self {
        match what {
            What::Field => Self::Field,
            What::Record => Self::Record,
            What::Run | What::Subject | What::Person => Self::Run,
        }
    }
}

/// Reads what the holder said.
pub(crate) fn read(said: &str) -> BTreeMap<RunId, Told> {
    let mut told: BTreeMap<RunId, Told> = BTreeMap::new();
    // A line that a kill cut short was not said.
    for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let words: Vec<&str> = line.split(' ').collect();
        let of = |run: &str| -> RunId { run.parse().expect("a run id") };
        match words.as_slice() {
            ["key", run, key] => told.entry(of(run)).or_default().key = octets(key).try_into().ok(),
            ["has", run, records, epoch] => {
                let told = told.entry(of(run)).or_default();
                told.records = records.parse().expect("a number");
                told.epoch = epoch.parse().expect("a number");
            }
            ["started", run, exec_id] => told.entry(of(run)).or_default().started = exec_id.parse().ok(),
            ["issued", run] => told.entry(of(run)).or_default().issued = true,
            ["secret", run, secret] => told.entry(of(run)).or_default().secrets.push(octets(secret)),
            ["plan", run, what, root] => {
                let plan = (what.parse().expect("what goes"), root.parse().expect("a hash"));
                told.entry(of(run)).or_default().plans.push(plan);
            }
            ["erased", run, what] => {
                told.entry(of(run)).or_default().erased = Erased::after(what.parse().expect("what went"));
            }
            ["given", run] => told.entry(of(run)).or_default().given = true,
            ["closed"] => {}
            other => panic!("{other:?}"),
        }
    }
    told
}

/// A place in memory, if there is such a one: what is done there thousands of times has a power failure of its own, or none.
#[allow(dead_code, reason = "not every test that reads this asks")]
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn octets(hex: &str) -> Vec<u8> {
    let octet = |at: usize| hex.get(2 * at..2 * at + 2).map(|hex| u8::from_str_radix(hex, 16));
    (0..hex.len() / 2).map(|at| octet(at).expect("two digits").expect("hex")).collect()
}

fn need(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// How much was seen: runs, tokens that were tried, runs with something that is gone, erasures that took a second order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) runs: usize,
    pub(crate) tokens: usize,
    pub(crate) gone: usize,
    pub(crate) again: usize,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, more: Self) {
        self.runs += more.runs;
        self.tokens += more.tokens;
        self.gone += more.gone;
        self.again += more.again;
    }
}

/// Opens what was left: all that was acknowledged is there, everything verifies, what was erased is gone, and the runs go on. What was to
/// be erased and was not acknowledged can be ordered again, by the keys in `aside`, and is whole then.
pub(crate) async fn holds(
    directory: &Path,
    aside: &Path,
    told: &BTreeMap<RunId, Told>,
) -> Result<Seen, String> {
    let mut seen = Seen { runs: told.len(), ..Seen::default() };
    let planned = told.values().any(|told| !told.plans.is_empty());
    let office = if planned { Some(Office::open(aside, directory).map_err(words)?) } else { None };
    let store = SqliteStore::open(directory, &Options::default()).map_err(words)?;
    need(store.bad_runs().is_empty(), || format!("bad runs {:?}", store.bad_runs()))?;
    finish_erasures(&store, office.as_ref()).await?;
    for (run, told) in told.iter().filter(|(_, told)| told.records > 0) {
        match store.load(*run).await {
            Ok(stored) => is_there(&stored, told)?,
            // Nobody can load what has no keys any more. Its records are there.
            Err(_) if !told.plans.is_empty() => {
                let last = store.records(*run, told.records - 1, 2).await.map_err(words)?;
                need(last.len() == 1, || format!("{run}: {} records from the last one on", last.len()))?;
            }
            Err(error) => return Err(format!("{run}: {error}")),
        }
    }
    let keys: Vec<PublicKey> =
        told.values().filter_map(|told| told.key).filter_map(|k| PublicKey::from_bytes(k).ok()).collect();
    for summary in store.query(Query::new()).await.map_err(words)?.runs {
        let told = told.get(&summary.run).ok_or("a run of which nobody heard")?;
        let report = verified(&store, summary.run, &keys)?;
        let closed = matches!(report.report.chain, Chain::Closed(_));
        need(closed == (summary.state == RunState::Closed), || {
            format!("{:?}, closed: {closed}", summary.state)
        })?;
        erased(&report, told, told.erased)?;
        if told.epoch > 0 && !closed {
            seen.tokens += usize::from(claimed_once(&store, summary.run, told).await?);
        }
        if summary.state == RunState::Running {
            store.take_over(summary.run, summary.epoch).await.map_err(words)?;
        }
    }
    store.close().await.map_err(words)?;
    for (run, told) in told.iter().filter(|(_, told)| told.erased > Erased::Nothing) {
        is_gone(directory, *run, told, told.given)?;
        seen.gone += 1;
    }
    if let Some(office) = office {
        seen.again += repeated(directory, &office, told, &keys).await?;
    }
    Ok(seen)
}

/// Nothing of what had to go is in any file, of the subjects' keys neither, nor the room that it took in the tables if that was `given` back.
fn is_gone(directory: &Path, run: RunId, told: &Told, given: bool) -> Result<(), String> {
    for secret in &told.secrets {
        let left =
            [directory.to_owned(), subjects(directory)].iter().find_map(|place| found_in(place, secret));
        need(left.is_none(), || format!("what was erased from {run} is in {left:?}"))?;
    }
    const BLANK: &str = "SELECT count(*) FROM contents JOIN runs ON id = contents.run
        WHERE runs.run = ?1 AND (substr(content, -1) = x'20' OR substr(contents.keys, -1) = x'20')";
    let database = Connection::open(directory.join("fuze.sqlite")).map_err(words)?;
    let blank: u32 = database.query_row(BLANK, [run.to_string()], |row| row.get(0)).map_err(words)?;
    need(!given || blank == 0, || format!("{blank} rows of {run} are as long as what was erased"))
}

/// Orders once more all that was to be erased, and how much of that was not yet. Then it is gone, in whatever state the first order had left it.
async fn repeated(
    directory: &Path,
    office: &Office,
    told: &BTreeMap<RunId, Told>,
    keys: &[PublicKey],
) -> Result<usize, String> {
    let store = SqliteStore::open(directory, &Options::default()).map_err(words)?;
    let eraser = office.eraser(&store).map_err(words)?.compact_later();
    let (mut again, mut last) = (0, BTreeMap::new());
    for (run, told) in told {
        for (what, root) in &told.plans {
            let done = office.order(&eraser, *run, *what, *root).await.map_err(words)?;
            again += usize::from(done == Done::Erased);
            last.insert(*run, Erased::after(*what));
        }
    }
    eraser.compact().await.map_err(words)?;
    for (run, level) in &last {
        let told = told.get(run).ok_or("a run")?;
        erased(&verified(&store, *run, keys)?, told, *level)?;
        if told.issued {
            office.is_still_good(&store, *run).map_err(|wrong| format!("the bundle of {run}: {wrong}"))?;
        }
    }
    store.close().await.map_err(words)?;
    for run in last.keys() {
        is_gone(directory, *run, told.get(run).ok_or("a run")?, true)?;
    }
    Ok(again)
}

/// What stood of erasures is carried through. Nothing has to be signed for that, so that any key does.
async fn finish_erasures(store: &SqliteStore, office: Option<&Office>) -> Result<(), String> {
    let name = |text| Name::new(text).map_err(words);
    let signer = FileSigner::ephemeral(name("nobody")?, &mut OsRandom::new()).map_err(words)?;
    let registrar = Registrar::new(name("suite")?, Arc::new(signer)).map_err(words)?;
    let eraser = Eraser::new(store, registrar);
    let eraser = match office {
        Some(office) => eraser.subject_keys(office.subjects()),
        None => eraser,
    };
    eraser.recover().await.map_err(words)?;
    Ok(())
}

fn is_there(stored: &StoredRun, told: &Told) -> Result<(), String> {
    let (head, epoch) = (stored.head.0, stored.epoch);
    let found = || format!("{head} records, epoch {epoch}; told {} and {}", told.records, told.epoch);
    need(head >= told.records && epoch >= told.epoch, || format!("lost: {}", found()))?;
    // One step more than was acknowledged may have been done, and no more.
    need(head <= told.records + 1 && epoch <= told.epoch + 1, || format!("too much: {}", found()))?;
    let Some(started) = told.started else { return Ok(()) };
    let effect = stored.effects.iter().find(|effect| effect.exec_id == started).map(|effect| effect.state);
    need(effect == Some(EffectState::Started), || format!("an effect that had started is {effect:?}"))
}

/// Tables and files, with the annex as its file has it.
fn verified(store: &SqliteStore, run: RunId, keys: &[PublicKey]) -> Result<StoredReport, String> {
    let trusted = || keys.iter().fold(TrustedKeys::new(), |trusted, key| trusted.run_key(*key));
    let annex = store.directory().join("annex").join(file_name(&Name::new("tenant").map_err(words)?));
    let annex = match std::fs::read(annex) {
        Ok(octets) => Some(Annex::read(&octets, &trusted()).map_err(words)?),
        Err(_) => None,
    };
    let trusted = annex.iter().fold(trusted(), TrustedKeys::annex);
    let tables = store.verify(run, &trusted).map_err(words)?;
    need(tables.files == Agreement::Whole, || format!("the files are {:?}", tables.files))?;
    let files = verify(&store.run_directory(run), &trusted).map_err(words)?;
    need(files == tables.report, || "files and tables verify otherwise".to_owned())?;
    Ok(tables)
}

/// All that was to go is gone, and nothing by half: each content of the sample has eight leaves, seven of which go with a field.
fn erased(found: &StoredReport, told: &Told, least: Erased) -> Result<(), String> {
    let content = found.report.content;
    let all = content.erased + content.withheld + content.verified;
    let planned = |level| told.plans.iter().any(|(what, _)| Erased::after(*what) == level);
    let found = match content.erased {
        0 => Erased::Nothing,
        7 if planned(Erased::Field) => Erased::Field,
        n if n == all && planned(Erased::Run) => Erased::Run,
        8 if planned(Erased::Record) => Erased::Record,
        _ => return Err(format!("half erased, or what nobody ordered: {content:?}")),
    };
    need(found >= least && content.missing == 0, || format!("{found:?} is erased, expected {least:?}"))
}

/// A token of a run that waits counts once; of one that went on it has counted. Whether there was anything to try.
async fn claimed_once(store: &SqliteStore, run: RunId, told: &Told) -> Result<bool, String> {
    let stored = store.load(run).await.map_err(words)?;
    let Some(progress) = stored.progress.last() else { return Ok(false) };
    let token = token(run, 0, far()).token_hash;
    let claim = || claim_from(run, stored.epoch, vec![token], progress).map_err(words);
    if stored.state == RunState::Suspended {
        need(told.epoch == 1, || "a claim was forgotten".to_owned())?;
        store.claim(claim()?).await.map_err(words)?;
    } else if stored.epoch < 2 {
        return Ok(false);
    }
    let again = store.claim(claim()?).await;
    need(matches!(again, Err(ClaimError::Used(_))), || format!("a token counted twice: {again:?}"))?;
    Ok(true)
}

/// Which file below `directory` has these octets.
fn found_in(directory: &Path, octets: &[u8]) -> Option<PathBuf> {
    std::fs::read_dir(directory).expect("a directory").find_map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return found_in(&path, octets);
        }
        let found =
            std::fs::read(&path).expect("a file").windows(octets.len()).any(|window| window == octets);
        found.then_some(path)
    })
}
