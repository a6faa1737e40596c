//! An office whose tools leave a trace in a [`World`], people who decide, and places that several processes share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fuze_agent::deployment::DeploymentBuilder;
use fuze_agent::prelude::*;
use fuze_agent::store::RunStore;
use fuze_agent::suspend::{
    Action, Case, Overseer, OverseerRegistry, OverseerSigner, SignedDecision, Suspended,
};
use fuze_agent::testing::MemoryStore;
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::verify::{Report, RunFiles, TrustedKeys, VerifyError, verify_files};
use fuze_evidence::vocab::Custody;
use fuze_evidence::{Name, RunId, Timestamp};
use fuze_policy::Policy;
use serde_json::Value;
use tempfile::TempDir;

/// A retention that is long enough for every agent here.
pub const KEPT: Retention = Retention::days("museum.v1", 30, 365, 365);

/// What tools did, in order.
#[derive(Debug, Default)]
pub struct World(Mutex<Vec<String>>);

/// The dependencies of every agent here.
pub type Deps = Arc<World>;

impl World {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Deps {
        Arc::default()
    }

    /// Something happens.
    pub fn did(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What happened.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Looks something up.
#[tool(classification = public, retention = KEPT, threat_boundary(egress = none), effect = read)]
pub async fn look(ctx: &Ctx<'_, Deps>, what: String) -> Result<String, ToolError> {
    ctx.deps().did(format!("look {what}"));
    Ok(format!("{what}: found"))
}

/// Writes a note. Must not be written twice.
#[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none))]
pub async fn note(ctx: &Ctx<'_, Deps>, text: String) -> Result<String, ToolError> {
    ctx.deps().did(format!("note {text}"));
    Ok("noted".to_owned())
}

/// Pays. A person approves each payment.
#[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none), needs_approval = always)]
pub async fn pay(ctx: &Ctx<'_, Deps>, to: String, cents: u64) -> Result<String, ToolError> {
    ctx.deps().did(format!("pay {to} {cents}"));
    Ok(format!("paid {cents}"))
}

/// Refunds. Whether a person approves says the policy.
#[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none))]
pub async fn refund(ctx: &Ctx<'_, Deps>, to: String, cents: u64) -> Result<String, ToolError> {
    ctx.deps().did(format!("refund {to} {cents}"));
    Ok(format!("refunded {cents}"))
}

define_agent! {
    /// Does office work.
    pub Office {
        purpose: "office-work",
        instructions: "Work.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [look, note, pay, refund],
        deps: Deps,
        output: String,
        max_steps: 30,
        retry_budget: 2,
        token_budget: 100_000,
    }
}

/// Rules for [`Office`]: everything is allowed, and `pay` still asks for a person.
#[must_use]
pub fn office_rules() -> Fixed {
    Fixed::new().allow_tool("look").allow_tool("note").allow_tool("pay").allow_tool("refund")
}

/// Someone who decides.
pub struct Person {
    /// The alias in the registry.
    pub alias: Name,
    /// The person's own key.
    pub key: FileSigner,
}

impl Person {
    /// Someone with a key of their own.
    #[must_use]
    pub fn new(alias: &str) -> Self {
        let identity = Name::new("overseer").unwrap();
        Self {
            alias: Name::new(alias).unwrap(),
            key: FileSigner::ephemeral(identity, &mut OsRandom::new()).unwrap(),
        }
    }

    /// The entry in the registry.
    #[must_use]
    pub fn entry(&self) -> Overseer {
        Overseer {
            alias: self.alias.clone(),
            public_key: PublicKey::from_bytes(self.key.public_key()).unwrap(),
            trainings: BTreeSet::from(["hr-2026".to_owned()]),
        }
    }

    /// Decides a case.
    #[must_use]
    pub fn decide(&self, case: &Case, action: &Action) -> SignedDecision {
        let signer = OverseerSigner {
            alias: self.alias.clone(),
            training: Some(Name::new("hr-2026").unwrap()),
            signer: &self.key,
            custody: Custody::Server,
        };
        SignedDecision::sign(case, action, "seen", &signer, now(), vec![]).unwrap()
    }

    /// Decides every case the same way.
    #[must_use]
    pub fn decide_all(&self, suspended: &Suspended, action: &Action) -> Vec<SignedDecision> {
        suspended.cases().iter().map(|case| self.decide(case, action)).collect()
    }
}

/// The operating system's time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_system_time(std::time::SystemTime::now()).unwrap()
}

/// Keys in a directory, a store, and people: what several processes of one deployment share.
pub struct Place {
    /// Where the keys are.
    pub keys: TempDir,
    /// Where the runs are.
    pub store: MemoryStore,
    /// Who decides.
    pub people: Vec<Person>,
}

impl Place {
    /// With these people.
    #[must_use]
    pub fn with(people: &[&str]) -> Self {
        Self {
            keys: tempfile::tempdir().unwrap(),
            store: MemoryStore::new().unwrap(),
            people: people.iter().map(|alias| Person::new(alias)).collect(),
        }
    }

