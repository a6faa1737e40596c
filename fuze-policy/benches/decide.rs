//! What a decision costs: `cargo bench -p fuze-policy --features cerbos`, `-- --check` to fail where a figure is missed.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::hint::black_box;
use std::time::Instant;

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, Engine as _, Request, RunFacts, ToolFacts};

mod bundle;

fn main() {
    let check = std::env::args().any(|argument| argument == "--check");
    let engine = load(1);
    let names: Vec<String> = (0..25).map(|at| format!("tool_{at}")).collect();
    let roles = ["accounting".to_owned(), "support".to_owned()];
    let requests: Vec<Request<'_>> = names.iter().map(|name| request(name, &roles)).collect();
    for request in &requests {
        assert!(engine.decide_lowered(request).is_some(), "{} is left to the interpreter", request.tool.name);
    }
    // The clock costs some 20 ns: each reading is of a hundred decisions for the median, of one for the tail.
    let mut hundreds: Vec<f64> = Vec::new();
    let mut ones: Vec<f64> = Vec::new();
    for round in 0..20_000 {
        let request = &requests[round % requests.len()];
        let start = Instant::now();
        for _ in 0..100 {
            black_box(engine.decide(black_box(request)).is_ok());
        }
        hundreds.push(start.elapsed().as_nanos() as f64 / 100.0);
        let start = Instant::now();
        black_box(engine.decide(black_box(request)).is_ok());
        ones.push(start.elapsed().as_nanos() as f64);
    }
    let mut interpreted: Vec<f64> = Vec::new();
    for round in 0..2_000 {
        let request = &requests[round % requests.len()];
        let start = Instant::now();
        black_box(engine.decide_interpreted(black_box(request)).is_ok());
        interpreted.push(start.elapsed().as_nanos() as f64);
    }
    let start = Instant::now();
    black_box(load(1_000));
    let loading = start.elapsed().as_secs_f64();
    let (p50, p99) = (quantile(&mut hundreds, 0.5), quantile(&mut ones, 0.99));
    println!("both actions, 50 rules with derived roles, in ns");
    println!("  the flat form, p50                {p50:8.0}   wanted at most   500");
    println!("  the flat form, p99                {p99:8.0}   wanted at most 2 000");
    println!("  the interpreter, p50              {:8.0}", quantile(&mut interpreted, 0.5));
    println!("load and lower 1 000 policies, in s {loading:8.2}   wanted at most     1");
    if check && (p50 > 500.0 || p99 > 2_000.0 || loading > 1.0) {
        eprintln!("a figure is missed");
        std::process::exit(1);
    }
}

/// The set, with so many policies: those beyond it are of tenants, in scopes of their own.
fn load(policies: usize) -> Cerbos {
    let mut sources: Vec<Source> =
        bundle::files().iter().map(|(name, text)| Source::new(name, text)).collect();
    for at in 1..policies {
        let text = format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  scope: tenant_{at}\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n  rules:\n    - actions: [\"invoke\", \"invoke:auto\"]\n      effect: EFFECT_ALLOW\n      roles: [\"support\"]\n      condition:\n        match:\n          all:\n            of:\n              - expr: R.attr.tool_name == \"tool_{at}\"\n              - expr: R.attr.args.tags.exists(t, t in [\"a\", \"b\"]) || R.attr.args.level > {at}\n"
        );
        sources.push(Source::new(&format!("tenant_{at}.yaml"), &text));
    }
    let files = Files { policies: sources, ..Files::default() };
    match Cerbos::new(&files, None) {
        Ok(engine) => engine,
        Err(error) => panic!("{error}"),
    }
}

fn request<'a>(name: &'a str, roles: &'a [String]) -> Request<'a> {
    Request {
        tool: ToolFacts {
            name,
            classification: "personal",
            art9_basis: None,
            residency: "eu",
            effect: "read",
            egress: "none",
        },
        run: RunFacts {
            tenant: "acme",
            principal: "agent-1",
            roles,
            purpose: "customer-support",
            lawful_basis: "contract",
            annex_iii: "none",
            art22: "none",
            has_subject: true,
        },
        call: CallFacts { args: bundle::ARGS.as_bytes(), depth: 0 },
    }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * at) as usize]
}
