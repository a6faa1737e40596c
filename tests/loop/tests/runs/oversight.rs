//! People who decide: what is shown, who counts, and what happens then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use fuze_agent::law::residency::Eu;
use fuze_agent::prelude::*;
use fuze_agent::store::ClaimError;
use fuze_agent::suspend::{
    Ack, Action, DecisionError, OverseerRegistry, Problem, RegistryError, Resumable, SignedDecision,
    Suspended, TokenError,
};
use fuze_agent::{Policy, RunError};
use fuze_agent_loop_tests::{Break, Desk, Evidence, Fragile, Person, SHORT, SetClock, World, agent, person};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, Timestamp};
use fuze_policy::{Decision, Engine, EngineError, EngineIdentity, Request, RuleId, Verdict};
use serde_json::json;

use super::statuses::Judge;
use super::suspended;

/// Files something, after approval.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn file(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("file {amount}"));
    Ok(amount)
}

/// Files something, after approval where it is much.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = |args| args.amount > 100)]
async fn small(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("small {amount}"));
    Ok(amount)
}

/// Notes something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn note(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("note {amount}"));
    Ok(amount)
}

agent! { Office [file, note, small] i64 }
agent! { Bureau [file, note] i64 }

/// Two persons above 100, nobody above 1000.
struct ByAmount;

impl Engine for ByAmount {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: "by-amount".into(), bundle_hash: [1; 32], permissive: false }
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        let args: serde_json::Value = serde_json::from_slice(request.call.args).unwrap();
        let decision = match args["amount"].as_i64().unwrap() {
            1001.. => Decision::Deny,
            101.. => Decision::RequiresApproval(Obligation { approvers: 2, ..Obligation::default() }),
            _ => Decision::Allow,
        };
        Ok(Verdict::new(decision, RuleId::new("by-amount")))
    }
}

pub(super) struct Case {
    pub(super) desk: Desk,
    pub(super) world: World,
    pub(super) anna: Person,
    pub(super) ben: Person,
    policy: Policy,
}

pub(super) fn allow() -> Fixed {
    Fixed::new().allow_classification("public").allow_classification("personal")
}

pub(super) fn two() -> Fixed {
    let two =
        Obligation { approvers: 2, trainings: ["test-2026".to_owned()].into(), ..Obligation::default() };
    allow().approve_tool("file", two).shared_between_agents()
}

impl Case {
    pub(super) fn new() -> Self {
        Self::under(allow())
    }

    pub(super) fn under(policy: impl Into<Policy>) -> Self {
        let (anna, ben) = (person("anna"), person("ben"));
        Self { desk: Desk::new(), world: World::new(), anna, ben, policy: policy.into() }
    }

    pub(super) fn deployment(&self) -> Deployment {
        self.desk.deploy(self.policy.clone(), &[&self.anna, &self.ben])
    }

    pub(super) async fn waiting(&self, calls: &[(&str, i64)]) -> Suspended {
        self.waiting_on(&self.deployment(), "t", calls).await
    }

    pub(super) async fn waiting_on(
        &self,
        deployment: &Deployment,
        tenant: &str,
        calls: &[(&str, i64)],
    ) -> Suspended {
        let calls: Vec<_> = calls.iter().map(|(tool, amount)| (*tool, json!({ "amount": amount }))).collect();
        let model = ScriptedModel::new().calls(&calls).answer(1);
        let run = deployment.run(Office, self.world.clone(), model).tenant(tenant).principal("p").input("go");
        suspended(run.start().await.unwrap())
    }

    async fn go_on(&self, resumable: Resumable) -> Result<Outcome<i64>, RunError> {
        let model = ScriptedModel::new().answer(1);
        self.deployment().resume(Office, self.world.clone(), model, resumable).go().await
    }

    pub(super) async fn ends(&self, resumable: Resumable, status: &str) -> Evidence {
        let outcome = self.go_on(resumable).await.unwrap();
        assert_eq!(outcome.status(), status, "{outcome:?}");
        self.desk.evidence(outcome.report().run_id)
    }
}

fn problem(refused: Result<Resumable, Box<fuze_agent::suspend::NotResumable>>) -> (Problem, Suspended) {
    let mut refused = refused.expect_err("it should be refused");
    (refused.problems.remove(0).1, refused.suspended)
}

