//! What the store knows of a run. Writes nothing.

use fuze_agent::store::{EffectEntry, SealedProgress, StoreError, StoredRun, Unanchored};
use fuze_evidence::chain::line_hash;
use fuze_evidence::keys::WrappedRunKeys;
use fuze_evidence::{Hash, Name, RunId};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::{corrupt, sql};
use crate::rows::{self, RunRow, effect_of, signed, unsigned};

/// Everything about a run, at one moment.
pub(crate) fn load(connection: &Connection, run: RunId) -> Result<StoredRun, StoreError> {
    let row = rows::require(connection, run)?;
    if is_erased(connection, row.id)? {
        return Err(StoreError::Erased);
    }
    let progress = progress(connection, row.id)?;
    let seen = progress.last().map_or(0, |piece| piece.sequence.saturating_add(1));
    let stored = StoredRun {
        epoch: row.epoch,
        state: row.state,
        head: (row.count, row.head),
        keys: keys(connection, row.id)?,
        subject: subject(connection, row.id)?,
        records_after_progress: lines(connection, row.id, seen, row.count)?,
        open_root: root(connection, row.id, "SELECT line FROM roots WHERE run = ?1 AND position = 0")?,
        last_root: root(
            connection,
            row.id,
            "SELECT line FROM roots WHERE run = ?1 ORDER BY position DESC LIMIT 1",
        )?,
        anchors: anchors(connection, row.id)?,
        effects: effects(connection, row.id)?,
        progress,
        stop: row.stop,
    };
    check_head(connection, row.id, stored.head)?;
    Ok(stored)
}

/// The run, of which something is kept: at the end of its last window nothing is.
pub(crate) fn require_records(connection: &Connection, run: RunId) -> Result<RunRow, StoreError> {
    let row = rows::require(connection, run)?;
    if is_erased(connection, row.id)? && lines(connection, row.id, 0, 1)?.is_empty() {
        return Err(StoreError::Erased);
    }
    Ok(row)
}

/// Whether the run was erased: that takes its keys before anything else.
fn is_erased(connection: &Connection, id: i64) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT keys = x'' FROM runs WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
        .map_err(sql)
}

fn root(connection: &Connection, id: i64, query: &str) -> Result<Option<Vec<u8>>, StoreError> {
    connection.query_row(query, [id], |row| row.get(0)).optional().map_err(sql)
}

/// The lines of `anchors.jsonl`, in order.
pub(crate) fn anchors(connection: &Connection, id: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT line FROM anchors WHERE run = ?1 ORDER BY position")
        .map_err(sql)?;
    let rows = statement.query_map([id], |row| row.get(0)).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

/// Closed runs that have the line of their open root alone. Nothing of it is what an erasure of content takes.
pub(crate) fn unanchored(
    connection: &Connection,
    after: Option<RunId>,
    limit: u32,
) -> Result<Vec<Unanchored>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT runs.run, anchors.line,
                    (SELECT line FROM roots WHERE roots.run = runs.id AND position = 0),
                    (SELECT line FROM records WHERE records.run = runs.id ORDER BY sequence DESC LIMIT 1)
             FROM anchors JOIN runs ON runs.id = anchors.run
             WHERE anchors.position = 0 AND runs.state = 'closed' AND runs.run > ?1
               AND NOT EXISTS (SELECT 1 FROM anchors AS later WHERE later.run = runs.id AND later.position = 1)
             ORDER BY runs.run LIMIT ?2",
        )
        .map_err(sql)?;
    let after = after.map(|run| run.to_string()).unwrap_or_default();
    let mut rows = statement.query(params![after, limit]).map_err(sql)?;
    let mut left = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let run: String = row.get(0).map_err(sql)?;
        // A line that is gone stops this run alone: it is read where its close is to be anchored.
        let line = |at| row.get::<_, Option<Vec<u8>>>(at).map(Option::unwrap_or_default).map_err(sql);
        left.push(Unanchored {
            run: run.parse().map_err(|_| corrupt("a run has no run's id"))?,
            opened: line(1)?,
            open_root: line(2)?,
            close: line(3)?,
        });
    }
    Ok(left)
}

/// The count and the head that the run's row names must be those of its records.
fn check_head(connection: &Connection, id: i64, (count, head): (u64, Hash)) -> Result<(), StoreError> {
    let (stored, last): (i64, Option<i64>) = connection
        .query_row("SELECT count(*), max(sequence) FROM records WHERE run = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(sql)?;
    let expected = signed(count)?;
    if stored != expected || last != Some(expected - 1) {
        return Err(corrupt(format!("a run should have {count} records and has {stored}")));
    }
    let line = lines(connection, id, count.saturating_sub(1), 1)?;
    if line.first().and_then(|line| line_hash(line)) != Some(head) {
        return Err(corrupt("a run's last record is not the one that its head names"));
    }
    Ok(())
}

fn keys(connection: &Connection, id: i64) -> Result<WrappedRunKeys, StoreError> {
    let line: Vec<u8> =
        connection.query_row("SELECT keys FROM runs WHERE id = ?1", [id], |row| row.get(0)).map_err(sql)?;
    WrappedRunKeys::from_line(&line).map_err(|error| corrupt(error.to_string()))
}

fn subject(connection: &Connection, id: i64) -> Result<Option<Name>, StoreError> {
    let alias: Option<String> = connection
        .query_row("SELECT subject FROM runs WHERE id = ?1", [id], |row| row.get(0))
        .map_err(sql)?;
    alias.map(|alias| Name::new(alias).map_err(|error| corrupt(error.to_string()))).transpose()
}

fn progress(connection: &Connection, id: i64) -> Result<Vec<SealedProgress>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT sequence, epoch, bytes FROM progress WHERE run = ?1 ORDER BY position")
        .map_err(sql)?;
    let rows = statement
        .query_map([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))
        .map_err(sql)?;
    rows.map(|row| {
        let (sequence, epoch, bytes) = row.map_err(sql)?;
        Ok(SealedProgress { sequence: unsigned(sequence)?, epoch: unsigned(epoch)?, bytes })
    })
    .collect()
}

fn effects(connection: &Connection, id: i64) -> Result<Vec<EffectEntry>, StoreError> {
    // The order in which the effects were first intended.
    let mut statement = connection
        .prepare_cached("SELECT exec_id, state FROM effects WHERE run = ?1 ORDER BY rowid")
        .map_err(sql)?;
    let rows = statement
        .query_map([id], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?)))
        .map_err(sql)?;
    rows.map(|row| {
        let (exec_id, state) = row.map_err(sql)?;
        Ok(EffectEntry { exec_id: Hash(exec_id), state: effect_of(&state)? })
    })
    .collect()
}

/// At most `limit` lines of records from the sequence `from` on.
pub(crate) fn lines(
    connection: &Connection,
    id: i64,
    from: u64,
    limit: u64,
) -> Result<Vec<Vec<u8>>, StoreError> {
    connection
        .prepare_cached(
            "SELECT line FROM records WHERE run = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3",
        )
        .and_then(|mut statement| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let from = i64::try_from(from).unwrap_or(i64::MAX);
            statement.query_map(params![id, from, limit], |row| row.get(0))?.collect()
        })
        .map_err(sql)
}
