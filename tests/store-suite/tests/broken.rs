//! Who guards the guard: the suite over a store in memory that is right, and over the same store broken in one way at a time.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

mod model;

use std::sync::Arc;

use model::{Bug, Memory};

#[tokio::test(flavor = "multi_thread")]
async fn a_right_store_in_memory_passes() {
    let report = fuze_store_suite::run(|| Arc::new(Memory::new(None))).await;
    assert!(report.failed().is_empty(), "{report}");
}

/// Each bug, and a case that must find it; it may be found by others too.
const BUGS: &[(Bug, &str)] = &[
    (Bug::CreatesTwice, "a_run_is_created_once"),
    (Bug::ForgetsTheFence, "another_epoch_is_fenced"),
    (Bug::ForgetsTheFence, "a_take_over_fences_the_old_holder"),
    (Bug::ForgetsTheFence, "a_claim_fences_whoever_suspended"),
    (Bug::TakesAnyFirstBatch, "a_run_begins_with_its_keys_and_record_0"),
    (Bug::StopsUnknownRuns, "an_unknown_run_is_not_found"),
    (Bug::ForgetsTheHead, "a_fork_is_refused"),
    (Bug::ForgetsTheHead, "a_record_follows_the_last_one"),
    (Bug::KeepsWaitingRunsOpen, "a_run_that_waits_can_be_closed"),
    (Bug::TakesOneEffectABatch, "one_batch_may_take_several_steps"),
    (Bug::ClaimsUnknown, "an_unknown_token_is_refused"),
    (Bug::ClaimsTwice, "a_second_suspension_has_tokens_of_its_own"),
    (Bug::RunsWhateverWasClaimed, "a_claim_may_close_the_run"),
    (Bug::TakesOverAtAnyEpoch, "of_many_take_overs_one_wins"),
    (Bug::LoadsNoEffects, "a_run_loads_as_it_was_written"),
    (Bug::ForgetsTheSubject, "a_run_loads_as_it_was_written"),
    (Bug::LosesTheHeadWithoutRecords, "the_head_follows_every_batch"),
    (Bug::ChecksTheSequenceOnly, "a_fork_is_refused"),
    (Bug::WritesBeforeItChecks, "a_refused_batch_leaves_nothing"),
    (Bug::ReopensClosedRuns, "a_closed_run_accepts_nothing"),
    (Bug::LetsWaitingRunsGoOn, "a_run_that_waits_goes_on_by_a_claim_alone"),
    (Bug::TakesWaitingRunsOver, "a_run_that_waits_goes_on_by_a_claim_alone"),
    (Bug::IssuesTokensAnytime, "tokens_belong_to_a_suspension"),
    (Bug::StartsTwice, "an_effect_starts_once"),
    (Bug::StartsTwice, "of_many_starts_one_goes"),
    (Bug::StartsAfterALook, "of_many_starts_one_goes"),
    (Bug::StartsWithoutIntent, "an_effect_without_an_intent_does_not_start"),
    (Bug::StartsForTheOldEpoch, "an_old_epoch_starts_nothing"),
    (Bug::IgnoresStops, "a_stop_keeps_effects_from_starting"),
    (Bug::SoftensAborts, "an_abort_is_not_softened"),
    (Bug::IgnoresDeadlines, "a_deadline_keeps_an_effect_from_starting"),
    (Bug::TakesAnyEffect, "the_ledger_goes_forward"),
    (Bug::ClaimsTwice, "a_token_is_claimed_once"),
    (Bug::ClaimsAgainBySameId, "a_token_is_claimed_once"),
    (Bug::ClaimsExpired, "an_expired_token_is_refused"),
    (Bug::ClaimsForOthers, "another_runs_token_is_refused"),
    (Bug::ClaimsSome, "all_tokens_are_claimed_together"),
    (Bug::CountsTokens, "a_token_given_twice_counts_once"),
    (Bug::ClaimsWithNothing, "no_token_is_no_claim"),
    (Bug::ClaimsAtAnyEpoch, "a_claim_at_another_epoch_changes_nothing"),
    (Bug::UsesTokensUpBeforeItChecks, "one_expired_token_spoils_the_claim_and_nothing_else"),
    (Bug::UsesTokensUpBeforeItChecks, "a_claim_whose_batch_is_refused_changes_nothing"),
    (Bug::KeepsTheEpochOnClaim, "a_claim_fences_whoever_suspended"),
    (Bug::ForgetsTheBatchOfAClaim, "a_claim_is_seen_by_others"),
    (Bug::ReportsAWinThatIsLost, "a_claim_is_seen_by_others"),
    (Bug::ClaimsAfterALook, "of_many_claims_one_wins"),
    (Bug::KeepsTokensOfClosedRuns, "a_closed_runs_token_is_void"),
    (Bug::KeepsTheEpochOnTakeOver, "a_take_over_fences_the_old_holder"),
    (Bug::TakesOverAtAnyEpoch, "a_take_over_needs_the_epoch"),
    (Bug::AppendsInsteadOfReplacing, "progress_is_appended_and_replaced"),
    (Bug::ReplacesInsteadOfAppending, "progress_is_appended_and_replaced"),
    (Bug::LoadsAllRecords, "records_beyond_the_progress_are_loaded"),
    (Bug::LoadsTheFirstRoot, "the_open_and_the_last_root_are_loaded"),
    (Bug::LoadsTheLastRootAsOpen, "the_open_and_the_last_root_are_loaded"),
    (Bug::ForgetsAnchors, "anchors_are_kept_in_order"),
    (Bug::KeepsAnchorsTwice, "the_same_leaf_is_kept_once"),
    (Bug::KeepsAnyAnchor, "a_run_is_anchored_once"),
    (Bug::ListsRunsThatGoOn, "what_is_left_to_anchor_is_listed"),
    (Bug::ListsWithoutOrder, "what_is_left_to_anchor_is_listed"),
    (Bug::EndsInTime, "silence_closes_nothing_that_is_in_time"),
    (Bug::EndsOnlyWhereAllExpired, "silence_of_one_case_closes_the_run"),
    (Bug::EndsNothingErased, "an_erased_subjects_run_closes_at_any_time"),
    (Bug::GoesOnInSilence, "silence_and_erasure_never_continue_a_run"),
    (Bug::EndsTwice, "silence_closes_a_run_whose_time_is_over"),
    (Bug::ClaimsAfterALook, "of_decisions_and_ends_one_wins"),
    (Bug::ListsOtherRecords, "records_are_listed_from_any_place"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_bug_is_found() {
    let mut missed = Vec::new();
    for &(bug, case) in BUGS {
        let make = || -> Arc<dyn fuze_store_suite::Place> { Arc::new(Memory::new(Some(bug))) };
        let report = fuze_store_suite::run_cases(make, |name| name == case).await;
        assert_eq!(report.cases.len(), 1, "there is no case `{case}`");
        if report.failed().is_empty() {
            missed.push((bug, case));
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn every_case_finds_a_bug() {
    let idle: Vec<_> =
        fuze_store_suite::names().filter(|name| !BUGS.iter().any(|(_, case)| case == name)).collect();
    assert!(idle.is_empty(), "cases that find nothing: {idle:?}");
}