#[track_caller]
pub(super) fn decision_refused(
    waiting: Suspended,
    decisions: &[SignedDecision],
    expected: &str,
) -> Suspended {
    let (found, suspended) = problem(waiting.verify(decisions));
    assert!(matches!(found, Problem::Decision(_)), "{found:?}");
    assert!(found.to_string().contains(expected), "{found}");
    suspended
}

#[tokio::test]
async fn calls_before_the_first_that_waits_have_run_and_those_after_it_wait() {
    let case = Case::new();
    let waiting = case.waiting(&[("note", 1), ("file", 2), ("note", 3), ("file", 4), ("note", 5)]).await;
    assert_eq!(case.world.log(), ["note 1"]);
    assert_eq!(waiting.cases().len(), 2);
    let (first, second) = (&waiting.cases()[0], &waiting.cases()[1]);
    assert_eq!((first.arguments(), second.arguments()), (json!({"amount": 2}), json!({"amount": 4})));
    let decisions = [case.anna.decides(first, &Action::Approve), case.ben.decides(second, &Action::Reject)];
    let evidence = case.ends(waiting.verify(&decisions).unwrap(), "completed").await;
    assert_eq!(case.world.log(), ["note 1", "file 2", "note 3", "note 5"]);
    assert!(evidence.executions().contains(&"file rejected".to_owned()));
    assert_eq!(evidence.attrs("human.oversight.decision", "fuze.oversight.overseer"), ["anna", "ben"]);
    assert_eq!(evidence.status(), Some(RunStatus::Completed));
}

#[tokio::test]
async fn results_are_told_in_the_models_order() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1), ("note", 2), ("rm", 3)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = Arc::new(ScriptedModel::new().keeping().answer(1));
    let resumed = case.deployment().resume(Office, case.world.clone(), model.clone(), resumable);
    assert_eq!(resumed.go().await.unwrap().status(), "completed");
    let told = serde_json::to_value(&model.seen()[0][2..]).unwrap();
    let names: Vec<_> = told.as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["file", "note", "rm"]);
    let error: Vec<_> = told.as_array().unwrap().iter().map(|m| m["is_error"].as_bool().unwrap()).collect();
    assert_eq!(error, [false, false, true]);
}

#[tokio::test]
async fn rejected_is_not_run_and_the_model_is_told() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Reject);
    let evidence = case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
    assert_eq!(case.world.log(), [""; 0]);
    assert_eq!(evidence.executions(), ["file rejected"]);
}

#[tokio::test]
async fn a_predicate_looks_at_the_arguments() {
    let case = Case::new();
    let waiting = case.waiting(&[("small", 100), ("small", 101)]).await;
    assert_eq!(case.world.log(), ["small 100"]);
    assert_eq!(waiting.cases().len(), 1);
}

#[tokio::test]
async fn four_eyes_are_two_persons() {
    let case = Case::under(two());
    let waiting = case.waiting(&[("file", 1)]).await;
    assert_eq!(waiting.cases().len(), 2, "a token a slot");
    let (one, two) = (&waiting.cases()[0], &waiting.cases()[1]);
    let twice = [case.anna.decides(one, &Action::Approve), case.anna.decides(two, &Action::Approve)];
    let half = [case.anna.decides(one, &Action::Approve)];
    let same = [case.anna.decides(one, &Action::Approve), case.ben.decides(one, &Action::Approve)];
    let differ = [
        case.anna.decides(one, &Action::Modify(json!({"amount": 2}))),
        case.ben.decides(two, &Action::Modify(json!({"amount": 3}))),
    ];
    let split = [
        case.anna.decides(one, &Action::Approve),
        case.ben.decides(two, &Action::Modify(json!({"amount": 3}))),
    ];
    let both = [case.ben.decides(one, &Action::Approve), case.anna.decides(two, &Action::Approve)];
    let waiting = decision_refused(waiting, &twice, "`anna` decides twice");
    let waiting = decision_refused(waiting, &half, "slot 2 of 2");
    let waiting = decision_refused(waiting, &same, "same token");
    let waiting = decision_refused(waiting, &differ, "different arguments");
    let waiting = decision_refused(waiting, &split, "different arguments");
    let waiting = decision_refused(waiting, &[], "slot 1 of 2");
    let evidence = case.ends(waiting.verify(&both).unwrap(), "completed").await;
    assert_eq!(case.world.log(), ["file 1"]);
    assert_eq!(evidence.count("human.oversight.decision"), 2);
    assert_eq!(evidence.count("oversight.suspend"), 2);
}

