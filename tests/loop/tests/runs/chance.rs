//! Runs left to chance: tools that call each other and change their minds, people who say this or that, policies that are replaced, a
//! process that dies anywhere. Whatever becomes of such a run, the loop made it, so it keeps the rules of the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fuze_agent::RunError;
use fuze_agent::agent::ToolList;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::law::residency::Eu;
use fuze_agent::logic::No;
use fuze_agent::model::{
    Message, Model, ModelError, ModelErrorKind, ModelIdentity, ModelRequest, ModelResponse,
};
use fuze_agent::prelude::*;
use fuze_agent::store::{RunStore, Stop};
use fuze_agent::suspend::{Action, SignedDecision, Suspended};
use fuze_agent_loop_tests::{Break, Desk, Fragile, Person, SHORT, World, asking, person, saying};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{RunId, sha256};
use serde_json::json;

/// The same numbers each time (splitmix64).
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn of(what: &str, number: impl std::fmt::Display) -> Self {
        let hash = sha256(format!("{what} {number}").as_bytes());
        Self(hash.0[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// In `percent` of all cases.
    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A plan for a call at this depth.
    fn plan(&mut self, depth: i64) -> i64 {
        i64::try_from(self.below(1 << 40)).unwrap() * 4 + depth
    }
}

const TOOLS: [&str; 8] = ["look", "propose", "put", "post", "maybe", "note", "pay", "sign"];

/// What a tool does at one point.
enum Act {
    Invoke(&'static str, i64),
    Ask,
}

/// What a plan does when it runs for the `time`-th time.
fn acts(plan: i64, time: usize) -> Vec<Act> {
    let mut always = Chance::of("plan", plan);
    let mut now = Chance::of("time", format!("{plan} {time}"));
    let depth = plan % 4;
    let count = if depth >= 2 { 0 } else { always.below(4) };
    let mut acts = Vec::new();
    for _ in 0..count {
        let act = match always.is(10) {
            true => Act::Ask,
            false => {
                let tool = TOOLS[always.below(8) as usize];
                Act::Invoke(tool, always.plan(depth + 1))
            }
        };
        acts.push(act);
    }
    // It is of another mind: does less, or something else.
    if now.is(30) {
        acts.truncate(now.below(4) as usize);
    }
    if now.is(2) {
        acts.reverse();
    }
    acts
}

macro_rules! tools {
    (@ask asks $ctx:ident) => { matches!($ctx.request_oversight("and now?").await, OversightAnswer::Approved) };
    (@ends asks) => { 100 };
    (@ends silent) => { 74 };
    (@ask silent $ctx:ident) => { true };
    (@invoke asks $ctx:ident $tool:ident $plan:ident) => {
        match $tool {
            "look" => $ctx.invoke(look, LookArgs { plan: $plan }).await,
            "propose" => $ctx.invoke(propose, ProposeArgs { plan: $plan }).await,
            "put" => $ctx.invoke(put, PutArgs { plan: $plan }).await,
            "post" => $ctx.invoke(post, PostArgs { plan: $plan }).await,
            "maybe" => $ctx.invoke(maybe, MaybeArgs { plan: $plan }).await,
            "pay" => $ctx.invoke(pay, PayArgs { plan: $plan }).await,
            "note" => $ctx.invoke(note, NoteArgs { plan: $plan }).await,
            _ => $ctx.invoke(sign, SignArgs { plan: $plan }).await,
        }
    };
    (@invoke silent $ctx:ident $tool:ident $plan:ident) => {
        match $tool {
            "look" | "propose" | "put" | "post" => $ctx.invoke(note, NoteArgs { plan: $plan }).await,
            _ => $ctx.invoke(pay, PayArgs { plan: $plan }).await,
        }
    };
    ($($name:ident $args:ident $asks:ident ($($attr:tt)*);)+) => { $(
        type $args = <$name as Tool>::Args;

        /// Does what its plan says.
        #[tool(classification = public, retention = SHORT, threat_boundary(egress = none), time_limit_ms = 1_000, grace_ms = 10, $($attr)*)]
        async fn $name(ctx: &Ctx<'_, World>, plan: i64) -> Result<i64, ToolError> {
            let run = format!("plan {plan}");
            ctx.deps().does(&run);
            ctx.deps().does(format!("{} {}", stringify!($name), ctx.exec_id()));
            let time = ctx.deps().times(&run);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut then = Chance::of("then", format!("{plan} {time}"));
            for act in acts(plan, time) {
                let done = match act {
                    Act::Ask => Ok(i64::from(tools!(@ask $asks ctx))),
                    Act::Invoke(tool, plan) => tools!(@invoke $asks ctx tool plan),
                };
                if then.is(20) {
                    done?;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            match then.below(tools!(@ends $asks)) {
                0..70 => Ok(i64::try_from(then.below(1000)).unwrap()),
                70..80 => Err(ToolError::new("it failed")),
                80..85 => Err(ToolError::not_applied("nothing happened")),
                85..93 => panic!("boom"),
                _ => {
                    tokio::time::sleep(Duration::from_secs(1_000)).await;
                    Ok(1)
                }
            }
        }
    )+ };
}

tools! {
    look LookArgs asks (effect = read, requests_oversight);
    propose ProposeArgs asks (effect = read, requests_oversight, needs_approval = always);
    put PutArgs asks (effect = idempotent, requests_oversight);
    post PostArgs asks (effect = idempotent, requests_oversight, needs_approval = always);
    maybe MaybeArgs asks (effect = idempotent, requests_oversight, needs_approval = |args| args.plan % 8 < 4);
    note NoteArgs silent (effect = idempotent);
    pay PayArgs silent ();
    sign SignArgs silent (needs_approval = always);
}

/// Looks at what it is for, and asks the model now and then.
struct Watch(Phase);

#[async_trait::async_trait]
impl Guardrail for Watch {
    fn name(&self) -> &'static str {
        match self.0 {
            Phase::Input => "input",
            Phase::ToolResult => "result",
            Phase::Output => "output",
        }
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        self.0
    }
    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        let mut chance = Chance::of(self.name(), content);
        if chance.is(10) {
            let _ = model.ask("is this well?").await;
        }
        match chance.below(100) {
            0..3 => Ok(Verdict::Trip { reason: "so it is".into() }),
            3 => Err(GuardrailError("cannot tell".into())),
            _ => Ok(Verdict::Pass),
        }
    }
}

macro_rules! agents {
    ($($name:ident $annex:tt $art22:tt $oversight:tt [$($guardrail:expr),*];)+) => { $(
        agents! { @ $name $annex $art22 $oversight [$($guardrail),*] }
    )+ };
    (@ $name:ident ($($annex:tt)*) ($($art22:tt)*) ($($oversight:tt)*) [$($guardrail:expr),*]) => {
        define_agent! {
            /// Does what comes.
            $name {
                purpose: "testing",
                instructions: "Do what comes.",
                lawful_basis: contract,
                annex_iii: $($annex)*,
                art22: $($art22)*,
                oversight: $($oversight)*,
                model_residency: eu,
                retention: SHORT,
                tools: [look, propose, put, post, maybe, note, pay, sign],
                deps: World,
                output: i64,
                max_steps: 40,
                retry_budget: 3,
                token_budget: 1_000_000,
                max_depth: 2,
                guardrails: [$($guardrail),*],
            }
        }
    };
}

agents! {
    Plain (none) (none) (none) [];
    Watched (none) (none) (none) [Watch(Phase::Input), Watch(Phase::ToolResult), Watch(Phase::Output)];
    Grave (employment::recruitment) (none) (human_approval { plan: "plan.v1", training: "test-2026" }) [];
    Court (none) (decides(contract_necessity)) (human_approval { plan: "plan.v1", training: "test-2026" }) [];
}

/// Asks for this and that, by how far the history goes.
struct Asks(u64);

#[async_trait::async_trait]
impl Model for Asks {
    type Residency = Eu;
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "test".into(), model: "asks".into(), snapshot: "1".into() }
    }
    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if request.tools.is_empty() {
            return Ok(saying("yes"));
        }
        let turn = request.messages.iter().filter(|said| matches!(said, Message::Assistant { .. })).count();
        let mut chance = Chance::of("model", format!("{} {turn}", self.0));
        if chance.is(2) {
            return Err(ModelError::new(ModelErrorKind::Refused, "no"));
        }
        if turn > 3 || (turn > 0 && chance.is(35)) {
            return Ok(saying(if chance.is(15) { "well" } else { "7" }));
        }
        let calls: Vec<(&str, String)> = (0..=chance.below(3))
            .map(|_| match chance.below(100) {
                0..3 => ("nothing", "{}".to_owned()),
                3..6 => ("put", "{\"plan\":\"x\"}".to_owned()),
                _ => {
                    let tool = TOOLS[chance.below(8) as usize];
                    (tool, json!({"plan": chance.plan(0)}).to_string())
                }
            })
            .collect();
        let calls: Vec<(&str, &str)> = calls.iter().map(|(tool, args)| (*tool, args.as_str())).collect();
        Ok(asking(&calls))
    }
}

