//! Rewrites policies that were written for a third effect, `EFFECT_REQUIRES_APPROVAL`, which Cerbos does not have.
//!
//! The rewriting is of the text, so that comments and layout stay. A rule that asked for approval becomes an ALLOW of `invoke` alone, and a
//! rule of the same file that allowed `invoke` outright is named: whether it meant "without a person" its author has to say.

use std::sync::Arc;

use crate::agent_tool::{INVOKE, INVOKE_AUTO};
use crate::cerbos::yaml::{self, Limits, Node, Value};
use crate::cerbos::{Place, Position, Problem, Source};

const THIRD: &str = "EFFECT_REQUIRES_APPROVAL";
const ALLOW: &str = "EFFECT_ALLOW";

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The new text; the old one if there was nothing to do.
    pub text: String,
    /// Where an effect was rewritten.
    pub rewritten: Vec<Place>,
    /// What its author has to look at.
    pub to_decide: Vec<Problem>,
}

/// Rewrites a file.
///
/// # Errors
/// When it cannot be read, or has the third effect where it cannot be rewritten: each place with what to do by hand.
pub fn migrate(source: &Source) -> Result<Migrated, Vec<Problem>> {
    let documents =
        yaml::read(&source.path, &source.text, Limits::default()).map_err(|problem| vec![problem])?;
    let mut found = Found { file: Arc::clone(&source.path), ..Found::default() };
    for document in &documents {
        found.look(document);
    }
    if found.effects.is_empty() && found.problems.is_empty() {
        return Ok(Migrated { text: source.text.clone(), rewritten: Vec::new(), to_decide: Vec::new() });
    }
    let mut lines: Vec<String> = source.text.split('\n').map(str::to_owned).collect();
    // An alias stands where its anchor does; and of two in one line the first would move the second.
    found.effects.sort_unstable();
    found.effects.dedup();
    for at in found.effects.clone().into_iter().rev() {
        if !replace(&mut lines, at, THIRD, ALLOW) {
            found.problem(
                at,
                format!("write `effect: {ALLOW}` here by hand: the text could not be found in this line"),
            );
        }
    }
    for at in &found.reaching {
        found.problems.push(Problem {
            place: Place { file: Arc::clone(&found.file), at: *at },
            message: format!(
                "this rule asks for approval and reaches `{INVOKE_AUTO}`; name `{INVOKE}` alone here, then run this again"
            ),
        });
    }
    if !found.problems.is_empty() {
        return Err(found.problems);
    }
    let place = |at: &Position| Place { file: Arc::clone(&source.path), at: *at };
    Ok(Migrated {
        text: lines.join("\n"),
        rewritten: found.effects.iter().map(place).collect(),
        to_decide: found
            .outright
            .iter()
            .map(|at| Problem {
                place: place(at),
                message: format!(
                    "this ALLOW of `{INVOKE}` now asks for approval, too; add `{INVOKE_AUTO}` to its actions if it may run without a person"
                ),
            })
            .collect(),
    })
}

#[derive(Default)]
struct Found {
    file: Arc<str>,
    /// Values of `effect` that are the third.
    effects: Vec<Position>,
    /// Actions of such rules that reach `invoke:auto`.
    reaching: Vec<Position>,
    /// Rules that allow `invoke` and not `invoke:auto`.
    outright: Vec<Position>,
    problems: Vec<Problem>,
}

impl Found {
    /// Every mapping with an `effect` is a rule, wherever it stands.
    fn look(&mut self, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.look(item)),
            Value::Map(entries) => {
                self.rule(node);
                entries.iter().for_each(|entry| self.look(&entry.value));
            }
            Value::Null | Value::Bool(_) | Value::Int { .. } | Value::Float(_) | Value::Text(_) => {}
        }
    }

    fn rule(&mut self, node: &Node) {
        let Some(Value::Text(effect)) = node.entry("effect").map(|entry| &entry.value.value) else { return };
        let actions: Vec<&yaml::Text> = match (node.entry("actions"), node.entry("action")) {
            (Some(actions), _) => match &actions.value.value {
                Value::List(items) => items.iter().filter_map(text).collect(),
                _ => Vec::new(),
            },
            (None, Some(action)) => text(&action.value).into_iter().collect(),
            (None, None) => Vec::new(),
        };
        let reaches = |action: &yaml::Text| &*action.value == INVOKE_AUTO || action.value.contains('*');
        match &*effect.value {
            THIRD => {
                self.effects.push(effect.at);
                self.reaching.extend(actions.iter().filter(|action| reaches(action)).map(|action| action.at));
            }
            ALLOW if actions.iter().any(|a| &*a.value == INVOKE) && !actions.iter().any(|a| reaches(a)) => {
                self.outright.push(node.at);
            }
            _ => {}
        }
    }

    fn problem(&mut self, at: Position, message: String) {
        self.problems.push(Problem { place: Place { file: Arc::clone(&self.file), at }, message });
    }
}

