//! Approval: nothing runs that a person did not allow, and nothing else than what the person allowed.

use fuze_agent::RunError;
use fuze_agent::prelude::*;
use fuze_agent::store::ClaimError;
use fuze_agent::suspend::decision::DecisionClaims;
use fuze_agent::suspend::{
    Action, DecisionError, NotResumable, Problem, SignedDecision, Suspended, TokenError,
};
use fuze_agent_museum::mutations::{Parts, sign_raw};
use fuze_agent_museum::office::{Office, Person, Place, World, waiting, work};
use fuze_evidence::sign::read_object;
use serde_json::{Value, json};

use crate::rows::proof;

fn payment() -> ScriptedModel {
    ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 1}))
}

fn refused(suspended: Suspended, decisions: &[SignedDecision]) -> (Suspended, Vec<Problem>) {
    match suspended.verify(decisions) {
        Ok(_) => panic!("accepted"),
        Err(refused) => {
            let NotResumable { suspended, problems } = *refused;
            (suspended, problems.into_iter().map(|(_, problem)| problem).collect())
        }
    }
}

/// google/adk-python#7148 and Mastra PR #20487: the user clicked Decline, and the tool ran all the same, because the loop
/// went on with the call that it had kept. Here a refusal is a stage of that one call: the gate is never asked for it
/// again, no permit exists, and `run` cannot be reached without one. The refusal is not remembered as an approval either.
#[tokio::test]
async fn row_01_a_declined_call_does_not_run() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();
    let decisions = place.anna().decide_all(&suspended, &Action::Reject);
    let resumable = suspended.verify(&decisions).unwrap();
    // The model insists: it asks for the very same call again.
    let model = payment();
    let again = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    let suspended = waiting(again);
    assert!(world.log().is_empty(), "{:?}", world.log());
    let executed = place.spans(run, "tool.execute");
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0]["fuze.tool.outcome"], "rejected");

    let halted = place.anna().decide_all(&suspended, &Action::Halt);
    let resumable = suspended.verify(&halted).unwrap();
    let model = payment().answer("paid, I think");
    let ended = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(ended.status(), "cancelled");
    assert!(world.log().is_empty(), "{:?}", world.log());
    assert!(place.verify(run).unwrap().is_sound());
}

/// pydantic-ai#8060: a deferred call whose decision was `None` ran although it required approval. Here there is no
/// decision that is nothing: a slot without a signed decision keeps the run suspended, and types leave no way round
/// (proof cases of the permit).
#[tokio::test]
async fn row_02_no_decision_is_no_approval() {
    proof("attack/permit_by_default.rs", 10);
    proof("attack/waiting_call_run.rs", 10);
    proof("fail/tool_run_without_permit.rs", 10);
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let calls = [("pay", json!({"to": "a", "cents": 1})), ("pay", json!({"to": "b", "cents": 2}))];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    let (suspended, why) = refused(suspended, &[]);
    assert_eq!(why, vec![Problem::Decision(DecisionError::SlotOpen { slot: 0, of: 1 }); 2]);
    // One of two is not enough, and which one makes no difference.
    let mut suspended = suspended;
    for decided in 0..2 {
        let one = place.anna().decide(&suspended.cases()[decided], &Action::Approve);
        let why;
        (suspended, why) = refused(suspended, &[one]);
        assert_eq!(why, [Problem::Decision(DecisionError::SlotOpen { slot: 0, of: 1 })]);
    }
    // What travels may say `null` or leave the decision out: it is not read at all.
    let whole = serde_json::to_value(place.anna().decide(&suspended.cases()[0], &Action::Approve)).unwrap();
    for hole in [Value::Null, json!(""), json!(true)] {
        let mut holed = whole.clone();
        holed["decision"] = hole.clone();
        match serde_json::from_value::<SignedDecision>(holed) {
            Err(_) => {}
            Ok(decision) => (suspended, _) = refused(suspended, &[decision]),
        }
    }
    assert!(world.log().is_empty());
}

