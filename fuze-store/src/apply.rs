//! What a transaction does: checks, then rows. Runs inside one transaction, which the caller ends.

use fuze_agent::store::{
    Batch, EffectEntry, EffectState, Fence, IssuedToken, Progress, RunState, SealedProgress, Start, Stop,
    StoreError, anchor_follows,
};
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::line_hash;
use fuze_evidence::sign::RootDomain;
use fuze_evidence::{Hash, Name, Record, RunId, SealedContent, SignedRoot};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::{corrupt, rejected, sql};
use crate::read;
use crate::rows::{self, RunRow, effect_of, signed, state_name, stop_name};
use crate::summary::{Closed, Opened};

/// The longest line of a file of evidence, without its line feed.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024 - 1;

/// Whether a batch agrees with itself; before any lock is taken.
pub(crate) fn examine(run: RunId, batch: &Batch, first: bool) -> Result<(), StoreError> {
    match &batch.keys {
        None if first => return Err(rejected("a run's first batch brings its wrapped keys")),
        Some(_) if !first => return Err(rejected("only a run's first batch brings wrapped keys")),
        None if batch.subject.is_some() => {
            return Err(rejected("only a run's first batch names its data subject"));
        }
        Some(keys) if keys.run_id() != run => return Err(rejected("the wrapped keys are another run's")),
        None | Some(_) => {}
    }
    if (batch.state == RunState::Suspended) == batch.tokens.is_empty() {
        return Err(rejected(
            "tokens belong to a suspension: a batch that suspends issues at least one, another none",
        ));
    }
    lines(batch).try_for_each(examine_line)?;
    for record in &batch.records {
        examine_record(run, record)?;
    }
    let begins = |record: &Record| record.sequence() == 0 && record.prev_hash() == Hash::ZERO;
    if first && !batch.records.first().is_some_and(begins) {
        return Err(rejected("a run begins with record 0"));
    }
    let follows = |pair: &[Record]| match pair {
        [before, after] => {
            before.sequence().checked_add(1) == Some(after.sequence()) && before.hash() == after.prev_hash()
        }
        _ => false,
    };
    if !batch.records.windows(2).all(follows) {
        return Err(rejected("its records do not follow each other"));
    }
    Ok(())
}

/// All that a batch adds to the files, but the wrapped keys.
fn lines(batch: &Batch) -> impl Iterator<Item = &[u8]> {
    let lines = batch.records.iter().map(Record::bytes);
    let lines = lines.chain(batch.contents.iter().flat_map(|c| [c.content_line(), c.keys_line()]));
    lines.chain(batch.roots.iter().map(SignedRoot::bytes))
}

/// What fits on a line of a file.
pub(crate) fn examine_line(line: &[u8]) -> Result<(), StoreError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(rejected("a line is longer than 16 MiB"));
    }
    if line.is_empty() || line.contains(&b'\n') {
        return Err(rejected("a line is empty or has a line feed in it"));
    }
    Ok(())
}

/// How many octets a batch brings, about.
pub(crate) fn bytes(batch: &Batch) -> usize {
    let progress = match &batch.progress {
        None => 0,
        Some(Progress::Append(piece) | Progress::Replace(piece)) => piece.bytes.len(),
    };
    lines(batch).map(<[u8]>::len).sum::<usize>().saturating_add(progress)
}

/// Its octets must be those of its hash and of this run; how it is built otherwise is the recorder's affair.
fn examine_record(run: RunId, record: &Record) -> Result<(), StoreError> {
    let refused = |what| rejected(format!("record {} {what}", record.sequence()));
    if line_hash(record.bytes()) != Some(record.hash()) {
        return Err(refused("does not hash to what it says"));
    }
    // No string inside a record can hold an unescaped quotation mark, so this is the member and nothing else.
    let member = format!("\"runId\":\"{run}\"");
    if !record.bytes().windows(member.len()).any(|window| window == member.as_bytes()) {
        return Err(refused("belongs to another run"));
    }
    Ok(())
}

