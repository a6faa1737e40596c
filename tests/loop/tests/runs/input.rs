//! Bad input from the model, and bad output from tools.

use std::fmt;

use fuze_agent::model::{FinishReason, Model, ModelErrorKind, ModelIdentity, ModelRequest, ModelResponse};
use fuze_agent::prelude::*;
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, agent, asking, saying};
use fuze_evidence::vocab::RunStatus;
use schemars::JsonSchema;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{run, why};

/// A number that is also read from text.
#[derive(JsonSchema)]
pub(crate) struct Coerced(f64);

impl Serialize for Coerced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Coerced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = f64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_f64<E>(self, n: f64) -> Result<f64, E> {
                Ok(n)
            }
            fn visit_u64<E>(self, n: u64) -> Result<f64, E> {
                Ok(n as f64)
            }
            fn visit_i64<E>(self, n: i64) -> Result<f64, E> {
                Ok(n as f64)
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// A number that grows whenever it is written.
#[derive(JsonSchema)]
pub(crate) struct Growing(i64);

impl Serialize for Growing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0 + 1)
    }
}

impl<'de> Deserialize<'de> for Growing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self)
    }
}

/// Panics when it reads 13, refuses 12.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Superstitious(i64);

impl<'de> Deserialize<'de> for Superstitious {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            13 => panic!("thirteen"),
            12 => Err(D::Error::custom("twelve")),
            n => Ok(Self(n)),
        }
    }
}

/// Takes a number.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn number(ctx: &Ctx<'_, World>, n: f64) -> Result<f64, ToolError> {
    ctx.deps().does(format!("number {n}"));
    Ok(n)
}

/// Takes anything.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn anything(ctx: &Ctx<'_, World>, value: Value) -> Result<u64, ToolError> {
    ctx.deps().does("anything");
    Ok(value.to_string().len() as u64)
}

/// Coerces.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn coerces(ctx: &Ctx<'_, World>, n: Coerced) -> Result<f64, ToolError> {
    ctx.deps().does(format!("coerces {}", n.0));
    Ok(n.0)
}

/// Grows.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn grows(ctx: &Ctx<'_, World>, n: Growing) -> Result<i64, ToolError> {
    ctx.deps().does("grows");
    Ok(n.0)
}

/// Reads with fear.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn fears(ctx: &Ctx<'_, World>, n: Superstitious) -> Result<i64, ToolError> {
    ctx.deps().does("fears");
    Ok(n.0)
}

/// Returns something bad.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn returns(ctx: &Ctx<'_, World>, what: String) -> Result<Value, ToolError> {
    ctx.deps().does("returns");
    Ok(match what.as_str() {
        "big integer" => json!(9_007_199_254_740_992_u64),
        "deep" => (0..64).fold(json!(1), |inner, _| json!([inner])),
        "long" => json!("x".repeat(2 << 20)),
        "many" => json!(vec![1; 40_000]),
        _ => json!({"fine": [1, 2.5, "x", null, true]}),
    })
}

/// Returns what is no number.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn divides(ctx: &Ctx<'_, World>, by: f64) -> Result<f64, ToolError> {
    ctx.deps().does("divides");
    Ok(0.0 / by)
}

/// Returns what grows.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn returns_growing(ctx: &Ctx<'_, World>) -> Result<Growing, ToolError> {
    ctx.deps().does("returns_growing");
    Ok(Growing(1))
}

agent! { Open [number, anything, coerces, grows, fears, returns, divides, returns_growing] f64 steps 40 retries 2 tokens 100_000_000 }
agent! { Fearful [number] Superstitious steps 20 retries 1 tokens 100_000 }

struct Left {
    status: &'static str,
    why: String,
    evidence: Evidence,
    world: World,
}

async fn left<A>(agent: A, model: impl Model<Residency = fuze_agent::law::residency::Eu>) -> Left
where
    A: Agent<
            Deps = World,
            Tools: fuze_agent::agent::ToolList<Personal = fuze_agent::logic::No>,
            ModelResidency = fuze_agent::law::residency::Eu,
        >,
    A::Output: fmt::Debug,
{
    let (desk, world) = (Desk::new(), World::new());
    let outcome =
        run(&desk.deploy(Fixed::new().allow_classification("public"), &[]), agent, &world, model).await;
    let why = if let Outcome::Stopped { .. } = outcome { why(&outcome) } else { String::new() };
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.status().map(RunStatus::as_str), Some(outcome.status()));
    Left { status: outcome.status(), why, evidence, world }
}

/// A call that is refused before anything runs; the model is told and goes on.
async fn refused(tool: &str, arguments: &str, reason: &str) {
    let model = ScriptedModel::new().respond(Ok(asking(&[(tool, arguments)]))).answer(1);
    let left = left(Open, model).await;
    let arguments: String = arguments.chars().take(60).collect();
    assert_eq!(left.status, "completed", "{tool} {arguments}: {}", left.why);
    assert_eq!(left.world.log(), [""; 0], "{tool} {arguments}");
    assert_eq!(left.evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["deny"]);
    assert_eq!(left.evidence.attrs("policy.evaluate", "fuze.policy.reason"), [reason], "{tool} {arguments}");
    assert_eq!(left.evidence.count("tool.execute"), 0);
}

