//! What a run can be found by, taken from its first and its last record. Holds no content: names, times and a status.

use fuze_agent::store::StoreError;
use fuze_evidence::record::Entry;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, Record, Span, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::{rejected, sql};

/// What record 0 says.
pub(crate) struct Opened {
    tenant: Name,
    subject: Option<Name>,
    agent: Name,
    at: Timestamp,
}

/// What `run.close` says.
pub(crate) struct Closed {
    status: RunStatus,
    at: Timestamp,
}

impl Opened {
    /// `None` if the line is not a first record.
    fn read(line: &[u8]) -> Option<Self> {
        let entry = Entry::read(line).ok()?;
        let Span::AgentInvoke(invoke) = entry.span else { return None };
        let agent = invoke.agent_name;
        Some(Self { tenant: entry.common.tenant, subject: entry.common.subject, agent, at: entry.started_at })
    }

    /// From the records that begin a run.
    pub(crate) fn of(records: &[Record]) -> Result<Self, StoreError> {
        records
            .first()
            .and_then(|record| Self::read(record.bytes()))
            .ok_or_else(|| rejected("record 0 is no `agent.invoke`"))
    }

    pub(crate) fn insert(&self, connection: &Connection, id: i64) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "INSERT INTO summaries (run, tenant, subject, agent, opened) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    id,
                    self.tenant.as_str(),
                    self.subject.as_ref().map(Name::as_str),
                    self.agent.as_str(),
                    self.at.to_string()
                ])
            })
            .map_err(sql)?;
        Ok(())
    }
}

impl Closed {
    /// `None` if the line is not a last record.
    fn read(line: &[u8]) -> Option<Self> {
        let entry = Entry::read(line).ok()?;
        let Span::RunClose(close) = entry.span else { return None };
        Some(Self { status: close.status, at: entry.ended_at })
    }

    /// From the records that close a run.
    pub(crate) fn of(records: &[Record]) -> Result<Self, StoreError> {
        records
            .last()
            .and_then(|record| Self::read(record.bytes()))
            .ok_or_else(|| rejected("a batch that closes a run ends in `run.close`"))
    }

    pub(crate) fn update(&self, connection: &Connection, id: i64) -> Result<(), StoreError> {
        connection
            .prepare_cached("UPDATE summaries SET closed = ?2, status = ?3 WHERE run = ?1")
            .and_then(|mut statement| {
                statement.execute(params![id, self.at.to_string(), self.status.as_str()])
            })
            .map_err(sql)?;
        Ok(())
    }
}

/// For a store of version 1: summaries of what is there. A run whose records cannot be read has none; it is found when it is opened.
pub(crate) fn fill(connection: &Connection) -> Result<(), StoreError> {
    let runs: Vec<(i64, bool)> = connection
        .prepare("SELECT id, state = 'closed' FROM runs ORDER BY id")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(sql)?;
    for (id, closed) in runs {
        let line = |query: &str| -> Result<Option<Vec<u8>>, StoreError> {
            connection
                .prepare_cached(query)
                .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
                .map_err(sql)
        };
        let first = line("SELECT line FROM records WHERE run = ?1 AND sequence = 0")?;
        let Some(opened) = first.and_then(|line| Opened::read(&line)) else { continue };
        opened.insert(connection, id)?;
        if closed {
            let last = line("SELECT line FROM records WHERE run = ?1 ORDER BY sequence DESC LIMIT 1")?;
            if let Some(closed) = last.and_then(|line| Closed::read(&line)) {
                closed.update(connection, id)?;
            }
        }
    }
    Ok(())
}
