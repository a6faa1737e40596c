//! `fuze policy lint`, `prove` and `diff`: what can be said of policies without a request.

use std::path::{Path, PathBuf};

use clap::Args;
use fuze_policy::analysis::{self, Policies, Proof, Property, Tools};
use fuze_policy::{agent_tool, suite};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::example::{self, Decided, Side};
use super::request::{Asked, from_json, text_of};
use super::{Directory, about_tools, load};
use crate::mend::{Mend, Place};
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::{BAD, GOOD, UNSURE, plain};

/// Policies, and the tools they are about.
#[derive(Debug, Args)]
pub(crate) struct Review {
    #[command(flatten)]
    at: Directory,
    /// A JSON file of the declared tools and the roles there are: `{"tools": [{"name": …, "classification": …, …}], "roles": […]}`.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

/// What to prove.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    review: Review,
    /// Proves besides that every approval of a tool of this classification asks so many people at least: `special_category=2`.
    #[arg(long = "approvers", value_name = "CLASSIFICATION=PEOPLE", value_parser = approvers)]
    approvers: Vec<Property>,
    #[command(flatten)]
    cases: Cases,
}

/// How far a proof goes.
#[derive(Debug, Args)]
struct Cases {
    /// Cases of each proof that are looked at before it is given up as unknown.
    #[arg(long = "cases", value_name = "NUMBER", default_value_t = analysis::MOST_CASES)]
    most: u64,
}

/// Two versions of the same policies.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The directory as it was.
    old: PathBuf,
    /// The directory as it shall be.
    new: PathBuf,
    #[command(flatten)]
    cases: Cases,
}

fn approvers(text: &str) -> std::result::Result<Property, String> {
    let wanted =
        "write a classification, `=` and a number of people from 1 to 255, such as `special_category=2`";
    let (classification, people) = text.split_once('=').ok_or(wanted)?;
    let known = analysis::words_of("classification").is_some_and(|words| words.contains(&classification));
    let people: u8 = people.parse().ok().filter(|people| *people > 0).ok_or(wanted)?;
    if !known {
        return Err(format!("`{}` is no classification; {wanted}", plain(classification)));
    }
    Ok(Property::at_least_approvers(classification, people))
}

/// What `fuze policy lint` found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Linted {
    findings: Vec<Found>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// For instance `rests-on-arguments`.
    lint: String,
    /// Whether it is no objection: that it could not be said whether there is one.
    note: bool,
    #[serde(flatten)]
    mend: Mend,
}

impl Document for Linted {
    const SCHEMA: &'static str = "fuze.policy.lint/1";
}

/// What `fuze policy prove` and `diff` found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proven {
    holds: bool,
    properties: Vec<Judged>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Judged {
    property: String,
    /// `proven`, `broken` or `unknown`.
    result: &'static str,
    /// How it was found, a counterexample, or why nothing can be said.
    detail: String,
    /// What shows that it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    counterexample: Option<Shown>,
    /// The same for people, who read what was to be proven before it.
    #[serde(skip)]
    told: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// The policy's key, `#` and the rule's name.
    rule: String,
    /// Where the rule stands; none if a decision was made by no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    explanation: String,
    /// When it has to be asked, in RFC 3339; without it that makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// The request that shows it: what `fuze policy explain --request` takes; none for a rule that no request reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Asked>,
    /// The same as the `principal` and the `resource` of a suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixtures: Option<serde_json::Value>,
    /// What the policies say to it: of `diff`, the old ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decisions: Vec<Decided>,
}

impl Document for Proven {
    const SCHEMA: &'static str = "fuze.policy.prove/1";
}

pub(super) fn lint(review: &Review, output: &Output) -> Result {
    let engine = load(&review.at.directory)?;
    about_tools(&review.at.directory, &engine, output);
    let tools = tools(review.tools.as_deref())?;
    if tools.tools.is_empty() {
        output.say(
            "note: without tools (`--tools FILE`) a misspelt name of a tool or an argument is not found",
        );
    }
    if tools.roles.is_none() {
        output.say("note: without roles (`--tools FILE`) a misspelt role is not found");
    }
    let findings: Vec<Found> = analysis::lint(&engine, &tools)
        .into_iter()
        .map(|finding| Found {
            lint: finding.lint.to_string(),
            note: finding.lint.is_note(),
            mend: Mend::new((&finding.place).into(), &finding.message),
        })
        .collect();
    let well = findings.iter().all(|found| found.note);
    let linted = Linted { findings };
    output.data(&linted, || {
        let mut text = String::new();
        for found in &linted.findings {
            let Found { lint, note, mend } = found;
            let (style, note) = if *note { (UNSURE, "note: ") } else { (BAD, "") };
            text += &format!("{style}{}{style:#}: {note}{} ({lint})\n", mend.place, mend.message);
        }
        if well { text + &format!("{GOOD}nothing to object to{GOOD:#}\n") } else { text }
    })?;
    Ok(if well { Ended::Well } else { Ended::Failed })
}

