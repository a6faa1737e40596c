//! `fuze log anchor`: closes that the log did not take when their runs ended, put into it later.

use std::path::{Path, PathBuf};

use fuze_agent::store::RunStore as _;
use fuze_audit::{RunRoots, missing_close};
use fuze_evidence::RunId;
use fuze_evidence::anchor::{Anchor as _, AnchorLine};
use fuze_evidence::sign::{KeyId, PublicKey};
use fuze_evidence::sink::{SinkError, keep_anchor};
use fuze_log::Log;
use fuze_store::{Options, SqliteStore};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::LogWriter;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::{Place, Places, STORE, Source};
use crate::text::{BAD, GOOD, plain};
use crate::trust::public_key;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run's directory, the directory of a JSONL sink (the one with `runs`), or a store.
    path: PathBuf,
    #[command(flatten)]
    log: LogWriter,
    /// A public key that signs runs: 64 hexadecimal digits, or a file with them or with a PEM public key; repeat it for several.
    #[arg(long = "key", value_name = "KEY|FILE", required = true)]
    keys: Vec<String>,
}

/// Which closes are in the log now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settled {
    anchored: Vec<Anchored>,
    /// Runs whose close is not, and why.
    pending: Vec<Pending>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Anchored {
    run_id: String,
    /// The index of the leaf.
    index: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Pending {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    message: String,
}

impl Document for Settled {
    const SCHEMA: &'static str = "fuze.log.anchor/1";
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let keys = args.keys.iter().map(|text| public_key("--key", text)).collect::<Result<Vec<_>>>()?;
    let Places::Runs(places) = Place::all(&args.path)? else {
        return Err(Problem::usage("a bundle is a copy: name the run where it is kept"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Problem::io)?;
    let work = Work { log: args.log.open()?, keys, runtime };
    let mut settled = Settled { anchored: Vec::new(), pending: Vec::new() };
    for place in places {
        let source = place.source()?;
        let run_id = source.run_id();
        match work.settle(&place, &source, run_id) {
            Ok(Some(index)) => {
                let run_id = run_id.map(|run| run.to_string()).unwrap_or_default();
                settled.anchored.push(Anchored { run_id, index });
            }
            Ok(None) => {}
            Err(message) => {
                settled.pending.push(Pending { run_id: run_id.map(|run| run.to_string()), message });
            }
        }
    }
    output.data(&settled, || text(&settled))?;
    Ok(if settled.pending.is_empty() { Ended::Well } else { Ended::Cannot })
}

struct Work {
    log: Log,
    keys: Vec<PublicKey>,
    runtime: Runtime,
}

impl Work {
    /// The index of the run's close, if it was not in the log. The same root is the same leaf, so that it may be done again.
    fn settle(
        &self,
        place: &Place,
        source: &Source,
        run: Option<RunId>,
    ) -> std::result::Result<Option<u64>, String> {
        let find = |id: &KeyId, _| self.keys.iter().find(|key| key.id() == *id).copied();
        let roots = RunRoots::read(source, find).map_err(|error| error.to_string())?;
        let missing = missing_close(source, &roots, self.log.origin()).map_err(|error| error.to_string())?;
        let (Some((close, opened)), Some(run)) = (missing, run) else { return Ok(None) };
        if matches!(place, Place::Run(path) if is_stores(path)) {
            return Err("its files are a store's: name the store, which writes them".to_owned());
        }
        let line =
            self.runtime.block_on(self.log.anchor_close(&close, &opened)).map_err(|e| e.to_string())?;
        self.keep(place, run, &line)?;
        Ok(Some(line.index()))
    }

    fn keep(&self, place: &Place, run: RunId, line: &AnchorLine) -> std::result::Result<(), String> {
        match place {
            Place::Stored { store, .. } => self.runtime.block_on(async {
                let store = SqliteStore::open(store, &Options::default()).map_err(|e| e.to_string())?;
                store.add_anchor(run, line).await.map_err(|e| e.to_string())?;
                store.close().await.map_err(|e| e.to_string())
            }),
            Place::Run(path) => keep_anchor(path, line).map_err(|error: SinkError| error.to_string()),
            Place::Records(_) | Place::Bundle(_) => Err("expected a run's directory".to_owned()),
        }
    }
}

/// Whether a run's directory lies in a store.
fn is_stores(run: &Path) -> bool {
    let run = std::fs::canonicalize(run).ok();
    let base = run.as_deref().and_then(Path::parent).and_then(Path::parent);
    base.is_some_and(|base| base.join(STORE).exists())
}

fn text(settled: &Settled) -> String {
    let mut text = String::new();
    for run in &settled.anchored {
        text += &format!("{}  {GOOD}anchored{GOOD:#}: its close is leaf {}\n", run.run_id, run.index);
    }
    for run in &settled.pending {
        let run_id = run.run_id.as_deref().unwrap_or("a run");
        text += &format!("{run_id}  {BAD}pending{BAD:#}: {}\n", plain(&run.message));
    }
    if text.is_empty() { "nothing is missing in the log\n".to_owned() } else { text }
}
