//! Cerbos's policies: read from YAML, resolved into an immutable set, decided exactly as Cerbos decides.
//!
//! Deliberately absent: stores other than files, query plans, the audit trail of Cerbos, and every default of Cerbos
//! that passes over an error: conditions that fail are told, and it is strict unless asked otherwise.

mod check;
pub(crate) mod closing;
mod files;
mod glob;
pub mod model;
mod names;
mod problem;
mod resolve;
#[cfg(feature = "cerbos-schema")]
mod schema;
mod set;
pub mod yaml;

pub use check::{
    ActionEffect, AttributesOf, AuxData, CheckError, CheckInput, CheckOutput, CheckParams, EvaluationError,
    Outcome, OutputEntry, Principal, Resource, Step, ValidationError, check, check_stepwise,
};
pub use files::{FileKind, Files, SCHEMAS, Source, kind_of, read_directory};
pub use glob::{Glob, Pattern};
pub use model::{Effect, ScopePermissions};
pub use problem::{Place, Position, Problem, Problems};
#[cfg(feature = "cerbos-schema")]
pub use schema::{Enforced, Enforcement, Schemas};
pub use set::{
    Condition, DerivedRole, Expression, Output, Params, PolicyId, PolicyInfo, PolicyKind, PolicySet, RoleRow,
    Row, RowId, Rule, SchemaRef, SchemaRefs, Variable, Whom,
};

// For proofs, which evaluate the same rules over cells instead of values.
pub(crate) use check::bindings;
pub(crate) use glob::texts_told_apart;
// For what else is written in YAML beside policies: manifests and test suites.
pub(crate) use files::{read_file, split};
pub(crate) use model::fields::{Fields, json_of, list_of, text_of};
pub(crate) use names::{is_scope, is_word, parents, resource_key, role_key};
pub(crate) use problem::Collector;
