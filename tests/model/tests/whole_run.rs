//! A whole run over a real model server: it asks for a tool, waits for a person, goes on in a new deployment that shares
//! nothing but the files, answers in JSON of the agent's schema, and verifies.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fuze_agent::law::residency::Eu;
use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, Overseer, OverseerRegistry, OverseerSigner, SignedDecision};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::vocab::{Custody, RunStatus};
use fuze_evidence::{Name, Timestamp};
use fuze_model::HttpModel;
use fuze_store::{Options, SqliteStore};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const LEDGER: Retention = Retention::days("ledger.v1", 365, 365, 365);

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Account {
    Rent,
    Wages,
    Taxes,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Booked {
    account: Account,
    booked: bool,
}

/// Books a payment.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = LEDGER,
    threat_boundary(egress = none),
    needs_approval = always,
)]
async fn book(ctx: &Ctx<'_, Arc<AtomicU32>>, account: Account) -> Result<Booked, ToolError> {
    ctx.deps().fetch_add(1, Ordering::SeqCst);
    Ok(Booked { account, booked: true })
}

define_agent! {
    /// Books payments that a person has seen.
    Bookkeeper {
        purpose: "bookkeeping",
        instructions: "Book the payment, then answer whether it was booked.",
        lawful_basis: contract,
        annex_iii: essential_services::creditworthiness,
        art22: none,
        oversight: human_approval { plan: "oversight.ledger.v1", training: "ledger-2026" },
        model_residency: eu,
        retention: LEDGER,
        tools: [book],
        deps: Arc<AtomicU32>,
        output: Booked,
        max_steps: 8,
        retry_budget: 3,
        token_budget: 100_000,
    }
}

/// The server's address, or a word that it is not there.
fn endpoint() -> Option<String> {
    let url = std::env::var("FUZE_MODEL_URL").ok();
    if url.is_none() {
        assert!(
            std::env::var_os("FUZE_REQUIRE_MODEL").is_none(),
            "FUZE_MODEL_URL is not set, and the server is required"
        );
        println!("SKIPPED: no model server; tests/model-server/run.sh starts one");
    }
    url
}

fn model(url: &str) -> HttpModel<Eu> {
    HttpModel::openai_compatible(url, "tiny", Eu)
        .parallel_tool_calls(false)
        .insist_on_tools(1)
        .build()
        .unwrap()
}

fn open(directory: &Path, overseer: &FileSigner) -> (Deployment, Arc<SqliteStore>) {
    let store = Arc::new(SqliteStore::open(directory.join("store"), &Options::default()).unwrap());
    let keys = Keys::in_directory(directory.join("keys")).unwrap();
    let person = Overseer {
        alias: Name::new("controller-1").unwrap(),
        public_key: PublicKey::from_bytes(overseer.public_key()).unwrap(),
        trainings: BTreeSet::from(["ledger-2026".to_owned()]),
    };
    let registry = OverseerRegistry::new().with(person).unwrap();
    let policy = Fixed::new().allow_tool("book");
    let deployment = Deployment::with_store("ledger.test", keys, policy, store.clone()).overseers(registry);
    (deployment.build().unwrap(), store)
}

#[tokio::test]
async fn a_real_model_suspends_resumes_and_verifies() {
    let Some(url) = endpoint() else { return };
    let directory = tempfile::tempdir().unwrap();
    let overseer = FileSigner::ephemeral(Name::new("overseer").unwrap(), &mut OsRandom::new()).unwrap();
    let booked = Arc::new(AtomicU32::new(0));

    let (first, store) = open(directory.path(), &overseer);
    let run = first
        .run(Bookkeeper, booked.clone(), model(&url))
        .tenant("acme")
        .principal("clerk-1")
        .subject("payee 9");
    let outcome = run.input("Book the rent.").start().await.unwrap();
    let Outcome::Suspended { suspended, .. } = outcome else { panic!("{outcome:?}") };
    let run_id = suspended.run_id();
    assert_eq!(booked.load(Ordering::SeqCst), 0, "nothing is booked before a person has decided");
    drop((suspended, first));
    Arc::into_inner(store).unwrap().close().await.unwrap();

    let (second, store) = open(directory.path(), &overseer);
    let suspended = second.suspended(run_id).await.unwrap();
    let signer = OverseerSigner {
        alias: Name::new("controller-1").unwrap(),
        training: Some(Name::new("ledger-2026").unwrap()),
        signer: &overseer,
        custody: Custody::Offline,
    };
    let now = Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
    let decision =
        SignedDecision::sign(&suspended.cases()[0], &Action::Approve, "fine", &signer, now, vec![]).unwrap();
    let resumable = suspended.verify(&[decision]).unwrap();
    let outcome = second.resume(Bookkeeper, booked.clone(), model(&url), resumable).go().await.unwrap();
    assert_eq!(booked.load(Ordering::SeqCst), 1, "{outcome:?}");
    assert_eq!(outcome.status(), "completed", "{outcome:?}");

    let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(second.public_key()).unwrap());
    let report = verify(&store.run_directory(run_id), &keys).unwrap();
    assert_eq!(report.chain, Chain::Closed(RunStatus::Completed));
}
