//! Durable runs on SQLite for fuze-agent.
//!
//! One directory holds one store: `fuze.sqlite` is what counts, `runs/<id>/` holds each run's evidence as the files of
//! `docs/evidence-format.md`, written after each commit and completed after a crash. Several processes may share it, on one
//! machine: SQLite's locks do not hold across a network file system. Not here: what stands in records, content and
//! progress (all of it arrives sealed), and any judgement over it.

mod apply;
mod claim;
mod database;
mod erase;
mod error;
mod evidence;
mod group;
mod keeper;
mod network;
mod place;
mod projection;
mod query;
mod read;
mod rows;
#[cfg(test)]
#[path = "../../fuze-evidence/tests/common/scan.rs"]
mod scan;
mod schema;
mod sqlite;
mod stream;
mod subjects;
mod summary;

pub use erase::{Eraser, EraserError};
pub use evidence::{Agreement, EvidenceError, StoreReader, StoredEvidence, StoredReport};
pub use query::{Cursor, Page, Query, RunSummary};
pub use sqlite::{Options, SqliteStore};
pub use subjects::SqliteSubjectKeys;
