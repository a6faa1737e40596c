//! An agent without its types, and the fingerprint of its definition.

mod declared;

use std::sync::Arc;

use fuze_evidence::{Hash, jcs};
use fuze_policy::Obligation;
use serde::Serialize;
use serde_json::Value;

use crate::agent::Fits;
use crate::agent::{Agent, HighRisk, Limits, ToolList};
use crate::dispatch::{Dispatch, ToolFacts, is_syntax};
use crate::guardrail::Guardrails;
use crate::law::Retention;
use crate::law::annex_iii::Point;
use crate::law::art22::Declaration;
use crate::law::lawful::Basis;
use crate::law::oversight::Oversight;
use crate::logic::Bool;
use crate::sealed::Internal;
use crate::tool::Answer;

use declared::Declared;

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
    pub(crate) retention: Retention,
    pub(crate) limits: Limits,
    pub(crate) tools: Vec<DefinedTool<D>>,
    pub(crate) guardrails: Guardrails,
    pub(crate) declared: Arc<Declared>,
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
        let declared = Declared::of::<A>(&tools)?;
        let guardrails = agent.guardrails();
        Ok(Self {
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
            retention: A::RETENTION,
            limits: A::LIMITS,
            tools,
            fingerprint: declared.fingerprint(&guardrails)?,
            guardrails,
            declared,
            read_output: read_output::<Answer<A>>,
        })
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
