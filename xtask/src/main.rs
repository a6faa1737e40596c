//! Chores of the project: `cargo xtask proof`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

use xtask::{es6, proof};

const USAGE: &str = "\
usage: cargo xtask <chore>

  proof [--out <file>]   write the audit proof as Markdown (default: target/proof/audit-proof.md)
  proof --check          only check that every case has a rule, an article and an error, that every rule has a case,
                         and that every file is run
  es6 [<lines>]          compare the first lines of the ES6 number stream, by default all 10^8, with the published SHA-256
                         (a minute, with `cargo run --release -p xtask -- es6`)";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["proof"] => write_proof(None),
        ["proof", "--out", file] => write_proof(Some(PathBuf::from(file))),
        ["proof", "--check"] => check_proof(),
        ["es6"] => check_es6(100_000_000),
        ["es6", lines] if let Ok(lines) = lines.parse() => check_es6(lines),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check_es6(lines: u64) -> io::Result<bool> {
    let mut compared = false;
    es6::check(lines, |count| {
        println!("the first {count} lines: SHA-256 as published");
        compared = true;
    })?;
    if !compared {
        eprintln!("error: nothing is published for fewer than 1000 lines");
    }
    Ok(compared)
}

/// Whether nothing is wrong.
fn check_proof() -> io::Result<bool> {
    let suite = proof::load(&proof::directory())?;
    let defects = proof::defects(&suite);
    for defect in &defects {
        eprintln!("error: {defect}");
    }
    eprintln!("{} cases, {} defects", suite.cases.len(), defects.len());
    Ok(defects.is_empty())
}

fn write_proof(out: Option<PathBuf>) -> io::Result<bool> {
    let sound = check_proof()?;
    let out = out
        .unwrap_or_else(|| proof::directory().join("..").join("target").join("proof").join("audit-proof.md"));
    if let Some(directory) = out.parent() {
        fs::create_dir_all(directory)?;
    }
    let suite = proof::load(&proof::directory())?;
    fs::write(&out, proof::report(&suite, &proof::Toolchain::current()))?;
    println!("{}", out.canonicalize().unwrap_or(out).display());
    Ok(sound)
}