#[tokio::test]
async fn one_refusal_of_two_is_enough() {
    let case = Case::under(two());
    let waiting = case.waiting(&[("file", 1)]).await;
    let refusal = case.ben.decides(&waiting.cases()[1], &Action::Reject);
    case.ends(waiting.verify(&[refusal]).unwrap(), "completed").await;
    assert_eq!(case.world.log(), [""; 0]);
}

#[test]
fn two_persons_have_two_keys() {
    let anna = person("anna");
    let mut entry = anna.entry();
    entry.alias = Name::new("ben").unwrap();
    let registry = OverseerRegistry::new().with(anna.entry()).unwrap();
    assert!(matches!(registry.with(entry), Err(RegistryError::KeyTaken { .. })));
}

#[tokio::test]
async fn who_does_not_count() {
    let desk = Desk::new();
    let (anna, ben, carl) = (person("anna"), person("ben").untrained(), person("carl"));
    // Who started the run is in the registry as well.
    let principal = person("p");
    let trained = Obligation {
        trainings: ["test-2026".to_owned()].into(),
        may_approve: Some(["anna", "ben", "p"].map(str::to_owned).into()),
        ..Obligation::default()
    };
    let policy = allow().approve_tool("file", trained);
    let deployment = desk.deploy(policy.clone(), &[&anna, &ben, &principal, &carl]);
    let case = Case { desk, world: World::new(), anna, ben, policy: policy.clone().into() };
    let waiting = case.waiting_on(&deployment, "t", &[("file", 1)]).await;
    let shown = &waiting.cases()[0];
    let approve = Action::Approve;
    let now = Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
    let stranger = person("dora");
    let forged = stranger.decides_as(&case.anna.alias, shown, &approve, now, vec![]);
    let late = {
        let later =
            Timestamp::from_nanos(i128::try_from(now.as_nanos()).unwrap() + 400_000_000_000_000).unwrap();
        case.anna.decides_at(shown, &approve, later, vec![])
    };
    let early = case.anna.decides_at(shown, &approve, Timestamp::from_nanos(1_000_000_000).unwrap(), vec![]);
    let unsaid = case.anna.decides_without_training(shown, &approve);
    let all = [
        (principal.decides(shown, &approve), "`p` started the run"),
        (case.ben.decides(shown, &approve), "lacks the training `test-2026`"),
        (carl.decides(shown, &approve), "does not name `carl`"),
        (stranger.decides(shown, &approve), "no overseer `dora`"),
        (forged, "signature does not fit"),
        (late, "outside the token's time"),
        (early, "outside the token's time"),
        (unsaid, "names no training, and `test-2026` is asked for"),
        (case.anna.decides(shown, &Action::NotDone), "does not fit what this case waits for"),
    ];
    let mut waiting = waiting;
    for (decision, expected) in all {
        waiting = decision_refused(waiting, &[decision], expected);
    }
    assert_eq!(case.world.log(), [""; 0]);
    // Somebody joined the registry after the run began: none of its decisions count.
    let other = case.desk.deploy(policy, &[&case.anna, &case.ben, &stranger]);
    let waiting = other.suspended(waiting.run_id()).await.unwrap();
    let decision = case.anna.decides(&waiting.cases()[0], &approve);
    let (found, _) = problem(waiting.verify(&[decision]));
    assert_eq!(found, Problem::Decision(DecisionError::OtherRegistry));
}