/// A new run at epoch 1. The caller has looked that it does not exist.
pub(crate) fn create(connection: &Connection, run: RunId, batch: &Batch) -> Result<Fence, StoreError> {
    let keys = batch.keys.as_ref().ok_or_else(|| rejected("a run's first batch brings its wrapped keys"))?;
    let keys = keys.to_line().map_err(|error| rejected(error.to_string()))?;
    let opened = Opened::of(&batch.records)?;
    // `count` and `head` are put right by the batch, in the same transaction.
    let id = connection
        .prepare_cached(
            "INSERT INTO runs (run, epoch, state, count, head, keys, subject)
             VALUES (?1, 1, 'running', 1, zeroblob(32), ?2, ?3)",
        )
        .and_then(|mut statement| {
            statement.insert(params![run.to_string(), keys, batch.subject.as_ref().map(Name::as_str)])
        })
        .map_err(sql)?;
    opened.insert(connection, id)?;
    let row = RunRow { id, epoch: 1, state: RunState::Running, stop: None, count: 0, head: Hash::ZERO };
    write(connection, run, &row, 1, batch)?;
    Ok(Fence { run, epoch: 1 })
}

/// One more batch of a run that goes on, or the last one of a run that waits.
pub(crate) fn commit(
    connection: &Connection,
    row: &RunRow,
    fence: Fence,
    batch: &Batch,
) -> Result<(), StoreError> {
    let allowed = match (row.state, batch.state) {
        (RunState::Running, _) | (RunState::Suspended, RunState::Closed) => true,
        // INVARIANT: only a claim lets a run that waits go on.
        (RunState::Suspended, RunState::Running | RunState::Suspended) | (RunState::Closed, _) => false,
    };
    if row.epoch != fence.epoch || !allowed {
        return Err(StoreError::Fenced);
    }
    write(connection, fence.run, row, fence.epoch, batch)
}

/// Writes what the batch brings on top of `row`, at `epoch`.
pub(crate) fn write(
    connection: &Connection,
    run: RunId,
    row: &RunRow,
    epoch: u64,
    batch: &Batch,
) -> Result<(), StoreError> {
    let (count, head) = write_records(connection, row, &batch.records)?;
    write_contents(connection, row.id, &batch.contents)?;
    write_roots(connection, run, row.id, count, &batch.roots)?;
    for entry in &batch.effects {
        write_effect(connection, row.id, *entry)?;
    }
    if batch.state == RunState::Closed {
        Closed::of(&batch.records)?.update(connection, row.id)?;
    }
    if let Some(progress) = &batch.progress {
        write_progress(connection, row.id, epoch, count, progress)?;
    }
    for token in &batch.tokens {
        issue(connection, row.id, epoch, token)?;
    }
    connection
        .prepare_cached("UPDATE runs SET epoch = ?2, state = ?3, count = ?4, head = ?5 WHERE id = ?1")
        .and_then(|mut statement| {
            statement.execute(params![
                row.id,
                signed_sql(epoch)?,
                state_name(batch.state),
                signed_sql(count)?,
                head.as_bytes()
            ])
        })
        .map_err(sql)?;
    Ok(())
}

