//! The suite of cases has no defect, and each kind of defect is found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::{fs, process};

use xtask::proof::{self, Defect, Fault, HeaderError, RULES, Suite, Toolchain};

#[test]
fn the_suite_has_no_defect() {
    let suite = proof::load(&proof::directory()).unwrap();
    let defects: Vec<String> = proof::defects(&suite).iter().map(ToString::to_string).collect();
    assert!(defects.is_empty(), "{} defects:\n{}", defects.len(), defects.join("\n"));
    assert!(suite.cases.len() >= 150, "only {} cases", suite.cases.len());
}

const ERROR: &str = "error[E0277]: GDPR Art. 6(1): add a basis\n --> fail/one.rs:2:1\n";

/// A sound suite on disk, to be damaged by one test.
struct OnDisk(PathBuf);

impl OnDisk {
    fn sound(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("fuze-proof-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&root);
        let suite = Self(root);
        for rule in 1..=RULES.len() {
            suite.put(
                &format!("fail/case_{rule}.rs"),
                &format!("// rule {rule} · GDPR Art. 6(1) · something\nfn main() {{}}\n"),
            );
            suite.put(&format!("fail/case_{rule}.stderr"), ERROR);
        }
        suite.put("pass/honest.rs", "fn main() {}\n");
        suite.put("Cargo.toml", "");
        suite.put("src/lib.rs", "");
        suite.put("tests/cases.rs", "");
        assert_eq!(suite.defects(), []);
        suite
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.0.join(path)).unwrap();
        self
    }

    fn load(&self) -> Suite {
        proof::load(&self.0).unwrap()
    }

