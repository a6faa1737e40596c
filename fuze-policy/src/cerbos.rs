//! Cerbos's policies: read from YAML, resolved into an immutable set, decided exactly as Cerbos decides.
//!
//! Deliberately absent: stores other than files, query plans, the audit trail of Cerbos, and every default of Cerbos
//! that passes over an error: conditions that fail are told, and it is strict unless asked otherwise.

mod files;
mod glob;
mod model;
mod names;
mod problem;
mod resolve;
mod set;
pub mod yaml;

pub use files::{FileKind, Files, SCHEMAS, Source, kind_of, read_directory};
pub use glob::{Glob, Pattern};
pub use problem::{Place, Position, Problem, Problems};
