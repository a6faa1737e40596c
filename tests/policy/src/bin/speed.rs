//! What the same decision costs in the process and at a Cerbos server on loopback, in one script.
//!
//!     tests/policy/run.sh cargo run --release -p fuze-agent-policy-tests --bin speed

use std::hint::black_box;
use std::time::Instant;

use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_agent_policy_tests::tools::RUN;
use fuze_policy::agent_tool::{Cerbos, question};
use fuze_policy::{CallFacts, Engine as _, Request, RunFacts, ToolFacts};
use serde_json::json;

#[path = "../../../../fuze-policy/benches/bundle/mod.rs"]
mod bundle;

fn main() -> Result<(), String> {
    let binary = pdp::binary().ok_or("no Cerbos")?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let directory = scratch.path().join("policies");
    std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    for (name, text) in bundle::files() {
        std::fs::write(directory.join(name), text).map_err(|error| error.to_string())?;
    }
    let engine = Cerbos::load(&directory).map_err(|error| error.to_string())?;
    let server = Pdp::start(&binary, &directory, Mode::Strict, scratch.path())?;
    let roles = ["accounting".to_owned(), "support".to_owned()];
    let request = Request {
        tool: ToolFacts {
            name: "tool_3",
            classification: "personal",
            art9_basis: None,
            residency: "eu",
            effect: "read",
            egress: "none",
        },
        run: RunFacts { roles: &roles, ..RUN },
        call: CallFacts { args: bundle::ARGS.as_bytes(), depth: 0 },
    };
    let asked = question(&request, "").map_err(|error| error.to_string())?;
    let principal =
        json!({"id": asked.principal.id, "roles": ["accounting", "support"], "attr": asked.principal.attr});
    let resource = json!([{
        "actions": ["invoke", "invoke:auto"],
        "resource": {"kind": asked.resource.kind, "id": asked.resource.id, "attr": asked.resource.attr},
    }]);
    let resources = resource.as_array().cloned().unwrap_or_default();
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..1_000 {
        let start = Instant::now();
        for _ in 0..1_000 {
            black_box(engine.decide(black_box(&request)).is_ok());
        }
        here.push(start.elapsed().as_secs_f64() / 1_000.0);
        let start = Instant::now();
        black_box(server.check(&principal, &resources)?);
        there.push(start.elapsed().as_secs_f64());
    }
    let (here, there) = (median(&mut here), median(&mut there));
    println!("both actions, 50 rules, medians");
    println!("  in the process      {:10.0} ns", here * 1e9);
    println!("  Cerbos on loopback  {:10.0} ns", there * 1e9);
    println!("  times as fast       {:10.0}   wanted at least 1 000", there / here);
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