#[tokio::test]
async fn what_travels_beside_a_decision_cannot_be_exchanged() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let shown = &waiting.cases()[0];
    let modest = case.anna.decides(shown, &Action::Modify(json!({"amount": 2})));
    let greedy = case.anna.decides(shown, &Action::Modify(json!({"amount": 2_000_000})));
    let exchanged = SignedDecision { modified_args: greedy.modified_args.clone(), ..modest.clone() };
    let rationale = SignedDecision { rationale: greedy.rationale.clone(), ..modest.clone() };
    let added =
        SignedDecision { modified_args: greedy.modified_args, ..case.anna.decides(shown, &Action::Approve) };
    let taken = SignedDecision { modified_args: None, ..modest };
    let waiting = decision_refused(waiting, &[exchanged], "`modifiedArgs` is not what the overseer signed");
    let waiting = decision_refused(waiting, &[rationale], "`rationale` is not what the overseer signed");
    let waiting = decision_refused(waiting, &[added], "other openings than it needs");
    drop(decision_refused(waiting, &[taken], "other openings than it needs"));
}

#[tokio::test]
async fn tokens_of_elsewhere() {
    let case = Case::new();
    let here = case.waiting(&[("file", 1)]).await;
    let other_run = case.waiting(&[("file", 1)]).await;
    let other_tenant = case.waiting_on(&case.deployment(), "u", &[("file", 1)]).await;
    let elsewhere = Case::new();
    let other_key = elsewhere.waiting(&[("file", 1)]).await;
    let registry = OverseerRegistry::new().with(case.anna.entry()).unwrap().with(case.ben.entry()).unwrap();
    let store = Arc::new(case.desk.store.clone());
    let other_origin = Deployment::with_store("other.example", case.desk.keys(), allow(), store)
        .overseers(registry)
        .build()
        .unwrap();
    let other_origin = case.waiting_on(&other_origin, "t", &[("file", 1)]).await;
    let of = |waiting: &Suspended| case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let decisions = [of(&other_run), of(&other_tenant), of(&other_key), of(&other_origin)];
    let mut cut = of(&here);
    cut.token.pop();
    let mut mixed = of(&here);
    mixed.token = of(&other_run).token;
    let [run, tenant, key, origin] = decisions;
    let mut here = here;
    for (decision, expected) in [
        (run, "is of the run"),
        (tenant, "is of the tenant `u`"),
        (key, "of another deployment"),
        (origin, "of another deployment"),
        (cut, "token"),
        (mixed, "is of the run"),
    ] {
        let (found, back) = problem(here.verify(&[decision]));
        assert!(matches!(found, Problem::Token(_)), "{found:?}");
        assert!(found.to_string().contains(expected), "{found}");
        here = back;
    }
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn a_decision_is_good_for_one_suspension_only() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let id = waiting.run_id();
    let resumable = waiting.verify(std::slice::from_ref(&decision)).unwrap();
    let model = ScriptedModel::new().call("file", json!({"amount": 2})).answer(1);
    let outcome = case.deployment().resume(Office, case.world.clone(), model, resumable).go().await.unwrap();
    let again = suspended(outcome);
    assert_eq!(again.run_id(), id);
    let (found, _) = problem(again.verify(&[decision]));
    assert_eq!(found, Problem::Token(TokenError::NotWaiting));
    assert_eq!(case.world.log(), ["file 1"]);
}

#[tokio::test]
async fn of_two_resumptions_one_wins_and_the_other_knows() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let id = waiting.run_id();
    // A store that yields in the midst of a claim: both have read the run before either claims it.
    let (store, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
    let deployment = case.desk.builder_on(store, allow(), &[&case.anna, &case.ben]).build().unwrap();
    let resume = |suspended: Suspended| {
        let resumable = suspended.verify(std::slice::from_ref(&decision)).unwrap();
        deployment.resume(Office, case.world.clone(), ScriptedModel::new().answer(1), resumable).go()
    };
    let one = resume(waiting);
    let two = resume(case.deployment().suspended(id).await.unwrap());
    let (one, two) = tokio::join!(one, two);
    let (won, lost): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(matches!(lost[0], Err(RunError::Claim(ClaimError::Used(_)))), "{lost:?}");
    assert_eq!(case.world.log(), ["file 1"]);
    assert_eq!(case.desk.evidence(id).status(), Some(RunStatus::Completed));
}