fn signed_sql(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn write_records(
    connection: &Connection,
    row: &RunRow,
    records: &[Record],
) -> Result<(u64, Hash), StoreError> {
    let (mut count, mut head) = (row.count, row.head);
    let mut insert = connection
        .prepare_cached("INSERT INTO records (run, sequence, line) VALUES (?1, ?2, ?3)")
        .map_err(sql)?;
    for record in records {
        if record.sequence() != count || record.prev_hash() != head {
            return Err(StoreError::Fenced);
        }
        insert.execute(params![row.id, signed(count)?, record.bytes()]).map_err(sql)?;
        count += 1;
        head = record.hash();
    }
    Ok((count, head))
}

/// The place after the last one in a table that is counted by `position`.
fn next_position(connection: &Connection, query: &str, id: i64) -> Result<i64, StoreError> {
    connection
        .prepare_cached(query)
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
        .map_err(sql)
}

fn write_contents(connection: &Connection, id: i64, contents: &[SealedContent]) -> Result<(), StoreError> {
    if contents.is_empty() {
        return Ok(());
    }
    let next =
        next_position(connection, "SELECT ifnull(max(position) + 1, 0) FROM contents WHERE run = ?1", id)?;
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO contents (run, position, root, content, keys) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(sql)?;
    for (position, sealed) in (next..).zip(contents) {
        let root = sealed.root();
        insert
            .execute(params![id, position, root.as_bytes(), sealed.content_line(), sealed.keys_line()])
            .map_err(sql)?;
    }
    Ok(())
}

fn write_roots(
    connection: &Connection,
    run: RunId,
    id: i64,
    count: u64,
    roots: &[SignedRoot],
) -> Result<(), StoreError> {
    for signed_root in roots {
        let root = signed_root.root();
        let last: Option<(i64, [u8; 32])> = connection
            .prepare_cached("SELECT position, hash FROM roots WHERE run = ?1 ORDER BY position DESC LIMIT 1")
            .and_then(|mut statement| {
                statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(sql)?;
        let (position, previous) =
            last.map_or((0, Hash::ZERO), |(position, hash)| (position + 1, Hash(hash)));
        let follows = match root.domain {
            RootDomain::Open => position == 0,
            RootDomain::Suspend => position > 0,
            // A close root stands inside its record.
            RootDomain::Close => false,
        };
        if !follows || root.run_id != run || root.prev_root != previous || root.count > count {
            return Err(rejected("a signed root does not continue the run's"));
        }
        connection
            .prepare_cached("INSERT INTO roots (run, position, hash, line) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| {
                let hash = signed_root.hash();
                statement.execute(params![id, position, hash.as_bytes(), signed_root.bytes()])
            })
            .map_err(sql)?;
    }
    Ok(())
}

/// One line more of what opens a run's leaves in a log, if it is not there.
pub(crate) fn add_anchor(connection: &Connection, row: &RunRow, line: &AnchorLine) -> Result<(), StoreError> {
    let there = read::anchors(connection, row.id)?;
    let lines: Result<Vec<AnchorLine>, _> = there.iter().map(|line| AnchorLine::read(line)).collect();
    let lines = lines.map_err(|error| corrupt(format!("an anchor of the run: {error}")))?;
    if !anchor_follows(&lines, row.state == RunState::Closed, line)? {
        return Ok(());
    }
    let next = i64::try_from(there.len()).map_err(|error| corrupt(error.to_string()))?;
    connection
        .prepare_cached("INSERT INTO anchors (run, position, line) VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![row.id, next, line.bytes()]))
        .map_err(sql)?;
    Ok(())
}

/// Where the ledger has an execution.
fn effect(connection: &Connection, id: i64, exec_id: Hash) -> Result<Option<EffectState>, StoreError> {
    connection
        .prepare_cached("SELECT state FROM effects WHERE run = ?1 AND exec_id = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![id, exec_id.as_bytes()], |row| row.get::<_, String>(0)).optional()
        })
        .map_err(sql)?
        .as_deref()
        .map(effect_of)
        .transpose()
}

/// Whether a batch may take the ledger from `from` to `to`. `Started` is written by `start_effect` alone.
const fn allowed(from: Option<EffectState>, to: EffectState) -> bool {
    use EffectState::{Done, InDoubt, Intent, Started};
    match (from, to) {
        (None | Some(Intent), Intent)
        // It was allowed and will certainly not happen, or its result came with it.
        | (Some(Intent), Done)
        | (Some(Started), Done | InDoubt)
        // A person has said.
        | (Some(InDoubt), Done) => true,
        (None, Started | Done | InDoubt)
        | (Some(Intent), Started | InDoubt)
        | (Some(Started), Intent | Started)
        | (Some(InDoubt), Intent | Started | InDoubt)
        | (Some(Done), Intent | Started | Done | InDoubt) => false,
    }
}

fn write_effect(connection: &Connection, id: i64, entry: EffectEntry) -> Result<(), StoreError> {
    let from = effect(connection, id, entry.exec_id)?;
    if !allowed(from, entry.state) {
        return Err(rejected(format!(
            "the effect {} cannot go from `{}` to `{}`",
            entry.exec_id,
            from.map_or("nothing", EffectState::name),
            entry.state.name()
        )));
    }
    put_effect(connection, id, entry.exec_id, entry.state)
}

fn put_effect(connection: &Connection, id: i64, exec_id: Hash, state: EffectState) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO effects (run, exec_id, state) VALUES (?1, ?2, ?3)
             ON CONFLICT (run, exec_id) DO UPDATE SET state = excluded.state",
        )
        .and_then(|mut statement| statement.execute(params![id, exec_id.as_bytes(), state.name()]))
        .map_err(sql)?;
    Ok(())
}