struct Life {
    seed: u64,
    chance: Chance,
    desk: Desk,
    world: World,
    people: [Person; 2],
}

impl Life {
    fn new(seed: u64) -> Self {
        let people = [person("anna"), person("ben")];
        Self { seed, chance: Chance::of("life", seed), desk: Desk::new(), world: World::new(), people }
    }

    /// The rules as they are by now.
    fn policy(&mut self) -> Fixed {
        let mut policy = Fixed::new().allow_classification("public");
        for tool in TOOLS {
            match self.chance.below(100) {
                0..10 => {
                    let approvers = if self.chance.is(30) { 2 } else { 1 };
                    policy = policy.approve_tool(tool, Obligation { approvers, ..Obligation::default() });
                }
                10 => policy = policy.deny_tool(tool),
                _ => {}
            }
        }
        policy
    }

    /// A process that may die.
    fn process(&mut self) -> (Deployment, Arc<tokio::sync::Notify>) {
        let nth = if self.chance.is(35) { 1 + self.chance.below(20) } else { u64::from(u32::MAX) };
        let how = if self.chance.is(50) { Break::Before } else { Break::After };
        let (store, hung) = Fragile::at(&self.desk.store, u32::try_from(nth).unwrap(), how);
        let policy = self.policy();
        let [anna, ben] = &self.people;
        (self.desk.builder_on(store, policy, &[anna, ben]).build().unwrap(), hung)
    }

