//! The proof as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use super::Suite;
use super::case::{Case, Header};
use super::rules::RULES;

/// What the errors come from.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The version of this workspace.
    pub version: String,
    /// What `rustc --version` says.
    pub compiler: String,
}

impl Toolchain {
    /// The toolchain in use here.
    #[must_use]
    pub fn current() -> Self {
        let said = Command::new("rustc").arg("--version").output().ok();
        let said = said.and_then(|output| String::from_utf8(output.stdout).ok());
        let compiler =
            said.map_or_else(|| "rustc of an unknown version".to_owned(), |text| text.trim().to_owned());
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), compiler }
    }
}

/// The proof: a summary, then each rule with its cases and their errors in full.
#[must_use]
pub fn report(suite: &Suite, toolchain: &Toolchain) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut text, suite, toolchain);
    text
}

fn write(text: &mut String, suite: &Suite, toolchain: &Toolchain) -> std::fmt::Result {
    let all: Vec<(&Case, &Header)> =
        suite.cases.iter().filter_map(|case| Some((case, case.header.as_ref().ok()?))).collect();
    let of = |rule: usize| all.iter().filter(move |(_, header)| header.rule == rule);
    let bypass = |case: &Case| case.path.starts_with("attack/");
    let bypasses = all.iter().filter(|(case, _)| bypass(case)).count();

    writeln!(text, "# Audit proof of fuze-agent {}\n", toolchain.version)?;
    writeln!(
        text,
        "Each of these programs breaks a rule and does not compile. The errors are those of {}, in full; paths are \
         shortened. The tests of the package `fuze-agent-proof` compile every program again and compare.\n",
        toolchain.compiler
    )?;
    writeln!(
        text,
        "{} cases: {} honest mistakes, {bypasses} deliberate bypasses. {} honest programs beside them compile. A case under `build/` passes \
         `cargo check` and fails `cargo build`; all others fail both.\n",
        all.len(),
        all.len() - bypasses,
        suite.honest.len()
    )?;
    writeln!(text, "What this does not prove: that a declaration is true, or that the law asks no more.\n")?;
    writeln!(
        text,
        "| rule | what does not compile | articles | mistakes | bypasses |\n|--:|---|---|--:|--:|"
    )?;
    for (number, rule) in (1..).zip(RULES) {
        let articles: BTreeSet<&str> = of(number).map(|(_, header)| header.article.as_str()).collect();
        let articles: Vec<&str> = articles.into_iter().collect();
        let attacks = of(number).filter(|(case, _)| bypass(case)).count();
        let mistakes = of(number).count() - attacks;
        writeln!(text, "| {number} | {} | {} | {mistakes} | {attacks} |", rule.name, articles.join("; "))?;
    }
    for (number, rule) in (1..).zip(RULES) {
        writeln!(
            text,
            "\n## Rule {number}. {}\n\nDoes not compile: {}\n",
            rule.name,
            lower_first(rule.text)
        )?;
        for (case, header) in of(number) {
            writeln!(text, "### `{}`\n\n{}: {}.\n", case.path, header.article, header.tried)?;
            writeln!(text, "```text\n{}\n```\n", case.stderr.as_deref().unwrap_or_default().trim_end())?;
        }
    }
    Ok(())
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
