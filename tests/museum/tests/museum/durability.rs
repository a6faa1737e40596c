//! Durability: what happened once does not happen twice, in whatever way a process ends, and what was not stored did not
//! complete.

use std::sync::Arc;

use async_trait::async_trait;
use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::law::residency::Eu;
use fuze_agent::model::{
    FinishReason, Message, Model, ModelError, ModelIdentity, ModelRequest, ModelResponse, RequestedCall,
    Usage,
};
use fuze_agent::prelude::*;
use fuze_agent::store::{Batch, Claim, ClaimError, Ground, RunStore as _, StoreError};
use fuze_agent::suspend::Action;
use fuze_agent_museum::office::{
    Deps, KEPT, Office, Place, World, look, note, office_rules, pay, waiting, work,
};
use fuze_agent_museum::tamper::Tampered;
use fuze_evidence::sink::{MemorySink, Sink, SinkBatch, SinkError};
use fuze_evidence::vocab::SuspendReason;
use fuze_evidence::{Hash, Name, RunId};
use serde_json::{Value, json};

/// langgraph#6208 and langgraph#6603 (the node that was interrupted ran again from its start and repeated its side
/// effects), and rig's "pending tool calls re-execute on resume". Here the unit that resumes is the call, not the node:
/// what finished before the suspension has its result in the snapshot, and the model's answer is not asked for again.
#[tokio::test]
async fn row_09_nothing_is_repeated_on_resume() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let calls = [
        ("note", json!({"text": "one"})),
        ("look", json!({"what": "two"})),
        ("pay", json!({"to": "bakery", "cents": 3})),
    ];
    let before = Arc::new(ScriptedModel::new().calls(&calls).keeping());
    let run = deployment.run(Office, world.clone(), before.clone()).tenant("acme").principal("clerk-1");
    let suspended = waiting(run.start().await.unwrap());
    assert_eq!(world.log(), ["note one", "look two"]);
    // Another process, twice over: the second time the payment has been made, and another person is asked.
    let next = [
        ("suspended", ScriptedModel::new().call("pay", json!({"to": "butcher", "cents": 4}))),
        ("completed", ScriptedModel::new().answer("done")),
    ];
    for (status, next) in next {
        let run = suspended.run_id();
        let suspended = place.office().suspended(run).await.unwrap();
        let decisions = place.anna().decide_all(&suspended, &Action::Approve);
        let resumable = suspended.verify(&decisions).unwrap();
        let outcome = place.office().resume(Office, world.clone(), next, resumable).go().await.unwrap();
        assert_eq!(outcome.status(), status);
    }
    assert_eq!(world.log(), ["note one", "look two", "pay bakery 3", "pay butcher 4"]);
    assert_eq!(before.seen().len(), 1);
    assert!(place.verify(suspended.run_id()).unwrap().is_sound());
}

/// Asks for the next call of a plan, by what the history holds; then answers. As a model does, it knows nothing else: a
/// process that begins anew goes on where the history ends.
struct ByHistory(&'static [(&'static str, &'static str)]);

#[async_trait]
impl Model for ByHistory {
    type Residency = Eu;

    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "museum".into(), model: "history".into(), snapshot: "history-1".into() }
    }

    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        let poisoned = |message: &Message| matches!(message, Message::Tool { content, .. } if content.contains("poison"));
        assert!(!request.messages.iter().any(poisoned), "the model was shown what no guardrail passed");
        if request.tools.is_empty() {
            let text = Some("perhaps".to_owned());
            let (finish, usage) = (FinishReason::Stop, Usage::default());
            return Ok(ModelResponse { text, calls: vec![], finish, usage, system_fingerprint: None });
        }
        let done = request.messages.iter().filter(|message| matches!(message, Message::Tool { .. })).count();
        let calls: Vec<RequestedCall> = self
            .0
            .iter()
            .skip(done)
            .take(1)
            .map(|(name, args)| RequestedCall {
                id: format!("call-{done}"),
                name: (*name).to_owned(),
                arguments: (*args).to_owned(),
            })
            .collect();
        let finish = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        let text = calls.is_empty().then(|| "\"done\"".to_owned());
        Ok(ModelResponse { text, calls, finish, usage: Usage::default(), system_fingerprint: None })
    }
}

