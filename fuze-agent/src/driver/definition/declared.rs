//! What the types of an agent and its tools alone say: schemas, and all of the fingerprint but the guardrails. Worked out once in a process.
//!
//! Not here: anything that an agent's value says. Its guardrails are asked anew for each run.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

use fuze_evidence::{Hash, jcs, sha256};
use serde::Serialize;
use serde_json::{Value, json};

use super::DefinedTool;
use crate::agent::Agent;
use crate::dispatch::{Schemas, ToolFacts};
use crate::guardrail::Guardrails;
use crate::law::Retention;
use crate::law::annex_iii::Point;
use crate::law::art22::Declaration;
use crate::law::lawful::Basis;
use crate::law::oversight::Oversight;
use crate::law::residency::Residency;
use crate::model::ToolSpec;
use crate::sealed::Internal;
use crate::tool::Answer;

/// What follows from the types of an agent and its tools.
pub(crate) struct Declared {
    pub(crate) specs: Vec<ToolSpec>,
    pub(crate) output_schema: Value,
    /// How much a model reads beside the history, in bytes: instructions, tools, the schema of the output.
    pub(crate) request_bytes: usize,
    /// The canonical definition up to its member `guardrails`, and from there on.
    before_guardrails: Vec<u8>,
    after_guardrails: Vec<u8>,
}

// INVARIANT: keyed by the agent's type and its tools' types, which `ToolsOf` does not show, and holding nothing else that
// the agent's value says: so that no two agents can be mistaken.
static DECLARED: LazyLock<RwLock<HashMap<Key, Arc<Declared>>>> = LazyLock::new(RwLock::default);

type Key = (TypeId, Vec<TypeId>);

impl Declared {
    /// Of the agent `A`, whose tools these are.
    pub(super) fn of<A: Agent>(tools: &[DefinedTool<A::Deps>]) -> Result<Arc<Self>, jcs::Error> {
        let key: Key = (TypeId::of::<A>(), tools.iter().map(|tool| tool.facts.type_id).collect());
        let known = DECLARED.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        // Not under the lock: the schemas are made by code of others.
        let declared = Arc::new(Self::new::<A>(tools)?);
        let mut all = DECLARED.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.entry(key).or_insert(declared)))
    }

    fn new<A: Agent>(tools: &[DefinedTool<A::Deps>]) -> Result<Self, jcs::Error> {
        let tools: Vec<(&ToolFacts, Schemas)> =
            tools.iter().map(|tool| (&tool.facts, tool.tool.schemas(Internal))).collect();
        let output_schema = schemars::schema_for!(Answer<A>).to_value();
        // In the order of their names, as the canonical form has them.
        let before = json!({
            "annexIii": <A::AnnexIii as Point>::NAME,
            "art22": <A::Art22 as Declaration>::NAME,
            "format": "fuze/definition/v1",
        });
        let after = json!({
            "instructions": A::INSTRUCTIONS,
            "lawfulBasis": <A::LawfulBasis as Basis>::NAME,
            "limits": json!({
                "maxSteps": A::LIMITS.max_steps,
                "retryBudget": A::LIMITS.retry_budget,
                "tokenBudget": A::LIMITS.token_budget.to_string(),
                "maxDepth": A::LIMITS.max_depth,
                "modelTimeLimitMs": millis(A::LIMITS.model_time_limit),
                "runTimeLimitMs": millis(A::LIMITS.run_time_limit),
            }),
            "modelResidency": <A::ModelResidency as Residency>::NAME,
            "name": A::NAME,
            "output": text(&output_schema),
            "plan": <A::Oversight as Oversight>::PLAN.unwrap_or_default(),
            "purpose": A::PURPOSE,
            "retention": retention(&A::RETENTION),
            "tools": tools.iter().map(|(facts, schemas)| describe(facts, schemas)).collect::<Vec<_>>(),
            "training": <A::Oversight as Oversight>::TRAINING.unwrap_or_default(),
        });
        let mut before_guardrails = jcs::to_vec(&before)?;
        before_guardrails.pop();
        before_guardrails.extend_from_slice(b",\"guardrails\":");
        let mut after_guardrails = jcs::to_vec(&after)?;
        if let Some(brace) = after_guardrails.first_mut() {
            *brace = b',';
        }
        let described = tools.iter().map(|(facts, schemas)| {
            facts.name.len() + facts.description.len() + text(&schemas.arguments).len()
        });
        let request_bytes = A::INSTRUCTIONS.len() + text(&output_schema).len() + described.sum::<usize>();
        let specs = tools.into_iter().map(|(facts, schemas)| ToolSpec {
            name: facts.name,
            description: facts.description,
            parameters: schemas.arguments,
        });
        Ok(Self { specs: specs.collect(), output_schema, request_bytes, before_guardrails, after_guardrails })
    }

    /// SHA-256 over all that a resumed run must find unchanged: code and attributes of tools, schemas, guardrails, limits,
    /// instructions.
    pub(super) fn fingerprint(&self, guardrails: &Guardrails) -> Result<Hash, jcs::Error> {
        let guardrails: Vec<Value> = guardrails
            .all()
            .iter()
            .map(|g| json!({"name": g.name(), "version": g.version(), "phase": g.phase().name()}))
            .collect();
        let mut definition = self.before_guardrails.clone();
        jcs::to_writer(&mut definition, &guardrails)?;
        definition.extend_from_slice(&self.after_guardrails);
        Ok(sha256(&definition))
    }
}

