//! Patterns: `matches`, `regex.…`. Linear in the text, bounded in what a pattern may become.

use std::fmt;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};

use super::{Computed, Context, Function, Native, list, re2, text};
use crate::cel::ast::{Expr, Kind};
use crate::cel::error::EvalError;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

pub(super) const LINES: &[Line] = &[
    ("matches", &["(string, string) bool", "string.(string) bool"], Native::Eager(matches)),
    ("regex.extract", &["(string, string) optional(string)"], Native::Eager(extract)),
    ("regex.extractAll", &["(string, string) list(string)"], Native::Eager(extract_all)),
    (
        "regex.replace",
        &["(string, string, string) string", "(string, string, string, int) string"],
        Native::Eager(replace),
    ),
];

/// Bytes a compiled pattern may take, and its cache.
const COMPILED_BYTES: usize = 256 * 1024;
/// Levels of groups a pattern may have.
const NESTING: u32 = 100;
/// Bytes of a pattern at most.
const PATTERN_BYTES: usize = 4 * 1024;

/// A pattern that was compiled when the policy was read.
#[derive(Clone)]
pub struct Pattern {
    source: Arc<str>,
    compiled: Arc<Compiled>,
}

/// A compiled pattern and about how many states it has.
pub(in crate::cel) struct Compiled {
    regex: Regex,
    weight: u64,
}

impl Compiled {
    /// Steps that looking through so many bytes takes: few where an automaton is built, more by its size where it cannot be.
    fn cost(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        1 + bytes / 8 + bytes.saturating_mul(self.weight) / 128
    }
}

impl Pattern {
    /// Compiles what [`source`](Self::source) gave.
    pub(crate) fn compile(source: &str) -> Option<Self> {
        let compiled = compile(source).ok()?;
        Some(Self { source: source.into(), compiled: Arc::new(compiled) })
    }

    /// Whether the pattern is found anywhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.regex.is_match(text)
    }

    /// Steps of a budget that looking through so many bytes takes.
    #[must_use]
    pub fn cost(&self, bytes: usize) -> u64 {
        self.compiled.cost(bytes)
    }

    /// About how many states it has.
    pub(crate) fn weight(&self) -> u64 {
        self.compiled.weight
    }

    /// The pattern as the policy has it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Quoted, as every text within a value is: what two expressions look like tells them apart.
        write!(f, "Pattern({:?})", self.source)
    }
}

/// Compiles a pattern of Go's syntax.
pub(in crate::cel) fn compile(pattern: &str) -> Result<Compiled, String> {
    if pattern.len() > PATTERN_BYTES {
        return Err(format!("it is longer than {PATTERN_BYTES} bytes"));
    }
    let re2::Translated { pattern, weight } = re2::translate(pattern)?;
    let built = RegexBuilder::new(&pattern)
        .size_limit(COMPILED_BYTES)
        .dfa_size_limit(COMPILED_BYTES)
        .nest_limit(NESTING)
        .build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!(
                "it is too large, as it takes more than {} KiB compiled: use smaller counts, or `+` with `size(…) <= …` beside it",
                COMPILED_BYTES / 1024
            )
        },
        other => {
            other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })?;
    Ok(Compiled { regex, weight })
}

/// The pattern, if the function looks for one that is known already.
pub(in crate::cel) fn precompiled(function: Function, args: &[Expr]) -> Option<Pattern> {
    let [_, Expr { kind: Kind::Literal(Value::String(source)), .. }] = args else { return None };
    let compiled = (function.name() == "matches").then(|| compile(source).ok()).flatten()?;
    Some(Pattern { source: Arc::clone(source), compiled: Arc::new(compiled) })
}

/// Compiles at evaluation, which is what costs, and accounts for that first and for one look through the text.
fn compiled(context: &mut Context<'_>, pattern: &str, searched: &str) -> Result<Compiled, EvalError> {
    let weight = re2::translate(pattern).map_or(0, |translated| translated.weight);
    context.budget.step(2_000 + 50 * pattern.len() as u64)?;
    context.budget.step(weight.saturating_mul(20))?;
    let compiled =
        compile(pattern).map_err(|why| EvalError::failed(format!("error parsing regexp: {why}")))?;
    context.budget.step(compiled.cost(searched.len()))?;
    Ok(compiled)
}