    fn decides(&mut self, waiting: &Suspended) -> Vec<SignedDecision> {
        let mut said: BTreeMap<_, (Action, usize)> = BTreeMap::new();
        let mut decisions = Vec::new();
        for case in waiting.cases() {
            let claims = case.token().claims();
            let (action, decided) = said.entry(claims.case_id).or_insert_with(|| {
                let chance = &mut self.chance;
                let action = match (claims.reason.as_str(), chance.below(100)) {
                    (_, 0..4) => Action::Halt,
                    ("in_doubt", 4..50) => Action::NotDone,
                    ("in_doubt", _) => Action::Done(json!(1)),
                    (_, 4..25) => Action::Reject,
                    ("requested", _) => Action::Approve,
                    (_, 25..55) => {
                        let depth = case.arguments()["plan"].as_i64().unwrap() % 4;
                        Action::Modify(json!({"plan": chance.plan(depth)}))
                    }
                    _ => Action::Approve,
                };
                (action, 0)
            });
            *decided += 1;
            // One refusal is enough: the second person need not say anything.
            if matches!(action, Action::Reject) && claims.of == 2 && *decided == 2 && self.chance.is(50) {
                continue;
            }
            decisions.push(self.people[claims.slot as usize].decides(case, action));
        }
        decisions
    }

