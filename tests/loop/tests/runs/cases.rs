//! Cases: what is shown of them, what is printed, and the halt that needs no other case.

use fuze_agent::law::residency::Eu;
use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::person;
use serde_json::json;

use super::oversight::{Case, allow, decision_refused, two};
use super::statuses::Judge;
use super::suspended;

#[tokio::test]
async fn halted_ends_the_run_and_nothing_runs() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1), ("note", 2)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Halt);
    let evidence = case.ends(waiting.verify(&[decision]).unwrap(), "cancelled").await;
    assert_eq!(case.world.log(), [""; 0]);
    assert_eq!(evidence.executions(), [""; 0]);
}

#[tokio::test]
async fn one_halt_among_several_cases_ends_the_run() {
    // Of three cases one is halted; of the others one was approved, and nobody has said anything about the third.
    for others in [vec![], vec![Action::Approve], vec![Action::Modify(json!({"amount": "no number"}))]] {
        let case = Case::new();
        let waiting = case.waiting(&[("file", 1), ("file", 2), ("file", 3), ("note", 4)]).await;
        let [first, second, _] = waiting.cases() else { panic!("{waiting:?}") };
        let mut decisions = vec![case.anna.decides(second, &Action::Halt)];
        decisions.extend(others.iter().map(|action| case.ben.decides(first, action)));
        let count = decisions.len();
        let id = waiting.run_id();
        let evidence = case.ends(waiting.verify(&decisions).unwrap(), "cancelled").await;
        assert_eq!(case.world.log(), [""; 0]);
        assert_eq!(evidence.count("human.oversight.decision"), count);
        assert_eq!(evidence.executions(), [""; 0]);
        assert!(case.deployment().suspended(id).await.is_err());
    }
}

#[tokio::test]
async fn a_halt_needs_no_second_pair_of_eyes_and_no_word_about_the_model() {
    let case = Case::under(two());
    let waiting = case.waiting(&[("file", 1), ("file", 2)]).await;
    assert_eq!(waiting.cases().len(), 4);
    // One of two has approved the first case; the second is halted by one of two.
    let decisions = [
        case.anna.decides(&waiting.cases()[0], &Action::Approve),
        case.ben.decides(&waiting.cases()[3], &Action::Halt),
    ];
    case.ends(waiting.verify(&decisions).unwrap(), "cancelled").await;
    assert_eq!(case.world.log(), [""; 0]);

    let model = ScriptedModel::new().call("judge", json!({"verdict": 1})).answer(1);
    let run = case.desk.deploy(allow(), &[&case.anna]).run(Judge, case.world.clone(), model);
    let waiting = suspended(run.principal("p").subject("someone").start().await.unwrap());
    let halt = case.anna.decides(&waiting.cases()[0], &Action::Halt);
    let resumable = waiting.verify(&[halt]).unwrap();
    let other = ScriptedModel::<Eu>::hosted().snapshot("scripted-2").answer(1);
    let deployment = case.desk.deploy(allow(), &[&case.anna]);
    let ended = deployment.resume(Judge, case.world.clone(), other, resumable).go().await.unwrap();
    assert_eq!(ended.status(), "cancelled");
    assert_eq!(case.desk.evidence(ended.report().run_id).count("model.drift"), 0);
}

#[tokio::test]
async fn one_rejection_among_several_cases_waits_for_the_others() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1), ("file", 2)]).await;
    let rejection = case.anna.decides(&waiting.cases()[0], &Action::Reject);
    let waiting = decision_refused(waiting, &[rejection], "slot 1 of 1");
    // A halt by somebody who may not decide halts nothing.
    let stranger = person("dora").decides(&waiting.cases()[0], &Action::Halt);
    drop(decision_refused(waiting, &[stranger], "no overseer `dora`"));
}

#[tokio::test]
async fn what_is_printed_of_a_suspension_holds_no_content() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 424_242)]).await;
    let shown = &waiting.cases()[0];
    assert!(shown.data().arguments.contains("424242"));
    let modified = case.anna.decides(shown, &Action::Modify(json!({"amount": 535_353})));
    let openings = modified.modified_args.clone().unwrap();
    assert!(openings.json.contains("535353"));
    let printed = [
        format!("{shown:?}"),
        format!("{:?}", shown.data()),
        format!("{:?}", waiting.cases()),
        format!("{openings:?}"),
        format!("{:?}", modified.rationale),
        format!("{modified:?}"),
        format!("{waiting:?}"),
    ];
    let salts = [shown.data().salt.clone(), openings.salt.clone()];
    let refused = waiting.verify(&[modified.clone(), modified.clone()]).unwrap_err();
    let also = [format!("{refused:?}"), format!("{refused}")];
    let resumable = refused.suspended.verify(&[modified]).unwrap();
    let last = format!("{resumable:?}");
    for text in printed.iter().chain(&also).chain([&last]) {
        for content in ["424242", "535353", "amount", "seen", &salts[0], &salts[1]] {
            assert!(!text.contains(content), "`{content}` in {text}");
        }
    }
}

#[tokio::test]
async fn a_report_names_the_tenant_the_run_was_for() {
    let case = Case::new();
    for tenant in ["t", "another"] {
        let id = case.waiting_on(&case.deployment(), tenant, &[("file", 1)]).await.run_id();
        let report = case.desk.evidence(id).report;
        assert_eq!((report.tenant.as_str(), report.run_id), (tenant, id));
    }
}

#[tokio::test]
async fn what_the_overseer_is_shown_opens_what_the_token_names() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 42)]).await;
    let shown = &waiting.cases()[0];
    let recorded = shown.data().recorded.as_ref().unwrap();
    assert_eq!(recorded.value(shown.token().claims().args_hash).unwrap(), json!({"amount": 42}));
    assert_eq!(shown.data().agent.as_str(), "Office");
    assert_eq!(shown.data().tool_description, "Files something, after approval.");
}