/// pydantic-ai#6968: what the approver was shown was not what ran. Here the case that is shown holds the canonical bytes
/// of the call, a decision signs the hash of the case, and the tool parses those bytes: a decision over any other case is
/// refused, whoever signed it.
#[tokio::test]
async fn row_03_what_was_approved_is_what_runs() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let text = r#"{ "cents" : 1e2, "to":"b\u0061kery" }"#;
    let model = ScriptedModel::new().raw_calls([("pay".to_owned(), text.to_owned())]);
    let suspended = waiting(work(&deployment, &world, model).await);
    // The model's spelling is gone before anybody decides: these bytes are the call.
    let case = &suspended.cases()[0];
    assert_eq!(case.data().arguments, r#"{"cents":100,"to":"bakery"}"#);
    let disclosure = case.data().recorded.as_ref().unwrap();
    disclosure.verify(case.token().claims().args_hash).unwrap();

    // Shown something else, and signed with the right key over the right token.
    let honest = place.anna().decide(case, &Action::Approve);
    let parts = Parts::of(&honest.decision).unwrap();
    let mut claims: DecisionClaims = read_object(&parts.body).unwrap();
    claims.case_hash = fuze_evidence::sha256(b"a case that says 1 cent");
    let other = SignedDecision { decision: sign_raw("fzd1", &claims, &place.anna().key), ..honest.clone() };
    let (suspended, why) = refused(suspended, &[other]);
    assert_eq!(why[0], Problem::Decision(DecisionError::OtherCase));

    let resumable = suspended.verify(&[honest]).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["pay bakery 100"]);
}

/// pydantic-ai#5536, vercel/ai PR #15947, openai-agents-python PRs #3908 and #5105: an approval was a boolean in state
/// that the client held and could set. Here an approval is an overseer's Ed25519 signature over one token, by a key in the
/// registry that the run's first record names; the state itself is encrypted and bound to its record.
#[tokio::test]
async fn row_04_an_approval_cannot_be_forged() {
    proof("fail/approval_by_a_boolean.rs", 2);
    proof("attack/decision_as_permit.rs", 10);
    let (place, world) = (Place::with(&["anna", "clerk-1"]), World::new());
    let deployment = place.office();
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();
    let case = &suspended.cases()[0];

    let stranger = Person::new("mallory");
    let posing = Person::new("anna");
    let principal = &place.people[1];
    let attempts = [
        (
            stranger.decide(case, &Action::Approve),
            DecisionError::UnknownOverseer { overseer: stranger.alias.clone() },
        ),
        (posing.decide(case, &Action::Approve), DecisionError::Signature),
        (
            principal.decide(case, &Action::Approve),
            DecisionError::IsPrincipal { overseer: principal.alias.clone() },
        ),
    ];
    let mut suspended = suspended;
    for (forged, expected) in attempts {
        let why;
        (suspended, why) = refused(suspended, &[forged]);
        assert_eq!(why[0], Problem::Decision(expected));
    }
    // A registry that was changed while the run waited does not count for it.
    let mut registry = place.registry();
    registry = registry.with(stranger.entry()).unwrap();
    let changed =
        place.builder(fuze_agent_museum::office::office_rules()).overseers(registry).build().unwrap();
    let there = changed.suspended(run).await.unwrap();
    let by_stranger = stranger.decide(&there.cases()[0], &Action::Approve);
    let (_, why) = refused(there, &[by_stranger]);
    assert_eq!(why[0], Problem::Decision(DecisionError::OtherRegistry));
    assert!(world.log().is_empty());
    drop(suspended);
}

