//! Claiming the tokens of a suspended run: all of them, once. Runs inside one transaction, which the caller ends.

use std::collections::BTreeSet;

use fuze_agent::store::{Claim, ClaimError, Fence, Ground, RunState, StoreError};
use fuze_evidence::Hash;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::apply;
use crate::error::{rejected, sql};
use crate::rows::{self, RunRow, now_sql, signed};

/// Marks the tokens as this claim's, and says which run goes on at which epoch. Whoever comes second learns here that the token was used,
/// before anything about epoch or state, which the first one has moved.
pub(crate) fn tokens(connection: &Connection, claim: &Claim) -> Result<RunRow, ClaimError> {
    let row = rows::require(connection, claim.run)?;
    let given: BTreeSet<Hash> = claim.tokens.iter().copied().collect();
    // INVARIANT: no run goes on without a token.
    if given.is_empty() {
        return Err(ClaimError::Incomplete);
    }
    // INVARIANT: without a decision a run only ends.
    if claim.ground != Ground::Decided && claim.batch.state != RunState::Closed {
        return Err(rejected("silence and erasure close a run, they do not continue it").into());
    }
    let epoch = signed(claim.epoch)?;
    let in_time = claim.ground == Ground::Decided;
    for &token in &given {
        let won = connection
            .prepare_cached(concat!(
                "UPDATE tokens SET claim_id = ?4, claimed_at_ms = ",
                now_sql!(),
                " WHERE token_hash = ?1 AND run = ?2 AND epoch = ?3 AND claim_id IS NULL AND (NOT ?5 OR expires_at_ms > ",
                now_sql!(),
                ") RETURNING token_hash"
            ))
            .and_then(|mut statement| {
                statement
                    .query_row(params![token.as_bytes(), row.id, epoch, claim.claim_id, in_time], |row| {
                        row.get::<_, [u8; 32]>(0)
                    })
                    .optional()
            })
            .map_err(sql)?;
        if won != Some(token.0) {
            return Err(why_not(connection, row.id, token, in_time)?);
        }
    }
    let left: i64 = connection
        .prepare_cached("SELECT count(*) FROM tokens WHERE run = ?1 AND claim_id IS NULL")
        .and_then(|mut statement| statement.query_row([row.id], |row| row.get(0)))
        .map_err(sql)?;
    if left > 0 {
        return Err(ClaimError::Incomplete);
    }
    if claim.ground == Ground::Silence && !any_expired(connection, row.id, epoch)? {
        return Err(ClaimError::InTime);
    }
    if row.epoch != claim.epoch || row.state != RunState::Suspended {
        return Err(StoreError::Fenced.into());
    }
    Ok(row)
}

/// Whether the time of any token of this suspension is over. By the same statement's clock for all of them.
fn any_expired(connection: &Connection, id: i64, epoch: i64) -> Result<bool, StoreError> {
    connection
        .prepare_cached(concat!(
            "SELECT EXISTS (SELECT 1 FROM tokens WHERE run = ?1 AND epoch = ?2 AND expires_at_ms <= ",
            now_sql!(),
            ")"
        ))
        .and_then(|mut statement| statement.query_row(params![id, epoch], |row| row.get(0)))
        .map_err(sql)
}

fn why_not(connection: &Connection, id: i64, token: Hash, in_time: bool) -> Result<ClaimError, StoreError> {
    let found: Option<(bool, bool)> = connection
        .prepare_cached(concat!(
            "SELECT claim_id IS NOT NULL, expires_at_ms <= ",
            now_sql!(),
            " FROM tokens WHERE token_hash = ?1 AND run = ?2"
        ))
        .and_then(|mut statement| {
            statement
                .query_row(params![token.as_bytes(), id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(sql)?;
    Ok(match found {
        None => ClaimError::Unknown(token),
        Some((true, _)) => ClaimError::Used(token),
        Some((false, true)) if in_time => ClaimError::Expired(token),
        // It stands, but at another epoch than the claim names.
        Some((false, _)) => StoreError::Fenced.into(),
    })
}

/// Moves the run on and writes what the claim brings.
pub(crate) fn advance(connection: &Connection, row: &RunRow, claim: &Claim) -> Result<Fence, ClaimError> {
    let epoch = row.epoch.checked_add(1).ok_or_else(|| rejected("the epoch cannot grow"))?;
    apply::write(connection, claim.run, row, epoch, &claim.batch)?;
    Ok(Fence { run: claim.run, epoch })
}

/// Whether the claim stands, as another connection sees it.
pub(crate) fn stands(connection: &Connection, claim: &Claim) -> Result<bool, StoreError> {
    let mine: i64 = connection
        .query_row(
            "SELECT count(*) FROM tokens JOIN runs ON runs.id = tokens.run WHERE runs.run = ?1 AND tokens.claim_id = ?2",
            params![claim.run.to_string(), claim.claim_id],
            |row| row.get(0),
        )
        .map_err(sql)?;
    if mine == 0 {
        return Ok(false);
    }
    // What stands in the log may not have reached the disk; a checkpoint takes it there. If somebody else is at it, they do.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(sql)?;
    Ok(true)
}