/// Charges a card, and does not know whether it worked.
#[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none))]
async fn charge(ctx: &Ctx<'_, Deps>, cents: u64) -> Result<String, ToolError> {
    ctx.deps().did(format!("charge {cents}"));
    Err(ToolError::new("the bank did not answer"))
}

/// Fetches a page that somebody poisoned.
#[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none), effect = idempotent)]
async fn fetch(ctx: &Ctx<'_, Deps>, page: String) -> Result<String, ToolError> {
    ctx.deps().did(format!("fetch {page}"));
    Ok(format!("poison on {page}"))
}

/// Trips at poison, after it has asked the model, so that what was so far is stored before it has a verdict.
struct Antidote;

#[async_trait]
impl Guardrail for Antidote {
    fn name(&self) -> &'static str {
        "antidote"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn phase(&self) -> Phase {
        Phase::ToolResult
    }

    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        if !content.contains("poison") {
            return Ok(Verdict::Pass);
        }
        model.ask("Is this harmless?").await?;
        Ok(Verdict::Block { reason: "poison".into() })
    }
}

define_agent! {
    /// Works where processes end at any time.
    Shop {
        purpose: "shop",
        instructions: "Work.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [look, note, pay, charge, fetch],
        deps: Deps,
        output: String,
        max_steps: 20,
        retry_budget: 3,
        token_budget: 100_000,
        guardrails: [Antidote],
    }
}

fn shop_rules() -> Fixed {
    ["look", "note", "pay", "charge", "fetch"].into_iter().fold(Fixed::new(), Fixed::allow_tool)
}

/// What a run came to in the end.
#[derive(Debug)]
struct End {
    status: &'static str,
    reason: Option<SuspendReason>,
    log: Vec<String>,
}

/// Runs the plan, ends the process at the `nth` write, and recovers until the run ends or waits. `None`: there are not so
/// many writes.
async fn crash_at(nth: u32, plan: &'static [(&'static str, &'static str)]) -> Option<End> {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.deployment(shop_rules());
    place.store.fail_from(nth, StoreError::Full);
    let run = deployment.run(Shop, world.clone(), ByHistory(plan)).tenant("acme").principal("clerk-1");
    let mut outcome = run.start().await;
    let before = place.store.writes();
    place.store.mend();
    let mut crashed = false;
    for _ in 0..3 {
        let halted = matches!(&outcome, Ok(Outcome::Halted { .. }) | Err(_));
        crashed |= halted;
        let Some(run) = place.store.runs().first().copied() else {
            // Nothing was opened: nothing may have happened.
            assert!(world.log().is_empty());
            return Some(End { status: "error", reason: None, log: world.log() });
        };
        if !halted {
            break;
        }
        let other = place.deployment(shop_rules());
        outcome = other.recover(Shop, world.clone(), ByHistory(plan), run).go().await;
    }
    if !crashed {
        assert!(before < nth, "a write failed, and the run went on");
        return None;
    }
    let outcome = outcome.expect("recovered");
    let run = outcome.report().run_id;
    let status = outcome.status();
    let reason = match &outcome {
        Outcome::Suspended { suspended, .. } => Some(suspended.cases()[0].token().claims().reason),
        _ => None,
    };
    let report = place.verify(run).unwrap();
    assert_eq!(report.content.missing, 0);
    assert_eq!(report.is_verified(), status != "suspended");
    Some(End { status, reason, log: world.log() })
}