pub(super) fn prove(prove: &Prove, output: &Output) -> Result {
    let review = &prove.review;
    let engine = load(&review.at.directory)?;
    about_tools(&review.at.directory, &engine, output);
    let tools = review.tools.is_some().then(|| tools(review.tools.as_deref())).transpose()?;
    // Read a second time, for the suites beside the policies: what cannot be read by now shows nothing.
    let directory = &review.at.directory;
    let calls = agent_tool::read(directory).map(|(files, _)| suite::calls(directory, &files));
    let calls = calls.unwrap_or_default();
    let properties =
        [Property::never_auto("special_category"), Property::NothingCrossesTenants, Property::NoRuleIsDead];
    let judged = properties.iter().chain(&prove.approvers).map(|property| {
        let policies = Policies::from(&engine).within(prove.cases.most).tried_with(&calls);
        let policies = match &tools {
            Some(tools) => policies.for_tools(tools),
            None => policies,
        };
        let sides = [Side { called: "decided", directory: &review.at.directory, engine: &engine }];
        judged(&property.to_string(), &analysis::prove(policies, property), &sides)
    });
    report(judged.collect(), output)
}

pub(super) fn diff(diff: &Diff, output: &Output) -> Result {
    let (old, new) = (load(&diff.old)?, load(&diff.new)?);
    about_tools(&diff.old, &old, output);
    about_tools(&diff.new, &new, output);
    let proof = analysis::diff(&old, Policies::from(&new).within(diff.cases.most));
    let sides = [
        Side { called: "as it was", directory: &diff.old, engine: &old },
        Side { called: "as it shall be", directory: &diff.new, engine: &new },
    ];
    report(vec![judged(&Property::AllowsNothingNew.to_string(), &proof, &sides)], output)
}

fn tools(file: Option<&Path>) -> Result<Tools> {
    let Some(file) = file else { return Ok(Tools::default()) };
    let text = text_of(file)?;
    let _: IgnoredAny = from_json(&file.to_string_lossy(), &text)?;
    Tools::from_json(&text).map_err(|error| Problem::usage(format_args!("`{}`: {error}", file.display())))
}

fn judged(property: &str, proof: &Proof, sides: &[Side<'_>]) -> Judged {
    let result = match proof {
        Proof::Proven { .. } => "proven",
        Proof::Counterexample(_) => "broken",
        Proof::Unknown { .. } => "unknown",
    };
    let counterexample = proof.counterexample().map(|found| Shown {
        rule: plain(&found.rule),
        place: found.place.as_ref().map(Place::from),
        explanation: plain(&found.explanation),
        at: found.time(),
        request: example::asked(found),
        fixtures: found.request_json(),
        decisions: Decided::all(found, sides),
    });
    let told = match proof {
        Proof::Proven { cases: 1, .. } => "  one case was looked at\n".to_owned(),
        Proof::Proven { cases: 0, .. } => "  there was no case to look at\n".to_owned(),
        Proof::Proven { cases, .. } => format!("  {cases} cases were looked at\n"),
        Proof::Counterexample(found) => example::text(found, sides),
        Proof::Unknown { reason, .. } => format!("  {}\n", plain(&reason.to_string())),
    };
    Judged { property: plain(property), result, detail: plain(&proof.to_string()), counterexample, told }
}

fn report(properties: Vec<Judged>, output: &Output) -> Result {
    let is = |result: &str| properties.iter().any(|judged| judged.result == result);
    let ended = match (is("broken"), is("unknown")) {
        (true, _) => Ended::Failed,
        (false, true) => Ended::Cannot,
        (false, false) => Ended::Well,
    };
    let proven = Proven { holds: ended == Ended::Well, properties };
    output.data(&proven, || {
        let mut text = String::new();
        for Judged { property, result, told, .. } in &proven.properties {
            let style = match *result {
                "proven" => GOOD,
                "broken" => BAD,
                _ => UNSURE,
            };
            text += &format!("{style}{result}{style:#}  {property}\n");
            text += told;
        }
        text
    })?;
    Ok(ended)
}
