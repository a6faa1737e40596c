//! Policies that a program is built with: a build script loads, tests and proves them, and writes them into the program.
//!
//! ```no_run
//! // build.rs
//! use fuze_policy::analysis::Property;
//! use fuze_policy::build::Policies;
//!
//! fn main() {
//!     Policies::in_directory("policies")
//!         .roles(["accounting", "support"])
//!         .prove(Property::never_auto("special_category"))
//!         .compile();
//! }
//! ```
//!
//! A build script cannot see the program's tools. What the policies say about them goes into the [`Bundle`], and `fuze_agent::policy!`
//! holds it against the tools' types in a constant.
//!
//! The program decides by the flat form that was made here ([`Cerbos::flat_form`]), beside which lie the policies as their authors wrote
//! them. The bundle hash covers those, so the form names the hash and is the same bytes for the same policies: [`Bundle::engine`] makes it
//! anew and compares, some 0.1 ms for each policy, once in a process.

mod bundle;
mod tested;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::agent_tool::{self, Cerbos, LoadError};
use crate::analysis::{self, Call, Lint, NamedTool, Proof, Property, Reason, Tools};
use crate::cerbos::{Files, Place, Position, Problem, SchemaRef, Source};
use crate::suite::{self, Outcome, SuiteResult};

pub use bundle::{Built, Bundle, Named, Tested};

/// Policies of a directory, and what has to hold for them.
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before `compile` or `check`"]
pub struct Policies {
    directory: String,
    roles: Option<Vec<String>>,
    properties: Vec<Property>,
    allowed: BTreeSet<Lint>,
    released: Option<String>,
}

/// Policies that hold what was asked of them.
#[derive(Debug)]
pub struct Checked {
    engine: Cerbos,
    files: Files,
    manifest: Option<Source>,
    named: Vec<NamedTool>,
    tested: Vec<tested::Fixture>,
    /// What somebody should look at, though nothing is wrong with it.
    pub warnings: Vec<Problem>,
}

impl Checked {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Cerbos {
        &self.engine
    }
}