#[tokio::test]
async fn an_unknown_tool_is_refused_and_named_nowhere_in_the_records() {
    refused("rm", "{}", "unknown_tool").await;
    let model = ScriptedModel::new().respond(Ok(asking(&[("anna.maier@example.eu", "{}")]))).answer(1);
    let left = left(Open, model).await;
    assert_eq!(left.evidence.attrs("policy.evaluate", "gen_ai.tool.name"), ["null"]);
    assert!(!left.evidence.files.contains("anna.maier"));
}

#[tokio::test]
async fn arguments_that_are_not_json_or_do_not_fit() {
    for arguments in [
        "",
        "n=1",
        "{",
        "{\"n\":1}}",
        "[1]",
        "null",
        "{\"n\":\"1\"}",
        "{\"n\":null}",
        "{}",
        "{\"n\":1,\"m\":2}",
        "{\"n\":NaN}",
        "{\"n\":1e}",
    ] {
        refused("number", arguments, "arguments_invalid").await;
    }
}

#[tokio::test]
async fn arguments_outside_the_profile() {
    let deep = format!("{{\"value\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let long = format!("{{\"value\":\"{}\"}}", "x".repeat(1 << 20));
    let many = format!("{{\"value\":[{}1]}}", "1,".repeat(40_000));
    for arguments in [
        "{\"value\":9007199254740992}",
        "{\"value\":-9007199254740992}",
        "{\"value\":1e400}",
        "{\"value\":{\"a\":1,\"a\":2}}",
        "{\"value\":1,\"value\":2}",
        "{\"value\":\"\\ud800\"}",
        &deep,
        &long,
        &many,
    ] {
        refused("anything", arguments, "arguments_out_of_profile").await;
    }
}

#[tokio::test]
async fn arguments_that_change_when_they_are_read_again() {
    refused("grows", "{\"n\":1}", "arguments_unstable").await;
}

#[tokio::test]
async fn what_is_coerced_is_what_is_decided_on_recorded_and_run() {
    // The canonical bytes are the call: `"9e9"` is read once, and from then on the call is 9000000000 for everybody.
    let model = ScriptedModel::new().respond(Ok(asking(&[("coerces", "{\"n\":\"9e9\"}")]))).answer(1);
    let left = left(Open, model).await;
    assert_eq!(left.world.log(), ["coerces 9000000000"]);
    let args = left.evidence.content.iter().find(|c| c.get("n").is_some()).unwrap();
    assert_eq!(args["n"].as_f64(), Some(9e9));
}

#[tokio::test]
async fn a_panic_while_arguments_are_read_refuses_them() {
    refused("fears", "{\"n\":12}", "arguments_invalid").await;
    refused("fears", "{\"n\":13}", "arguments_invalid").await;
}

/// Output that cannot be used: the call happened, and the model is told.
async fn unusable(tool: &str, arguments: &str) {
    let model = ScriptedModel::new().respond(Ok(asking(&[(tool, arguments)]))).answer(1);
    let left = left(Open, model).await;
    assert_eq!(left.status, "completed", "{tool} {arguments}: {}", left.why);
    assert_eq!(left.evidence.executions(), [format!("{tool} output_invalid")], "{arguments}");
    assert_eq!(left.world.times(tool), 1);
}

#[tokio::test]
async fn outputs_that_cannot_be_recorded() {
    for what in ["big integer", "deep", "long", "many"] {
        unusable("returns", &json!({ "what": what }).to_string()).await;
    }
    unusable("divides", "{\"by\":0}").await;
    unusable("returns_growing", "{}").await;
}

#[tokio::test]
async fn an_output_of_every_kind_is_fine() {
    let model = ScriptedModel::new().call("returns", json!({"what": "fine"})).answer(1);
    assert_eq!(left(Open, model).await.evidence.executions(), ["returns ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_is_asked_again_as_often_as_the_budget_allows() {
    use ModelErrorKind::*;
    let transient = [
        (Timeout, "timeout"),
        (RateLimited, "rate_limited"),
        (Unavailable, "unavailable"),
        (Malformed, "malformed"),
        (Empty, "empty"),
        (Transport, "transport"),
    ];
    for (kind, code) in transient {
        let left = left(Open, ScriptedModel::new().fail(kind).fail(kind).answer(1)).await;
        assert_eq!(left.status, "completed", "{code}");
        assert_eq!(left.evidence.attrs("model.generate", "fuze.model.error"), [code, code, "null"]);
        assert_eq!(left.evidence.attrs("model.generate", "fuze.model.attempt"), ["1", "2", "3"]);
        let left =
            super::input::left(Open, ScriptedModel::new().fail(kind).fail(kind).fail(kind).answer(1)).await;
        assert_eq!(left.status, "error", "{code}");
    }
    let left = left(Open, ScriptedModel::new().fail(Refused).answer(1)).await;
    assert_eq!((left.status, left.evidence.count("model.generate")), ("error", 1));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stalls_times_out() {
    let left = left(Open, ScriptedModel::new().stall().answer(2)).await;
    assert_eq!(left.status, "completed");
    assert_eq!(left.evidence.attrs("model.generate", "fuze.model.error"), ["timeout", "null"]);
}

#[tokio::test]
async fn a_model_that_panics_is_an_error() {
    let left = left(Open, ScriptedModel::new().panic()).await;
    assert_eq!(left.status, "error");
    assert!(left.why.contains("panicked"), "{}", left.why);
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_can_work_with() {
    let cut = ModelResponse { finish: FinishReason::Length, ..saying("{\"a\":") };
    let withheld = ModelResponse { finish: FinishReason::ContentFilter, ..saying("1") };
    let many = asking(&vec![("number", "{\"n\":1}"); 129]);
    let huge = saying(&"x".repeat(5 << 20));
    for (response, code) in [
        (saying(""), "empty"),
        (saying(" \n"), "empty"),
        (cut, "malformed"),
        (withheld, "refused"),
        (many, "malformed"),
        (huge, "malformed"),
    ] {
        let left = left(Open, ScriptedModel::new().respond(Ok(response)).answer(1)).await;
        assert_eq!(left.evidence.attrs("model.generate", "fuze.model.error")[0], code);
        assert_eq!(left.status, if code == "refused" { "error" } else { "completed" });
        assert_eq!(left.world.log(), [""; 0]);
    }
}

#[tokio::test]
async fn a_final_answer_that_does_not_fit_is_asked_for_again() {
    for garbage in ["soon", "{\"n\":1}", "\"1\"", "[1]", "9007199254740993", "1 2", "{\"a\":1,\"a\":1}"] {
        let left = left(Open, ScriptedModel::new().text(garbage).answer(4.5)).await;
        assert_eq!(left.status, "completed", "{garbage}");
        let left =
            super::input::left(Open, ScriptedModel::new().text(garbage).text(garbage).text(garbage)).await;
        assert_eq!(left.status, "error", "{garbage}");
        assert!(left.why.contains("does not fit"), "{}", left.why);
    }
}

#[tokio::test]
async fn a_panic_while_the_answer_is_read_is_an_answer_that_does_not_fit() {
    let left = left(Fearful, ScriptedModel::new().answer(13).answer(7)).await;
    assert_eq!(left.status, "completed", "{}", left.why);
}

/// A model with a broken sense of itself.
struct Nameless;

#[async_trait::async_trait]
impl Model for Nameless {
    type Residency = fuze_agent::law::residency::Eu;
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "p".into(), model: "m".into(), snapshot: "an apple (red)".into() }
    }
    async fn generate(&self, _: ModelRequest<'_>) -> Result<ModelResponse, fuze_agent::model::ModelError> {
        Ok(saying("1"))
    }
}

#[tokio::test]
async fn names_that_cannot_be_recorded_open_no_run() {
    let desk = Desk::new();
    let deployment = desk.deploy(Fixed::new(), &[]);
    let error = deployment.run(Open, World::new(), Nameless).start().await.unwrap_err();
    assert!(error.to_string().contains("`an apple (red)`"), "{error}");
    let run = deployment.run(Open, World::new(), ScriptedModel::new()).tenant("").start().await;
    assert!(run.unwrap_err().to_string().contains("tenant"));
    let run = deployment.run(Open, World::new(), ScriptedModel::new()).principal("Anna Maier").start().await;
    assert!(run.unwrap_err().to_string().contains("principal"));
    assert_eq!(desk.store.runs(), []);
}

#[tokio::test]
async fn an_input_without_end_is_refused_on_record() {
    let desk = Desk::new();
    let deployment = desk.deploy(Fixed::new(), &[]);
    let run = deployment.run(Open, World::new(), ScriptedModel::new().answer(1)).input("x".repeat(5 << 20));
    let outcome = run.start().await.unwrap();
    assert!(why(&outcome).contains("5242880 bytes"), "{outcome:?}");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.attrs("agent.invoke", "fuze.run.refusal"), ["input_out_of_profile"]);
}

#[tokio::test]
async fn the_history_goes_out_in_the_order_of_the_api() {
    let model = std::sync::Arc::new(
        ScriptedModel::new()
            .keeping()
            .calls(&[("number", json!({"n": 1})), ("rm", json!({}))])
            .text("no")
            .answer(1),
    );
    let desk = Desk::new();
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let outcome = run(&deployment, Open, &World::new(), model.clone()).await;
    assert_eq!(outcome.status(), "completed");
    let roles = |messages: &Vec<fuze_agent::model::Message>| -> Vec<String> {
        let role = |m: &_| serde_json::to_value(m).unwrap()["role"].as_str().unwrap().to_owned();
        messages.iter().map(role).collect()
    };
    let seen = model.seen();
    assert_eq!(roles(&seen[0]), ["user"]);
    assert_eq!(roles(&seen[1]), ["user", "assistant", "tool", "tool"]);
    assert_eq!(roles(&seen[2]), ["user", "assistant", "tool", "tool", "assistant", "user"]);
}
