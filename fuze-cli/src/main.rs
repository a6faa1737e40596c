//! The `fuze` command: what an auditor, an operator and a witness do with evidence.
//!
//! Data goes to standard output, talk to standard error. The exit code says what came of it:
//! 0 valid or done, 1 verification failed, 2 wrong usage, 3 could not be verified (no key, no anchor), 4 input or output.

mod anchors;
mod audit;
mod gone;
mod key;
mod log;
mod mend;
mod moment;
mod outcome;
mod output;
mod place;
mod policy;
mod progress;
mod signing;
mod text;
mod trust;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::outcome::{Ended, Problem};
use crate::output::Output;

/// Verify, show and export the evidence of agent runs; keep keys and logs; check and test policies.
#[derive(Debug, Parser)]
#[command(name = "fuze", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 valid or done, 1 verification failed, 2 wrong usage, \
                        3 could not be verified (no key, no anchor), 4 input or output failed.")]
struct Cli {
    /// Print JSON (one object with a member `schema`) instead of text; `fuze schema` describes it.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evidence of runs.
    #[command(subcommand)]
    Audit(Box<audit::Command>),
    /// Signing keys, master keys and key histories.
    #[command(subcommand)]
    Key(key::Command),
    /// Transparency logs.
    #[command(subcommand)]
    Log(log::Command),
    /// Policies: check, test, explain, review and compare them.
    #[command(subcommand, after_help = policy::CODES)]
    Policy(policy::Command),
    /// Print the JSON Schema of what a command prints with `--json`.
    Schema {
        /// The command, for instance `audit.verify`; without it, the names of all.
        command: Option<String>,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let output = Output::new(cli.json);
    let ended = match cli.command {
        Command::Audit(command) => audit::run(*command, &output),
        Command::Key(command) => key::run(command, &output),
        Command::Log(command) => log::run(command, &output),
        Command::Policy(command) => policy::run(command, &output),
        Command::Schema { command } => output::schemas(command.as_deref(), &output),
    };
    match ended {
        Ok(code) => code.into(),
        Err(problem) => {
            output.problem(&problem);
            problem.ended().into()
        }
    }
}

/// What the reader of the arguments says: help, or that they are wrong, which a reader of JSON is told as JSON, too.
fn refused(error: &clap::Error) -> ExitCode {
    let json =
        std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    // There is nobody to tell that nothing can be told.
    if !error.use_stderr() {
        drop(error.print());
        return Ended::Well.into();
    }
    let (output, said) = (Output::new(json), error.to_string());
    match said.trim_end().strip_prefix("error: ") {
        // It quotes what was given.
        Some(why) => output.refused(&Problem::lines(Ended::Usage, why)),
        // Help, since nothing was asked for.
        None => {
            drop(error.print());
            output.document(&Problem::lines(Ended::Usage, said.trim_end()));
        }
    }
    Ended::Usage.into()
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended.code())
    }
}
