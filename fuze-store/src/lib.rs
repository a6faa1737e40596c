//! Durable runs on SQLite for fuze-agent.
//!
//! One directory holds one store: `fuze.sqlite` is what counts, `runs/<id>/` holds each run's evidence as the files of
//! `docs/evidence-format.md`, written after each commit and completed after a crash. Several processes may share it, on one
//! machine: SQLite's locks do not hold across a network file system. Not here: what stands in records, content and
//! progress (all of it arrives sealed), and any judgement over it.

mod apply;
mod claim;
mod database;
mod error;
mod network;
mod place;
mod projection;
mod read;
mod rows;
mod schema;
mod sqlite;

pub use read::RunSummary;
pub use sqlite::{Options, SqliteStore};
