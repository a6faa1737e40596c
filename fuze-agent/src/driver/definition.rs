//! An agent without its types, and the fingerprint of its definition.

use fuze_evidence::{Hash, jcs, sha256};
use fuze_policy::Obligation;
use serde::Serialize;
use serde_json::{Value, json};

use crate::agent::Fits;
use crate::agent::{Agent, HighRisk, Limits, ToolList};
use crate::dispatch::{Dispatch, ToolFacts, is_syntax};
use crate::guardrail::Guardrails;
use crate::law::Retention;
use crate::law::annex_iii::Point;
use crate::law::art22::Declaration;
use crate::law::lawful::Basis;
use crate::law::oversight::Oversight;
use crate::law::residency::Residency;
use crate::logic::Bool;
use crate::model::ToolSpec;
use crate::sealed::Internal;
use crate::tool::Answer;

/// An agent as the driver holds it.
pub(crate) struct Definition<D> {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) instructions: &'static str,
    pub(crate) lawful_basis: &'static str,
    pub(crate) annex_iii: &'static str,
    pub(crate) art22: &'static str,
    pub(crate) art22_decides: bool,
    pub(crate) high_risk: bool,
    pub(crate) personal: bool,
    pub(crate) plan: Option<&'static str>,
    pub(crate) training: Option<&'static str>,
    pub(crate) model_residency: &'static str,
    pub(crate) retention: Retention,
    pub(crate) limits: Limits,
    pub(crate) tools: Vec<DefinedTool<D>>,
    pub(crate) specs: Vec<ToolSpec>,
    pub(crate) guardrails: Guardrails,
    pub(crate) output_schema: Value,
    /// How much a model reads beside the history, in bytes: instructions, tools, the schema of the output.
    pub(crate) request_bytes: usize,
    pub(crate) fingerprint: Hash,
    /// Text of a final answer to canonical bytes of the agent's output.
    pub(crate) read_output: fn(&str) -> Result<Vec<u8>, String>,
}

pub(crate) struct DefinedTool<D> {
    pub(crate) facts: ToolFacts,
    pub(crate) tool: Box<dyn Dispatch<D>>,
}

impl<D> Definition<D> {
    pub(crate) fn of<A: Agent<Deps = D>>(agent: &A) -> Result<Self, jcs::Error> {
        let tools: Vec<DefinedTool<D>> = agent
            .tools()
            .erase(Internal)
            .into_iter()
            .map(|tool| DefinedTool { facts: tool.facts(Internal), tool })
            .collect();
        let output_schema = schemars::schema_for!(Answer<A>).to_value();
        let described = tools
            .iter()
            .map(|t| t.facts.name.len() + t.facts.description.len() + t.facts.arguments.to_string().len());
        let request_bytes =
            A::INSTRUCTIONS.len() + output_schema.to_string().len() + described.sum::<usize>();
        let specs = tools.iter().map(|t| ToolSpec {
            name: t.facts.name,
            description: t.facts.description,
            parameters: t.facts.arguments.clone(),
        });
        let mut definition = Self {
            name: A::NAME,
            purpose: A::PURPOSE,
            instructions: A::INSTRUCTIONS,
            lawful_basis: <A::LawfulBasis as Basis>::NAME,
            annex_iii: <A::AnnexIii as Point>::NAME,
            art22: <A::Art22 as Declaration>::NAME,
            art22_decides: <A::Art22 as Declaration>::Decides::VALUE,
            high_risk: HighRisk::<A>::VALUE,
            personal: <A::Tools as ToolList>::Personal::VALUE,
            plan: <A::Oversight as Oversight>::PLAN,
            training: <A::Oversight as Oversight>::TRAINING,
            model_residency: <A::ModelResidency as Residency>::NAME,
            retention: A::RETENTION,
            limits: A::LIMITS,
            specs: specs.collect(),
            tools,
            guardrails: agent.guardrails(),
            output_schema,
            request_bytes,
            fingerprint: Hash([0; 32]),
            read_output: read_output::<Answer<A>>,
        };
        definition.fingerprint = definition.fingerprint()?;
        Ok(definition)
    }

    /// A tool by its name.
    pub(crate) fn tool(&self, name: &str) -> Option<&DefinedTool<D>> {
        self.tools.iter().find(|tool| tool.facts.name == name)
    }

    /// What the law demands before this tool may run: in an Annex III or Art. 22 agent a person, for all but `read`.
    pub(crate) fn law_demands(&self, tool: &ToolFacts) -> Option<Obligation> {
        (self.high_risk && !tool.is_read).then(|| Obligation {
            trainings: self.training.iter().map(|t| (*t).to_owned()).collect(),
            ..Obligation::default()
        })
    }

    /// Whether a run may have to wait for a person, by declaration.
    pub(crate) fn may_suspend(&self) -> bool {
        self.high_risk || self.tools.iter().any(|tool| tool.facts.may_suspend)
    }

    /// SHA-256 over all that a resumed run must find unchanged: code and attributes of tools, schemas, guardrails, limits,
    /// instructions.
    fn fingerprint(&self) -> Result<Hash, jcs::Error> {
        let tools: Vec<Value> = self.tools.iter().map(|tool| describe(&tool.facts)).collect();
        let guardrails: Vec<Value> = self
            .guardrails
            .all()
            .iter()
            .map(|g| json!({"name": g.name(), "version": g.version(), "phase": g.phase().name()}))
            .collect();
        let limits = json!({
            "maxSteps": self.limits.max_steps,
            "retryBudget": self.limits.retry_budget,
            "tokenBudget": self.limits.token_budget.to_string(),
            "maxDepth": self.limits.max_depth,
            "modelTimeLimitMs": millis(self.limits.model_time_limit),
            "runTimeLimitMs": millis(self.limits.run_time_limit),
        });
        let definition = json!({
            "format": "fuze/definition/v1",
            "name": self.name,
            "purpose": self.purpose,
            "instructions": self.instructions,
            "lawfulBasis": self.lawful_basis,
            "annexIii": self.annex_iii,
            "art22": self.art22,
            "plan": self.plan.unwrap_or_default(),
            "training": self.training.unwrap_or_default(),
            "modelResidency": self.model_residency,
            "retention": retention(&self.retention),
            "limits": limits,
            "guardrails": guardrails,
            "output": text(&self.output_schema),
            "tools": tools,
        });
        Ok(sha256(&jcs::to_vec(&definition)?))
    }
}

fn describe(tool: &ToolFacts) -> Value {
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
        "arguments": text(&tool.arguments),
        "output": text(&tool.output),
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

fn millis(duration: std::time::Duration) -> String {
    duration.as_millis().to_string()
}

fn read_output<O: serde::de::DeserializeOwned + Serialize>(answer: &str) -> Result<Vec<u8>, String> {
    let value = match jcs::parse(answer.trim().as_bytes()) {
        Ok(value) => value,
        // An agent whose output is text may be answered in plain words.
        Err(error) if is_syntax(error.kind) => {
            let plain = Value::String(answer.to_owned());
            serde_json::from_value::<O>(plain.clone()).map_err(|_| format!("expected JSON: {error}"))?;
            plain
        }
        Err(error) => return Err(error.to_string()),
    };
    let output: O = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let canonical = jcs::to_vec(&output).map_err(|error| error.to_string())?;
    let again: O = serde_json::from_slice(&canonical).map_err(|error| error.to_string())?;
    match jcs::to_vec(&again) {
        Ok(bytes) if bytes == canonical => Ok(canonical),
        Ok(_) | Err(_) => Err("it does not parse to what was written".into()),
    }
}
