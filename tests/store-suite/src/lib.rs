//! What every store of runs must do, as tests that know no backend.
//!
//! A backend says how to open a place ([`Place`]); [`run`] gives each case a place of its own and reports. The cases follow
//! `fuze_agent::store` sentence by sentence. Not here: what one backend alone can do wrong (its files, its crashes).

mod anchors;
mod claims;
mod commits;
mod effects;
mod erasures;
mod loads;
mod sample;
mod takeovers;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fuze_agent::store::RunStore;

pub use erasures::{Office, What, subjects};
pub use sample::{FAR_MS, Sample, claim_from, far, token};

/// Somewhere runs can be kept, empty at first.
#[async_trait]
pub trait Place: Send + Sync {
    /// Another handle to the same runs, as another process would have it.
    ///
    /// # Errors
    /// Why there is none.
    async fn open(&self) -> Result<Arc<dyn RunStore>, String>;
}

/// What a case found wrong.
#[derive(Debug)]
pub struct Wrong(String);

impl Wrong {
    /// In words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a case went.
pub type Verdict = Result<(), Wrong>;

/// Says what is wrong unless `holds`.
pub(crate) fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Wrong(otherwise())) }
}

/// Two values that must be equal.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Verdict {
    check(found == expected, || format!("{what}: expected {expected:?}, found {found:?}"))
}

/// What a store gives to a case.
pub(crate) struct Given(Arc<dyn Place>);

impl Given {
    pub(crate) async fn store(&self) -> Result<Arc<dyn RunStore>, Wrong> {
        self.0.open().await.map_err(Wrong)
    }
}

type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

struct Case {
    name: &'static str,
    run: fn(Given) -> Running,
}

macro_rules! cases {
    ($($module:ident { $($name:ident,)+ })+) => {
        const CASES: &[Case] = &[$($(
            Case { name: stringify!($name), run: |given| Box::pin($module::$name(given)) },
        )+)+];
    };
}

cases! {
    commits {
        a_run_is_created_once,
        a_run_begins_with_its_keys_and_record_0,
        an_unknown_run_is_not_found,
        a_record_follows_the_last_one,
        a_fork_is_refused,
        another_epoch_is_fenced,
        a_refused_batch_leaves_nothing,
        a_closed_run_accepts_nothing,
        a_run_that_waits_goes_on_by_a_claim_alone,
        a_run_that_waits_can_be_closed,
        tokens_belong_to_a_suspension,
    }
    effects {
        an_effect_starts_once,
        of_many_starts_one_goes,
        an_effect_without_an_intent_does_not_start,
        a_stop_keeps_effects_from_starting,
        an_abort_is_not_softened,
        a_deadline_keeps_an_effect_from_starting,
        an_old_epoch_starts_nothing,
        the_ledger_goes_forward,
        one_batch_may_take_several_steps,
    }
    claims {
        a_token_is_claimed_once,
        a_claim_fences_whoever_suspended,
        a_claim_is_seen_by_others,
        an_expired_token_is_refused,
        an_unknown_token_is_refused,
        another_runs_token_is_refused,
        all_tokens_are_claimed_together,
        a_token_given_twice_counts_once,
        no_token_is_no_claim,
        a_claim_at_another_epoch_changes_nothing,
        a_claim_whose_batch_is_refused_changes_nothing,
        one_expired_token_spoils_the_claim_and_nothing_else,
        a_second_suspension_has_tokens_of_its_own,
        a_closed_runs_token_is_void,
        a_claim_may_close_the_run,
        of_many_claims_one_wins,
        silence_closes_a_run_whose_time_is_over,
        silence_closes_nothing_that_is_in_time,
        silence_of_one_case_closes_the_run,
        an_erased_subjects_run_closes_at_any_time,
        silence_and_erasure_never_continue_a_run,
        of_decisions_and_ends_one_wins,
    }
    takeovers {
        a_take_over_fences_the_old_holder,
        a_take_over_needs_the_epoch,
        of_many_take_overs_one_wins,
    }
    loads {
        a_run_loads_as_it_was_written,
        progress_is_appended_and_replaced,
        records_beyond_the_progress_are_loaded,
        the_open_and_the_last_root_are_loaded,
        the_head_follows_every_batch,
        records_are_listed_from_any_place,
    }
    anchors {
        anchors_are_kept_in_order,
        the_same_leaf_is_kept_once,
        a_run_is_anchored_once,
        what_is_left_to_anchor_is_listed,
    }
}

/// How a backend did.
#[derive(Debug)]
#[must_use = "a case may have failed"]
pub struct Report {
    /// Each case and what it found wrong.
    pub cases: Vec<(&'static str, Option<String>)>,
}

impl Report {
    /// The cases that found something, in the suite's order.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.cases.iter().filter(|(_, wrong)| wrong.is_some()).map(|&(name, _)| name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, wrong) in &self.cases {
            match wrong {
                None => writeln!(f, "ok    {name}")?,
                Some(wrong) => writeln!(f, "WRONG {name}: {wrong}")?,
            }
        }
        Ok(())
    }
}

/// How long a case may take: a store that never answers fails it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The names of the cases, in the suite's order.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs every case in a place of its own, which `make` makes.
pub async fn run(make: impl Fn() -> Arc<dyn Place>) -> Report {
    run_cases(make, |_| true).await
}

/// Runs the cases whose names are `wanted`, each in a place of its own.
pub async fn run_cases(make: impl Fn() -> Arc<dyn Place>, wanted: impl Fn(&str) -> bool) -> Report {
    let mut cases = Vec::new();
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        // A task of its own: a store that panics fails the case, not the suite.
        let task = tokio::spawn((case.run)(Given(make())));
        let wrong = match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(wrong))) => Some(wrong.0),
            Ok(Err(panicked)) => Some(panicked.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        cases.push((case.name, wrong));
    }
    Report { cases }
}
