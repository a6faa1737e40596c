//! `fuze policy explain`.

use std::path::PathBuf;

use clap::Args;
use fuze_policy::agent_tool::{Cerbos, verdict};
use fuze_policy::cerbos::{self, CheckInput, Effect, Outcome, Step};
use fuze_policy::{CallFacts, Decision, Request, RunFacts, ToolFacts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::{BAD, FAINT, GOOD, UNSURE, plain};

/// What to explain.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The directory of the policies.
    directory: PathBuf,
    /// A JSON file: `{"tool": {…}, "run": {…}, "args": {…}}`, with the members of `docs/policy.md`'s tables.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
}

/// A request as its author writes it down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    tool: Tool,
    run: Run,
    #[serde(default)]
    args: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    depth: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    classification: String,
    art9_basis: Option<String>,
    residency: String,
    effect: String,
    egress: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    tenant: String,
    principal: String,
    roles: Vec<String>,
    purpose: String,
    lawful_basis: String,
    annex_iii: String,
    art22: String,
    has_subject: bool,
}

/// What `fuze policy explain` says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    /// `allow`, `requires_approval`, `deny` or `error`.
    decision: &'static str,
    /// The deciding rule, or why there is no decision.
    by: String,
    /// The obligation of an approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvers: Option<u32>,
    /// The scope in which it was decided.
    scope: String,
    /// Each action with the rules that were looked at, in order.
    actions: Vec<Action>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Action {
    action: String,
    /// `EFFECT_ALLOW` or `EFFECT_DENY`.
    effect: &'static str,
    steps: Vec<Told>,
}

/// One step on the way.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// How far in the tree.
    depth: usize,
    /// `role`, `scope`, `derived_role`, `condition`, `rule` or `note`.
    kind: &'static str,
    text: String,
    /// `held`, `not_held`, `not_the_role` or `failed`, where it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl Document for Explained {
    const SCHEMA: &'static str = "fuze.policy.explain/1";
}

pub(super) fn run(explain: &Explain, output: &Output) -> Result {
    let engine = Cerbos::load(&explain.directory).map_err(Problem::failed)?;
    let text =
        std::fs::read_to_string(&explain.request).map_err(|error| Problem::file(&explain.request, error))?;
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Problem::usage(format_args!("`{}`: {error}", explain.request.display())))?;
    let args = serde_json::Value::Object(asked.args.clone()).to_string();
    let request = request(&asked, &args);
    let scope = engine.scope_of(&asked.run.tenant).to_owned();
    let input = fuze_policy::agent_tool::question(&request, &scope).map_err(Problem::usage)?;
    let (answer, actions) = steps(&engine, &input).map_err(Problem::failed)?;
    let decided = verdict(&input, &answer);
    let (decision, by, approvers) = match &decided {
        Ok(verdict) => {
            let (word, approvers) = match &verdict.decision {
                Decision::Allow => ("allow", None),
                Decision::RequiresApproval(obligation) => {
                    ("requires_approval", Some(u32::from(obligation.approvers)))
                }
                Decision::Deny => ("deny", None),
            };
            (word, verdict.rule.to_string(), approvers)
        }
        Err(error) => ("error", error.to_string(), None),
    };
    let explained = Explained { decision, by: plain(&by), approvers, scope: plain(&scope), actions };
    output.data(&explained, || shown(&explained))?;
    // An explanation is well even if what it explains is a denial.
    Ok(Ended::Well)
}

fn request<'a>(asked: &'a Asked, args: &'a str) -> Request<'a> {
    let (tool, run) = (&asked.tool, &asked.run);
    Request {
        tool: ToolFacts {
            name: &tool.name,
            classification: &tool.classification,
            art9_basis: tool.art9_basis.as_deref(),
            residency: &tool.residency,
            effect: &tool.effect,
            egress: &tool.egress,
        },
        run: RunFacts {
            tenant: &run.tenant,
            principal: &run.principal,
            roles: &run.roles,
            purpose: &run.purpose,
            lawful_basis: &run.lawful_basis,
            annex_iii: &run.annex_iii,
            art22: &run.art22,
            has_subject: run.has_subject,
        },
        call: CallFacts { args: args.as_bytes(), depth: asked.depth },
    }
}

