//! A decision of the flat form allocates nothing.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use common::tools::{RUN, TOOL};

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, Request, RunFacts, ToolFacts};

#[path = "../benches/bundle/mod.rs"]
mod bundle;

#[test]
fn a_decision_allocates_nothing() {
    let sources = bundle::files().iter().map(|(name, text)| Source::new(name, text)).collect();
    let engine = Cerbos::new(&Files { policies: sources, ..Files::default() }, None).unwrap();
    let roles = ["accounting".to_owned(), "support".to_owned()];
    let mut decided = 0;
    for name in ["tool_0", "tool_3", "tool_9", "tool_24", "another"] {
        let request = Request {
            tool: ToolFacts { name, classification: "personal", effect: "read", ..TOOL },
            run: RunFacts {
                roles: &roles,
                purpose: "customer-support",
                lawful_basis: "contract",
                has_subject: true,
                ..RUN
            },
            call: CallFacts { args: bundle::ARGS.as_bytes(), depth: 0 },
        };
        let mut found = false;
        let counted = allocation_counter::measure(|| found = engine.decide_lowered(&request).is_some());
        decided += u32::from(found);
        assert_eq!(counted.count_total, 0, "{name}");
    }
    assert_eq!(decided, 5, "all are decided by the flat form");
}
