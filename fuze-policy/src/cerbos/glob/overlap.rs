//! Which of several patterns one text can match together: all patterns are run at once on all texts that they can tell apart.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use super::machine::{Machine, Set};
use super::{Glob, Matcher};

/// Where a pattern is, after a part of a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Everywhere,
    /// How much of the text before the `**` was read, if all was as it should be; and how much of the text behind it the end is by now.
    Ends(Option<usize>, usize),
    Set(Set),
}

/// Where all patterns are; and the text itself, while it is the beginning of a name.
type All = (Vec<At>, Option<String>);

/// For each set of patterns that some text matches, and that matches none of the others, one such text: a short one that is not empty and
/// none of the names. `None` if that takes more than so many steps.
pub(crate) fn texts_told_apart(
    globs: &[&Glob],
    names: &BTreeSet<Arc<str>>,
    mut steps: usize,
) -> Option<Vec<String>> {
    let letters = letters(globs, names);
    let start: All = (globs.iter().map(|glob| glob.start()).collect(), Some(String::new()));
    let mut seen: HashSet<All> = HashSet::from([start.clone()]);
    let mut waiting: VecDeque<(All, String)> = VecDeque::from([(start, String::new())]);
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    while let Some(((at, name), text)) = waiting.pop_front() {
        for letter in &letters {
            steps = steps.checked_sub(1 + globs.len())?;
            let next: Vec<At> = globs.iter().zip(&at).map(|(glob, at)| glob.step(*at, *letter)).collect();
            let longer = format!("{text}{letter}");
            let begins = |name: &&Arc<str>| name.starts_with(&*longer);
            let name =
                name.as_ref().filter(|_| names.iter().any(|name| begins(&name))).map(|_| longer.clone());
            if !name.as_ref().is_some_and(|name| names.contains(name.as_str())) {
                let matches = globs.iter().zip(&next).map(|(glob, at)| glob.is_end(*at)).collect();
                found.entry(matches).or_insert_with(|| longer.clone());
            }
            let next = (next, name);
            if seen.insert(next.clone()) {
                waiting.push_back((next, longer));
            }
        }
    }
    Some(found.into_values().collect())
}

/// Characters of which each stands for all between which no pattern and no name tells a difference; first those that read well.
fn letters(globs: &[&Glob], names: &BTreeSet<Arc<str>>) -> Vec<char> {
    let named = names.iter().flat_map(|name| name.chars());
    let edges: BTreeSet<char> =
        globs.iter().flat_map(|glob| glob.edges()).chain(named).chain(['x']).collect();
    let beside = |c: char| [Some(c), (char::MIN..c).next_back(), (c..=char::MAX).nth(1)];
    let all: BTreeSet<char> = edges.into_iter().flat_map(beside).flatten().collect();
    let mut all: Vec<char> = all.into_iter().collect();
    all.sort_by_key(|c| {
        (!c.is_ascii_lowercase(), !c.is_ascii_alphanumeric(), !c.is_ascii_graphic(), *c != 'x')
    });
    all
}

impl Glob {
    fn start(&self) -> At {
        match &self.matcher {
            Matcher::Everything => At::Everywhere,
            Matcher::Ends { .. } => At::Ends(Some(0), 0),
            Matcher::Machine(machine) => At::Set(machine.start()),
        }
    }

    fn step(&self, at: At, c: char) -> At {
        match (&self.matcher, at) {
            (Matcher::Ends { prefix, suffix }, At::Ends(read, ends)) => {
                let read = read.and_then(|read| match prefix.chars().nth(read) {
                    None => Some(read),
                    Some(wanted) => (wanted == c).then_some(read + 1),
                });
                let end: String = suffix.chars().take(ends).chain([c]).collect();
                let starts = end.char_indices().map(|(at, _)| end.get(at..).unwrap_or_default());
                let ends = starts.filter(|end| suffix.starts_with(end)).map(|end| end.chars().count()).max();
                At::Ends(read, ends.unwrap_or(0))
            }
            (Matcher::Machine(machine), At::Set(at)) => At::Set(machine.step(at, c)),
            (Matcher::Everything | Matcher::Ends { .. } | Matcher::Machine(_), at) => at,
        }
    }

    fn is_end(&self, at: At) -> bool {
        match (&self.matcher, at) {
            (Matcher::Ends { prefix, suffix }, At::Ends(read, ends)) => {
                read == Some(prefix.chars().count()) && ends == suffix.chars().count()
            }
            (_, At::Set(at)) => Machine::is_end(at),
            (Matcher::Everything | Matcher::Ends { .. } | Matcher::Machine(_), _) => true,
        }
    }