fn describe(tool: &ToolFacts, schemas: &Schemas) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "classification": tool.classification,
        "art9": tool.art9.unwrap_or_default(),
        "law": tool.law.unwrap_or_default(),
        "lawfulBases": tool.lawful_bases,
        "residency": tool.residency,
        "egress": tool.egress,
        "hosts": tool.hosts,
        "fileSystem": tool.file_system,
        "observesSecrets": tool.secrets,
        "effect": tool.effect,
        "alwaysApproval": tool.always_approval,
        "maySuspend": tool.may_suspend,
        "code": tool.code,
        "retention": retention(&tool.retention),
        "timeLimitMs": millis(tool.time_limit),
        "graceMs": millis(tool.grace),
        "arguments": text(&schemas.arguments),
        "output": text(&schemas.output),
    })
}

fn retention(retention: &Retention) -> Value {
    #[derive(Serialize)]
    struct Days<'a>(&'a str, u32, u32, u32);
    json!(Days(retention.id, retention.content_days, retention.hash_days, retention.decision_days))
}

/// A schema as text: it may hold numbers outside the profile, such as the bounds of a 64-bit integer.
fn text(schema: &Value) -> String {
    schema.to_string()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use async_trait::async_trait;
    use schemars::JsonSchema;
    use serde::de::DeserializeOwned;

    use super::super::Definition;
    use super::*;
    use crate::agent::Limits;
    use crate::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
    use crate::law::{annex_iii, art22, lawful, oversight, residency};

    /// Two types of it differ in their output alone, two values in their guardrails.
    struct Clerk<O>(Guardrails, PhantomData<fn() -> O>);

    impl<O: Serialize + DeserializeOwned + JsonSchema + Send + 'static> Agent for Clerk<O> {
        type LawfulBasis = lawful::Contract;
        type AnnexIii = annex_iii::None;
        type Art22 = art22::None;
        type Oversight = oversight::NoOversight;
        type ModelResidency = residency::Eu;
        type Deps = ();
        type Output = O;
        type Tools = ();
        const NAME: &'static str = "clerk";
        const DESCRIPTION: &'static str = "Files.";
        const PURPOSE: &'static str = "filing";
        const INSTRUCTIONS: &'static str = "Write \"guardrails\":[] as it stands.";
        const RETENTION: Retention = Retention::days("short.v1", 1, 2, 3);
        const LIMITS: Limits = Limits::new(1, 2, 3);
        fn tools(&self) {}
        fn guardrails(&self) -> Guardrails {
            self.0.clone()
        }
    }

    struct Rule(&'static str);

    #[async_trait]
    impl Guardrail for Rule {
        fn name(&self) -> &'static str {
            self.0
        }
        fn version(&self) -> &'static str {
            "1"
        }
        fn phase(&self) -> Phase {
            Phase::Input
        }
        async fn check(&self, _: &str, _: &GuardrailModel) -> Result<Verdict, GuardrailError> {
            Ok(Verdict::Pass)
        }
    }

    fn fingerprint<O: Serialize + DeserializeOwned + JsonSchema + Send + 'static>(
        guardrails: Guardrails,
    ) -> Hash {
        Definition::of(&Clerk::<O>(guardrails, PhantomData)).unwrap().fingerprint
    }

    #[test]
    fn neither_another_type_nor_another_value_is_taken_for_this_one() {
        let one = || Guardrails::none().with(Rule("one"));
        let first = fingerprint::<i64>(Guardrails::none());
        // All of these have the type's part from memory.
        for _ in 0..2 {
            let others = [
                fingerprint::<i64>(one()),
                fingerprint::<i64>(Guardrails::none().with(Rule("two"))),
                fingerprint::<i64>(one().with(Rule("one"))),
                fingerprint::<String>(Guardrails::none()),
                fingerprint::<String>(one()),
            ];
            for (at, other) in others.iter().enumerate() {
                assert_ne!(*other, first);
                assert!(!others[..at].contains(other), "{at}");
            }
            assert_eq!(fingerprint::<i64>(Guardrails::none()), first);
        }
    }

    #[test]
    fn it_is_the_hash_of_one_canonical_object() {
        let guardrail = json!({"name": "one", "version": "1", "phase": "input"});
        let definition = json!({
            "format": "fuze/definition/v1",
            "name": "clerk",
            "purpose": "filing",
            "instructions": "Write \"guardrails\":[] as it stands.",
            "lawfulBasis": "contract",
            "annexIii": "none",
            "art22": "none",
            "plan": "",
            "training": "",
            "modelResidency": "eu",
            "retention": ["short.v1", 1, 2, 3],
            "limits": {
                "maxSteps": 1, "retryBudget": 2, "tokenBudget": "3", "maxDepth": 4,
                "modelTimeLimitMs": "60000", "runTimeLimitMs": "3600000",
            },
            "guardrails": [guardrail],
            "output": schemars::schema_for!(i64).to_value().to_string(),
            "tools": [],
        });
        let expected = sha256(&jcs::to_vec(&definition).unwrap());
        assert_eq!(fingerprint::<i64>(Guardrails::none().with(Rule("one"))), expected);
    }
}
