//! A deployment's directory with runs of two persons, as a store, its keys and a log leave it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use fuze_agent::deployment::Clock;
use fuze_agent::prelude::*;
use fuze_agent::store::RunStore as _;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::{PublicKey, SignedRoot};
use fuze_evidence::sink::JsonlSink;
use fuze_evidence::{Hash, Name, Timestamp, jcs};
use fuze_log::{Anchor as _, AnchorLine, Blinding, Log, LogOptions};
use fuze_store::{Options, SqliteStore};
use serde_json::{Value, json};

use super::{fuze, json};

pub(crate) const ORIGIN: &str = "ward.example.eu";
const RECORD: Retention = Retention::days("patient-record.v1", 3650, 3650, 3650);

/// Reads a patient's potassium.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = RECORD,
    threat_boundary(egress = none), effect = read,
)]
async fn potassium(patient: String) -> Result<String, ToolError> {
    Ok(format!("{patient}: 5.9 mmol/l"))
}

define_agent! {
    /// Answers about lab results.
    Ward {
        purpose: "patient-care", instructions: "Answer from the lab result.", lawful_basis: contract,
        annex_iii: none, art22: none, oversight: none, model_residency: eu, retention: RECORD,
        tools: [potassium], deps: (), output: String, max_steps: 4, retry_budget: 1, token_budget: 10_000,
    }
}

/// A deployment's directory with two runs of one person and one of another.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    pub(crate) runs: Vec<String>,
    /// The raw public key that signed the runs.
    pub(crate) key: String,
}

/// A key of nobody here (RFC 8032 section 7.1, test 1).
pub(crate) const STRANGER: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
pub(crate) const SECRET: &str = "Erika Mustermann";

impl Site {
    pub(crate) fn new() -> Self {
        Self::in_directory(tempfile::tempdir().unwrap())
    }

