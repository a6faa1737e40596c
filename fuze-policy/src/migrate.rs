//! Rewrites policies that were written for a third effect, `EFFECT_REQUIRES_APPROVAL`, which Cerbos does not have.
//!
//! The rewriting is of the text, so that comments and layout stay. A rule that asked for approval of `invoke` on a tool becomes an ALLOW of
//! `invoke` alone. Any other rule with that effect, of another kind, another action or a pattern, would become wider: it is named, and
//! nothing of the set is rewritten. In a scope below another a DENY of `invoke:auto` is put beside it, because there what is left out is what the
//! scope above says. What the rewritten rules come to rests on the rest of the set, so that every rule of it is named which
//! allowed `invoke` outright, or allows `invoke:auto` and so takes an approval away: what those meant their author has to say.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::agent_tool::{INVOKE, INVOKE_AUTO, KIND};
use crate::cerbos::yaml::{self, Limits, Node, Text, Value};
use crate::cerbos::{Glob, Pattern, Place, Position, Problem, Source};

const THIRD: &str = "EFFECT_REQUIRES_APPROVAL";
const ALLOW: &str = "EFFECT_ALLOW";

/// What is put into the policy of a scope.
const NOT_ALONE: &str = r#"{"actions": ["invoke:auto"], "effect": "EFFECT_DENY", "roles": ["*"]}"#;

/// What became of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The files that have another text now.
    pub files: Vec<Source>,
    /// Where an effect was rewritten.
    pub rewritten: Vec<Place>,
    /// What its author has to look at; nothing if nothing was rewritten.
    pub to_decide: Vec<Problem>,
}

/// Rewrites the policies of a set.
///
/// # Errors
/// When one cannot be read, or has the third effect where it cannot be rewritten without a change of its meaning: each place with what to
/// do by hand.
pub fn migrate(sources: &[Source]) -> Result<Migrated, Vec<Problem>> {
    let mut done = Migrated { files: Vec::new(), rewritten: Vec::new(), to_decide: Vec::new() };
    let mut problems = Vec::new();
    for source in sources {
        let documents = match yaml::read(&source.path, &source.text, Limits::default()) {
            Ok(documents) => documents,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let mut found = Found { file: Arc::clone(&source.path), ..Found::default() };
        for document in &documents {
            found.below = below(document);
            found.look(document, None);
        }
        if !found.effects.is_empty() {
            let text = found.rewrite(&source.text);
            done.files.push(Source { path: Arc::clone(&source.path), text });
            found.move_places();
        }
        let place = |at: &Position| Place { file: Arc::clone(&source.path), at: *at };
        done.rewritten.extend(found.effects.iter().map(place));
        done.to_decide.extend(found.told);
        problems.extend(found.problems);
    }
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(problems);
    }
    if done.rewritten.is_empty() {
        done.to_decide.clear();
    }
    Ok(done)
}

#[derive(Default)]
struct Found {
    file: Arc<str>,
    /// Values of `effect` that are the third; an alias stands where its anchor does.
    effects: BTreeSet<Position>,
    /// Rules whose meaning rests on what is rewritten.
    told: Vec<Problem>,
    problems: Vec<Problem>,
    /// The first rule of the policy that is looked at, if it is in a scope below another.
    below: Option<Position>,
    /// Such rules, before which a DENY of `invoke:auto` goes.
    denied: BTreeSet<Position>,
    /// Where one was put: before the line, or within it.
    added: Vec<(Position, Put)>,
}

/// The first rule of the policy of a document that is in a scope below another.
fn below(document: &Node) -> Option<Position> {
    let body = &document.entry("resourcePolicy").or_else(|| document.entry("resource_policy"))?.value;
    let scope = body.entry("scope").and_then(|entry| text(&entry.value))?;
    let Value::List(rules) = &body.entry("rules")?.value.value else { return None };
    (!scope.value.is_empty()).then(|| rules.first().map(|rule| rule.at))?
}

