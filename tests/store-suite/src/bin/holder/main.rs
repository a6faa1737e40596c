//! Another process that holds a store: claims or writes, and says each outcome on its own line as soon as it is known.
//!
//! `holder claim <directory> <run> <token> <how many>`: loads the run, says `ready`, waits for a line, then claims the token that often
//! at once. `holder write <directory>`: writes runs until it is killed. `holder story <directory>`: two runs from their beginning to their
//! close, with everything that a store is asked for. `holder erasing <directory> <aside>`: the same, and then content of these and others is
//! erased, by keys that are kept aside. `holder sink <directory>`: no store but files; one run. `holder log <directory> <key file>`: no store but a transparency log, made, filled beyond its first tile and opened again.

mod erasing;

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuze_agent::store::{Batch, ClaimError, EffectEntry, EffectState, RunStore as _, Start};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sink::{JsonlSink, SinkError};
use fuze_evidence::{Hash, Name, RunId, Signer as _, Sink as _, SinkBatch, sha256};
use fuze_log::{Blinding, Log, LogOptions, Prepared};
use fuze_store::{Options, SqliteStore};
use fuze_store_suite::{Sample, claim_from, far, token};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One write for a whole line, so that a kill leaves whole lines.
fn say(line: &str) -> Fallible<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = move || arguments.next().ok_or("an argument is missing");
    let (what, directory) = (next()?, next()?);
    match what.as_str() {
        "log" => return log(Path::new(&directory), Path::new(&next()?)).await,
        "sink" => return sink(&JsonlSink::new(directory)).await,
        _ => {}
    }
    let options = Options::default().busy_timeout(Duration::from_secs(300));
    let store = Arc::new(SqliteStore::open(directory, &options)?);
    match what.as_str() {
        "claim" => claim(store, next()?.parse()?, next()?.parse()?, next()?.parse()?).await,
        "write" => write(&store).await,
        "story" => {
            story(&store).await?;
            end(store).await
        }
        "erasing" => {
            let runs = story(&store).await?;
            erasing::erasing(&store, Path::new(&next()?), &runs).await?;
            end(store).await
        }
        other => {
            Err(format!("expected `claim`, `write`, `story`, `erasing`, `sink` or `log`, found `{other}`")
                .into())
        }
    }
}

async fn end(store: Arc<SqliteStore>) -> Fallible<()> {
    Arc::into_inner(store).ok_or("the store is held")?.close().await?;
    say("closed")
}

