//! Arguments: one text of octets is decided, approved, recorded and run.

use fuze_agent::RunError;
use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, SignedDecision, Token, TokenError};
use fuze_agent_museum::mutations::Parts;
use fuze_agent_museum::office::{Deps, KEPT, Office, Place, World, waiting, work};
use fuze_evidence::keys::Signer;
use fuze_evidence::sign::PublicKey;
use fuze_policy::Decision;
use serde_json::{Value, json};

use crate::policy::Asked;
use crate::rows::proof;

/// Measures.
#[tool(classification = public, retention = KEPT, threat_boundary(egress = none), effect = read)]
async fn measure(
    ctx: &Ctx<'_, Deps>,
    limit: f64,
    count: u64,
    unit: Option<String>,
) -> Result<String, ToolError> {
    ctx.deps().did(format!("{limit} {count} {unit:?}"));
    Ok("measured".to_owned())
}

define_agent! {
    /// Measures.
    Meter {
        purpose: "meter",
        instructions: "Measure.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [measure],
        deps: Deps,
        output: String,
        max_steps: 8,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

/// Fuze TS, its loop: the policy saw the model's raw arguments and the tool got coerced ones, so that `"9e9"`, a text,
/// passed a limit on numbers. Here arguments are parsed as the tool's type first, written canonically, and that text is what
/// the policy, the record and the tool get; what would have to be coerced is refused.
#[tokio::test]
async fn row_22_the_policy_sees_what_the_tool_gets() {
    let refused = [
        r#"{"limit":"9e9","count":1}"#,
        r#"{"limit":1,"count":"1"}"#,
        r#"{"limit":1,"count":1.5}"#,
        r#"{"limit":1,"count":-1}"#,
        r#"{"limit":1,"count":true}"#,
        r#"{"limit":1,"limit":1000000,"count":1}"#,
        r#"{"limit":1,"count":1,"\u0063ount":2}"#,
        r#"{"limit":1,"count":1,"Count":2}"#,
        r#"{"limit":1e400,"count":1}"#,
        r#"{"limit":NaN,"count":1}"#,
        r#"{"limit":1,"count":9007199254740993}"#,
        r#"{"limit":1,"count":18446744073709551616}"#,
        r#"{"limit":1,"count":1} {"limit":9,"count":9}"#,
        r#"{"limit":1,"count":1,"unit":"\ud800"}"#,
        // Members without their names are not what the schema says.
        r#"[1,1,null]"#,
        r#""{\"limit\":1,\"count\":1}""#,
        // A list in the order of the members is not the members.
        r#"[1,1,null]"#,
        "",
    ];
    let passed = [
        (r#"{"limit":9e9,"count":1}"#, r#"{"count":1,"limit":9000000000,"unit":null}"#, "9000000000 1 None"),
        (r#"{"count":1e2,"limit":0.10}"#, r#"{"count":100,"limit":0.1,"unit":null}"#, "0.1 100 None"),
        (
            r#" {"limit":-0.0,"unit":"\u006d","count":0}"#,
            r#"{"count":0,"limit":0,"unit":"m"}"#,
            "0 0 Some(\"m\")",
        ),
    ];
    let place = Place::new();
    let engine = Asked::new(|_| Ok(Decision::Allow));
    let deployment = place.deployment(engine.clone());
    let start = async |text: &str| {
        let world = World::new();
        let model = ScriptedModel::new().raw_calls([("measure".to_owned(), text.to_owned())]).answer("done");
        let run = deployment.run(Meter, world.clone(), model).tenant("acme").principal("clerk-1");
        (run.start().await.unwrap(), world.log())
    };
    for text in refused {
        let (outcome, log) = start(text).await;
        assert_eq!(outcome.status(), "completed", "{text}");
        assert!(log.is_empty(), "{text} ran: {log:?}");
    }
    assert!(engine.seen().is_empty(), "{:?}", engine.seen());
    for (text, canonical, ran) in passed {
        let (_, log) = start(text).await;
        assert_eq!(log, [ran], "{text}");
        assert_eq!(engine.seen().pop().unwrap(), format!("measure public {canonical}"), "{text}");
    }
}

/// Fuze TS, its resume: the token did not cover the arguments (approved 1, paid 1 000 000), nor the tool's name. Here the
/// token holds tool, execution and a commitment to the arguments, the case that was signed holds their octets, and the
/// snapshot that will run is sealed; whoever changes any of them, even with the deployment's own key, resumes nothing.
#[tokio::test]
async fn row_27_the_token_covers_tool_and_arguments() {
    proof("attack/call_bytes_swapped.rs", 10);
    proof("attack/arguments_swapped.rs", 10);
    let (place, world) = (Place::new(), World::new());
    let deployment = place.office();
    let key = PublicKey::from_bytes(deployment.public_key()).unwrap();
    let payment = |cents: u64| ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": cents}));
    let large = waiting(work(&deployment, &world, payment(1_000_000)).await);
    let mut suspended = waiting(work(&deployment, &world, payment(1)).await);
    let good = place.anna().decide(&suspended.cases()[0], &Action::Approve);
    let parts = Parts::of(&good.token).unwrap();
    let other: Value = {
        let parts = Parts::of(large.cases()[0].token().as_str()).unwrap();
        serde_json::from_slice(&parts.body).unwrap()
    };
    for (member, value) in [
        ("argsHash", other["argsHash"].clone()),
        ("tool", json!("refund")),
        ("callId", other["callId"].clone()),
        ("nonce", other["nonce"].clone()),
        ("runId", other["runId"].clone()),
        ("tenant", json!("globex")),
        ("slot", json!(1)),
    ] {
        let mut claims: Value = serde_json::from_slice(&parts.body).unwrap();
        assert_ne!(claims[member], value, "{member}");
        claims[member] = value;
        let body = fuze_evidence::jcs::to_vec(&claims).unwrap();
        let changed = Parts { body: body.clone(), ..parts.clone() }.join();
        assert_eq!(Token::read(&changed, &key).unwrap_err(), TokenError::Signature, "{member}");
        // With the deployment's own key, and an honest decision for what it says.
        let signature = place.signer().sign(&body).unwrap().to_vec();
        let resigned = Parts { body, signature, ..parts.clone() }.join();
        assert!(Token::read(&resigned, &key).is_ok(), "{member}");
        for token in [changed, resigned] {
            let forged = SignedDecision { token, ..good.clone() };
            suspended = suspended.verify(&[forged]).expect_err(member).suspended;
        }
    }
    // The decision for the small payment does not move to the large one.
    let moved = SignedDecision { token: large.cases()[0].token().as_str().to_owned(), ..good.clone() };
    assert!(large.verify(&[moved]).is_err());
    let resumable = suspended.verify(&[good]).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["pay bakery 1"]);
}

/// One agent in editions that differ in one thing each.
macro_rules! edition {
    ($edition:ident, $body:expr, { $($attr:tt)* }, ($($arg:tt)*), { $($agent:tt)* }) => {
        #[allow(unused_variables, reason = "editions differ in what they take, not in what they do with it")]
        mod $edition {
            use fuze_agent::prelude::*;
            use fuze_agent_museum::office::{Deps, KEPT};

            #[allow(unused_imports, reason = "not every edition has a guardrail")]
            use super::Words;

            /// Files a document.
            #[tool(classification = confidential, retention = KEPT, threat_boundary(egress = none), $($attr)*)]
            pub(super) async fn file(ctx: &Ctx<'_, Deps>, $($arg)*) -> Result<String, ToolError> {
                ctx.deps().did($body);
                Ok("filed".to_owned())
            }

            define_agent! {
                /// Files.
                pub(super) Clerk {
                    purpose: "filing",
                    lawful_basis: contract,
                    annex_iii: none,
                    art22: none,
                    oversight: none,
                    model_residency: eu,
                    retention: KEPT,
                    tools: [file],
                    deps: Deps,
                    output: String,
                    retry_budget: 0,
                    token_budget: 10_000,
                    $($agent)*
                }
            }
        }
    };
}
edition!(first, "file", { needs_approval = always }, (name: String), { instructions: "File.", max_steps: 8, });
edition!(same, "file", { needs_approval = always }, (name: String), { instructions: "File.", max_steps: 8, });
edition!(body, "shred", { needs_approval = always }, (name: String), { instructions: "File.", max_steps: 8, });
edition!(schema, "file", { needs_approval = always }, (name: String, copies: Option<u32>), { instructions: "File.", max_steps: 8, });
edition!(rule, "file", { needs_approval = |args| args.name.len() > 99 }, (name: String), { instructions: "File.", max_steps: 8, });
edition!(effect, "file", { needs_approval = always, effect = idempotent }, (name: String), { instructions: "File.", max_steps: 8, });
edition!(instructions, "file", { needs_approval = always }, (name: String), { instructions: "File it.", max_steps: 8, });
edition!(limits, "file", { needs_approval = always }, (name: String), { instructions: "File.", max_steps: 9, });
edition!(guarded, "file", { needs_approval = always }, (name: String), {
    instructions: "File.", max_steps: 8, guardrails: [Words("1")],
});

/// A guardrail of a version.
struct Words(&'static str);

#[async_trait::async_trait]
impl fuze_agent::guardrail::Guardrail for Words {
    fn name(&self) -> &'static str {
        "words"
    }

    fn version(&self) -> &'static str {
        self.0
    }

    fn phase(&self) -> fuze_agent::guardrail::Phase {
        fuze_agent::guardrail::Phase::Output
    }

    async fn check(
        &self,
        _: &str,
        _: &fuze_agent::guardrail::GuardrailModel,
    ) -> Result<fuze_agent::guardrail::Verdict, fuze_agent::guardrail::GuardrailError> {
        Ok(fuze_agent::guardrail::Verdict::Pass)
    }
}

/// Fuze TS, its fingerprint: it missed schemas, bodies and guardrails, so that a tool could be redefined between question
/// and answer. Here the fingerprint covers them all, stands in the first record and in the token, and a resume with another
/// one changes nothing.
#[tokio::test]
async fn row_28_a_redefined_agent_does_not_resume() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.deployment(Fixed::new().allow_tool("file"));
    let model = ScriptedModel::new().call("file", json!({"name": "a"}));
    let start =
        deployment.run(first::Clerk, world.clone(), model).tenant("acme").principal("clerk-1").start();
    let run = waiting(start.await.unwrap()).run_id();
    let records = place.store.records(run);
    macro_rules! refused {
        ($($edition:ident)*) => { $(
            let suspended = deployment.suspended(run).await.unwrap();
            let decisions = place.anna().decide_all(&suspended, &Action::Approve);
            let resumable = suspended.verify(&decisions).unwrap();
            let model = ScriptedModel::new().answer("done");
            let outcome = deployment.resume($edition::Clerk, world.clone(), model, resumable).go().await;
            assert!(matches!(outcome, Err(RunError::Drift { .. })), "{}: {outcome:?}", stringify!($edition));
            assert_eq!(place.store.records(run), records);
        )* };
    }
    refused!(body schema rule effect instructions limits guarded);
    assert!(world.log().is_empty());
    let suspended = deployment.suspended(run).await.unwrap();
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(same::Clerk, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["file"]);
}