impl Policies {
    /// The policies of a directory; a relative one starts at the package. It is the name by which `policy!` finds them.
    ///
    /// They have to load, with the schemas that they name if the feature `cerbos-schema` is on (else each is a warning), pass their
    /// `*_test.yaml` suites and every lint that needs no tools, and three properties are proven of them: no
    /// `special_category` tool is ever allowed without approval, nothing crosses tenants, no rule is dead.
    pub fn in_directory(directory: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            roles: None,
            properties: vec![
                Property::never_auto("special_category"),
                Property::NothingCrossesTenants,
                Property::NoRuleIsDead,
            ],
            allowed: BTreeSet::new(),
            released: None,
        }
    }

    /// The roles that principals can have: a policy that names another one fails the build.
    pub fn roles<R: Into<String>>(self, roles: impl IntoIterator<Item = R>) -> Self {
        Self { roles: Some(roles.into_iter().map(Into::into).collect()), ..self }
    }

    /// Another property that has to be proven.
    pub fn prove(mut self, property: Property) -> Self {
        if !self.properties.contains(&property) {
            self.properties.push(property);
        }
        self
    }

    /// Leaves out a property that is proven otherwise. The build script is where reviewers see that.
    pub fn without(mut self, property: &Property) -> Self {
        self.properties.retain(|kept| kept != property);
        self
    }

    /// Lets a lint pass. The build script is where reviewers see that.
    pub fn allow(mut self, lint: Lint) -> Self {
        self.allowed.insert(lint);
        self
    }

    /// Another directory, with the policies as they were released: these may allow nothing that those denied.
    pub fn allow_nothing_beyond(self, released: impl Into<String>) -> Self {
        Self { released: Some(released.into()), ..self }
    }

    /// Checks everything, and writes nothing.
    ///
    /// # Errors
    /// All that is wrong, each with its file, line and column; the file as it lies from the package. What is wrong with a file keeps what
    /// comes after reading from being looked at.
    pub fn check(&self) -> Result<Checked, Vec<Problem>> {
        self.checked(Path::new(""))
    }

    /// For a build script: checks everything, and writes the policies to where `policy!` finds them. What is wrong fails the build as an
    /// error of its own. A file that was written, added or removed runs the build script again, which cargo tells from the times of
    /// files: one that was replaced by a copy with an older time (`cp -p`, `rsync -t`) it does not see.
    ///
    /// It speaks to cargo through the standard output and needs the environment that cargo gives to a build script.
    #[expect(clippy::print_stdout, reason = "the way in which a build script speaks to cargo")]
    pub fn compile(&self) {
        let say = |kind: &str, problem: &Problem| {
            // One line for each, else cargo takes the next line for another instruction.
            let text = problem.to_string().replace(['\n', '\r'], " ");
            println!("cargo::{kind}={text}");
        };
        println!("cargo::rerun-if-changed={}", self.directory);
        if let Some(released) = &self.released {
            println!("cargo::rerun-if-changed={released}");
        }
        let written = self.check().and_then(|checked| {
            let path = write::write(&self.directory, &checked).map_err(|problem| vec![problem])?;
            Ok((checked, path))
        });
        match written {
            Ok((checked, path)) => {
                checked.warnings.iter().for_each(|problem| say("warning", problem));
                println!("cargo::rustc-env={}{}={}", bundle::VARIABLE, self.directory, path.display());
            }
            Err(problems) => problems.iter().for_each(|problem| say("error", problem)),
        }
    }

    /// `base` is where a relative directory starts.
    fn checked(&self, base: &Path) -> Result<Checked, Vec<Problem>> {
        if self.directory.is_empty() || self.directory.contains(['=', '\n', '\r', '\0']) {
            let place = Place { file: self.directory.as_str().into(), at: Position::START };
            let message = "the directory needs a name, without `=` and line breaks".to_owned();
            return Err(vec![Problem { place, message }]);
        }
        let load = |directory: &str| -> Result<(Files, Option<Source>, Cerbos), Vec<Problem>> {
            let at = |error: LoadError| within(directory, error.problems());
            let (files, manifest) = agent_tool::read(&base.join(directory)).map_err(at)?;
            let engine = Cerbos::new(&files, manifest.as_ref()).map_err(at)?;
            Ok((files, manifest, engine))
        };
        let (files, manifest, engine) = load(&self.directory)?;
        let released = self.released.as_deref().map(load).transpose();
        let path = base.join(&self.directory);
        let mut wrong = Vec::new();
        let mut warnings = Vec::new();
        if files.policies.is_empty() {
            wrong.push(about(".", "there is no policy here: nothing would ever be allowed"));
        }
        if files.tests.is_empty() {
            warnings.push(about(".", "there is no test suite (`*_test.yaml`): nobody has written down what these policies shall do"));
        }
        let results = suite::run_all(&path, &files, engine.set()).unwrap_or_else(|problems| {
            wrong.extend(problems.all().iter().cloned());
            Vec::new()
        });
        results.iter().for_each(|result| judge(result, &mut wrong, &mut warnings));
        if !cfg!(feature = "cerbos-schema") {
            warnings.extend(engine.set().named_schemas().map(unlooked));
        }
        self.review(&engine, &suite::calls(&path, &files), &mut wrong, &mut warnings);
        let (tested, unread) = tested::fixtures(&path, &files, &results);
        wrong.extend(unread);
        let mut wrong = within(&self.directory, &wrong);
        match released {
            Err(problems) => wrong.extend(problems),
            Ok(Some((_, _, old))) => {
                let proof = analysis::diff(&old, &engine);
                wrong
                    .extend(unproven(&Property::AllowsNothingNew, &proof).map(|p| p.within(&self.directory)));
            }
            Ok(None) => {}
        }
        let warnings = within(&self.directory, &warnings);
        if !wrong.is_empty() {
            wrong.sort();
            wrong.dedup();
            return Err(wrong);
        }
        let named = analysis::named_tools(&engine);
        Ok(Checked { engine, files, manifest, named, tested, warnings })
    }

    fn review(&self, engine: &Cerbos, calls: &[Call], wrong: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
        let tools = Tools { tools: Vec::new(), roles: self.roles.clone() };
        let findings = analysis::lint(engine, &tools);
        let mut dead = false;
        for finding in findings.into_iter().filter(|finding| !self.allowed.contains(&finding.lint)) {
            dead |= finding.lint == Lint::DeadRule;
            let message = format!("{} ({})", finding.message, finding.lint);
            let told = if finding.lint.is_note() { &mut *warnings } else { &mut *wrong };
            told.push(Problem { place: finding.place, message });
        }
        for property in &self.properties {
            // The lint has named each of them.
            if !(dead && *property == Property::NoRuleIsDead) {
                wrong.extend(unproven(
                    property,
                    &analysis::prove(analysis::Policies::from(engine).tried_with(calls), property),
                ));
            }
        }
    }
}

