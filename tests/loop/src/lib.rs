//! What the tests of the loop share: a deployment whose evidence can be read back, people who decide, a world that tools
//! change, and models of the more difficult kind.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures of tests"
)]

mod desk;
mod evidence;
mod people;
mod slow;

pub use desk::{Desk, Erasable, SetClock};
pub use evidence::Evidence;
pub use people::{Person, person};
pub use slow::{Altered, Break, Fragile};

use std::sync::{Arc, Mutex};

use fuze_agent::Retention;
use fuze_agent::model::{FinishReason, ModelResponse, RequestedCall, Usage};

/// How long what tests leave is kept.
pub const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);

/// What tools change: a log of what was done, in order. Clones share it.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Vec<String>>>);

impl World {
    /// Nothing done yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Something is done.
    pub fn does(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// How often exactly this was done.
    #[must_use]
    pub fn times(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|done| *done == what).count()
    }

    /// All that was done.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A response with calls of exactly these ids, names and arguments.
#[must_use]
pub fn asking(calls: &[(&str, &str)]) -> ModelResponse {
    let calls = calls.iter().enumerate().map(|(at, (name, arguments))| RequestedCall {
        id: format!("c{at}"),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    });
    ModelResponse {
        text: None,
        calls: calls.collect(),
        finish: FinishReason::ToolCalls,
        usage: Usage::default(),
        system_fingerprint: None,
    }
}

/// A response of text.
#[must_use]
pub fn saying(text: &str) -> ModelResponse {
    ModelResponse { text: Some(text.to_owned()), finish: FinishReason::Stop, ..asking(&[]) }
}

/// An agent for tests: its tools, its output, and whatever else it declares.
#[macro_export]
macro_rules! agent {
    ($(#[$m:meta])* $name:ident [$($tool:ident),*] $output:ident steps $steps:tt retries $retries:tt tokens $tokens:tt $($rest:tt)*) => {
        fuze_agent::define_agent! {
            /// An agent of the tests.
            $name {
                purpose: "testing",
                instructions: "Do what the test says.",
                lawful_basis: contract,
                annex_iii: none,
                art22: none,
                oversight: none,
                model_residency: eu,
                retention: fuze_agent_loop_tests::SHORT,
                tools: [$($tool),*],
                deps: fuze_agent_loop_tests::World,
                output: $output,
                max_steps: $steps,
                retry_budget: $retries,
                token_budget: $tokens,
                $($rest)*
            }
        }
    };
    ($name:ident [$($tool:ident),*] $output:ident $($rest:tt)*) => {
        $crate::agent! { $name [$($tool),*] $output steps 40 retries 2 tokens 100_000 $($rest)* }
    };
}

/// The README's programs compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