    /// Somebody may stop the run while it runs.
    async fn stopped(&mut self, handle: fuze_agent::CancelHandle) {
        if !self.chance.is(3) {
            return std::future::pending().await;
        }
        let when = 1 + self.chance.below(30);
        tokio::time::sleep(Duration::from_millis(when)).await;
        handle.stop(if self.chance.is(50) { Stop::Operator } else { Stop::Abort });
        std::future::pending().await
    }

    async fn lives<A>(&mut self, agent: fn() -> A) -> Option<RunId>
    where
        A: Agent<Deps = World, ModelResidency = Eu, Output = i64, Tools: ToolList<Personal = No>>,
    {
        let (deployment, hung) = self.process();
        let run = deployment.run(agent(), self.world.clone(), Asks(self.seed));
        let run = run.tenant("t").principal("p").input(self.seed.to_string());
        let handle = run.cancel_handle();
        tokio::select! {
            outcome = run.start() => drop(outcome.unwrap()),
            () = hung.notified() => {}
            () = self.stopped(handle) => {}
        }
        let id = *self.desk.store.runs().first()?;
        for _ in 0..60 {
            if self.chance.is(2) {
                self.desk.store.request_stop(id, Stop::Operator).await.unwrap();
            }
            let (deployment, hung) = self.process();
            if self.chance.is(2) {
                let ended = tokio::select! {
                    ended = deployment.abandon(id) => Some(ended),
                    () = hung.notified() => None,
                };
                match ended {
                    Some(Ok(_)) | None => continue,
                    Some(Err(RunError::NotSuspended)) => return Some(id),
                    Some(Err(error)) => panic!("seed {}: {error}", self.seed),
                }
            }
            let (world, model) = (self.world.clone(), Asks(self.seed));
            let taken = match deployment.suspended(id).await {
                Ok(waiting) => {
                    let decisions = self.decides(&waiting);
                    let resumable = waiting.verify(&decisions).unwrap();
                    deployment.resume(agent(), world, model, resumable)
                }
                Err(RunError::NotSuspended) => deployment.recover(agent(), world, model, id),
                Err(error) => panic!("seed {}: {error}", self.seed),
            };
            let handle = taken.cancel_handle();
            let outcome = tokio::select! {
                outcome = taken.go() => outcome,
                () = hung.notified() => continue,
                () = self.stopped(handle) => continue,
            };
            match outcome {
                Ok(outcome) => drop(outcome),
                Err(RunError::NotSuspended) => return Some(id),
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
        panic!("seed {}: the run does not end", self.seed);
    }

    /// How the run ended, if it began.
    async fn keeps_the_rules(mut self) -> Option<RunStatus> {
        let id = match self.seed % 4 {
            0 => self.lives(|| Plain).await,
            1 => self.lives(|| Watched).await,
            2 => self.lives(|| Grave).await,
            _ => self.lives(|| Court).await,
        }?;
        assert_eq!(self.desk.replayed(id), [""; 0], "seed {}", self.seed);
        for did in self.world.log().iter().filter(|did| did.starts_with("pay ") || did.starts_with("sign ")) {
            assert_eq!(self.world.times(did), 1, "seed {}: {did}", self.seed);
        }
        self.desk.evidence(id).status()
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_loop_keeps_its_rules() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        seen.extend(Life::new(seed).keeps_the_rules().await.map(RunStatus::as_str));
    }
    let all =
        ["cancelled", "completed", "error", "in_doubt", "oversight_missing", "policy_denied", "tripwire"];
    assert!(all.iter().all(|status| seen.contains(status)), "{seen:?}");
}