fn write_progress(
    connection: &Connection,
    id: i64,
    epoch: u64,
    count: u64,
    progress: &Progress,
) -> Result<(), StoreError> {
    let (Progress::Append(piece) | Progress::Replace(piece)) = progress;
    let SealedProgress { sequence, epoch: bound, bytes } = piece;
    if *sequence >= count || *bound > epoch {
        return Err(rejected("the progress is bound to a record or an epoch that does not exist yet"));
    }
    if matches!(progress, Progress::Replace(_)) {
        connection
            .prepare_cached("DELETE FROM progress WHERE run = ?1")
            .and_then(|mut statement| statement.execute([id]))
            .map_err(sql)?;
    }
    let next =
        next_position(connection, "SELECT ifnull(max(position) + 1, 0) FROM progress WHERE run = ?1", id)?;
    connection
        .prepare_cached(
            "INSERT INTO progress (run, position, sequence, epoch, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .and_then(|mut statement| {
            statement.execute(params![id, next, signed_sql(*sequence)?, signed_sql(*bound)?, bytes])
        })
        .map_err(sql)?;
    Ok(())
}

fn issue(connection: &Connection, id: i64, epoch: u64, token: &IssuedToken) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO tokens (token_hash, run, epoch, expires_at_ms) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| {
            statement.execute(params![
                token.token_hash.as_bytes(),
                id,
                signed_sql(epoch)?,
                signed_sql(token.expires_at_unix_ms)?
            ])
        })
        .map_err(|error| match sql(error) {
            StoreError::Rejected(_) => rejected(format!("the token {} was issued before", token.token_hash)),
            other => other,
        })?;
    Ok(())
}

/// The last check before an effect and its mark, under one lock.
pub(crate) fn start_effect(
    connection: &Connection,
    fence: Fence,
    exec_id: Hash,
    deadline_unix_ms: u64,
) -> Result<Start, StoreError> {
    let row = rows::require(connection, fence.run)?;
    if row.epoch != fence.epoch || row.state != RunState::Running {
        return Ok(Start::Fenced);
    }
    if let Some(stop) = row.stop {
        return Ok(Start::Stopped(stop));
    }
    if rows::now_unix_ms(connection)? >= deadline_unix_ms {
        return Ok(Start::TooLate);
    }
    match effect(connection, row.id, exec_id)? {
        None => Err(rejected(format!("the effect {exec_id} has no intent; commit one first"))),
        Some(EffectState::Started | EffectState::Done | EffectState::InDoubt) => Ok(Start::AlreadyStarted),
        Some(EffectState::Intent) => {
            put_effect(connection, row.id, exec_id, EffectState::Started)?;
            Ok(Start::Go)
        }
    }
}

/// One epoch more for a run that somebody ran until a crash.
pub(crate) fn take_over(connection: &Connection, row: &RunRow, run: RunId) -> Result<Fence, StoreError> {
    let epoch = row.epoch.checked_add(1).ok_or_else(|| rejected("the epoch cannot grow"))?;
    connection
        .prepare_cached("UPDATE runs SET epoch = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![row.id, signed_sql(epoch)?]))
        .map_err(sql)?;
    Ok(Fence { run, epoch })
}

/// Asks a run to stop; an abort is never softened by a later, gentler wish.
pub(crate) fn request_stop(connection: &Connection, run: RunId, stop: Stop) -> Result<(), StoreError> {
    let row = rows::require(connection, run)?;
    if row.stop.is_none_or(|present| present < stop) {
        connection
            .prepare_cached("UPDATE runs SET stop = ?2 WHERE id = ?1")
            .and_then(|mut statement| statement.execute(params![row.id, stop_name(stop)]))
            .map_err(sql)?;
    }
    Ok(())
}
