//! A request as `fuze policy explain` takes it, which a counterexample is, too.

use std::borrow::Cow;
use std::path::Path;

use fuze_evidence::files::read_regular;
use fuze_policy::agent_tool::{Cerbos, question};
use fuze_policy::analysis::{self, Policies};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::CheckInput;
use fuze_policy::{CallFacts, EngineError, Request, RunFacts, ToolFacts};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::once::Once;
use crate::mend::{Mend, Place};
use crate::outcome::{Problem, Result};
use crate::text::{escaped, plain};

/// A request: what the tables of `docs/policy.md` name. `fuze policy explain --request` takes it as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `tool` and `run`")]
pub(super) struct Asked {
    tool: Tool,
    run: Run,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(default)]
    depth: u32,
    /// When it is asked, in RFC 3339; without it, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

/// What the tool's declaration says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with what the tool's declaration says")]
struct Tool {
    name: String,
    classification: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    art9_basis: Option<String>,
    residency: String,
    effect: String,
    egress: String,
}

/// What the run says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with what the run says")]
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

/// A file of at most 1 MiB, as files of policies have at most.
pub(super) fn text_of(path: &Path) -> Result<String> {
    let octets = read_regular(path, 1 << 20).map_err(|error| Problem::file(path, error))?;
    String::from_utf8(octets).map_err(|_| Problem::file(path, "the file is no text"))
}

impl Asked {
    /// Reads what was given: JSON, or the path of a file with it.
    pub(super) fn read(given: &Path) -> Result<Self> {
        let inline = given.to_str().filter(|text| text.trim_start().starts_with('{'));
        let (name, text) = match inline {
            Some(text) => (Cow::Borrowed("--request"), text.to_owned()),
            None => (given.to_string_lossy(), text_of(given)?),
        };
        let asked: Self = from_json(&name, &text)?;
        match &asked.at {
            Some(at) if Timestamp::parse(at).is_none() => Err(Problem::usage(format_args!(
                "`{name}`: `at` is `{at}`, which is no time as in `2026-01-31T12:00:00Z`"
            ))),
            _ => Ok(asked),
        }
    }

    /// What a counterexample asks; nothing if no run and no tool could ask that.
    pub(super) fn of(request: &CheckInput, at: Option<String>) -> Option<Self> {
        let (tool, run) = (&request.resource.attr, &request.principal.attr);
        let word = |of: &Map<String, Value>, name: &str| of.get(name)?.as_str().map(str::to_owned);
        let depth = tool.get("depth").and_then(Value::as_f64).unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "compared with what it was"
        )]
        let nested = depth as u32;
        (f64::from(nested).to_bits() == depth.to_bits()).then_some(())?;
        Some(Self {
            tool: Tool {
                name: request.resource.id.clone(),
                classification: word(tool, "classification")?,
                art9_basis: word(tool, "art9_basis"),
                residency: word(tool, "residency")?,
                effect: word(tool, "effect")?,
                egress: word(tool, "egress")?,
            },
            run: Run {
                tenant: word(run, "tenant")?,
                principal: request.principal.id.clone(),
                roles: request.principal.roles.iter().map(|role| role.as_ref().to_owned()).collect(),
                purpose: word(run, "purpose")?,
                lawful_basis: word(run, "lawful_basis")?,
                annex_iii: word(run, "annex_iii")?,
                art22: word(run, "art22")?,
                has_subject: run.get("has_subject")?.as_bool()?,
            },
            args: tool.get("args").and_then(Value::as_object).cloned().unwrap_or_default(),
            depth: nested,
            at,
        })
    }

    /// Policies, and the time at which they are asked.
    pub(super) fn policies<'e>(&self, engine: &'e Cerbos) -> Policies<'e> {
        let policies = Policies::from(engine);
        match self.at.as_deref().and_then(Timestamp::parse) {
            Some(at) => policies.at(at),
            None => policies,
        }
    }

    /// The same as it is asked of policies.
    pub(super) fn input(&self, engine: &Cerbos) -> Result<CheckInput> {
        let (tool, run) = (&self.tool, &self.run);
        let args = Value::Object(self.args.clone()).to_string();
        let request = Request {
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
            call: CallFacts { args: args.as_bytes(), depth: self.depth },
        };
        let input = question(&request, engine.scope_of(&run.tenant)).map_err(|error| match error {
            EngineError::Evaluation(why) => Problem::usage(why),
            other => Problem::usage(other),
        })?;
        // Of another one nothing would be told but that no rule holds, or what no proof counts with.
        analysis::possible(&input)
            .map_err(|why| Problem::usage(format_args!("no agent asks this: {why}")))?;
        Ok(input)
    }

    /// Words that exist today alone, though there may be more: the Commission may add to Annex III (AI Act, Art. 7), and a proof counts
    /// with that.
    pub(super) fn doubt(&self) -> Option<String> {
        let known = analysis::words_of("annex_iii")?;
        let word = self.run.annex_iii.as_str();
        (!known.contains(&word)).then(|| {
            format!("`run.annex_iii` is `{word}`, which no agent can have today; it is explained as if one had; there are {}", known.join(", "))
        })
    }

    /// The command that explains it, for a shell to be pasted into: in single quotes, of which it holds none, each member in a line.
    pub(super) fn command(&self, directory: &Path) -> String {
        let Ok(json) = serde_json::to_string_pretty(self) else { return String::new() };
        // No line ends within a text of JSON.
        let lines: Vec<String> = json.lines().map(|line| escaped(line).replace('\'', "\\u0027")).collect();
        format!("fuze policy explain {} --request '{}'", word(directory), lines.join("\n    "))
    }
}

/// A path as one word of a shell.
fn word(path: &Path) -> String {
    let shown = path.display().to_string();
    if path.to_str().is_none() || plain(&shown) != shown {
        // No terminal shows it as it is.
        return "DIRECTORY".to_owned();
    }
    let before = if shown.starts_with('-') { "./" } else { "" };
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if !shown.is_empty() && shown.chars().all(harmless) {
        return format!("{before}{shown}");
    }
    format!("'{before}{}'", shown.replace('\'', "'\\''"))
}

/// Reads JSON in which no object has a name twice.
pub(super) fn from_json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    serde_json::from_str::<Once>(text)
        .and_then(|Once| serde_json::from_str(text))
        .map_err(|error| not_json(name, &error))
}

/// What is wrong with a JSON file, and where.
fn not_json(name: &str, error: &serde_json::Error) -> Problem {
    let (line, column) = (small(error.line()), small(error.column()).max(1));
    let place = Place { file: plain(name), line: line.max(1), column };
    let told = error.to_string();
    let told = told.rsplit_once(" at line ").map_or(&*told, |(told, _)| told);
    let told = match error.classify() {
        Category::Syntax | Category::Eof => format!("this is not JSON: {told}"),
        Category::Data | Category::Io => told.to_owned(),
    };
    let message = format!("{place}: {told}");
    Problem::usage(message).with_mends(None, vec![Mend::new(place, &told)])
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
