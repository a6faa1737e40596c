//! `fuze policy explain`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use fuze_policy::agent_tool::verdict;
use fuze_policy::analysis::{self, About, ActionExplained, Came, Line};
use fuze_policy::{Decision, EngineError, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use super::request::Asked;
use crate::outcome::{Ended, Result};
use crate::output::{Document, Output};
use crate::text::{BAD, FAINT, GOOD, UNSURE, plain};

/// What to explain.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The directory of the policies.
    directory: PathBuf,
    /// The request: a JSON file, or the JSON itself, as `prove` and `diff` print it.
    ///
    /// Its members are `{"tool": {"name", "classification", "art9_basis", "residency", "effect", "egress"}, "run": {"tenant", "principal",
    /// "roles", "purpose", "lawful_basis", "annex_iii", "art22", "has_subject"}, "args": {…}}`; `docs/policy.md` says what each can be.
    /// `art9_basis` is there for a special category alone. Besides, there may be `depth`, and `at`, the time to decide at.
    #[arg(long, value_name = "FILE|JSON")]
    request: PathBuf,
}

/// What `fuze policy explain` says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    /// `allow`, `requires_approval`, `deny` or `error`.
    decision: &'static str,
    /// The deciding rule, or why there is no decision.
    by: String,
    /// The obligation of an approval, where the decision is `allow` of one that the tool or the law demands: how many people.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvers: Option<u32>,
    /// Who of the overseers may; without it, all may.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_approve: Option<Vec<String>>,
    /// What each of them must be trained in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trainings: Vec<String>,
    /// Seconds after which silence is a denial; without it, the deployment's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_seconds: Option<u64>,
    /// The scope in which it was decided.
    scope: String,
    /// Each action with the rules that were looked at, in order.
    actions: Vec<Action>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    pub(super) action: String,
    /// `EFFECT_ALLOW` or `EFFECT_DENY`.
    pub(super) effect: &'static str,
    /// The rule or, if none did, the policy that decided.
    pub(super) by: String,
    /// A tree, each step before those that belong to it: roles, scopes, rules, conditions. Rules that nobody looked at are here, too.
    pub(super) steps: Vec<Told>,
}

/// One line of the tree.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// How far in the tree.
    depth: usize,
    /// `role`, `scope`, `derived_role`, `rule`, `condition`, `variable` (what it stands for, the line above names it) or `note`.
    pub(super) kind: &'static str,
    text: String,
    /// `held`, `not_held`, `failed` or `not_asked`, where it applies: of a rule, whether what its author wrote as its condition holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    /// Why so: the values that were looked at, what was missing, what came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Document for Explained {
    const SCHEMA: &'static str = "fuze.policy.explain/1";
}

pub(super) fn run(explain: &Explain, output: &Output) -> Result {
    let asked = Asked::read(&explain.request)?;
    let engine = super::load(&explain.directory)?;
    let input = asked.input(&engine)?;
    if let Some(doubt) = asked.doubt() {
        output.say(&format!("note: {doubt}"));
    }
    let (actions, decided) = match analysis::explain(asked.policies(&engine), &input) {
        Ok((answer, explanation)) => {
            (explanation.actions.iter().map(action).collect(), verdict(&input, &answer))
        }
        // A decision that takes too much, for instance, has no steps to show.
        Err(error) => (Vec::new(), Err(EngineError::Evaluation(error.to_string()))),
    };
    let (by, obligation) = match &decided {
        Ok(verdict) => {
            let obligation = match &verdict.decision {
                Decision::Allow => verdict.approval.as_ref(),
                Decision::RequiresApproval(obligation) => Some(obligation),
                Decision::Deny => None,
            };
            (verdict.rule.to_string(), obligation)
        }
        Err(error) => (error.to_string(), None),
    };
    let all = |names: &BTreeSet<String>| names.iter().map(|name| plain(name)).collect();
    let explained = Explained {
        decision: word(&decided),
        by: plain(&by),
        approvers: obligation.map(|asked| u32::from(asked.approvers)),
        may_approve: obligation.and_then(|asked| asked.may_approve.as_ref()).map(all),
        trainings: obligation.map(|asked| all(&asked.trainings)).unwrap_or_default(),
        deadline_seconds: obligation.and_then(|asked| asked.deadline_seconds),
        scope: plain(&input.resource.scope),
        actions,
    };
    output.data(&explained, || shown(&explained))?;
    // An explanation is well even if what it explains is a denial.
    Ok(Ended::Well)
}

/// What was decided, in a word.
pub(super) fn word(decided: &std::result::Result<Verdict, EngineError>) -> &'static str {
    match decided.as_ref().map(|verdict| &verdict.decision) {
        Ok(Decision::Allow) => "allow",
        Ok(Decision::RequiresApproval(_)) => "requires_approval",
        Ok(Decision::Deny) => "deny",
        Err(_) => "error",
    }
}

pub(super) fn action(explained: &ActionExplained) -> Action {
    let told = |line: &Line| Told {
        depth: line.depth,
        kind: match line.about {
            About::Role => "role",
            About::Scope => "scope",
            About::DerivedRole => "derived_role",
            About::Rule => "rule",
            About::Condition => "condition",
            About::Variable => "variable",
            About::Note => "note",
        },
        text: plain(&line.text),
        outcome: match line.came {
            Came::Held => Some("held"),
            Came::NotHeld => Some("not_held"),
            Came::Failed => Some("failed"),
            Came::NotAsked => Some("not_asked"),
            Came::Heads => None,
        },
        why: line.why.as_deref().map(plain),
    };
    Action {
        action: plain(&explained.action),
        effect: explained.effect.as_str(),
        by: plain(&explained.by),
        steps: explained.lines.iter().map(told).collect(),
    }
}

fn shown(explained: &Explained) -> String {
    let style = match explained.decision {
        "allow" => GOOD,
        "requires_approval" => UNSURE,
        _ => BAD,
    };
    let by = if explained.decision == "error" { ": the run halts:" } else { " by" };
    let mut text = format!("{style}{}{style:#}{by} {}\n", explained.decision, explained.by);
    if let Some(approvers) = explained.approvers {
        if explained.decision == "allow" {
            text += "  should the tool or the law demand an approval:\n";
        }
        text += &format!("  approvers: {approvers}\n");
    }
    if let Some(may) = &explained.may_approve {
        text += &format!("  may approve: {}\n", may.join(", "));
    }
    if !explained.trainings.is_empty() {
        text += &format!("  trainings: {}\n", explained.trainings.join(", "));
    }
    if let Some(seconds) = explained.deadline_seconds {
        text += &format!("  deadline: {seconds} s\n");
    }
    for action in &explained.actions {
        let style = if action.effect == "EFFECT_ALLOW" { GOOD } else { BAD };
        text += &format!("\n{}  {style}{}{style:#} by {}\n", action.action, action.effect, action.by);
        for step in &action.steps {
            text += &format!("{}{}\n", "  ".repeat(step.depth + 1), step_line(step));
        }
    }
    text
}

/// What came of a step, what it is, and why it came so.
pub(super) fn step_line(step: &Told) -> String {
    let mark = match step.outcome {
        Some("held") => format!("{GOOD}✓{GOOD:#} "),
        Some("failed") => format!("{BAD}error{BAD:#} "),
        Some("not_held") => format!("{BAD}✗{BAD:#} "),
        Some(_) => format!("{FAINT}-{FAINT:#} "),
        None => String::new(),
    };
    let why = step.why.as_ref().map_or_else(String::new, |why| format!("{FAINT}: {why}{FAINT:#}"));
    format!("{mark}{}{why}", step.text)
}