/// vercel/ai 7.0.36: the approval's MAC ran over fields joined by line feeds, so that two different requests had one MAC.
/// Here canonical JSON is signed: every field stands under its name and in its quotes. The names in a token cannot hold a
/// line feed at all, and the arguments enter as a commitment to a tree, not to a text.
#[tokio::test]
async fn row_05_no_two_requests_have_one_signature() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    for tenant in ["acme\npay", "acme pay", "acme|pay", ""] {
        let run = deployment.run(Office, world.clone(), payment()).tenant(tenant).principal("clerk-1");
        let refused = run.start().await.unwrap_err();
        assert!(matches!(refused, RunError::Name { what: "tenant", .. }), "{refused}");
    }
    // Joined by line feeds, these two would be the same text.
    let calls = [("pay", json!({"to": "a\nb", "cents": 1})), ("pay", json!({"to": "a", "cents": 1}))];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    let [first, second] = suspended.cases() else { panic!("two cases") };
    assert_ne!(first.token().claims().args_hash, second.token().claims().args_hash);
    let leaf = |path: &str, value: &str| {
        let salt = serde_json::from_value(json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).unwrap();
        fuze_evidence::content::Opening { path: path.into(), value: json!(value), salt }.leaf_hash().unwrap()
    };
    assert_ne!(leaf("/to", "a\n/b"), leaf("/to\na", "/b"));
    // One's signature on the other's body.
    let parts: Vec<Parts> =
        suspended.cases().iter().map(|case| Parts::of(case.token().as_str()).unwrap()).collect();
    let spliced = Parts { signature: parts[0].signature.clone(), ..parts[1].clone() };
    let key = fuze_evidence::sign::PublicKey::from_bytes(deployment.public_key()).unwrap();
    let read = fuze_agent::suspend::Token::read(&spliced.join(), &key);
    assert_eq!(read.unwrap_err(), TokenError::Signature);
}

/// vercel/ai 7.0.178: calls that were denied automatically were signed like approvals and could be replayed as such. Here a
/// denied call issues no token, a decision signs its action, and a token is claimed once, whatever was decided.
#[tokio::test]
async fn row_06_a_denial_cannot_be_replayed_as_an_approval() {
    let (place, world) = (Place::new(), World::new());
    let rules = Fixed::new().allow_tool("look").deny_tool("pay").shared_between_agents();
    let denied = work(&place.deployment(rules), &world, payment()).await;
    assert_eq!(denied.status(), "policy_denied");
    let run = denied.report().run_id;
    assert!(place.spans(run, "oversight.suspend").is_empty());
    assert!(place.office().suspended(run).await.is_err());

    let deployment = place.office();
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let reject = place.anna().decide(&suspended.cases()[0], &Action::Reject);
    // The same signature under another action.
    let parts = Parts::of(&reject.decision).unwrap();
    let body = String::from_utf8(parts.body.clone()).unwrap().replace("\"reject\"", "\"approve\"");
    let relabelled = Parts { body: body.into_bytes(), ..parts };
    let forged = SignedDecision { decision: relabelled.join(), ..reject.clone() };
    let (suspended, why) = refused(suspended, &[forged]);
    assert_eq!(why[0], Problem::Decision(DecisionError::Signature));
    let resumable = suspended.verify(std::slice::from_ref(&reject)).unwrap();
    // After the refusal the model asks for the same again: the old decision, or an approval of the old token, is void.
    let again = deployment.resume(Office, world.clone(), payment(), resumable).go().await.unwrap();
    let suspended = waiting(again);
    let (_, why) = refused(suspended, &[reject]);
    assert_eq!(why[0], Problem::Token(TokenError::NotWaiting));
    assert!(world.log().is_empty());
}

