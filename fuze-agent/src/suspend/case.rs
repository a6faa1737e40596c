//! A case: what an overseer is shown, as data, so that an offline signer can draw it too.

use std::fmt;

use fuze_evidence::content::{Disclosure, Opening, Salt};
use fuze_evidence::{Hash, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decision::DecisionError;
use super::token::Token;

/// One slot of one case.
#[derive(Clone, PartialEq)]
pub struct Case {
    pub(crate) token: Token,
    pub(crate) data: CaseData,
}

/// What the overseer sees. `caseHash` in a decision commits to all of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseData {
    /// How it is drawn: `fuze/case/v1` is a plain table of these fields.
    pub template: String,
    /// The agent's name.
    pub agent: Name,
    /// The agent's purpose (GDPR Art. 5(1)(b)).
    pub purpose: Name,
    /// What the tool does, by its declaration.
    pub tool_description: String,
    /// The tool's classification of data.
    pub classification: String,
    /// What a `request_oversight` asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub question: Option<String>,
    /// The arguments as they will run: exactly these canonical bytes.
    pub arguments: String,
    /// What the record commits to in their place: the same, redacted, with what opens `argsHash`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded: Option<Disclosure>,
    /// 32 random bytes, base64url: the case cannot be guessed from its hash.
    pub salt: String,
}

// A case is content: whoever logs one by `{:?}` must not log a person's data.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.token.hash())
    }
}

impl fmt::Debug for CaseData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaseData({})", self.agent)
    }
}

impl Case {
    /// The token of this slot.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// What to show.
    #[must_use]
    pub fn data(&self) -> &CaseData {
        &self.data
    }

    /// The tool.
    #[must_use]
    pub fn tool(&self) -> &Name {
        &self.token.claims().tool
    }

    /// The arguments as they will run.
    #[must_use]
    pub fn arguments(&self) -> Value {
        serde_json::from_str(&self.data.arguments).unwrap_or(Value::Null)
    }

    /// What a decision's `caseHash` is: a salted commitment to the case and its token.
    ///
    /// # Errors
    /// When the case cannot be written canonically.
    pub fn hash(&self) -> Result<Hash, DecisionError> {
        let form = |e: &dyn std::fmt::Display| DecisionError::Form(format!("the case: {e}"));
        let salt = salt(&self.data.salt).map_err(|e| form(&e))?;
        let data = fuze_evidence::jcs::to_vec(&(self.token.as_str(), &self.data)).map_err(|e| form(&e))?;
        let text = String::from_utf8(data).map_err(|e| form(&e))?;
        Opening { path: String::new(), value: Value::String(text), salt }.leaf_hash().map_err(|e| form(&e))
    }
}

/// A salt from its text.
pub(crate) fn salt(text: &str) -> Result<Salt, serde_json::Error> {
    serde_json::from_value(Value::String(text.to_owned()))
}