async fn claim(store: Arc<SqliteStore>, run: RunId, token: Hash, times: u32) -> Fallible<()> {
    let stored = store.load(run).await?;
    let progress = stored.progress.last().ok_or("the run has no progress")?;
    let mut claims = Vec::new();
    for _ in 0..times {
        let claim = claim_from(run, stored.epoch, vec![token], progress);
        claims.push(claim.map_err(|wrong| wrong.to_string())?);
    }
    say("ready")?;
    std::io::stdin().read_line(&mut String::new())?;
    let tasks: Vec<_> = claims
        .into_iter()
        .map(|claim| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let id = u128::from_be_bytes(claim.claim_id);
                match store.claim(claim).await {
                    Ok(_) => say(&format!("won {id:032x}")),
                    Err(ClaimError::Used(_)) => say("used"),
                    Err(other) => say(&format!("other {other}")),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    say("done")
}

async fn write(store: &SqliteStore) -> Fallible<()> {
    loop {
        let (mut sample, batch) = Sample::begin().map_err(|wrong| wrong.to_string())?;
        let key: String = sample.signer.public_key().iter().map(|b| format!("{b:02x}")).collect();
        let fence = store.create(sample.run, batch).await?;
        say(&format!("run {} {key}", sample.run))?;
        for step in 0..5_u8 {
            let exec_id = sha256(&[step]);
            let next = sample.go_on().map_err(|wrong| wrong.to_string())?;
            let effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
            store.commit(fence, Batch { effects, ..next }).await?;
            say(&format!("intent {exec_id}"))?;
            if store.start_effect(fence, exec_id, far()).await? != Start::Go {
                return Err("an effect did not start".into());
            }
            say(&format!("started {exec_id}"))?;
        }
    }
}

/// Each line says what the store has acknowledged: the run's records, its epoch, and what has started.
async fn story(store: &SqliteStore) -> Fallible<Vec<RunId>> {
    let wrong = |wrong: fuze_store_suite::Wrong| wrong.to_string();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (mut sample, batch) = Sample::begin().map_err(wrong)?;
        let run = sample.run;
        let key: String = sample.signer.public_key().iter().map(|b| format!("{b:02x}")).collect();
        say(&format!("key {run} {key}"))?;
        let fence = store.create(run, batch).await?;
        say(&format!("has {run} {} 1", sample.head().0))?;
        let exec_id = sha256(run.to_string().as_bytes());
        let effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
        store.commit(fence, Batch { effects, ..sample.go_on().map_err(wrong)? }).await?;
        say(&format!("has {run} {} 1", sample.head().0))?;
        if store.start_effect(fence, exec_id, far()).await? != Start::Go {
            return Err("an effect did not start".into());
        }
        say(&format!("started {run} {exec_id}"))?;
        let tokens = [token(run, 0, far())];
        store.commit(fence, sample.suspend(1, &tokens).map_err(wrong)?).await?;
        say(&format!("has {run} {} 1", sample.head().0))?;
        let fence = store.claim(sample.claim(1, &tokens).map_err(wrong)?).await?;
        say(&format!("has {run} {} 2", sample.head().0))?;
        store.commit(fence, sample.go_on().map_err(wrong)?).await?;
        say(&format!("has {run} {} 2", sample.head().0))?;
        let records = sample.head().0 + 1;
        runs.push(run);
        store.commit(fence, sample.close().map_err(wrong)?).await?;
        say(&format!("has {run} {records} 2"))?;
    }
    Ok(runs)
}

/// One run in files. What was not kept is not kept the next time either.
async fn sink(sink: &JsonlSink) -> Fallible<()> {
    let wrong = |wrong: fuze_store_suite::Wrong| wrong.to_string();
    let (mut sample, mut batch) = Sample::begin().map_err(wrong)?;
    let run = sample.run;
    let key: String = sample.signer.public_key().iter().map(|b| format!("{b:02x}")).collect();
    say(&format!("key {run} {key}"))?;
    for step in 0..8_u8 {
        let records = sample.head().0;
        if let Err(error) = sink.append(&lines(run, batch), true).await {
            let next = sample.go_on().map_err(wrong)?;
            return match sink.append(&lines(run, next), true).await {
                Err(SinkError::Stopped) => Err(error.into()),
                other => Err(format!("after `{error}` the sink went on: {other:?}").into()),
            };
        }
        say(&format!("has {run} {records} 1"))?;
        batch = match step {
            3 => sample.suspend(1, &[token(run, 0, far())]).map_err(wrong)?,
            _ => sample.go_on().map_err(wrong)?,
        };
    }
    say("closed")
}

fn lines(run: RunId, batch: Batch) -> SinkBatch {
    let Batch { keys, contents: content, records, roots, .. } = batch;
    SinkBatch { keys, content, records, roots, ..SinkBatch::new(run) }
}

/// Each leaf's index and hash as soon as it is in the log, alone and many at once.
async fn log(directory: &Path, key: &Path) -> Fallible<()> {
    let signer = Arc::new(FileSigner::load(key, Name::new("log")?)?);
    let mut log = Log::create(directory, &Name::new("log.example")?, signer.clone(), LogOptions::new())?;
    say("made")?;
    let leaf = |n: u32| -> Fallible<Prepared> {
        Ok(Prepared::annex(sha256(&n.to_be_bytes()), &Blinding::generate(&mut OsRandom::new())?)?)
    };
    let said = |index: u64, leaf: &Prepared| say(&format!("leaf {index} {}", sha256(leaf.leaf().bytes())));
    for n in 0..3 {
        let leaf = leaf(n)?;
        said(log.append_async(leaf.leaf()).await?, &leaf)?;
    }
    let many = (3..254).map(leaf).collect::<Fallible<Vec<_>>>()?;
    let mut waiting = Vec::new();
    let shared = Arc::new(log);
    for leaf in many {
        let log = Arc::clone(&shared);
        waiting.push(tokio::spawn(async move { (log.append_async(leaf.leaf()).await, leaf) }));
    }
    for task in waiting {
        let (index, leaf) = task.await?;
        said(index?, &leaf)?;
    }
    drop(shared);
    log = Log::open(directory, signer, LogOptions::new())?;
    for n in 254..259 {
        let leaf = leaf(n)?;
        said(log.append_async(leaf.leaf()).await?, &leaf)?;
    }
    drop(log);
    say("closed")
}
