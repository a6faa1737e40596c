//! A durable, signed approval: a run waits in its store, a person decides with a key of their own, and the run goes on in whatever
//! process comes next. What stands between the marks is all of it.

use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, Overseer, OverseerRegistry, OverseerSigner, SignedDecision};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::vocab::Custody;
use fuze_evidence::{Name, Timestamp};
use fuze_store::{Options, SqliteStore};
use serde_json::json;

const ORDERS: Retention = Retention::days("orders.v1", 30, 365, 365);

/// Orders pallets.
#[tool(
    classification = confidential, retention = ORDERS, threat_boundary(egress = none), needs_approval = always,
)]
async fn order(pallets: u32) -> Result<u32, ToolError> {
    Ok(pallets)
}
define_agent! {
    /// Keeps the stock.
    Buyer {
        purpose: "procurement", instructions: "Order what is missing.",
        lawful_basis: contract, annex_iii: none, art22: none,
        oversight: human_approval { plan: "oversight.buy.v1", training: "buy-2026" },
        model_residency: eu, retention: ORDERS, tools: [order], deps: (), output: u32,
        max_steps: 4, retry_budget: 1, token_budget: 10_000,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    // approval: from here
    let key =
        FileSigner::create(&directory.path().join("head.key"), Name::new("file")?, &mut OsRandom::new())?;
    let (alias, training) = (Name::new("head-of-buying")?, Name::new("buy-2026")?);
    let overseer = Overseer {
        alias: alias.clone(),
        public_key: PublicKey::from_bytes(key.public_key())?,
        trainings: ["buy-2026".to_owned()].into(),
    };
    let open = || -> Result<Deployment, Box<dyn std::error::Error>> {
        let store = Arc::new(SqliteStore::open(directory.path().join("store"), &Options::default())?);
        let keys = Keys::in_directory(directory.path().join("keys"))?;
        let policy = Fixed::new().allow_tool("order");
        let registry = OverseerRegistry::new().with(overseer.clone())?;
        Ok(Deployment::with_store("stock.example", keys, policy, store).overseers(registry).build()?)
    };
    let model = ScriptedModel::new().call("order", json!({"pallets": 12}));
    let outcome = open()?.run(Buyer, (), model).principal("clerk-4").input("Restock.").start().await?;
    let run = outcome.report().run_id;
    drop(outcome); // From here on it could be another process.
    let deployment = open()?;
    let suspended = deployment.suspended(run).await?;
    let signer = OverseerSigner { alias, training: Some(training), signer: &key, custody: Custody::Server };
    let now = Timestamp::from_system_time(std::time::SystemTime::now())?;
    let case = suspended.cases().first().ok_or("the run does not wait")?;
    let decision = SignedDecision::sign(case, &Action::Approve, "The shelf is empty.", &signer, now, vec![])?;
    let resumable = suspended.verify(&[decision])?;
    let outcome = deployment.resume(Buyer, (), ScriptedModel::new().answer(12), resumable).go().await?;
    // approval: to here
    println!("{}\nordered: {:?}", outcome.report().timeline.clone(), outcome.output());
    Ok(())
}
