//! What the store's thread owns: the connection and the runs' files, and how they are kept in step.

use std::collections::BTreeMap;

use fuze_agent::store::{Claim, ClaimError, Fence, RunState, StoreError, StoredRun};
use fuze_evidence::RunId;
use rusqlite::params;

use crate::database::{Database, Ended};
use crate::error::{corrupt, sql};
use crate::projection::{Depth, Projection, unknown_run};
use crate::rows::{self, state_name};
use crate::{claim, read};

/// Tables and files.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) database: Database,
    pub(crate) projection: Projection,
}

/// The outcome of a transaction for a caller who can be told that it is unclear.
pub(crate) fn known<T>(ended: Ended<T, StoreError>) -> Result<T, StoreError> {
    match ended {
        Ended::Committed(value) => Ok(value),
        Ended::RolledBack(error) => Err(error),
        Ended::Unclear(_, error) => Err(unclear(error)),
    }
}

/// A full disk keeps its name, because there is something to be done about it; the run is loaded afterwards in either case.
fn unclear(error: StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        other => StoreError::Unclear(other.to_string()),
    }
}

impl Keeper {
    pub(crate) fn load(&mut self, run: RunId) -> Result<StoredRun, StoreError> {
        // Asked first, so that no directory is made for a run that is not there, or not any more.
        self.database.snapshot(|connection| read::require_records(connection, run).map(drop))?;
        let projection = &mut self.projection;
        let turn = projection.take_turn(run)?;
        self.database.snapshot(|connection| {
            let row = read::require_records(connection, run)?;
            projection.reconcile(&turn, connection, run, row.id, Depth::Whole)?;
            read::load(connection, run)
        })
    }

    /// Whether a claim has won, when its transaction has ended.
    pub(crate) fn claimed(
        &mut self,
        claim: &Claim,
        ended: Ended<(i64, Fence), ClaimError>,
    ) -> Result<(i64, Fence), ClaimError> {
        let (id, fence) = match ended {
            Ended::Committed(won) => won,
            Ended::RolledBack(error) => return Err(error),
            // Whether it stands is read by a connection that did not take part.
            Ended::Unclear(won, error) => {
                match self.database.fresh().and_then(|fresh| claim::stands(&fresh, claim)) {
                    Ok(true) => won,
                    Ok(false) => return Err(unclear(error).into()),
                    Err(second) => {
                        return Err(StoreError::Unclear(format!("{error}; asked again: {second}")).into());
                    }
                }
            }
        };
        // INVARIANT: the claim stands, so this is `Ok`, whatever the files say. The run is marked, and its next operation fails.
        if self.bring_up(claim.run, id, claim.batch.state).is_err() {
            self.projection.fell_behind(claim.run);
        }
        Ok((id, fence))
    }

    /// Brings the files up to date after a COMMIT.
    pub(crate) fn project(&mut self, run: RunId, id: i64, state: RunState) -> Result<(), StoreError> {
        let Err(error) = self.bring_up(run, id, state) else { return Ok(()) };
        self.projection.fell_behind(run);
        match state {
            // The tokens are issued and must reach people. The claim compares the files before anything else.
            RunState::Suspended => Ok(()),
            RunState::Running | RunState::Closed => Err(error),
        }
    }

    fn bring_up(&mut self, run: RunId, id: i64, state: RunState) -> Result<(), StoreError> {
        let projection = &mut self.projection;
        let turn = projection.take_turn(run)?;
        self.database.snapshot(|c| projection.reconcile(&turn, c, run, id, Depth::Tail))?;
        if state != RunState::Running {
            turn.sync()?;
            projection.forget(run);
        }
        Ok(())
    }

    /// Compares the files of every run that was not closed, or was closed since the last time, and completes them. Says which runs
    /// are not in order: these refuse until they are, and the others go on.
    pub(crate) fn sweep(&mut self) -> Result<BTreeMap<RunId, StoreError>, StoreError> {
        let mut bad = BTreeMap::new();
        // Listed before the tables are read: a run is in the tables before it has files.
        let present = self.projection.present()?;
        for run in present {
            let known = self.database.snapshot(|connection| rows::find(connection, run))?.is_some();
            if !known {
                bad.insert(run, unknown_run(&self.projection.directory(run)));
            }
        }
        let runs: Vec<(i64, String, bool)> = self.database.snapshot(|connection| {
            connection
                .prepare(
                    "SELECT id, runs.run, summaries.run IS NULL FROM runs LEFT JOIN summaries ON summaries.run = id
                     WHERE projected = 0 OR (summaries.run IS NULL AND keys <> x'') ORDER BY id",
                )
                .and_then(|mut statement| {
                    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
                })
                .map_err(sql)
        })?;
        let mut complete = Vec::new();
        for (id, run, unreadable) in runs {
            let run: RunId = run.parse().map_err(|_| corrupt(format!("a run has the id `{run}`")))?;
            match self.complete(run, id) {
                Ok(_) if unreadable => {
                    bad.insert(run, corrupt("its first record cannot be read"));
                }
                Ok(true) => complete.push(id),
                Ok(false) => {}
                Err(error) => {
                    // Found again, and refused, by whatever is done with the run next.
                    self.projection.fell_behind(run);
                    bad.insert(run, error);
                }
            }
        }
        if complete.is_empty() {
            return Ok(bad);
        }
        known(self.database.write(|connection| {
            for id in complete {
                connection
                    .prepare_cached("UPDATE runs SET projected = 1 WHERE id = ?1 AND state = ?2")
                    .and_then(|mut statement| statement.execute(params![id, state_name(RunState::Closed)]))
                    .map_err(sql)?;
            }
            Ok(())
        }))?;
        Ok(bad)
    }

    /// Completes a run's files; whether they will not grow any more.
    fn complete(&mut self, run: RunId, id: i64) -> Result<bool, StoreError> {
        let projection = &mut self.projection;
        let turn = projection.take_turn(run)?;
        let state = self.database.snapshot(|connection| {
            projection.reconcile(&turn, connection, run, id, Depth::Whole)?;
            Ok(rows::require(connection, run)?.state)
        })?;
        projection.forget(run);
        if state != RunState::Closed {
            return Ok(false);
        }
        turn.sync()?;
        Ok(true)
    }
}