    /// A sink's files in the place of a store's, and the last run left by a crash before its close, its last line torn.
    pub(crate) fn crashed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runs = runtime().block_on(async {
            let sink = Arc::new(JsonlSink::new(directory.path().join("store")));
            let keys = Keys::in_directory(directory.path().join("keys")).unwrap();
            let policy = Fixed::new().allow_tool("potassium");
            let deployment = Deployment::with_sink(ORIGIN, keys, policy, sink).build().unwrap();
            let mut runs = Vec::new();
            for input in ["other", SECRET] {
                let model = ScriptedModel::new()
                    .call("potassium", json!({"patient": input}))
                    .answer(format!("{input} has 5.9 mmol/l"));
                let run = deployment.run(Ward, (), model).tenant("clinic-7").principal("nurse-12");
                let outcome = run.subject("p-1").input(input).start().await.unwrap();
                runs.push(outcome.report().run_id.to_string());
            }
            runs
        });
        let site = Self::of(directory, runs);
        let records = format!("{}/records.jsonl", site.run(1));
        let whole = fs::read_to_string(&records).unwrap();
        fs::write(records, &whole[..whole.len() - 30]).unwrap();
        site
    }

    /// With a history of its signing key, `run.history.jsonl`.
    pub(crate) fn with_history() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |below: &str| directory.path().join(below).to_str().unwrap().to_owned();
        fs::create_dir(path("keys")).unwrap();
        fs::set_permissions(path("keys"), fs::Permissions::from_mode(0o700)).unwrap();
        let (key, history) = (path("keys/signing.key"), path("run.history.jsonl"));
        let new = ["key", "new", "--role", "run", "--out", &key, "--history", &history];
        fuze(&[new.as_slice(), &["--origin", ORIGIN]].concat(), 0);
        Self::in_directory(directory)
    }

    fn in_directory(directory: tempfile::TempDir) -> Self {
        let runs = runtime().block_on(async {
            let store =
                Arc::new(SqliteStore::open(directory.path().join("store"), &Options::default()).unwrap());
            let keys = Keys::in_directory(directory.path().join("keys")).unwrap();
            let policy = Fixed::new().allow_tool("potassium");
            let deployment = Deployment::with_store(ORIGIN, keys, policy, store.clone()).build().unwrap();
            let mut runs = Vec::new();
            for (person, input) in [("p-1", SECRET), ("p-1", "again"), ("p-2", "other")] {
                let model = ScriptedModel::new()
                    .call("potassium", json!({"patient": input}))
                    .answer(format!("{input} has 5.9 mmol/l"));
                let run = deployment.run(Ward, (), model).tenant("clinic-7").principal("nurse-12");
                let outcome = run.subject(person).input(input).start().await.unwrap();
                runs.push(outcome.report().run_id.to_string());
            }
            runs
        });
        Self::of(directory, runs)
    }

    /// A store with one run of each of two tenants, all of whose retention windows have ended since.
    pub(crate) fn aged() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runs = runtime().block_on(async {
            let store =
                Arc::new(SqliteStore::open(directory.path().join("store"), &Options::default()).unwrap());
            let keys = Keys::in_directory(directory.path().join("keys")).unwrap();
            let policy = Fixed::new().allow_tool("potassium");
            let deployment = Deployment::with_store(ORIGIN, keys, policy, store.clone());
            let deployment = deployment.clock(Arc::new(LongAgo)).build().unwrap();
            let mut runs = Vec::new();
            for tenant in ["clinic-7", "clinic-8"] {
                let model = ScriptedModel::new().answer("done");
                let run = deployment.run(Ward, (), model).tenant(tenant).principal("nurse-12");
                let outcome = run.subject("p-1").input("again").start().await.unwrap();
                runs.push(outcome.report().run_id.to_string());
            }
            runs
        });
        Self::of(directory, runs)
    }

    fn of(directory: tempfile::TempDir, runs: Vec<String>) -> Self {
        let mut site = Self { directory, runs, key: String::new() };
        let shown = json(&fuze(&["key", "show", "--json", &site.path("keys/signing.key")], 0));
        site.key = shown["publicKey"].as_str().unwrap().to_owned();
        site
    }

    pub(crate) fn path(&self, below: &str) -> String {
        self.directory.path().join(below).to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, at: usize) -> String {
        self.path(&format!("store/runs/{}", self.runs[at]))
    }

    /// `fuze audit <what>` over the store with the run's key, and all that opens content.
    pub(crate) fn audit(&self, what: &str, at: usize, more: &[&str], code: i32) -> Value {
        let (store, master, subjects) =
            (self.path("store"), self.path("keys/master.key"), self.path("keys/subjects"));
        let mut arguments = vec![
            "audit",
            what,
            "--json",
            &store,
            "--run",
            &self.runs[at],
            "--key",
            &self.key,
            "--master-key",
            &master,
            "--subject-keys",
            &subjects,
        ];
        arguments.extend(more);
        json(&fuze(&arguments, code))
    }

    pub(crate) fn erase(&self, more: &[&str], code: i32) -> Value {
        let (store, signing) = (self.path("store"), self.path("keys/signing.key"));
        let (master, subjects) = (self.path("keys/master.key"), self.path("keys/subjects"));
        let mut arguments = vec![
            "audit",
            "erase",
            "--json",
            &store,
            "--origin",
            ORIGIN,
            "--signing-key",
            &signing,
            "--by",
            "dpo",
            "--master-key",
            &master,
            "--subject-keys",
            &subjects,
        ];
        arguments.extend(more);
        json(&fuze(&arguments, code))
    }

    /// The id of the signing key.
    pub(crate) fn key_id(&self) -> String {
        let shown = json(&fuze(&["key", "show", "--json", &self.path("keys/signing.key")], 0));
        shown["keyId"].as_str().unwrap().to_owned()
    }

    /// A new log in `log/`, with a key of its own.
    pub(crate) fn log(&self) -> Log {
        let key = self.path("log.key");
        drop(fs::remove_file(&key));
        let signer =
            FileSigner::create(key.as_ref(), Name::new("log").unwrap(), &mut OsRandom::new()).unwrap();
        let origin = Name::new("log.example.eu/runs").unwrap();
        Log::create(self.path("log").as_ref(), &origin, Arc::new(signer), LogOptions::new()).unwrap()
    }

    /// The log that lies in `log/` now.
    pub(crate) fn reopened_log(&self) -> Log {
        let signer = FileSigner::load(self.path("log.key").as_ref(), Name::new("log").unwrap()).unwrap();
        Log::open(self.path("log").as_ref(), Arc::new(signer), LogOptions::new()).unwrap()
    }

    /// The signed roots of a run: the open's, and the close's.
    pub(crate) fn roots(&self, at: usize) -> (SignedRoot, SignedRoot) {
        let key = PublicKey::from_bytes(self.key.parse::<Hash>().unwrap().0).unwrap();
        let line = |file: &str, last: bool| {
            let text = fs::read_to_string(format!("{}/{file}", self.run(at))).unwrap();
            let line = if last { text.lines().last() } else { text.lines().next() };
            line.unwrap().to_owned()
        };
        let last: Value = serde_json::from_str(&line("records.jsonl", true)).unwrap();
        let close = jcs::to_vec(&last["payload"]["signature"]).unwrap();
        let open = line("roots.jsonl", false).into_bytes();
        let read = |octets: &[u8]| SignedRoot::read(octets, |_| Some(key)).unwrap();
        (read(&open), read(&close))
    }

    /// Puts a run's roots into `log`, the close only if that is `whole`, and the lines into the store.
    pub(crate) fn anchor(&self, log: &Log, at: usize, whole: bool) {
        let lines = anchor_lines(log, &self.roots(at), whole);
        runtime().block_on(async {
            let store = SqliteStore::open(self.path("store"), &Options::default()).unwrap();
            for line in &lines {
                store.add_anchor(self.runs[at].parse().unwrap(), line).await.unwrap();
            }
            store.close().await.unwrap();
        });
    }

    /// Puts a line of a key history into `log`.
    pub(crate) fn anchor_key(&self, log: &Log, line: Hash, blinding: &Blinding) -> AnchorLine {
        runtime().block_on(log.anchor_key(line, blinding)).unwrap()
    }

    /// Another key takes the signing key's place, which is then revoked. Gives the revocation's line, anchored in `log`, as a file.
    pub(crate) fn revoke(&self, log: &Log, more: &[&str]) -> String {
        let (history, old, new) =
            (self.path("run.history.jsonl"), self.path("keys/signing.key"), self.path("next.key"));
        let id = self.key_id();
        fuze(&["key", "rotate", "--history", &history, "--key", &old, "--out", &new], 0);
        let revoke = ["key", "rotate", "--json", "--history", &history, "--key", &new, "--revoke", &id];
        let made = json(&fuze(&[revoke.as_slice(), more].concat(), 0));
        let head = made["historyHead"].as_str().unwrap().parse().unwrap();
        let line = self.anchor_key(log, head, &Blinding::generate(&mut OsRandom::new()).unwrap());
        let file = self.path("key.anchors.jsonl");
        fs::write(&file, [line.bytes(), b"\n"].concat()).unwrap();
        file
    }
}

/// A clock that stands, in the year 2000.
struct LongAgo;

impl Clock for LongAgo {
    fn identity(&self) -> Name {
        Name::new("set").unwrap()
    }

    fn now(&self) -> Timestamp {
        "2000-01-01T00:00:00.000000000Z".parse().unwrap()
    }
}

/// The lines of `anchors.jsonl` for roots that this puts into `log`.
pub(crate) fn anchor_lines(
    log: &Log,
    (open, close): &(SignedRoot, SignedRoot),
    whole: bool,
) -> Vec<AnchorLine> {
    runtime().block_on(async {
        let deadline = "2099-01-01T00:00:00.000000000Z".parse().unwrap();
        let blinding = Blinding::generate(&mut OsRandom::new()).unwrap();
        let opened = log.anchor_open(open, deadline, &blinding).await.unwrap();
        let closed = if whole { Some(log.anchor_close(close, &opened).await.unwrap()) } else { None };
        [Some(opened), closed].into_iter().flatten().collect()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A directory with all that is in it, to a new place.
pub(crate) fn copy(from: &str, to: &str) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), format!("{to}/{}", entry.file_name().to_str().unwrap()));
        match path.is_dir() {
            true => copy(path.to_str().unwrap(), &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}