#[tokio::test]
async fn silence_is_a_denial() {
    let clock = SetClock::now_ish();
    let (desk, anna, world) = (Desk::with_clock(&clock), person("anna"), World::new());
    let deployment = desk.builder(allow(), &[&anna]).clock(Arc::new(clock.clone())).build().unwrap();
    let case = Case { desk, world, anna, ben: person("ben"), policy: allow().into() };
    let now = || fuze_agent::deployment::Clock::now(&clock);
    let waiting = case.waiting_on(&deployment, "t", &[("file", 1)]).await;
    let id = waiting.run_id();
    let in_time = case.anna.decides_at(&waiting.cases()[0], &Action::Approve, now(), vec![]);
    let verified = waiting.verify(std::slice::from_ref(&in_time)).unwrap();
    clock.advance_seconds(3 * 24 * 3600 + 1);
    // Verified in time, claimed too late: the store's clock decides.
    let model = ScriptedModel::new().answer(1);
    let error = deployment.resume(Office, case.world.clone(), model, verified).go().await.unwrap_err();
    assert!(matches!(error, RunError::Claim(ClaimError::Expired(_))), "{error}");
    let waiting = deployment.suspended(id).await.unwrap();
    let (found, _) = problem(waiting.verify(&[in_time]));
    assert!(matches!(found, Problem::Token(TokenError::Expired { .. })), "{found}");
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn a_decision_of_the_future_waits_until_it_is_one() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 10)]).await;
    let shown = &waiting.cases()[0];
    let later = Timestamp::from_system_time(SystemTime::now() + Duration::from_secs(60)).unwrap();
    let ahead = case.anna.decides_at(shown, &Action::Approve, later, vec![]);
    let now = case.anna.decides(shown, &Action::Approve);
    let id = waiting.run_id();
    let (found, _) = problem(waiting.verify(&[ahead]));
    assert!(matches!(found, Problem::Decision(DecisionError::Ahead { .. })), "{found}");
    let waiting = case.deployment().suspended(id).await.unwrap();
    case.ends(waiting.verify(&[now]).unwrap(), "completed").await;
}

#[tokio::test]
async fn modified_arguments_are_what_runs_and_what_is_recorded() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 10)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Modify(json!({"amount": 7})));
    let evidence = case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
    assert_eq!(case.world.log(), ["file 7"]);
    let hashes = evidence.attrs("policy.evaluate", "fuze.tool.args_hash");
    assert_eq!(hashes.len(), 2);
    assert_ne!(hashes[0], hashes[1]);
    assert_eq!(evidence.attrs("tool.execute", "fuze.tool.args_hash"), [hashes[1].clone()]);
    assert_eq!(evidence.attrs("human.oversight.decision", "fuze.oversight.edited"), ["true"]);
    assert!(evidence.said().contains(r#""amount":7"#), "{}", evidence.said());
}

#[tokio::test]
async fn modified_arguments_that_do_not_fit_consume_nothing() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 10)]).await;
    let id = waiting.run_id();
    for bad in [json!({"amount": "7"}), json!({"amount": 7, "to": "me"}), json!([7]), json!({})] {
        let waiting = case.deployment().suspended(id).await.unwrap();
        let decision = case.anna.decides(&waiting.cases()[0], &Action::Modify(bad));
        let error = case.go_on(waiting.verify(&[decision]).unwrap()).await.unwrap_err();
        assert!(matches!(error, RunError::ModifiedArguments { .. }), "{error}");
    }
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
    assert_eq!(case.world.log(), ["file 10"]);
}

#[tokio::test]
async fn modified_arguments_meet_the_policy() {
    let case = Case::under(Policy::local(ByAmount));
    let waiting = case.waiting(&[("file", 10)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Modify(json!({"amount": 5000})));
    let evidence = case.ends(waiting.verify(&[decision]).unwrap(), "policy_denied").await;
    assert_eq!(case.world.log(), [""; 0]);
    assert_eq!(evidence.decisions().last().unwrap(), "file deny engine");
}

#[tokio::test]
async fn one_person_cannot_modify_past_the_second() {
    let case = Case::under(Policy::local(ByAmount));
    let waiting = case.waiting(&[("file", 10)]).await;
    assert_eq!(waiting.cases().len(), 1);
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Modify(json!({"amount": 500})));
    let outcome = case.go_on(waiting.verify(&[decision]).unwrap()).await.unwrap();
    // 500 needs two: both are asked about what would now run.
    let waiting = suspended(outcome);
    assert_eq!(case.world.log(), [""; 0]);
    assert_eq!(waiting.cases().len(), 2);
    assert_eq!(waiting.cases()[0].arguments(), json!({"amount": 500}));
    let decisions = [
        case.anna.decides(&waiting.cases()[0], &Action::Approve),
        case.ben.decides(&waiting.cases()[1], &Action::Approve),
    ];
    case.ends(waiting.verify(&decisions).unwrap(), "completed").await;
    assert_eq!(case.world.log(), ["file 500"]);
}

