//! `fuze audit`: what can be done with the evidence of runs.

pub(crate) mod compact;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod query;
pub(crate) mod show;
mod timeline;
pub(crate) mod verify;

use std::path::Path;

use clap::Subcommand;
use fuze_audit::AuditError;

use crate::outcome::{Problem, Result};
use crate::output::Output;
use crate::text::plain;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that evidence is intact and signed by keys you trust.
    Verify(verify::Args),
    /// List the runs of a store.
    Query(query::Args),
    /// Draw a run as a timeline.
    Show(show::Args),
    /// Tell a run step by step as it was decided, with what your keys open. Nothing is executed.
    Replay(show::Args),
    /// Say where two runs part.
    Diff(show::DiffArgs),
    /// Write a run as a bundle: one file that a stranger can check without us.
    Export(export::Args),
    /// Erase content (GDPR Art. 17, retention windows), and order or end holds.
    Erase(Box<erase::Args>),
    /// Write a store's database anew after erasures, so that nothing of what they took stays in a page.
    Compact(compact::Args),
}

pub(crate) fn run(command: Command, output: &Output) -> Result {
    match command {
        Command::Verify(args) => verify::run(&args, output),
        Command::Query(args) => query::run(&args, output),
        Command::Show(args) => show::run(&args, show::Detail::Timeline, output),
        Command::Replay(args) => show::run(&args, show::Detail::Whole, output),
        Command::Diff(args) => show::diff(&args, output),
        Command::Export(args) => export::run(&args, output),
        Command::Erase(args) => erase::run(&args, output),
        Command::Compact(args) => compact::run(&args, output),
    }
}

/// Why nothing is said or shown of a bundle.
pub(crate) fn refused(path: &Path, error: &AuditError) -> Problem {
    let said = format_args!("`{}`: {}", path.display(), plain(&error.to_string())).to_string();
    match error {
        AuditError::Failed(_) => Problem::failed(said),
        AuditError::Cannot { .. } => Problem::cannot(said),
        AuditError::Io(_) => Problem::io(said),
        _ => Problem::failed(said),
    }
}