impl Found {
    /// Every mapping with an `effect` is a rule, wherever it stands; what it is about, the nearest `resource` says.
    fn look(&mut self, node: &Node, about: Option<&Text>) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.look(item, about)),
            Value::Map(entries) => {
                let about = node.entry("resource").and_then(|entry| text(&entry.value)).or(about);
                self.rule(node, about);
                self.role_rule(node, about);
                entries.iter().for_each(|entry| self.look(&entry.value, about));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int { .. }
            | Value::Float(_)
            | Value::Text(_)
            | Value::Ragged(_) => {}
        }
    }

    fn rule(&mut self, node: &Node, about: Option<&Text>) {
        let Some(effect) = node.entry("effect").and_then(|entry| text(&entry.value)) else { return };
        let actions = actions(node, ["actions", "action"]);
        match &*effect.value {
            THIRD => self.third(effect.at, about, &actions),
            ALLOW if about.is_none_or(|about| matches(about, KIND)) => {
                if actions.iter().any(|action| matches(action, INVOKE_AUTO)) {
                    self.tell(node.at, TAKES_AWAY);
                } else if actions.iter().any(|action| matches(action, INVOKE)) {
                    self.tell(node.at, OUTRIGHT);
                }
            }
            _ => {}
        }
    }

    /// The third effect means an ALLOW of `invoke` on a tool, and of nothing else.
    fn third(&mut self, effect: Position, about: Option<&Text>, actions: &[&Text]) {
        self.effects.insert(effect);
        self.denied.extend(self.below);
        match about {
            Some(about) if &*about.value == KIND => {}
            Some(about) => {
                let message = format!(
                    "approval is asked for tools (`{KIND}`) alone, and this rule is about `{}`, where an ALLOW would need nobody: write \
                     `{ALLOW}` or `EFFECT_DENY` here by hand, or a rule of its own for `{KIND}`",
                    about.value
                );
                self.problem(effect, message);
            }
            None => self.problem(
                effect,
                format!("nothing says that this rule is about `{KIND}`: write the effect by hand"),
            ),
        }
        if actions.is_empty() {
            self.problem(effect, format!("this rule names no action: name `{INVOKE}`, then run this again"));
        }
        for action in actions.iter().filter(|action| &*action.value != INVOKE) {
            let message = if matches(action, INVOKE_AUTO) {
                format!(
                    "this rule asks for approval and reaches `{INVOKE_AUTO}`; name `{INVOKE}` alone here, then run this again"
                )
            } else {
                format!(
                    "approval is asked for `{INVOKE}` alone, and an ALLOW of `{}` would need nobody: name `{INVOKE}` alone here and put `{}` \
                     into a rule of its own, then run this again",
                    action.value, action.value
                )
            };
            self.problem(action.at, message);
        }
    }

    /// A rule of a role policy allows without an `effect`.
    fn role_rule(&mut self, node: &Node, about: Option<&Text>) {
        let reaches = |action: &&Text| Glob::new(&action.value).is_ok_and(|glob| glob.matches(INVOKE_AUTO));
        if about.is_none_or(|about| matches(about, KIND))
            && actions(node, ["allowActions", "allow_actions"]).iter().any(reaches)
        {
            self.tell(node.at, TAKES_AWAY);
        }
    }

    fn tell(&mut self, at: Position, message: &str) {
        let place = Place { file: Arc::clone(&self.file), at };
        self.told.push(Problem { place, message: message.to_owned() });
    }

    fn problem(&mut self, at: Position, message: String) {
        self.problems.push(Problem { place: Place { file: Arc::clone(&self.file), at }, message });
    }

    /// In a scope what is not said of `invoke:auto` the scope above says, so that leaving it out asks nobody.
    fn deny_alone(&mut self, lines: &mut Vec<String>) {
        for at in std::mem::take(&mut self.denied).into_iter().rev() {
            match insert(lines, at) {
                Some(put) => {
                    self.added.push((at, put));
                    self.tell(at, ADDED);
                }
                None => self.problem(
                    at,
                    format!("put the rule `{NOT_ALONE}` before this one by hand: what a scope does not say of `{INVOKE_AUTO}`, the one above does"),
                ),
            }
        }
    }

    /// Places as they are now.
    fn move_places(&mut self) {
        let added = &self.added;
        let moved = |at: Position| {
            added.iter().fold(at, |now, (before, put)| match put {
                Put::Line if before.line <= at.line => Position { line: now.line.saturating_add(1), ..now },
                Put::Within(columns) if before.line == at.line && before.column <= at.column => {
                    Position { column: now.column.saturating_add(*columns), ..now }
                }
                Put::Line | Put::Within(_) => now,
            })
        };
        self.effects = self.effects.iter().map(|at| moved(*at)).collect();
        self.told.iter_mut().for_each(|told| told.place.at = moved(told.place.at));
        self.told.sort();
    }

    fn rewrite(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        // Of two in one line the first would move the second.
        for at in self.effects.clone().into_iter().rev() {
            if !replace(&mut lines, at, THIRD, ALLOW) {
                let message =
                    format!("write `effect: {ALLOW}` here by hand: the text could not be found in this line");
                self.problem(at, message);
            }
        }
        self.deny_alone(&mut lines);
        lines.join("\n")
    }
}

