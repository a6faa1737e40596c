//! `fuze log add`: puts the lines of a key history into a log, each once, whatever interrupts it.

mod meant;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use fuze_evidence::Hash;
use fuze_evidence::anchor::{AnchorLine, LeafKind};
use fuze_evidence::keys::history::MAX_BYTES;
use fuze_evidence::sha256;
use schemars::JsonSchema;
use serde::Serialize;

use meant::Meant;

use super::LogWriter;
use crate::key::own_history;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::GOOD;
use crate::trust;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The history of keys: each of its lines that is not in the log yet, as `--anchors` has it, is put there.
    #[arg(long, value_name = "FILE")]
    key_history: PathBuf,
    /// Where the lines are kept that say where in the log they are; made if it is not there. For your auditors, with the history:
    /// `fuze audit verify --key-anchors`.
    #[arg(long, value_name = "FILE")]
    anchors: PathBuf,
    #[command(flatten)]
    log: LogWriter,
}

/// What is in the log now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Added {
    added: Vec<Leaf>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Leaf {
    /// The line of the history, from 0.
    line: u64,
    /// The index of its leaf.
    index: u64,
}

impl Document for Added {
    const SCHEMA: &'static str = "fuze.log.add/1";
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let history = own_history(&args.key_history, &trust::read(&args.key_history, MAX_BYTES as u64)?)?;
    // Held until the end: two at once would put a line there twice.
    let failed = |error: &dyn std::fmt::Display| Problem::file(&args.anchors, error);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&args.anchors)
        .map_err(|error| failed(&error))?;
    file.try_lock().map_err(|error| failed(&format_args!("another process changes it: {error}")))?;
    let kept = trust::read(&args.anchors, MAX_BYTES as u64)?;
    let kept = AnchorLine::read_all(&kept)
        .map_err(|(line, error)| failed(&format_args!("line {line}: {error}; a crash may have torn it")))?;
    let mut meant = Meant::open(&args.anchors)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Problem::io)?;
    let log = args.log.open()?;
    let is_there = |hash: Hash| {
        let of_log = |line: &&AnchorLine| line.log() == log.origin();
        kept.iter().filter(of_log).any(|line| line.opens_to_hash(LeafKind::Key, hash).is_ok())
    };
    let mut added = Added { added: Vec::new() };
    let octets = history.to_bytes();
    let lines = octets.split_inclusive(|&octet| octet == b'\n');
    let hashes: Vec<Hash> = lines.map(|line| sha256(line.strip_suffix(b"\n").unwrap_or(line))).collect();
    for (number, &hash) in (0..).zip(&hashes) {
        if is_there(hash) {
            continue;
        }
        // What hides the leaf is durable before the log hears of it: asked once more, it has the same leaf at the same index.
        let blinding = meant.blinding(log.origin(), hash)?;
        let anchored = runtime.block_on(log.anchor_key(hash, &blinding)).map_err(Problem::io)?;
        file.write_all(&[anchored.bytes(), b"\n"].concat())
            .and_then(|()| file.sync_all())
            .map_err(|error| failed(&error))?;
        added.added.push(Leaf { line: number, index: anchored.index() });
    }
    meant.done(log.origin(), &hashes)?;
    output.data(&added, || {
        let told =
            |leaf: &Leaf| format!("line {}  {GOOD}in the log{GOOD:#}: leaf {}\n", leaf.line, leaf.index);
        let text: String = added.added.iter().map(told).collect();
        if text.is_empty() { "nothing is missing in the log\n".to_owned() } else { text }
    })?;
    Ok(Ended::Well)
}
