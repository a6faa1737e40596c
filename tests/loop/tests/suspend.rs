//! Waiting for people, and going on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, Overseer, OverseerRegistry, OverseerSigner, SignedDecision, Suspended};
use fuze_agent::testing::MemoryStore;
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::vocab::Custody;
use fuze_evidence::{Name, Timestamp};
use serde_json::json;

const HIRING: Retention = Retention::days("hiring.v1", 180, 365, 365);

#[derive(Default)]
struct Deps {
    recorded: AtomicU32,
}

/// Records a recommendation.
#[tool(
    classification = personal,
    lawful_bases = [legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    needs_approval = always,
)]
async fn record_recommendation(
    ctx: &Ctx<'_, Arc<Deps>>,
    candidate: String,
    invite: bool,
) -> Result<String, ToolError> {
    ctx.deps().recorded.fetch_add(1, Ordering::SeqCst);
    Ok(format!("{candidate}: {invite}"))
}

define_agent! {
    /// Recommends; a human decides.
    Hiring {
        purpose: "employment-screening",
        instructions: "Recommend.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [record_recommendation],
        deps: Arc<Deps>,
        output: String,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 10_000,
    }
}

struct Person {
    alias: Name,
    key: FileSigner,
}

fn person(alias: &str) -> Person {
    let key = FileSigner::ephemeral(Name::new("overseer").unwrap(), &mut OsRandom::new()).unwrap();
    Person { alias: Name::new(alias).unwrap(), key }
}

impl Person {
    fn entry(&self) -> Overseer {
        Overseer {
            alias: self.alias.clone(),
            public_key: PublicKey::from_bytes(self.key.public_key()).unwrap(),
            trainings: BTreeSet::from(["hr-2026".to_owned()]),
        }
    }

    fn decide(&self, suspended: &Suspended, action: &Action) -> SignedDecision {
        let signer = OverseerSigner {
            alias: self.alias.clone(),
            training: Some(Name::new("hr-2026").unwrap()),
            signer: &self.key,
            custody: Custody::Server,
        };
        let now = Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
        SignedDecision::sign(&suspended.cases()[0], action, "seen the dossier", &signer, now, vec![]).unwrap()
    }
}

fn deployment(store: &MemoryStore, people: &[&Person]) -> Deployment {
    let registry = people.iter().fold(OverseerRegistry::new(), |r, p| r.with(p.entry()).unwrap());
    let policy = Fixed::new().allow_tool("record_recommendation");
    Deployment::with_store("hr.test", Keys::ephemeral().unwrap(), policy, Arc::new(store.clone()))
        .overseers(registry)
        .build()
        .unwrap()
}

async fn to_suspension(deployment: &Deployment, deps: &Arc<Deps>) -> Suspended {
    let model =
        ScriptedModel::new().call("record_recommendation", json!({"candidate": "c-7", "invite": true}));
    let run = deployment
        .run(Hiring, deps.clone(), model)
        .tenant("acme")
        .principal("recruiter-3")
        .subject("applicant 7");
    match run.input("Look at c-7.").start().await.unwrap() {
        Outcome::Suspended { suspended, .. } => suspended,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_approved_call_runs_once_and_the_run_completes() {
    let (store, anna, deps) = (MemoryStore::new().unwrap(), person("overseer-1"), Arc::new(Deps::default()));
    let deployment = deployment(&store, &[&anna]);
    let suspended = to_suspension(&deployment, &deps).await;
    assert_eq!(deps.recorded.load(Ordering::SeqCst), 0);
    let run = suspended.run_id();
    drop(suspended);
    // As another process would.
    let suspended = deployment.suspended(run).await.unwrap();
    let decision = anna.decide(&suspended, &Action::Approve);
    let resumable = suspended.verify(&[decision]).unwrap();
    let model = ScriptedModel::new().answer("invited");
    let outcome = deployment.resume(Hiring, deps.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(deps.recorded.load(Ordering::SeqCst), 1);
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in store.files(run) {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let keys = fuze_evidence::verify::TrustedKeys::new()
        .run_key(PublicKey::from_bytes(deployment.public_key()).unwrap());
    let report = fuze_evidence::verify::verify(dir.path(), &keys).unwrap();
    assert!(report.is_verified(), "{report:?}");
}

/// Adds one, and tries to get round the gate.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
async fn sneak(n: i64) -> Result<i64, ToolError> {
    match fuze_agent::testing::call(plain).args(json!({"n": n})).run(()).await {
        Ok(_) => Ok(1),
        Err(_) => Ok(0),
    }
}

/// The same, on the blocking pool.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
fn sneak_blocking(n: i64) -> Result<i64, ToolError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ran = runtime.block_on(fuze_agent::testing::call(plain).args(json!({"n": n})).run(()));
    Ok(i64::from(ran.is_ok()))
}

/// Says what it got.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
async fn plain(n: i64) -> Result<i64, ToolError> {
    Ok(n)
}

#[tokio::test]
async fn a_tool_cannot_test_another() {
    let alone = fuze_agent::testing::call(plain).args(json!({"n": 7})).run(()).await;
    assert_eq!(alone.unwrap(), 7);
    assert_eq!(fuze_agent::testing::call(sneak).args(json!({"n": 7})).run(()).await.unwrap(), 0);
    assert_eq!(fuze_agent::testing::call(sneak_blocking).args(json!({"n": 7})).run(()).await.unwrap(), 0);
}
