//! Suites come to what `cerbos compile` makes of them: case by case, and where a suite itself is at fault.
//!
//! Left out is what Cerbos 0.55 itself crashes at: a suite or a file of fixtures without anything in it, and a `---` or `...` at its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fuze_agent_policy_tests::pdp;
use fuze_agent_policy_tests::suites::{self, Case, Results, Suite};

const POLICIES: [(&str, &str); 3] = [
    ("album.yaml", include_str!("suites/album.yaml")),
    ("album_other.yaml", include_str!("suites/album_other.yaml")),
    ("album_acme.yaml", include_str!("suites/album_acme.yaml")),
];

/// The suite that is changed.
const SUITE: &str = include_str!("suites/suite.yaml");

/// Changes of the suite. `# name` begins one, or `! name` if we refuse on purpose what Cerbos takes; then come pairs of lines `- ` that
/// stand in the suite and of lines `+ ` that take their place.
const CHANGES: &str = include_str!("suites/changes.txt");

/// Directories. `# name` begins one, `> path` a file in it, `| ` each of its lines. The line `SUITE` is the whole suite.
const DIRECTORIES: &str = include_str!("suites/directories.txt");

/// Actions that ask for the time, or could and do not.
const ASKS: [&str; 20] = [
    "now",
    "since",
    "since-no-time",
    "not-asked",
    "asked-first",
    "absorbed",
    "failed-before",
    "other-branch",
    "in-a-macro",
    "in-all",
    "in-a-list",
    "as-an-argument",
    "as-a-key",
    "bound",
    "constant",
    "within-any",
    "other-role",
    "said-when",
    "unsaid-when",
    "after-a-deny",
];

/// A directory of suites and fixtures.
struct Directory {
    name: String,
    /// Whether we refuse what Cerbos takes.
    stricter: bool,
    files: Vec<(String, String)>,
}

impl Directory {
    fn of_suite(name: &str, stricter: bool, text: String) -> Self {
        Self { name: name.to_owned(), stricter, files: vec![("s_test.yaml".to_owned(), text)] }
    }
}

/// One case of a list, with its lines by their first character.
struct Block<'t> {
    name: &'t str,
    stricter: bool,
    lines: Vec<(char, &'t str)>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_at(1);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match (mark, blocks.last_mut()) {
            ("#" | "!", _) => blocks.push(Block { name: rest, stricter: mark == "!", lines: Vec::new() }),
            (_, Some(block)) => block.lines.push((mark.chars().next().unwrap(), rest)),
            (_, None) => panic!("{line}"),
        }
    }
    blocks
}

fn changed(name: &str, lines: &[(char, &str)]) -> String {
    let mut text = SUITE.to_owned();
    let mut rest = lines;
    while !rest.is_empty() {
        let mut part = |mark: char| {
            let end = rest.iter().position(|(found, _)| *found != mark).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            rest = after;
            part.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
        };
        let (from, to) = (part('-'), part('+'));
        assert_eq!(text.matches(&from).count(), 1, "{name}: {from}");
        text = text.replace(&from, &to);
    }
    text
}