#[tokio::test]
async fn an_approval_does_not_outlive_the_policy_that_it_was_given_under() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let resumable = waiting.verify(&[decision]).unwrap();
    let changed = case.desk.deploy(allow().deny_tool("file"), &[&case.anna, &case.ben]);
    let resumed = changed.resume(Office, case.world.clone(), ScriptedModel::new().answer(1), resumable);
    let outcome = resumed.go().await.unwrap();
    assert_eq!(outcome.status(), "policy_denied", "{outcome:?}");
    assert_eq!(case.world.log(), [""; 0]);
    let evidence = case.desk.evidence(outcome.report().run_id);
    let bundles = evidence.attrs("policy.evaluate", "fuze.policy.bundle_hash");
    assert_ne!(bundles[0], bundles[1]);
}

/// Rules that are replaced with every question to them.
#[derive(Clone, Default)]
struct Replaced(Arc<AtomicU8>);

struct Bundle(u8, Replaced);

impl Engine for Replaced {
    fn identity(&self) -> EngineIdentity {
        Bundle(self.0.fetch_add(1, Ordering::SeqCst), self.clone()).identity()
    }
    fn pinned(&self) -> Option<Arc<dyn Engine>> {
        Some(Arc::new(Bundle(self.0.fetch_add(1, Ordering::SeqCst), self.clone())))
    }
    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        Bundle(self.0.load(Ordering::SeqCst), self.clone()).decide(request)
    }
}

impl Engine for Bundle {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: "replaced".into(), bundle_hash: [self.0; 32], permissive: false }
    }
    fn decide(&self, _: &Request<'_>) -> Result<Verdict, EngineError> {
        self.1.0.fetch_add(1, Ordering::SeqCst);
        Ok(Verdict::new(Decision::Allow, RuleId::new(&format!("bundle-{}", self.0))))
    }
}

#[tokio::test]
async fn the_recorded_bundle_is_the_one_that_decided_while_rules_are_replaced() {
    let case = Case::under(Replaced::default());
    let waiting = case.waiting(&[("note", 1), ("note", 2), ("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let token = waiting.cases()[0].token().claims().bundle_hash.to_string();
    let evidence = case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
    let bundles = evidence.attrs("policy.evaluate", "fuze.policy.bundle_hash");
    let named: Vec<String> = evidence
        .attrs("policy.evaluate", "fuze.policy.rule")
        .iter()
        .map(|rule| format!("{:02x}", rule.trim_start_matches("bundle-").parse::<u8>().unwrap()).repeat(32))
        .collect();
    assert_eq!(bundles, named, "each record names the bundle whose rule decided");
    let began = evidence.attrs("agent.invoke", "fuze.policy.bundle_hash");
    let resumed = evidence.attrs("run.resume", "fuze.policy.bundle_hash");
    assert_eq!(bundles[..3], [began[0].clone(), began[0].clone(), began[0].clone()]);
    assert_eq!(bundles[3..], [resumed[0].clone()], "the approved call is decided by what is in force now");
    assert_ne!(began, resumed);
    assert_eq!(token, began[0]);
}

#[tokio::test]
async fn an_approval_does_not_meet_a_policy_that_now_wants_two() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let resumable = waiting.verify(&[decision]).unwrap();
    let changed = case.desk.deploy(two(), &[&case.anna, &case.ben]);
    let resumed = changed.resume(Office, case.world.clone(), ScriptedModel::new().answer(1), resumable);
    assert_eq!(suspended(resumed.go().await.unwrap()).cases().len(), 2);
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn another_agent_does_not_go_on() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let id = waiting.run_id();
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let resumable = waiting.verify(std::slice::from_ref(&decision)).unwrap();
    let resumed =
        case.deployment().resume(Bureau, case.world.clone(), ScriptedModel::new().answer(1), resumable);
    let error = resumed.go().await.unwrap_err();
    assert!(matches!(error, RunError::Drift { .. }), "{error}");
    // Nothing was consumed.
    let waiting = case.deployment().suspended(id).await.unwrap();
    case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
}

#[tokio::test]
async fn another_snapshot_of_the_model_is_recorded() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = ScriptedModel::<Eu>::hosted().snapshot("scripted-2").answer(1);
    let outcome = case.deployment().resume(Office, case.world.clone(), model, resumable).go().await.unwrap();
    let evidence = case.desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.attrs("model.drift", "fuze.model.to"), ["scripted-2"]);
}

