//! Names that no record can hold are refused before there is a run, and before a data subject has a key.

use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::law::residency::Eu;
use fuze_agent::model::{Model, ModelError, ModelIdentity, ModelRequest, ModelResponse};
use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{Desk, Person, SHORT, World, agent, person, saying};
use serde_json::json;

use super::suspended;

/// Files something, after approval.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn file(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("file");
    Ok(1)
}

/// Passes everything, in a phase that comes last.
struct Named(&'static str);

#[async_trait::async_trait]
impl Guardrail for Named {
    fn name(&self) -> &'static str {
        self.0
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::Output
    }
    async fn check(&self, _: &str, _: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        Ok(Verdict::Pass)
    }
}

agent! { Plain [file] i64 }
agent! { Guarded [file] i64 guardrails: [Named("fine"), Named("not fine")], }

/// A model of these names.
#[derive(Clone, Copy)]
struct Of([&'static str; 3]);

#[async_trait::async_trait]
impl Model for Of {
    type Residency = Eu;
    fn identity(&self) -> ModelIdentity {
        let [provider, model, snapshot] = self.0.map(str::to_owned);
        ModelIdentity { provider, model, snapshot }
    }
    async fn generate(&self, _: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        Ok(saying("1"))
    }
}

const FINE: Of = Of(["provider", "model", "snapshot"]);
const ODD: [(&str, Of); 3] = [
    ("model provider", Of(["a provider", "model", "snapshot"])),
    ("model", Of(["provider", "", "snapshot"])),
    ("model snapshot", Of(["provider", "model", "snäpshot"])),
];

struct Case {
    desk: Desk,
    anna: Person,
}

impl Case {
    fn new() -> Self {
        Self { desk: Desk::new(), anna: person("anna") }
    }

    fn deployment(&self) -> Deployment {
        self.desk.deploy(Fixed::new().allow_classification("public"), &[&self.anna])
    }

    #[track_caller]
    fn refused<O: std::fmt::Debug>(&self, outcome: Result<Outcome<O>, RunError>, expected: &str) {
        match outcome.unwrap_err() {
            RunError::Name { what, .. } => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(self.desk.subjects.made(), 0, "{expected}: a key that belongs to no run");
        assert!(self.desk.store.runs().is_empty(), "{expected}");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_recorded_leaves_nothing_behind() {
    let case = Case::new();
    let deployment = case.deployment();
    let run = |model| deployment.run(Plain, World::new(), model).principal("p").subject("somebody");
    for (what, model) in ODD {
        case.refused(run(model).start().await, what);
    }
    case.refused(run(FINE).tenant("a tenant").start().await, "tenant");
    case.refused(run(FINE).principal("").start().await, "principal");
    case.refused(run(FINE).subject("x".repeat(1025)).start().await, "data subject");
    let guarded = deployment.run(Guarded, World::new(), FINE).subject("somebody");
    case.refused(guarded.start().await, "guardrail");
    assert!(matches!(run(FINE).subject(" ").start().await, Err(RunError::Subject)));
    assert_eq!(case.desk.subjects.made(), 0);
    // The longest subject that fits, and the key that it then has.
    let outcome = run(FINE).subject("x".repeat(1024)).start().await.unwrap();
    assert_eq!((outcome.status(), case.desk.subjects.made()), ("completed", 1));
}

#[tokio::test]
async fn a_subject_that_is_too_long_is_not_repeated() {
    let subject = "Anna Maier, ".repeat(100);
    let run = Case::new().deployment().run(Plain, World::new(), FINE).subject(subject);
    let error = run.start().await.unwrap_err();
    assert!(!error.to_string().contains("Maier"), "{error}");
    assert!(error.to_string().contains("1200 bytes"), "{error}");
}

#[tokio::test]
async fn a_resume_under_a_name_that_cannot_be_recorded_consumes_nothing() {
    let case = Case::new();
    let deployment = case.deployment();
    let world = World::new();
    let model = ScriptedModel::new().call("file", json!({}));
    let waiting = suspended(deployment.run(Plain, world.clone(), model).start().await.unwrap());
    let id = waiting.run_id();
    let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
    for (what, model) in ODD {
        let resumable =
            deployment.suspended(id).await.unwrap().verify(std::slice::from_ref(&decision)).unwrap();
        match deployment.resume(Plain, world.clone(), model, resumable).go().await {
            Err(RunError::Name { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = ScriptedModel::new().answer(1);
    let outcome = deployment.resume(Plain, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["file"]);
}