/// What each match may cost beyond the first look: it can look at all that is left.
fn step_of_match(context: &mut Context<'_>, compiled: &Compiled, left: usize) -> Result<(), EvalError> {
    context.budget.step(4 + compiled.cost(left) / 8)
}

fn matches(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s), Value::String(pattern)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    Ok(Value::Bool(compiled(context, pattern, s)?.regex.is_match(s)))
}

fn with_one_group(context: &mut Context<'_>, pattern: &str, searched: &str) -> Result<Compiled, EvalError> {
    let compiled = compiled(context, pattern, searched)?;
    if compiled.regex.captures_len() > 2 {
        return Err(EvalError::failed(format!(
            "regular expression has more than one capturing group: {pattern:?}"
        )));
    }
    Ok(compiled)
}

/// What a match stands for: its group, unless that is empty, or all of it if the pattern has no group.
fn extracted<'t>(captures: &Captures<'t>) -> Option<&'t str> {
    match captures.len() {
        0 | 1 => captures.get(0).map(|all| all.as_str()),
        _ => captures.get(1).map(|group| group.as_str()).filter(|group| !group.is_empty()),
    }
}

fn extract(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s), Value::String(pattern)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let compiled = with_one_group(context, pattern, s)?;
    let found = compiled.regex.captures(s).as_ref().and_then(extracted);
    Ok(Value::Optional(found.map(|found| Arc::new(Value::from(found)))))
}

fn extract_all(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s), Value::String(pattern)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let compiled = with_one_group(context, pattern, s)?;
    let mut found = Vec::new();
    for captures in compiled.regex.captures_iter(s) {
        let end = captures.get(0).map_or(0, |all| all.end());
        step_of_match(context, &compiled, s.len().saturating_sub(end))?;
        found.extend(extracted(&captures).map(Value::from));
    }
    list(context, found)
}

fn replace(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, pattern, with, count) = match args {
        [Value::String(s), Value::String(pattern), Value::String(with)] => (s, pattern, with, -1),
        [Value::String(s), Value::String(pattern), Value::String(with), Value::Int(count)] => {
            (s, pattern, with, *count)
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    if count == 0 {
        return Ok(Value::String(Arc::clone(s)));
    }
    let compiled = compiled(context, pattern, s)?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let mut replaced = String::new();
    let mut end = 0;
    for captures in compiled.regex.captures_iter(s).take(limit) {
        let Some(all) = captures.get(0) else { continue };
        step_of_match(context, &compiled, s.len().saturating_sub(all.end()))?;
        replaced.push_str(s.get(end..all.start()).unwrap_or_default());
        context.budget.grow(with.len() as u64)?;
        replacement(context, &captures, with, &mut replaced)?;
        end = all.end();
    }
    replaced.push_str(s.get(end..).unwrap_or_default());
    text(context, replaced)
}

/// The replacement with `\1` and the like resolved. A group may be named many times: each is accounted for before it is written.
fn replacement(
    context: &mut Context<'_>,
    captures: &Captures<'_>,
    with: &str,
    out: &mut String,
) -> Result<(), EvalError> {
    let mut characters = with.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('\\') => out.push('\\'),
            Some(digit) if digit.is_ascii_digit() => {
                let group = usize::try_from(digit.to_digit(10).unwrap_or_default()).unwrap_or_default();
                if group >= captures.len() {
                    let count = captures.len() - 1;
                    return Err(EvalError::failed(format!(
                        "replacement string references group {group} but regex has only {count} group(s)"
                    )));
                }
                let group = captures.get(group).map_or("", |group| group.as_str());
                context.budget.grow(group.len() as u64)?;
                out.push_str(group);
            }
            Some(_) => {
                return Err(EvalError::failed(
                    r"invalid replacement string: \ must be followed by a digit or \",
                ));
            }
            None => return Err(EvalError::failed(r"invalid replacement string: \ not allowed at end")),
        }
    }
    Ok(())
}