/// langgraph#6208, #6603 and rig, with the process ended at each of its writes in turn: an effect that must not happen twice
/// does not, because the store has marked its beginning, and where its end is not known a person is asked. That a call is
/// in doubt is stored with its result, so that no crash can make it look like a plain error that the model may try again.
#[tokio::test]
async fn row_09_no_crash_repeats_an_effect() {
    const NOTE: &[(&str, &str)] =
        &[("look", r#"{"what":"a"}"#), ("note", r#"{"text":"b"}"#), ("look", r#"{"what":"c"}"#)];
    let mut ends = Vec::new();
    for nth in 1.. {
        let Some(end) = crash_at(nth, NOTE).await else { break };
        let notes = end.log.iter().filter(|did| *did == "note b").count();
        assert!(notes <= 1, "write {nth}: {end:?}");
        match (end.status, end.reason) {
            ("completed", None) => assert_eq!(notes, 1, "write {nth}"),
            ("suspended", Some(SuspendReason::InDoubt)) | ("error", None) => {}
            other => panic!("write {nth}: {other:?}"),
        }
        ends.push(end.status);
    }
    assert!(ends.len() > 6 && ends.contains(&"suspended") && ends.contains(&"completed"), "{ends:?}");

    // Here the tool itself does not know. Whatever crashes, the model is never told to try again.
    const CHARGE: &[(&str, &str)] = &[("charge", r#"{"cents":1}"#), ("charge", r#"{"cents":1}"#)];
    let mut suspended = 0;
    for nth in 1.. {
        let Some(end) = crash_at(nth, CHARGE).await else { break };
        assert!(end.log.len() <= 1, "write {nth}: {end:?}");
        match (end.status, end.reason) {
            ("suspended", Some(SuspendReason::InDoubt)) => suspended += 1,
            ("error", None) => {}
            other => panic!("write {nth}: {other:?}"),
        }
    }
    assert!(suspended >= 4, "{suspended}");
}

/// Fuze TS, its resume, in the form of a crash: what a tool gave back was stored before the guardrail had seen it, and
/// whoever took the run up found a finished call. Here a result is stored as not yet examined, and is examined wherever the
/// run goes on, before the model gets to see it ([`ByHistory`] asserts that).
#[tokio::test]
async fn row_30_no_crash_skips_a_guardrail() {
    const FETCH: &[(&str, &str)] = &[("fetch", r#"{"page":"p"}"#)];
    let mut tripped = 0;
    for nth in 1.. {
        let Some(end) = crash_at(nth, FETCH).await else { break };
        match end.status {
            "tripwire" => tripped += 1,
            "error" => {}
            other => panic!("write {nth}: {other}"),
        }
    }
    assert!(tripped > 4);
}

/// langgraph#6603 once more, with the process ended at each write of the resume: either the claim was stored, and the run is
/// recovered with its approval, or it was not, and the run still waits. An approved call runs at most once in all of it.
#[tokio::test]
async fn row_09_no_crash_of_a_resume_repeats_or_loses_an_approval() {
    const NOTHING: &[(&str, &str)] = &[("pay", r#"{"cents":7,"to":"bakery"}"#)];
    let mut ends = Vec::new();
    for nth in 1.. {
        let (place, world) = (Place::new(), World::new());
        let deployment = place.deployment(shop_rules());
        let run = deployment.run(Shop, world.clone(), ByHistory(NOTHING)).tenant("acme").principal("clerk-1");
        let suspended = waiting(run.start().await.unwrap());
        let run = suspended.run_id();
        let decisions = place.anna().decide_all(&suspended, &Action::Approve);
        place.store.fail_from(nth, StoreError::Io("unplugged".into()));
        let resumable = suspended.verify(&decisions).unwrap();
        let first = deployment.resume(Shop, world.clone(), ByHistory(NOTHING), resumable).go().await;
        place.store.mend();
        if matches!(&first, Ok(outcome) if outcome.status() == "completed") {
            break;
        }
        let other = place.deployment(shop_rules());
        let outcome = match other.suspended(run).await {
            Ok(suspended) if suspended.cases()[0].token().claims().reason == SuspendReason::Tool => {
                assert!(world.log().is_empty(), "write {nth}: paid without a claim");
                let resumable = suspended.verify(&decisions).unwrap();
                other.resume(Shop, world.clone(), ByHistory(NOTHING), resumable).go().await
            }
            Ok(suspended) => panic!("write {nth}: {suspended:?}"),
            Err(_) => other.recover(Shop, world.clone(), ByHistory(NOTHING), run).go().await,
        };
        let outcome = outcome.unwrap();
        assert!(world.log().len() <= 1, "write {nth}: {:?}", world.log());
        match &outcome {
            Outcome::Completed { .. } => assert_eq!(world.log(), ["pay bakery 7"], "write {nth}"),
            Outcome::Suspended { suspended, .. } => {
                assert_eq!(
                    suspended.cases()[0].token().claims().reason,
                    SuspendReason::InDoubt,
                    "write {nth}"
                );
            }
            other => panic!("write {nth}: {other:?}"),
        }
        ends.push(outcome.status());
    }
    assert!(ends.len() >= 4 && ends.contains(&"suspended") && ends.contains(&"completed"), "{ends:?}");
}

/// Fuze TS, its nonce store: the check of the nonce and its consumption were two steps, and two concurrent resumes both
/// paid. Here one statement of the store claims every token of the run, in the transaction that advances it; whoever comes
/// second is told so and has changed nothing. Four processes do the same on SQLite in a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_29_of_many_concurrent_resumes_one_wins() {
    const MANY: usize = 64;
    let (place, world) = (Arc::new(Place::new()), World::new());
    let store = Tampered::new(&place.store);
    let deployment = place.builder_on(office_rules(), Arc::new(store.clone())).build().unwrap();
    let payment = ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 1}));
    let run = waiting(work(&deployment, &world, payment).await).run_id();
    // All have read the run, and made ready what they would write, before any of them claims it.
    store.claims_together(MANY);
    let resumes: Vec<_> = (0..MANY)
        .map(|_| {
            let (place, world, deployment) = (place.clone(), world.clone(), deployment.clone());
            tokio::spawn(async move {
                let suspended = deployment.suspended(run).await.unwrap();
                let decisions = place.anna().decide_all(&suspended, &Action::Approve);
                let resumable = suspended.verify(&decisions).unwrap();
                let model = ScriptedModel::new().answer("done");
                deployment.resume(Office, world, model, resumable).go().await
            })
        })
        .collect();
    let (mut won, mut told) = (0, 0);
    for resume in resumes {
        match resume.await.unwrap() {
            Ok(outcome) => {
                assert_eq!(outcome.status(), "completed");
                won += 1;
            }
            // The token says so, not a record that happens not to fit any more.
            Err(RunError::Claim(ClaimError::Used(_))) => told += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((won, told), (1, MANY - 1));
    assert_eq!(world.log(), ["pay bakery 1"]);
    assert!(place.verify(run).unwrap().is_sound());
}

/// The same report, where nothing but the claim stands in the way: a batch that would fit whatever was written before.
#[tokio::test]
async fn row_29_a_token_is_consumed_with_its_check() {
    let (place, world) = (Place::new(), World::new());
    let store = Tampered::new(&place.store);
    let deployment = place.builder_on(office_rules(), Arc::new(store.clone())).build().unwrap();
    let payment = || ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 1}));
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let seen = Arc::new(std::sync::Mutex::new(None));
    let keep = seen.clone();
    store.on_claim(move |claim| *keep.lock().unwrap() = Some((claim.epoch, claim.tokens.clone())));
    let outcome = deployment.resume(Office, world.clone(), payment(), resumable).go().await.unwrap();
    // It waits again, at the next epoch and with a token of its own.
    let second = waiting(outcome);
    let fresh: Vec<_> = second.cases().iter().map(|case| case.token().hash()).collect();
    let (epoch, tokens) = seen.lock().unwrap().take().unwrap();
    let claim = |epoch, tokens: &[Hash], id: u8| Claim {
        run,
        epoch,
        claim_id: [id; 16],
        ground: Ground::Decided,
        tokens: tokens.to_vec(),
        batch: Batch::default(),
    };
    let used = Err(ClaimError::Used(tokens[0]));
    for epoch in [epoch, epoch + 1] {
        assert_eq!(place.store.claim(claim(epoch, &tokens, 1)).await, used, "a used token at {epoch}");
    }
    let fenced = Err(ClaimError::Store(StoreError::Fenced));
    for other in [epoch, epoch + 2] {
        assert_eq!(place.store.claim(claim(other, &fresh, 2)).await, fenced, "another epoch, {other}");
    }
    assert!(place.store.claim(claim(epoch + 1, &fresh, 3)).await.is_ok());
    assert_eq!(place.store.claim(claim(epoch + 1, &fresh, 4)).await, Err(ClaimError::Used(fresh[0])));
}

/// A sink that fails from its `nth` batch on.
struct Failing {
    inner: MemorySink,
    from: u32,
    seen: std::sync::atomic::AtomicU32,
}

#[async_trait]
impl Sink for Failing {
    fn identity(&self) -> Name {
        self.inner.identity()
    }

    async fn append(&self, batch: &SinkBatch, durable: bool) -> Result<(), SinkError> {
        let nth = 1 + self.seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if nth >= self.from {
            return Err(SinkError::Other("the disk is full".into()));
        }
        self.inner.append(batch, durable).await
    }
}

define_agent! {
    /// Notes, and never waits for anybody.
    Notary {
        purpose: "notes",
        instructions: "Note.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [look, note],
        deps: Deps,
        output: String,
        max_steps: 12,
        retry_budget: 1,
        token_budget: 10_000,
    }
}

/// Fuze TS, its emitter: a sink failed asynchronously, nobody waited for it, and the run was "completed" with no record
/// stored. Here a run has completed when its close is durable, an effect begins when the decision that allows it is, and the
/// first failure of sink or store latches: nothing more is done.
#[tokio::test]
async fn row_31_nothing_completes_that_was_not_stored() {
    let rules = || Fixed::new().allow_tool("look").allow_tool("note");
    let model = || {
        ScriptedModel::new()
            .call("note", json!({"text": "a"}))
            .call("look", json!({"what": "b"}))
            .answer("ok")
    };
    let mut failures = 0;
    for from in 1.. {
        let inner = MemorySink::new();
        let sink = Failing { inner: inner.clone(), from, seen: 0.into() };
        let keys = Keys::ephemeral().unwrap();
        let deployment = Deployment::with_sink("museum.test", keys, rules(), Arc::new(sink)).build().unwrap();
        let world = World::new();
        let run = deployment.run(Notary, world.clone(), model()).tenant("acme").principal("clerk-1");
        let outcome = run.start().await;
        let allowed = stored_decisions(&inner, inner.run_ids().first());
        assert!(
            world.log().len() <= allowed,
            "batch {from}: {} effects, {allowed} decisions",
            world.log().len()
        );
        match outcome {
            Ok(outcome) if outcome.status() == "completed" => {
                let stored = inner.run(outcome.report().run_id).unwrap();
                assert!(String::from_utf8(stored.records).unwrap().contains("\"run.close\""));
                break;
            }
            Ok(Outcome::Halted { why, .. }) => assert!(why.contains("the disk is full"), "{why}"),
            Ok(other) => panic!("batch {from}: {other:?}"),
            Err(error) => assert!(error.to_string().contains("the disk is full"), "{error}"),
        }
        failures += 1;
    }
    assert!(failures > 3);

    for nth in 1.. {
        let (place, world) = (Place::new(), World::new());
        place.store.fail_from(nth, StoreError::Io("unplugged".into()));
        let run =
            place.deployment(rules()).run(Notary, world.clone(), model()).tenant("acme").principal("clerk-1");
        match run.start().await {
            Ok(outcome) if outcome.status() == "completed" => {
                assert!(place.verify(outcome.report().run_id).unwrap().is_sound());
                break;
            }
            Ok(Outcome::Halted { .. }) | Err(_) => {}
            Ok(other) => panic!("write {nth}: {other:?}"),
        }
    }
}

/// How many calls the stored records allow.
fn stored_decisions(sink: &MemorySink, run: Option<&RunId>) -> usize {
    let Some(files) = run.and_then(|run| sink.run(*run)) else { return 0 };
    let records = files.records.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let records = records.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    records.filter(|record| record["payload"]["attrs"]["fuze.policy.decision"] == "allow").count()
}

/// pydantic-ai#7977: cancelling while a tool ran left a history with a call and no result, which no provider took again.
/// Here a cancelled run is closed, signed and says so, with a record for its call; and a process that simply ends leaves a
/// run that is recovered, with the gap on record.
#[tokio::test]
async fn row_18_a_cancelled_tool_leaves_a_run_that_can_be_understood() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.deployment(rules_of_slow());
    let run = deployment.run(Slow, world.clone(), ByHistory(SLEEP)).tenant("acme").principal("clerk-1");
    let cancel = run.cancel_handle();
    let started = tokio::spawn(run.start());
    while world.log().is_empty() {
        tokio::task::yield_now().await;
    }
    cancel.stop(fuze_agent::store::Stop::Operator);
    let outcome = started.await.unwrap().unwrap();
    assert_eq!(outcome.status(), "cancelled");
    let run = outcome.report().run_id;
    assert!(place.verify(run).unwrap().is_sound());
    assert_eq!(place.spans(run, "tool.execute")[0]["fuze.tool.outcome"], "cancelled");
    assert_eq!(place.spans(run, "run.cancel")[0]["fuze.run.cancelled_by"], "operator");
    let again = deployment.recover(Slow, world.clone(), ByHistory(SLEEP), run).go().await;
    assert!(matches!(again, Err(RunError::NotSuspended | RunError::NotRunning)), "{again:?}");

    // The process ends in the midst of the tool.
    let (place, world) = (Place::new(), World::new());
    let deployment = place.deployment(rules_of_slow());
    let run = deployment.run(Slow, world.clone(), ByHistory(SLEEP)).tenant("acme").principal("clerk-1");
    let started = tokio::spawn(run.start());
    while world.log().is_empty() {
        tokio::task::yield_now().await;
    }
    started.abort();
    assert!(started.await.unwrap_err().is_cancelled());
    let run = place.store.runs()[0];
    world.did("wake");
    let outcome =
        place.deployment(rules_of_slow()).recover(Slow, world.clone(), ByHistory(SLEEP), run).go().await;
    assert_eq!(outcome.unwrap().status(), "completed");
    assert_eq!(world.log(), ["sleep", "wake", "sleep"]);
    assert!(place.verify(run).unwrap().is_sound());
    assert_eq!(place.spans(run, "run.gap")[0]["fuze.gap.what"], "process");
    // Every call that the model asked for has its result in the history that the model got: it said "done".
    assert_eq!(place.spans(run, "run.close")[0]["fuze.run.status"], "completed");
}

const SLEEP: &[(&str, &str)] = &[("sleep", "{}")];

fn rules_of_slow() -> Fixed {
    Fixed::new().allow_tool("sleep")
}

/// Sleeps until somebody wakes the world.
#[tool(classification = public, retention = KEPT, threat_boundary(egress = none), effect = read)]
async fn sleep(ctx: &Ctx<'_, Deps>) -> Result<String, ToolError> {
    let awake = ctx.deps().log().contains(&"wake".to_owned());
    ctx.deps().did("sleep");
    if !awake {
        ctx.cancelled().await;
        return Err(ToolError::new("woken up too early"));
    }
    Ok("slept".to_owned())
}

define_agent! {
    /// Sleeps.
    Slow {
        purpose: "sleep",
        instructions: "Sleep.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [sleep],
        deps: Deps,
        output: String,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 10_000,
    }
}