/// Decides, and keeps what was told on the way.
fn steps(
    engine: &Cerbos,
    input: &CheckInput,
) -> std::result::Result<(cerbos::CheckOutput, Vec<Action>), cerbos::CheckError> {
    let mut actions: Vec<Action> = Vec::new();
    let answer = cerbos::check_stepwise(engine.set(), input, &engine.params(), &mut |step| match step {
        Step::Action(action) => {
            actions.push(Action { action: plain(action), effect: Effect::Deny.as_str(), steps: Vec::new() });
        }
        Step::Decided(effect) => {
            if let Some(action) = actions.last_mut() {
                action.effect = effect.as_str();
            }
        }
        other => {
            if let (Some(action), Some(told)) = (actions.last_mut(), told(&other)) {
                action.steps.push(told);
            }
        }
    })?;
    Ok((answer, actions))
}

fn told(step: &Step<'_>) -> Option<Told> {
    let tell = |depth, kind, text: String, outcome: Option<Outcome>| {
        Some(Told { depth, kind, text: plain(&text), outcome: outcome.map(word) })
    };
    match step {
        Step::Action(_) | Step::Decided(_) => None,
        Step::Role { kind: cerbos::PolicyKind::Principal, .. } => {
            tell(0, "role", "policies of the principal".to_owned(), None)
        }
        Step::Role { role, .. } => tell(0, "role", format!("role {role}"), None),
        Step::Scope("") => tell(1, "scope", "root scope".to_owned(), None),
        Step::Scope(scope) => tell(1, "scope", format!("scope {scope}"), None),
        Step::DerivedRole { role, outcome } => {
            tell(2, "derived_role", format!("derived role {} ({})", role.name, role.place), Some(*outcome))
        }
        Step::Expression { expression, outcome } => {
            tell(3, "condition", format!("{} ({})", expression.source, expression.place), Some(*outcome))
        }
        Step::Rule { rule, policy, effect, outcome } => {
            let name = rule.map_or_else(|| (*policy).to_owned(), |rule| rule.source.to_string());
            let effect = effect.map_or("", Effect::as_str);
            let place = rule.map_or_else(String::new, |rule| format!(" ({})", rule.place));
            tell(2, "rule", format!("{effect} {name}{place}"), Some(*outcome))
        }
        Step::ConsentNeeded(scope) => {
            tell(2, "note", format!("the scope `{scope}` allows if the scope above does"), None)
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::NotHeld => "not_held",
        Outcome::NotTheRole => "not_the_role",
        Outcome::Failed => "failed",
    }
}

fn shown(explained: &Explained) -> String {
    let style = match explained.decision {
        "allow" => GOOD,
        "requires_approval" => UNSURE,
        _ => BAD,
    };
    let mut text = format!("{style}{}{style:#} by {}\n", explained.decision, explained.by);
    if let Some(approvers) = explained.approvers {
        text += &format!("  approvers: {approvers}\n");
    }
    for action in &explained.actions {
        let style = if action.effect == "EFFECT_ALLOW" { GOOD } else { BAD };
        text += &format!("\n{}  {style}{}{style:#}\n", action.action, action.effect);
        for step in &action.steps {
            let mark = match step.outcome {
                Some("held") => format!("{GOOD}✓{GOOD:#} "),
                Some("failed") => format!("{BAD}error{BAD:#} "),
                Some("not_held") => format!("{FAINT}✗{FAINT:#} "),
                Some(_) => format!("{FAINT}not the role{FAINT:#} "),
                None => String::new(),
            };
            text += &format!("{}{mark}{}\n", "  ".repeat(step.depth + 1), step.text);
        }
    }
    text
}