/// A schema that this build cannot look at.
fn unlooked(schema: &SchemaRef) -> Problem {
    let message = format!(
        "the schema `{}` is not looked at, also not in tests: that needs the feature `cerbos-schema` of fuze-policy under \
         `[build-dependencies]`",
        schema.reference
    );
    Problem { place: schema.place.clone(), message }
}

/// What keeps a property from being proven.
fn unproven(property: &Property, proof: &Proof) -> Option<Problem> {
    let place = match proof {
        Proof::Proven { .. } => return None,
        Proof::Counterexample(found) => found.place.clone(),
        Proof::Unknown { reason: Reason::Opaque { place, .. }, .. } => Some(place.clone()),
        Proof::Unknown { .. } => None,
    };
    let told = proof.to_string();
    let Some(place) = place else { return Some(about(".", &told)) };
    // The place goes before the whole, once.
    let prefix = format!("{place}: ");
    let message = match told.strip_prefix(&prefix) {
        Some(rest) => rest.to_owned(),
        None => told.replacen(&format!("{property}: {prefix}"), &format!("{property}: "), 1),
    };
    Some(Problem { place, message })
}

fn judge(result: &SuiteResult, wrong: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    wrong.extend(result.problems.iter().cloned());
    let place = |at| Place { file: result.file.clone(), at };
    if let Some(reason) = &result.skipped {
        let message = format!("the suite is skipped: {}", reasoned(reason));
        warnings.push(Problem { place: place(Position::START), message });
    }
    for case in &result.cases {
        let told = match &case.outcome {
            Outcome::Passed => continue,
            Outcome::Skipped(reason) => {
                let message = format!("the test \"{}\" is skipped: {}", case.test, reasoned(reason));
                warnings.push(Problem { place: place(case.at), message });
                continue;
            }
            Outcome::Effect { expected, actual, unfit } => {
                let told = format!("{} was expected and it is {}", expected.as_str(), actual.as_str());
                unfit.iter().fold(told, |told, error| format!("{told}; {error}"))
            }
            Outcome::Outputs(failures) => {
                let one = |failure: &suite::OutputFailure| {
                    let actual = match &failure.actual {
                        None => "nothing".to_owned(),
                        Some(Ok(value)) => value.to_string(),
                        Some(Err(error)) => error.clone(),
                    };
                    format!("the output of {} shall be {} and is {actual}", failure.source, failure.wanted())
                };
                failures.iter().map(one).collect::<Vec<_>>().join("; ")
            }
            Outcome::Errored(error) => error.clone(),
        };
        let message = format!(
            "the test \"{}\" fails for the principal `{}`, the resource `{}` and `{}`: {told}",
            case.test, case.principal, case.resource, case.action
        );
        wrong.push(Problem { place: place(case.at), message });
    }
    warnings.dedup();
}

fn reasoned(reason: &str) -> &str {
    if reason.is_empty() { "no reason is given" } else { reason }
}

fn about(file: &str, message: &str) -> Problem {
    Problem { place: Place { file: file.into(), at: Position::START }, message: message.to_owned() }
}

/// Problems with files of a directory, as they lie from where the directory does.
fn within(directory: &str, problems: &[Problem]) -> Vec<Problem> {
    problems.iter().cloned().map(|problem| problem.within(directory)).collect()
}

impl Problem {
    fn within(mut self, directory: &str) -> Self {
        let path: PathBuf = match &*self.place.file {
            "." => PathBuf::from(directory),
            file => Path::new(directory).join(file),
        };
        self.place.file = path.to_string_lossy().replace('\\', "/").into();
        self
    }
}

#[cfg(test)]
mod tests;