/// mastra#16468, #20322 and #9288: when one tool was suspended twice in parallel, the second resume failed, or resumed the
/// other's run. Here each call has a case of its own under its execution id; decisions find their call by the token that
/// they sign, in whatever order they come, and all of a run's cases go on together or not at all.
#[tokio::test]
async fn row_07_parallel_suspensions_of_one_tool_do_not_mix() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let same = json!({"to": "twin", "cents": 5});
    let calls = [
        ("pay", json!({"to": "first", "cents": 1})),
        ("pay", json!({"to": "second", "cents": 2})),
        ("pay", same.clone()),
        ("pay", same),
    ];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    let other = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();
    let actions = [Action::Reject, Action::Approve, Action::Approve, Action::Reject];
    let mut decisions: Vec<SignedDecision> = suspended
        .cases()
        .iter()
        .zip(&actions)
        .map(|(case, action)| place.anna().decide(case, action))
        .collect();
    decisions.reverse();
    // The other run's token does not count here, nor this one's there.
    let foreign = place.anna().decide_all(&other, &Action::Approve);
    let (other, why) = refused(other, &decisions[..1]);
    assert!(matches!(why[0], Problem::Token(TokenError::OtherRun { .. })), "{why:?}");
    let with_foreign: Vec<SignedDecision> = decisions.iter().chain(&foreign).cloned().collect();
    let (suspended, why) = refused(suspended, &with_foreign);
    assert!(matches!(why[0], Problem::Token(TokenError::OtherRun { .. })), "{why:?}");

    let resumable = suspended.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["pay second 2", "pay twin 5"]);
    let outcomes: Vec<Value> =
        place.spans(run, "tool.execute").iter().map(|attrs| attrs["fuze.tool.outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "ok").count(), 2);
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "rejected").count(), 2);
    drop(other);
}

/// langgraph#6663: one interrupt could be resumed twice, with different values. Here two decisions for one token are an
/// error, and of two verified sets the first to claim the token wins; the second changes nothing and is told so.
#[tokio::test]
async fn row_08_an_interrupt_resumes_once() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();
    let approve = place.anna().decide_all(&suspended, &Action::Approve);
    let other = Action::Modify(json!({"to": "mallory", "cents": 1_000_000}));
    let modify = place.anna().decide_all(&suspended, &other);
    let both = [approve[0].clone(), modify[0].clone()];
    let (suspended, why) = refused(suspended, &both);
    assert_eq!(why, [Problem::Decision(DecisionError::Twice)]);

    let first = suspended.verify(&approve).unwrap();
    let second = deployment.suspended(run).await.unwrap().verify(&modify).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, first).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    let records = place.store.records(run);
    let model = ScriptedModel::new().answer("done");
    let late = deployment.resume(Office, world.clone(), model, second).go().await.unwrap_err();
    let told = matches!(late, RunError::NotSuspended | RunError::Claim(ClaimError::Used(_)));
    assert!(told, "{late}");
    assert_eq!(world.log(), ["pay bakery 1"]);
    assert_eq!(place.store.records(run), records);
}

/// adk-go#876: a tool ran before its confirmation was asked for. Here the permit does not exist until the gate has seen a
/// verified decision; at the suspension nothing has run, and the calls after the first waiting one wait with it.
#[tokio::test]
async fn row_10_nothing_runs_before_its_confirmation() {
    proof("attack/waiting_call_run.rs", 10);
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let calls = [
        ("look", json!({"what": "before"})),
        ("pay", json!({"to": "bakery", "cents": 1})),
        ("note", json!({"text": "after"})),
    ];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    assert_eq!(world.log(), ["look before"]);
    let run = suspended.run_id();
    assert_eq!(place.spans(run, "tool.execute").len(), 1);
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    assert_eq!(decisions.len(), 1);
    let resumable = suspended.verify(&decisions).unwrap();
    // Verified is not yet resumed.
    assert_eq!(world.log(), ["look before"]);
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["look before", "pay bakery 1", "note after"]);
    // The execution names the person's decision as its parent.
    let records = place.records(run);
    let of =
        |span: &str| records.iter().map(|r| &r["payload"]).filter(|p| p["span"] == span).collect::<Vec<_>>();
    let decided = of("human.oversight.decision");
    let paid: Vec<_> =
        of("tool.execute").into_iter().filter(|p| p["attrs"]["gen_ai.tool.name"] == "pay").collect();
    assert_eq!(paid[0]["parentStepId"], decided[0]["stepId"]);
}