fn directories() -> Vec<Directory> {
    let mut all = Vec::new();
    for Block { name, stricter, lines } in blocks(CHANGES) {
        all.push(Directory::of_suite(name, stricter, changed(name, &lines)));
    }
    for Block { name, stricter, lines } in blocks(DIRECTORIES) {
        let mut files: Vec<(String, String)> = Vec::new();
        for (mark, line) in lines {
            match (mark, files.last_mut()) {
                ('>', _) => files.push((line.to_owned(), String::new())),
                ('|', Some((_, text))) if line == "SUITE" => text.push_str(SUITE),
                ('|', Some((_, text))) => *text += &format!("{line}\n"),
                _ => panic!("{name}: {line}"),
            }
        }
        all.push(Directory { name: name.to_owned(), stricter, files });
    }
    for action in ASKS {
        for options in [
            "{}",
            "{strictEvaluation: true}",
            "{now: \"2026-01-01T00:00:00Z\"}",
            "{now: \"2026-01-01T00:00:00Z\", strictEvaluation: true}",
        ] {
            let text = SUITE
                .replace("options: {strictEvaluation: true}", &format!("options: {options}"))
                .replace(
                    "principals: [p, g], resources: [a], actions: [view]",
                    &format!("principals: [p], resources: [a], actions: [{action}]"),
                )
                .replace("view: EFFECT_ALLOW", &format!("{action}: EFFECT_ALLOW"));
            all.push(Directory::of_suite(&format!("{action} {options}"), false, text));
        }
    }
    all
}

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn suites_come_to_what_cerbos_makes_of_them() {
    let Some(binary) = pdp::binary() else { return };
    let scratch = tempfile::tempdir().unwrap();
    for (name, text) in POLICIES {
        write(scratch.path(), name, text);
    }
    let directories = directories();
    for (at, directory) in directories.iter().enumerate() {
        for (path, text) in &directory.files {
            write(scratch.path(), &format!("d{at}/{path}"), text);
        }
    }
    let ours = suites::ours(scratch.path()).unwrap();
    let theirs = suites::theirs(&binary, scratch.path()).unwrap();
    let (mut wrong, mut seen) = (Vec::new(), BTreeMap::new());
    for (at, directory) in directories.iter().enumerate() {
        let of = |all: &Results| -> Results {
            let within = |(file, suite): (&String, &Suite)| {
                Some((file.strip_prefix(&format!("d{at}/"))?.to_owned(), suite.clone()))
            };
            all.iter().filter_map(within).collect()
        };
        let (ours, theirs) = (of(&ours), of(&theirs));
        let as_it_should = if directory.stricter {
            ours.values().all(|suite| *suite == Suite::Errored) && ours != theirs
        } else {
            ours == theirs
        };
        if !as_it_should {
            wrong.push(format!("{}\n  ours   {ours:?}\n  theirs {theirs:?}", directory.name));
        }
        for suite in theirs.values() {
            *seen.entry(kind(suite)).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), directories.len(), wrong.join("\n"));
    // Every way to end is among them.
    println!("{seen:?}");
    for kind in [
        "errored",
        "skipped",
        "a case errored",
        "a case skipped",
        "another effect",
        "other outputs",
        "passed",
    ] {
        assert!(seen.get(kind).is_some_and(|count| *count >= 2), "{kind}: {seen:?}");
    }
}

/// The worst that came of a suite.
fn kind(suite: &Suite) -> &'static str {
    let Suite::Ran(cases) = suite else {
        return if *suite == Suite::Errored { "errored" } else { "skipped" };
    };
    let any = |is: fn(&Case) -> bool| cases.values().any(is);
    if any(|case| *case == Case::Errored) {
        "a case errored"
    } else if any(|case| matches!(case, Case::Outputs(_))) {
        "other outputs"
    } else if any(|case| matches!(case, Case::Effect(..))) {
        "another effect"
    } else if any(|case| matches!(case, Case::Skipped(_))) {
        "a case skipped"
    } else {
        "passed"
    }
}

/// What is a schema to a server is a suite to `cerbos compile`, if it is called like one.
#[test]
fn a_schema_can_be_a_suite_as_well() {
    let Some(binary) = pdp::binary() else { return };
    let scratch = tempfile::tempdir().unwrap();
    write(scratch.path(), "album.yaml", POLICIES[0].1);
    write(scratch.path(), "_schemas/album_test.json", "{\"type\": \"object\"}");
    let theirs = suites::theirs(&binary, scratch.path()).unwrap();
    assert_eq!(theirs, Results::from([("_schemas/album_test.json".to_owned(), Suite::Errored)]));
    assert_eq!(suites::ours(scratch.path()).unwrap(), theirs);
}
