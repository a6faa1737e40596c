//! A fixed list of rules by tool name and classification. Deny by default; among the rules that match, deny wins over
//! approval, and approval over allow, in whatever order they were written.

use std::fmt;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::{Engine, EngineError, EngineIdentity};
use crate::{Decision, Obligation, Request, RuleId, Verdict};

const CLASSIFICATIONS: [&str; 4] = ["public", "confidential", "personal", "special_category"];

/// Rules that are fixed in the program.
///
/// ```
/// use fuze_policy::{Fixed, Obligation};
/// let rules = Fixed::new()
///     .allow_tool("lookup_candidate")
///     .approve_tool("record_recommendation", Obligation::default())
///     .deny_classification("special_category");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    rules: Vec<Rule>,
    shared: bool,
    /// Worked out once: it is asked for at each decision.
    bundle_hash: OnceLock<[u8; 32]>,
}

#[derive(Clone, Debug)]
struct Rule {
    matches: Match,
    decision: Decision,
    id: RuleId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Match {
    Tool(String),
    Classification(String),
}

impl Fixed {
    /// No rules: denies everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a tool by its name.
    #[must_use]
    pub fn allow_tool(self, name: &str) -> Self {
        self.with("allow", Match::Tool(name.into()), Decision::Allow)
    }

    /// A tool runs only once the obligation is met.
    #[must_use]
    pub fn approve_tool(self, name: &str, obligation: Obligation) -> Self {
        self.with("approve", Match::Tool(name.into()), Decision::RequiresApproval(obligation))
    }

    /// Denies a tool, whatever else allows it.
    #[must_use]
    pub fn deny_tool(self, name: &str) -> Self {
        self.with("deny", Match::Tool(name.into()), Decision::Deny)
    }

    /// Allows every tool of a classification: `public`, `confidential`, `personal` or `special_category`.
    #[must_use]
    pub fn allow_classification(self, name: &str) -> Self {
        self.with("allow", Match::Classification(name.into()), Decision::Allow)
    }

    /// Every tool of a classification runs only once the obligation is met.
    #[must_use]
    pub fn approve_classification(self, name: &str, obligation: Obligation) -> Self {
        self.with("approve", Match::Classification(name.into()), Decision::RequiresApproval(obligation))
    }

    /// Denies every tool of a classification, whatever else allows it.
    #[must_use]
    pub fn deny_classification(self, name: &str) -> Self {
        self.with("deny", Match::Classification(name.into()), Decision::Deny)
    }

    /// Says that several agents share these rules, so that a run may start although a rule names a tool it lacks.
    /// Without this, such a rule refuses the start: a misspelled name must not become a rule that never applies.
    #[must_use]
    pub fn shared_between_agents(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Finds rules that can never apply.
    ///
    /// # Errors
    /// When a rule names a classification that does not exist.
    pub fn check(&self) -> Result<(), FixedError> {
        for rule in &self.rules {
            if let Match::Classification(name) = &rule.matches
                && !CLASSIFICATIONS.contains(&name.as_str())
            {
                return Err(FixedError { found: name.clone() });
            }
        }
        Ok(())
    }

    fn with(mut self, verb: &str, matches: Match, decision: Decision) -> Self {
        let id = match &matches {
            Match::Tool(name) => format!("{verb}:tool:{name}"),
            Match::Classification(name) => format!("{verb}:classification:{name}"),
        };
        self.rules.push(Rule { matches, decision, id: RuleId::new(&id) });
        self.bundle_hash = OnceLock::new();
        self
    }

    fn bundle_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for rule in &self.rules {
            // INVARIANT: each part is length-prefixed, so no two rule lists write the same bytes.
            let text = format!("{:?}{:?}", rule.matches, rule.decision);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

impl Engine for Fixed {
    fn identity(&self) -> EngineIdentity {
        let bundle_hash = *self.bundle_hash.get_or_init(|| self.bundle_hash());
        EngineIdentity { name: "fixed/1".into(), bundle_hash, permissive: false }
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        self.check().map_err(|e| EngineError::Evaluation(e.to_string()))?;
        let matching = self.rules.iter().filter(|rule| match &rule.matches {
            Match::Tool(name) => name == request.tool.name,
            Match::Classification(name) => name == request.tool.classification,
        });
        let mut verdict: Option<Verdict> = None;
        for rule in matching {
            verdict = Some(match verdict {
                None => Verdict::new(rule.decision.clone(), rule.id.clone()),
                Some(so_far) => stricter(so_far, rule),
            });
        }
        Ok(verdict.unwrap_or_else(|| Verdict::new(Decision::Deny, RuleId::new("default:deny"))))
    }

    fn tools_named(&self) -> Vec<String> {
        if self.shared {
            return Vec::new();
        }
        let named = self.rules.iter().filter_map(|rule| match &rule.matches {
            Match::Tool(name) => Some(name.clone()),
            Match::Classification(_) => None,
        });
        named.collect()
    }
}

fn stricter(so_far: Verdict, rule: &Rule) -> Verdict {
    let theirs = || Verdict::new(rule.decision.clone(), rule.id.clone());
    match (&so_far.decision, &rule.decision) {
        (Decision::Deny, _) | (Decision::Allow | Decision::RequiresApproval(_), Decision::Allow) => so_far,
        (Decision::Allow | Decision::RequiresApproval(_), Decision::Deny)
        | (Decision::Allow, Decision::RequiresApproval(_)) => theirs(),
        (Decision::RequiresApproval(a), Decision::RequiresApproval(b)) => {
            match a.clone().strictest(b.clone()) {
                Some(both) => Verdict::new(Decision::RequiresApproval(both), so_far.rule),
                None => Verdict::new(Decision::Deny, rule.id.clone()),
            }
        }
    }
}

/// A rule names a classification that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedError {
    /// What the rule says.
    pub found: String,
}

impl fmt::Display for FixedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a fixed rule names the classification `{}`; expected one of {}",
            self.found,
            CLASSIFICATIONS.join(", ")
        )
    }
}

impl std::error::Error for FixedError {}