async fn judged(acks: Vec<Ack>) -> Result<Outcome<i64>, RunError> {
    let case = Case::new();
    let model = ScriptedModel::new().call("judge", json!({"verdict": 1})).answer(1);
    let run = case.deployment().run(Judge, case.world.clone(), model).principal("p").subject("someone");
    let waiting = suspended(run.start().await.unwrap());
    let now = Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
    let decision = case.anna.decides_at(&waiting.cases()[0], &Action::Approve, now, acks);
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = ScriptedModel::<Eu>::hosted().snapshot("scripted-2").answer(1);
    let outcome = case.deployment().resume(Judge, case.world.clone(), model, resumable).go().await?;
    assert_eq!(
        case.desk.evidence(outcome.report().run_id).attrs("model.drift", "fuze.model.drift_acknowledged"),
        ["true"]
    );
    Ok(outcome)
}

#[tokio::test]
async fn for_a_decision_about_a_person_another_model_must_be_acknowledged() {
    let name = |text: &str| Name::new(text).unwrap();
    let error = judged(vec![]).await.unwrap_err();
    assert!(matches!(error, RunError::ModelDrift { .. }), "{error}");
    let other = Ack { kind: name("model"), from: name("scripted-1"), to: name("scripted-3") };
    assert!(matches!(judged(vec![other]).await, Err(RunError::ModelDrift { .. })));
    let right = Ack { kind: name("model"), from: name("scripted-1"), to: name("scripted-2") };
    assert_eq!(judged(vec![right]).await.unwrap().status(), "completed");
}

#[tokio::test]
async fn nobody_who_could_decide_is_a_denial() {
    let desk = Desk::new();
    let carl = person("p");
    let deployment = desk.deploy(allow(), &[&carl]);
    let model = ScriptedModel::new().call("file", json!({"amount": 1}));
    let run = deployment.run(Office, World::new(), model).principal("p").start().await.unwrap();
    assert_eq!(run.status(), "policy_denied", "{run:?}");
    assert_eq!(desk.evidence(run.report().run_id).count("oversight.suspend"), 0);
}

#[tokio::test]
async fn a_token_that_nobody_could_hand_in_is_not_issued() {
    let crowd = (0..2_000).map(|n| format!("overseer-{n}")).chain(["anna".to_owned()]).collect();
    let obligation = Obligation { may_approve: Some(crowd), ..Obligation::default() };
    let case = Case::under(allow().approve_tool("file", obligation));
    let model = ScriptedModel::new().call("file", json!({"amount": 1}));
    let outcome = super::run(&case.deployment(), Office, &case.world, model).await;
    assert_eq!(outcome.status(), "policy_denied", "{outcome:?}");
    assert!(super::why(&outcome).contains("fewer approvers"), "{outcome:?}");
    assert_eq!(case.desk.evidence(outcome.report().run_id).count("oversight.suspend"), 0);
}

#[tokio::test]
async fn a_run_that_does_not_wait_cannot_be_taken_up() {
    let case = Case::new();
    let waiting = case.waiting(&[("file", 1)]).await;
    let id = waiting.run_id();
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    case.ends(waiting.verify(&[decision]).unwrap(), "completed").await;
    assert!(matches!(case.deployment().suspended(id).await, Err(RunError::NotSuspended)));
}
