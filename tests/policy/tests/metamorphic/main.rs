//! What a change of a policy or of a request can never do to a decision, over generated policies and requests. `FUZE_SETS` says how many
//! sets each law is tried on; the seeds are the first so many numbers.
//!
//! An engine error is no decision, the run halts: it is as low as a denial. Where Cerbos's own evaluation breaks a law, `breaks` holds the
//! smallest set that shows it, here and on a real Cerbos, and the law is stated for what is left.

mod attributes;
mod breaks;
mod denials;
mod guide;
mod order;

use fuze_policy::cerbos::CheckOutput;
use fuze_policy::{Decision, EngineError, Verdict};

/// How many sets a law is tried on.
fn sets(usually: u64) -> u64 {
    std::env::var("FUZE_SETS").ok().and_then(|sets| sets.parse().ok()).unwrap_or(usually)
}

/// How far a verdict lets a call go.
fn reach(verdict: &Result<Verdict, EngineError>) -> u8 {
    match verdict.as_ref().map(|verdict| &verdict.decision) {
        Err(_) | Ok(Decision::Deny) => 0,
        Ok(Decision::RequiresApproval(_)) => 1,
        Ok(Decision::Allow) => 2,
    }
}

/// Each action of two answers: its effects in both.
fn pairs<'a>(
    before: &'a CheckOutput,
    after: &'a CheckOutput,
) -> impl Iterator<Item = (&'a fuze_policy::cerbos::ActionEffect, &'a fuze_policy::cerbos::ActionEffect)> {
    assert_eq!(before.actions.len(), after.actions.len());
    before.actions.iter().map(|(action, effect)| (effect, after.action(action).unwrap()))
}
