//! Between the tables' types and the store's. A value that the tables should not hold is corruption.

use fuze_agent::store::{EffectState, RunState, Stop, StoreError};
use fuze_evidence::{Hash, RunId};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::{corrupt, rejected, sql};

/// The database's clock as an expression.
macro_rules! now_sql {
    () => {
        "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)"
    };
}
pub(crate) use now_sql;

/// A row of `runs`.
pub(crate) struct RunRow {
    /// The table's own number for the run.
    pub(crate) id: i64,
    pub(crate) epoch: u64,
    pub(crate) state: RunState,
    pub(crate) stop: Option<Stop>,
    /// How many records.
    pub(crate) count: u64,
    /// The hash of the last.
    pub(crate) head: Hash,
}

/// The run, if it is there.
pub(crate) fn find(connection: &Connection, run: RunId) -> Result<Option<RunRow>, StoreError> {
    let row = connection
        .prepare_cached("SELECT id, epoch, state, stop, count, head FROM runs WHERE run = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([run.to_string()], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, String>(2)?,
                        row.get::<_, Option<String>>(3)?,
                        row.get::<_, i64>(4)?,
                        row.get::<_, [u8; 32]>(5)?,
                    ))
                })
                .optional()
        })
        .map_err(sql)?;
    let Some((id, epoch, state, stop, count, head)) = row else { return Ok(None) };
    Ok(Some(RunRow {
        id,
        epoch: unsigned(epoch)?,
        state: state_of(&state)?,
        stop: stop.as_deref().map(stop_of).transpose()?,
        count: unsigned(count)?,
        head: Hash(head),
    }))
}

/// The run, which must be there.
pub(crate) fn require(connection: &Connection, run: RunId) -> Result<RunRow, StoreError> {
    find(connection, run)?.ok_or(StoreError::NotFound)
}

/// The database's clock, in Unix milliseconds. The same throughout a statement, so it is asked for anew in each transaction.
pub(crate) fn now_unix_ms(connection: &Connection) -> Result<u64, StoreError> {
    let now: i64 = connection
        .prepare_cached(concat!("SELECT ", now_sql!()))
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(sql)?;
    unsigned(now)
}

/// From a column that holds no negative number.
pub(crate) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| corrupt(format!("a counter is {value}")))
}

/// Into a column.
pub(crate) fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| rejected(format!("the number {value} is beyond 2^63-1")))
}

pub(crate) const fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Suspended => "suspended",
        RunState::Closed => "closed",
    }
}

pub(crate) fn state_of(name: &str) -> Result<RunState, StoreError> {
    [RunState::Running, RunState::Suspended, RunState::Closed]
        .into_iter()
        .find(|&state| state_name(state) == name)
        .ok_or_else(|| corrupt(format!("a run has the state `{name}`")))
}

pub(crate) const fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::Operator => "operator",
        Stop::Abort => "abort",
    }
}

fn stop_of(name: &str) -> Result<Stop, StoreError> {
    [Stop::Operator, Stop::Abort]
        .into_iter()
        .find(|&stop| stop_name(stop) == name)
        .ok_or_else(|| corrupt(format!("a run has the stop `{name}`")))
}

pub(crate) fn effect_of(name: &str) -> Result<EffectState, StoreError> {
    [EffectState::Intent, EffectState::Started, EffectState::Done, EffectState::InDoubt]
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| corrupt(format!("an effect has the state `{name}`")))
}