    fn defects(&self) -> Vec<Defect> {
        proof::defects(&self.load())
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The faults of one more case in a suite that is otherwise sound.
fn check(name: &str, path: &str, source: &str, stderr: &str) -> Vec<Defect> {
    let suite = OnDisk::sound(name);
    suite.put(&format!("{path}.rs"), source).put(&format!("{path}.stderr"), stderr);
    suite.defects()
}

fn fault(path: &str, fault: Fault) -> Vec<Defect> {
    vec![Defect::Error { path: format!("{path}.rs"), fault }]
}

#[test]
fn a_case_needs_a_rule_an_article_and_what_is_tried() {
    for (name, header, error) in [
        ("none", "fn main() {}", HeaderError::NoRule),
        ("text", "// a case", HeaderError::NoRule),
        ("zero", "// rule 0 · GDPR Art. 6(1) · something", HeaderError::UnknownRule(0)),
        ("more", "// rule 21 · GDPR Art. 6(1) · something", HeaderError::UnknownRule(21)),
        ("article", "// rule 4 · something", HeaderError::NoArticle),
        ("statute", "// rule 4 · HIPAA · something", HeaderError::NoArticle),
        ("tried", "// rule 4 · AI Act Art. 14", HeaderError::NothingTried),
        (
            "remark",
            "// rule 4 · AI Act Art. 14 · something · else",
            HeaderError::UnknownRemark("else".into()),
        ),
    ] {
        let found = check(name, "attack/one", header, ERROR);
        assert_eq!(found, [Defect::Header { path: "attack/one.rs".into(), error }], "{header}");
    }
}

#[test]
fn every_rule_needs_a_case() {
    let suite = OnDisk::sound("rule");
    suite.remove("fail/case_7.rs").remove("fail/case_7.stderr");
    assert_eq!(suite.defects(), [Defect::RuleWithoutCase { rule: 7 }]);
}

#[test]
fn a_case_needs_its_error() {
    let suite = OnDisk::sound("stderr");
    suite.remove("fail/case_7.stderr");
    assert_eq!(suite.defects(), [Defect::NoStderr { path: "fail/case_7.rs".into() }]);
    suite.put("fail/case_7.stderr", "\n");
    assert_eq!(suite.defects(), [Defect::NoStderr { path: "fail/case_7.rs".into() }]);
}

#[test]
fn every_file_is_run() {
    for stray in [
        "fail/deeper/one.rs",
        "other/one.rs",
        "fail/one.stderr",
        "fail/one.rs.txt",
        "one.rs",
        "wip/one.stderr",
    ] {
        let suite = OnDisk::sound("stray");
        suite.put(stray, "// rule 4 · GDPR Art. 6(1) · something\n");
        assert_eq!(suite.defects(), [Defect::NotRun { path: stray.into() }], "{stray}");
    }
}

#[test]
fn something_honest_compiles() {
    let suite = OnDisk::sound("honest");
    suite.remove("pass/honest.rs");
    assert_eq!(suite.defects(), [Defect::NothingHonest]);
}

#[test]
fn a_case_fails_by_its_rule_and_not_by_accident() {
    let source = "// rule 4 · GDPR Art. 6(1) · something\n";
    for (name, stderr) in [
        ("E0432", "error[E0432]: unresolved import `fuze_agent::Tol`\n"),
        ("E0425", "error[E0425]: cannot find type `Retention` in this scope\n"),
        (
            "not in scope",
            "error[E0599]: no method named `run`\n = help: trait `Tool` is implemented but not in scope\n",
        ),
        (
            "with a similar name",
            "error[E0599]: no method named `anchor`\nhelp: there is a method `anchor_open` with a similar name\n",
        ),
    ] {
        assert_eq!(check("accident", "fail/one", source, stderr), fault("fail/one", Fault::ByAccident(name)));
        let meant = format!("// rule 4 · GDPR Art. 6(1) · something · by {name}\n");
        assert_eq!(check("meant", "fail/one", &meant, stderr), []);
    }
    let std = format!("{ERROR} --> $RUST/core/src/panic.rs\n");
    assert_eq!(check("std", "fail/one", source, &std), fault("fail/one", Fault::QuotesStd));
    let warning = format!("{ERROR}\nwarning: unused variable\n");
    assert_eq!(check("warning", "fail/one", source, &warning), fault("fail/one", Fault::Warning));
}

#[test]
fn a_macro_speaks_once_and_in_the_words_of_the_law() {
    let source = "// rule 4 · GDPR Art. 6(1) · something\n#[tool(effect = read)]\nfn one() {}\n";
    let path = "fail/one";
    let check = |stderr: &str| check("macro", path, source, stderr);
    assert_eq!(check(ERROR), []);
    let inside = format!("{ERROR}note: this error originates in the attribute macro `tool`\n");
    assert_eq!(check(&inside), fault(path, Fault::ShowsMacro("originates in")));
    let builder = format!("{ERROR} = note: expected `Unset<Retention>`\n");
    assert_eq!(check(&builder), fault(path, Fault::ShowsMacro("Unset<")));
    assert_eq!(check(&format!("{ERROR}\n{ERROR}")), fault(path, Fault::Count { expected: 1, found: 2 }));
    assert_eq!(check("error: add a basis\n"), fault(path, Fault::NoArticle));
    let known = source.replace("something", "something · no article");
    assert_eq!(check_counted(&known, "error: add a basis\n"), []);
    assert_eq!(check_counted(&known, ERROR), fault(path, Fault::HasArticle));
    assert_eq!(check("error: GDPR Art. 6(1): no\n"), fault(path, Fault::NoMend));
    let two = source.replace("something", "two things · 2 errors");
    assert_eq!(check_counted(&two, &format!("{ERROR}\n{ERROR}")), []);
    assert_eq!(check_counted(&two, ERROR), fault(path, Fault::Count { expected: 2, found: 1 }));
}

fn check_counted(source: &str, stderr: &str) -> Vec<Defect> {
    check("macro-counted", "fail/one", source, stderr)
}

#[test]
fn words_in_a_comment_make_no_macro_case() {
    let source = "// rule 4 · GDPR Art. 6(1) · a function without `#[tool]`\nfn main() {}\n";
    assert_eq!(check("comment", "fail/one", source, "error: no\n\nerror: no\n"), []);
}

#[test]
fn the_report_has_every_case_with_its_error_in_full() {
    let suite = OnDisk::sound("report");
    suite.put("attack/one.rs", "// rule 12 · GDPR Art. 32 · a secret in a log\nfn main() {}\n");
    suite.put(
        "attack/one.stderr",
        "error[E0277]: `Secret` doesn't implement `Debug`\n  --> attack/one.rs:2:1\n",
    );
    let toolchain = Toolchain { version: "1.2.3".into(), compiler: "rustc 9.9.9".into() };
    let text = proof::report(&suite.load(), &toolchain);
    for part in [
        "# Audit proof of fuze-agent 1.2.3",
        "rustc 9.9.9",
        "21 cases: 20 honest mistakes, 1 deliberate bypasses",
        "| 12 | Secrets stay secret | GDPR Art. 32; GDPR Art. 6(1) | 1 | 1 |",
        "### `attack/one.rs`\n\nGDPR Art. 32: a secret in a log.\n\n```text\nerror[E0277]: `Secret` doesn't implement `Debug`\n  --> attack/one.rs:2:1\n```",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert_eq!(text.matches(ERROR.trim_end()).count(), 20);
    assert_eq!(text.matches("\n## Rule ").count(), RULES.len());
}

#[test]
fn the_cases_of_this_repository_are_where_the_harness_looks() {
    for directory in proof::CHECKED.iter().chain(proof::BUILT).chain(proof::HONEST) {
        let here: &Path = &proof::directory().join(directory);
        assert!(fs::read_dir(here).unwrap().count() > 0, "nothing in {}", here.display());
    }
}

/// Traits that an author is meant to implement.
const AUTHORS: &[&str] = &["Tool", "Agent", "LawReference", "Plan", "Predicate", "HostList"];

/// A new relation without an attack on it would be a hole that nobody looked into.
#[test]
fn every_closed_trait_of_the_vocabulary_is_attacked() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuze-agent/src");
    let law = fs::read_dir(sources.join("law")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["agent", "boundary", "effect", "logic", "run", "tool"]
        .map(|name| sources.join(name).with_extension("rs"));
    let suite = proof::load(&proof::directory()).unwrap();
    let attacks: Vec<&str> = suite
        .cases
        .iter()
        .filter(|case| case.header.as_ref().is_ok_and(|header| header.rule == 17))
        .flat_map(|case| case.source.lines().filter(|line| line.starts_with("impl")))
        .collect();
    let mut closed = 0;
    for path in law.chain(others) {
        let source = fs::read_to_string(&path).unwrap();
        let module = path.file_stem().unwrap().to_str().unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("pub trait ")) {
            let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
            if AUTHORS.contains(&name.as_str()) {
                continue;
            }
            closed += 1;
            // `Basis` is three traits: those of one name are told apart by their module.
            let is_implemented = |line: &&str| {
                let at =
                    line.split([' ', '<']).any(|word| word == name || word.ends_with(&format!("::{name}")));
                let here = line.contains(&format!("{module}::{name}"));
                if name == "Basis" { here } else { at }
            };
            assert!(attacks.iter().any(is_implemented), "no attack of rule 17 implements `{module}::{name}`");
        }
    }
    assert!(closed >= 30, "only {closed} closed traits found");
}
