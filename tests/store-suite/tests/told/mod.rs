//! What a store said that it had done, and whether what a crash left holds all of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fuze_agent::store::{ClaimError, EffectState, RunState, RunStore as _, StoredRun};
use fuze_evidence::annex::file_name;
use fuze_evidence::erase::Registrar;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::{Annex, Hash, Name, RunId};
use fuze_store::{Agreement, Eraser, Options, Query, SqliteStore, StoredReport};
use fuze_store_suite::{claim_from, far, token};

/// What was acknowledged of one run.
#[derive(Default)]
pub(crate) struct Told {
    key: Option<[u8; 32]>,
    records: u64,
    epoch: u64,
    started: Option<Hash>,
    erased: Erased,
    secret: Option<String>,
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
    Record,
    Run,
}

/// Reads what the holder said.
pub(crate) fn read(said: &str) -> BTreeMap<RunId, Told> {
    let mut told: BTreeMap<RunId, Told> = BTreeMap::new();
    // A line that a kill cut short was not said.
    for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let words: Vec<&str> = line.split(' ').collect();
        let of = |run: &str| -> RunId { run.parse().expect("a run id") };
        match words.as_slice() {
            ["key", run, key] => {
                let octets =
                    (0..32).map(|at| u8::from_str_radix(key.get(2 * at..2 * at + 2).expect("hex"), 16));
                let key: Vec<u8> = octets.collect::<Result<_, _>>().expect("hex");
                told.entry(of(run)).or_default().key = key.try_into().ok();
            }
            ["has", run, records, epoch] => {
                let told = told.entry(of(run)).or_default();
                told.records = records.parse().expect("a number");
                told.epoch = epoch.parse().expect("a number");
            }
            ["started", run, exec_id] => told.entry(of(run)).or_default().started = exec_id.parse().ok(),
            ["secret", run, secret] => told.entry(of(run)).or_default().secret = Some((*secret).to_owned()),
            ["erased", run, what] => {
                let erased = if *what == "run" { Erased::Run } else { Erased::Record };
                told.entry(of(run)).or_default().erased = erased;
            }
            ["closed"] => {}
            other => panic!("{other:?}"),
        }
    }
    told
}

fn need(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// How much was seen: runs, tokens that were tried, secrets that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) runs: usize,
    pub(crate) tokens: usize,
    pub(crate) gone: usize,
}

/// Opens what was left: all that was acknowledged is there, everything verifies, what was erased is gone, and the runs go on.
pub(crate) async fn holds(directory: &Path, told: &BTreeMap<RunId, Told>) -> Result<Seen, String> {
    let mut seen = Seen { runs: told.len(), ..Seen::default() };
    let store = SqliteStore::open(directory, &Options::default()).map_err(words)?;
    need(store.bad_runs().is_empty(), || format!("bad runs {:?}", store.bad_runs()))?;
    finish_erasures(&store).await?;
    for (run, told) in told.iter().filter(|(_, told)| told.records > 0) {
        match store.load(*run).await {
            Ok(stored) => is_there(&stored, told)?,
            // Nobody can load what has no keys any more. Its records are there.
            Err(_) if told.secret.is_some() => {
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
        erased(&report, told)?;
        if told.epoch > 0 && !closed {
            seen.tokens += usize::from(claimed_once(&store, summary.run, told).await?);
        }
        if summary.state == RunState::Running {
            store.take_over(summary.run, summary.epoch).await.map_err(words)?;
        }
    }
    store.close().await.map_err(words)?;
    for told in told.values().filter(|told| told.erased == Erased::Run || told.erased == Erased::Record) {
        let secret = told.secret.as_ref().ok_or("no secret")?;
        need(!is_in_a_file(directory, secret.as_bytes()), || "what was erased is in a file".to_owned())?;
        seen.gone += 1;
    }
    Ok(seen)
}

/// What stood of erasures is carried through. Nothing has to be signed for that, so that any key does.
async fn finish_erasures(store: &SqliteStore) -> Result<(), String> {
    let name = |text| Name::new(text).map_err(words);
    let signer = FileSigner::ephemeral(name("nobody")?, &mut OsRandom::new()).map_err(words)?;
    let registrar = Registrar::new(name("suite")?, Arc::new(signer)).map_err(words)?;
    Eraser::new(store, registrar).recover().await.map_err(words)?;
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

/// All that was said to be erased is, and nothing by half: each content of the sample has eight leaves.
fn erased(found: &StoredReport, told: &Told) -> Result<(), String> {
    let content = found.report.content;
    let all = content.erased + content.withheld + content.verified;
    let found = match content.erased {
        0 => Erased::Nothing,
        8 => Erased::Record,
        n if n == all => Erased::Run,
        _ => return Err(format!("half erased: {content:?}")),
    };
    need(found >= told.erased && content.missing == 0, || {
        format!("{found:?} is erased, told {:?}", told.erased)
    })
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

fn is_in_a_file(directory: &Path, octets: &[u8]) -> bool {
    std::fs::read_dir(directory).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return is_in_a_file(&path, octets);
        }
        std::fs::read(path).expect("a file").windows(octets.len()).any(|window| window == octets)
    })
}