    fn edges(&self) -> Vec<char> {
        match &self.matcher {
            Matcher::Everything => Vec::new(),
            Matcher::Ends { prefix, suffix } => prefix.chars().chain(suffix.chars()).collect(),
            Matcher::Machine(machine) => machine.edges().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_apart(patterns: &[&str], names: &[&str]) -> Vec<String> {
        let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(pattern).unwrap()).collect();
        let names = names.iter().map(|name| Arc::from(*name)).collect();
        texts_told_apart(&globs.iter().collect::<Vec<_>>(), &names, 5_000_000).unwrap()
    }

    fn sets(patterns: &[&str], names: &[&str]) -> BTreeSet<Vec<usize>> {
        let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(pattern).unwrap()).collect();
        let texts = told_apart(patterns, names);
        assert!(texts.iter().all(|text| !text.is_empty() && !names.contains(&text.as_str())), "{texts:?}");
        let of = |text: &String| {
            globs.iter().enumerate().filter(|(_, glob)| glob.matches(text)).map(|(at, _)| at).collect()
        };
        let sets: BTreeSet<Vec<usize>> = texts.iter().map(of).collect();
        assert_eq!(sets.len(), texts.len(), "{texts:?}");
        sets
    }

    #[test]
    fn each_set_of_patterns_has_a_text_or_none() {
        let of = |sets: &[&[usize]]| sets.iter().map(|set| set.to_vec()).collect::<BTreeSet<_>>();
        assert_eq!(sets(&[], &[]), of(&[&[]]));
        assert_eq!(sets(&["a*"], &[]), of(&[&[], &[0]]));
        assert_eq!(sets(&["a*", "*b"], &[]), of(&[&[], &[0], &[1], &[0, 1]]));
        assert_eq!(sets(&["a*", "ab*"], &[]), of(&[&[], &[0], &[0, 1]]));
        assert_eq!(sets(&["a*", "b*"], &[]), of(&[&[], &[0], &[1]]));
        assert_eq!(sets(&["a:*", "a:b*", "*:c"], &[]), of(&[&[], &[0], &[0, 1], &[2], &[0, 2]]));
        // One star stops at `:`, two do not.
        assert_eq!(sets(&["a*", "a**"], &[]), of(&[&[], &[1], &[0, 1]]));
        assert_eq!(sets(&["[a-c]*", "[!b]*"], &[]), of(&[&[], &[0], &[1], &[0, 1]]));
        assert_eq!(sets(&["?*", "{ab,cd}*"], &[]), of(&[&[], &[0], &[0, 1]]));
        // gobwas lets both ends of `ab**b` be one.
        assert_eq!(sets(&["ab**b", "a?"], &[]), of(&[&[], &[0], &[1], &[0, 1]]));
        // Names stand for themselves.
        assert_eq!(sets(&["a", "a*"], &["a"]), of(&[&[], &[1]]));
        assert_eq!(sets(&["ab", "a?"], &["ab"]), of(&[&[], &[1]]));
    }

    /// Against all texts up to some length.
    #[test]
    fn no_set_is_missed() {
        let parts = ["a", "b", ":", "*", "?", "**", "[ab]", "[!a]", "[a-b]", "{a,b}"];
        let mut rng = fastrand::Rng::with_seed(5);
        let mut texts = vec![String::new()];
        for from in 0.. {
            if texts.len() > 3_000 {
                break;
            }
            let longer = ['a', 'b', ':', 'z'].map(|c| format!("{}{c}", texts[from]));
            texts.extend(longer);
        }
        let mut told = 0;
        while told < 150 {
            let mut pattern =
                || (0..rng.usize(1..4)).map(|_| parts[rng.usize(..parts.len())]).collect::<String>();
            let patterns = [pattern(), pattern()];
            let Ok(globs) = patterns.iter().map(|p| Glob::new(p)).collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            let sets = sets(&[&patterns[0], &patterns[1]], &["ab"]);
            for text in texts.iter().filter(|text| !text.is_empty() && *text != "ab") {
                let of: Vec<usize> = globs
                    .iter()
                    .enumerate()
                    .filter(|(_, glob)| glob.matches(text))
                    .map(|(at, _)| at)
                    .collect();
                assert!(sets.contains(&of), "{patterns:?} {text:?}");
            }
            told += 1;
        }
    }

    #[test]
    fn too_many_steps_are_not_taken() {
        let glob = Glob::new("a*b*c*d").unwrap();
        assert_eq!(texts_told_apart(&[&glob], &BTreeSet::new(), 10), None);
    }
}