fn text(node: &Node) -> Option<&yaml::Text> {
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
mod tests {
    use super::*;

    const OLD: &str = "\
# Mail goes out after approval.
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  rules:
    - actions: [\"invoke\"] # one
      effect: EFFECT_REQUIRES_APPROVAL # a person
      roles: [\"support\"]
    - actions: [\"invoke\"]
      effect: \"EFFECT_REQUIRES_APPROVAL\"
      roles: [\"sales\"]
    - actions: [\"invoke\"]
      effect: EFFECT_ALLOW
      roles: [\"admin\"]
    - actions: [\"invoke\", \"invoke:auto\"]
      effect: EFFECT_ALLOW
      roles: [\"robot\"]
";

    #[test]
    fn the_third_effect_becomes_an_allow_of_invoke_alone() {
        let done = migrate(&Source::new("mail.yaml", OLD)).unwrap();
        assert_eq!(done.text, OLD.replace("EFFECT_REQUIRES_APPROVAL", "EFFECT_ALLOW"));
        let rewritten: Vec<String> = done.rewritten.iter().map(ToString::to_string).collect();
        assert_eq!(rewritten, ["mail.yaml:8:15", "mail.yaml:11:15"]);
        let to_decide: Vec<String> = done.to_decide.iter().map(|problem| problem.place.to_string()).collect();
        assert_eq!(to_decide, ["mail.yaml:13:7"], "the robot's rule says what it means");
        assert!(crate::cerbos::PolicySet::load(&[Source::new("mail.yaml", &done.text)]).is_ok());
        assert!(crate::cerbos::PolicySet::load(&[Source::new("mail.yaml", OLD)]).is_err());
        let again = migrate(&Source::new("mail.yaml", &done.text)).unwrap();
        assert!(again.rewritten.is_empty() && again.text == done.text);
    }

    /// However it is written down: either nothing of the third effect is left, or its author is told.
    #[test]
    fn nothing_is_half_migrated() {
        let head = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n";
        let rule =
            |effect: &str| format!("    - actions: [invoke]\n      effect: {effect}\n      roles: [a]\n");
        let two = "    - {effect: EFFECT_REQUIRES_APPROVAL, actions: [invoke], roles: [a]}\n".repeat(2);
        for (text, done) in [
            (format!("{head}{}", rule(THIRD)), true),
            (format!("\u{feff}{head}{}", rule(THIRD)), true),
            (format!("{head}{}", rule(THIRD)).replace('\n', "\r\n"), true),
            (format!("{head}{}", rule("'EFFECT_REQUIRES_APPROVAL' # ä")), true),
            (format!("{head}{}{}", rule("&e EFFECT_REQUIRES_APPROVAL"), rule("*e")), false),
            (
                format!("{head}{two}")
                    .replace("}\n    - {", "}, {")
                    .replace("    - {", "    [{")
                    .replace("}\n", "}]\n"),
                true,
            ),
            (format!("{head}{}---\n{head}{}", rule(THIRD), rule(THIRD)), true),
            (format!("{head}{}", rule("\"EFFECT\\u005fREQUIRES_APPROVAL\"")), false),
            (format!("{head}{}", rule("|-\n        EFFECT_REQUIRES_APPROVAL")), false),
            (format!("{head}{}", rule(">-\n        EFFECT_REQUIRES_APPROVAL")), false),
            (
                format!(
                    "\u{feff}{{\"resourcePolicy\": {{\"rules\": [{{\"actions\": [\"invoke\"], \"effect\": \"{THIRD}\"}}]}}}}"
                ),
                false,
            ),
        ] {
            match migrate(&Source::new("a.yaml", &text)) {
                Ok(migrated) => {
                    let left = yaml::read(&"a.yaml".into(), &migrated.text, Limits::default()).unwrap();
                    assert!(!format!("{left:?}").contains(THIRD), "{}", migrated.text);
                    assert!(!migrated.rewritten.is_empty(), "{text}");
                }
                Err(problems) => assert!(!done, "{text}: {problems:?}"),
            }
        }
    }

    #[test]
    fn a_pattern_that_reaches_auto_is_left_to_the_author() {
        for action in ["*", "invoke:*", "invoke:auto", "invoke*"] {
            let text = OLD.replacen("[\"invoke\"]", &format!("[\"{action}\"]"), 1);
            let problems = migrate(&Source::new("mail.yaml", &text)).unwrap_err();
            assert_eq!(problems.len(), 1, "{action}: {problems:?}");
            assert_eq!(problems[0].place.to_string(), "mail.yaml:7:17");
        }
    }
}