    /// With one person.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&["anna"])
    }

    /// The first person.
    #[must_use]
    pub fn anna(&self) -> &Person {
        &self.people[0]
    }

    /// The registry of these people.
    #[must_use]
    pub fn registry(&self) -> OverseerRegistry {
        self.people.iter().fold(OverseerRegistry::new(), |all, person| all.with(person.entry()).unwrap())
    }

    /// The deployment as another process would build it, to be changed further.
    pub fn builder(&self, policy: impl Into<Policy>) -> DeploymentBuilder {
        self.builder_on(policy, Arc::new(self.store.clone()))
    }

    /// The same on another store.
    pub fn builder_on(&self, policy: impl Into<Policy>, store: Arc<dyn RunStore>) -> DeploymentBuilder {
        let keys = Keys::in_directory(self.keys.path()).unwrap();
        Deployment::with_store("museum.test", keys, policy, store).overseers(self.registry())
    }

    /// The deployment as another process would build it.
    #[must_use]
    pub fn deployment(&self, policy: impl Into<Policy>) -> Deployment {
        self.builder(policy).build().unwrap()
    }

    /// The deployment of [`Office`].
    #[must_use]
    pub fn office(&self) -> Deployment {
        self.deployment(office_rules())
    }

    /// The deployment's signing key, as whoever reads its file would have it.
    #[must_use]
    pub fn signer(&self) -> FileSigner {
        FileSigner::load(&self.keys.path().join("signing.key"), Name::new("file").unwrap()).unwrap()
    }

    /// The records of a run, as values.
    #[must_use]
    pub fn records(&self, run: RunId) -> Vec<Value> {
        self.store.records(run).iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The attributes of the records of one span.
    #[must_use]
    pub fn spans(&self, run: RunId, span: &str) -> Vec<Value> {
        let all = self.records(run).into_iter().map(|record| record["payload"].clone());
        all.filter(|payload| payload["span"] == span).map(|payload| payload["attrs"].clone()).collect()
    }

    /// A run's files.
    #[must_use]
    pub fn files(&self, run: RunId) -> MemoryRun {
        let mut files = MemoryRun::default();
        for (name, bytes) in self.store.files(run) {
            match name {
                "records.jsonl" => files.records = bytes,
                "roots.jsonl" => files.roots = bytes,
                "content.jsonl" => files.content = bytes,
                "keys.jsonl" => files.keys = bytes,
                "anchors.jsonl" => files.anchors = bytes,
                other => panic!("{other}"),
            }
        }
        files
    }

    /// What a verifier with this deployment's public key says of a run.
    ///
    /// # Errors
    /// As the verifier.
    pub fn verify(&self, run: RunId) -> Result<Report, VerifyError> {
        self.verify_files(&self.files(run))
    }

    /// What a verifier with this deployment's public key says of these files.
    ///
    /// # Errors
    /// As the verifier.
    pub fn verify_files(&self, files: &MemoryRun) -> Result<Report, VerifyError> {
        let key = PublicKey::from_bytes(self.signer().public_key()).unwrap();
        verify_files(RunFiles::from(files), &TrustedKeys::new().run_key(key))
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs [`Office`] until it ends or waits.
pub async fn work(deployment: &Deployment, deps: &Deps, model: ScriptedModel) -> Outcome<String> {
    let run = deployment.run(Office, deps.clone(), model).tenant("acme").principal("clerk-1");
    run.input("Go.").start().await.unwrap()
}

/// The run, which must have suspended.
pub fn waiting<O: std::fmt::Debug>(outcome: Outcome<O>) -> Suspended {
    match outcome {
        Outcome::Suspended { suspended, .. } => suspended,
        other => panic!("expected a suspended run, found {other:?}"),
    }
}