const ADDED: &str = "a DENY of `invoke:auto` stands before this rule now, since what a scope does not say of it, the one above does: in this scope no \
    call runs without a person; give it a condition where that is more than was meant";

/// How something was put into a text.
#[derive(Clone, Copy)]
enum Put {
    /// As a line of its own.
    Line,
    /// Into a line, with so many characters.
    Within(u32),
}

/// Puts the DENY before the first rule of a list. `None` where it is not certain what stands there.
fn insert(lines: &mut Vec<String>, at: Position) -> Option<Put> {
    let number = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let line = lines.get(number)?;
    let before = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let start = line.char_indices().nth(before)?.0;
    let (head, rest) = line.split_at_checked(start)?;
    let indented = head.trim_end().strip_suffix('-');
    match indented {
        Some(spaces) if spaces.trim().is_empty() && !head.contains('\t') => {
            let end = if line.ends_with('\r') { "\r" } else { "" };
            lines.insert(number, format!("{head}{NOT_ALONE}{end}"));
            Some(Put::Line)
        }
        None if rest.starts_with('{') => {
            let put = format!("{NOT_ALONE}, ");
            let line = format!("{head}{put}{rest}");
            *lines.get_mut(number)? = line;
            Some(Put::Within(u32::try_from(put.len()).ok()?))
        }
        _ => None,
    }
}

const OUTRIGHT: &str = "this ALLOW of `invoke` now asks for approval, too; add `invoke:auto` to its actions if it may run without a person";
const TAKES_AWAY: &str = "this reaches `invoke:auto`: where it holds, nobody is asked, whatever a rewritten rule says of the same call; \
    leave `invoke:auto` out here, or see that it holds for no call that needs approval";

/// The actions under the first of these names that is there: a list, or one.
fn actions<'n>(node: &'n Node, names: [&str; 2]) -> Vec<&'n Text> {
    let entry = names.into_iter().find_map(|name| node.entry(name));
    match entry.map(|entry| &entry.value) {
        Some(Node { value: Value::List(items), .. }) => items.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether a policy's text, which may be a pattern, means a name. What is no pattern is taken to mean everything.
fn matches(text: &Text, name: &str) -> bool {
    Pattern::new(&text.value).map_or(true, |pattern| pattern.matches(name))
}

fn text(node: &Node) -> Option<&Text> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Replaces a text that begins in this line at this column, quoted or not.
fn replace(lines: &mut [String], at: Position, from: &str, to: &str) -> bool {
    let line = usize::try_from(at.line).ok().and_then(|line| lines.get_mut(line.checked_sub(1)?));
    let Some(line) = line else { return false };
    let before = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let start = line.char_indices().nth(before).map_or(line.len(), |(start, _)| start);
    let Some((head, tail)) = line.split_at_checked(start) else { return false };
    // A quote may stand before it, and nothing else.
    let quote = usize::from(tail.starts_with(['"', '\'']));
    let Some(rest) = tail.get(quote..).and_then(|tail| tail.strip_prefix(from)) else { return false };
    *line = format!("{head}{}{to}{rest}", tail.get(..quote).unwrap_or_default());
    true
}

#[cfg(test)]
mod tests;
