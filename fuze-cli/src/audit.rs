//! `fuze audit`: what can be done with the evidence of runs.

pub(crate) mod verify;

use clap::Subcommand;

use crate::outcome::Result;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that evidence is intact and signed by keys you trust.
    Verify(verify::Args),
}

pub(crate) fn run(command: Command, output: &Output) -> Result {
    match command {
        Command::Verify(args) => verify::run(&args, output),
    }
}
