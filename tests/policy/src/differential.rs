//! Generated policies and requests, decided by two evaluations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fuze_policy::cel::Program;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::coverage::{Coverage, Uses};
use crate::generate::{self, Case, Question, Size};
use crate::ours::{self, Answer};
use crate::pdp::{Mode, Pdp};
use crate::repair;

/// What was compared.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Actions decided by both.
    pub decisions: u64,
    /// Of these, allowed.
    pub allowed: u64,
    /// Outputs.
    pub outputs: u64,
    /// Expressions that both refused to read.
    pub refused: u64,
    /// Sets that we refuse because Cerbos decides them by chance, or by mistake.
    pub by_chance: u64,
    /// Why, by the problem that was told first.
    pub refusals: BTreeMap<String, u64>,
    /// Answers that Cerbos itself gives otherwise when it is started again, ours among them.
    pub unstable: u64,
    /// What the rules that held made use of.
    pub uses: Uses,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Tally) {
        self.decisions += other.decisions;
        self.allowed += other.allowed;
        self.outputs += other.outputs;
        self.refused += other.refused;
        self.by_chance += other.by_chance;
        self.unstable += other.unstable;
        for (into, from) in other.refusals {
            *self.refusals.entry(into).or_default() += from;
        }
        for (into, from) in other.uses {
            *self.uses.entry(into).or_default() += from;
        }
    }
}

/// A problem without what is of one case: the words before and after `Cerbos 0.55`.
fn why(message: &str) -> String {
    let words: Vec<&str> = message
        .split_whitespace()
        .filter(|word| !word.contains(|c: char| c.is_numeric() && c != '5'))
        .collect();
    let about = words.iter().position(|word| *word == "Cerbos").unwrap_or_default();
    words[about..words.len().min(about + 12)].join(" ")
}

/// One answer that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The case's seed.
    pub seed: u64,
    /// How it was evaluated.
    pub mode: Mode,
    /// Who asked what.
    pub question: Question,
    /// Ours, or why there is none.
    pub ours: Result<Answer, String>,
    /// Cerbos's.
    pub theirs: Answer,
}

impl Difference {
    /// What differs, in one line.
    pub fn told(&self) -> String {
        match &self.ours {
            Ok(ours) => ours.unlike(&self.theirs).join("; "),
            Err(error) => error.clone(),
        }
    }
}

/// Compares all cases of these seeds with one decision point for each mode. Differences and expressions that only one side refuses are
/// returned, at most `most` of each.
pub fn compare(
    binary: &Path,
    scratch: &Path,
    seeds: &[u64],
    size: Size,
    most: usize,
) -> Result<(Tally, Vec<Difference>, Vec<String>), String> {
    let mut tally = Tally::default();
    let mut cases: Vec<Case> = seeds.iter().map(|seed| generate::case(*seed, size)).collect();
    let directory = scratch.join("policies");
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let mut readings = Vec::new();
    for (expression, said) in repair::repair(binary, &directory, &mut cases)? {
        match Program::parse(&expression) {
            Err(_) => tally.refused += 1,
            Ok(_) => readings.push(format!("Cerbos refuses, we take: {expression}\n    {said}")),
        }
    }
    let mut sets = BTreeMap::new();
    for case in &cases {
        match ours::load(case) {
            Ok(set) => drop(sets.insert(case.seed, set)),
            // What Cerbos decides by chance or by mistake, we refuse on purpose.
            Err(problems) if problems.all().iter().all(|problem| problem.message.contains("Cerbos 0.55")) => {
                tally.by_chance += 1;
                let first = problems.all().first().map(|problem| why(&problem.message));
                *tally.refusals.entry(first.unwrap_or_default()).or_default() += 1;
            }
            Err(problems) => {
                readings.push(format!("Cerbos takes, we refuse (seed {}): {problems}", case.seed))
            }
        }
    }
    // Of some that we refuse Cerbos does not even start.
    cases.retain(|case| sets.contains_key(&case.seed));
    fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    repair::write(&cases, &directory)?;
    let coverage: BTreeMap<u64, Coverage> = cases
        .iter()
        .filter_map(|case| Some((case.seed, Coverage::of(case, sets.get(&case.seed)?))))
        .collect();
    let mut differences = Vec::new();
    for mode in [Mode::Strict, Mode::Lenient] {
        let pdp = Pdp::start(binary, &directory, mode, scratch)?;
        for case in &cases {
            let (Some(set), Some(coverage)) = (sets.get(&case.seed), coverage.get(&case.seed)) else {
                continue;
            };
            for question in &case.questions {
                let answers = ours::theirs(&pdp.check(&question.principal, &question.resources)?);
                if answers.len() != question.resources.len() {
                    return Err(format!(
                        "{} answers to {} questions",
                        answers.len(),
                        question.resources.len()
                    ));
                }
                for (resource, theirs) in question.resources.iter().zip(answers) {
                    tally.decisions += theirs.actions.len() as u64;
                    tally.allowed +=
                        theirs.actions.values().filter(|found| found.0 == "EFFECT_ALLOW").count() as u64;
                    tally.outputs += theirs.outputs.len() as u64;
                    coverage.request(&question.principal, &mut tally.uses);
                    let uses = &mut tally.uses;
                    let ours = ours::check(set, mode, &question.principal, resource, &mut |step| {
                        coverage.step(&step, uses)
                    });
                    let agree = ours.as_ref().is_ok_and(|ours| ours.agrees(&theirs));
                    if !agree && unstable(binary, scratch, case, mode, &question.principal, resource)? {
                        tally.unstable += 1;
                    } else if !agree && differences.len() < most {
                        let question = Question {
                            principal: question.principal.clone(),
                            resources: vec![resource.clone()],
                        };
                        differences.push(Difference { seed: case.seed, mode, question, ours, theirs });
                    }
                }
            }
        }
    }
    readings.truncate(most);
    Ok((tally, differences, readings))
}

/// Whether Cerbos, started again with these policies alone, also gives our answer: it compiles some policies in an order that changes from
/// start to start, and shares the outcome of a rule's condition between its derived roles. What it makes of a map is in no order at all: its
/// answers then differ among themselves, and from ours in nothing else.
fn unstable(
    binary: &Path,
    scratch: &Path,
    case: &Case,
    mode: Mode,
    principal: &Value,
    resource: &Value,
) -> Result<bool, String> {
    let question = Question { principal: principal.clone(), resources: vec![resource.clone()] };
    let alone = Case { questions: vec![question], ..case.clone() };
    let mut unordered: Vec<Answer> = Vec::new();
    for _ in 0..6 {
        let Some((ours, theirs)) = once(binary, scratch, &alone, mode)? else { return Ok(true) };
        if ours.as_ref().is_ok_and(|ours| ours.agrees(&theirs)) {
            return Ok(true);
        }
        if ours.is_ok_and(|ours| ours.in_any_order().agrees(&theirs.in_any_order())) {
            unordered.push(theirs);
        }
    }
    Ok(unordered.len() == 6 && unordered.iter().any(|answer| answer != &unordered[0]))
}

/// Makes a difference smaller, part by part, as long as both engines take the policies and still differ.
pub fn shrink(binary: &Path, scratch: &Path, case: &Case, difference: &Difference) -> Result<Case, String> {
    let mut small = Case {
        seed: case.seed,
        policies: case.policies.clone(),
        questions: vec![difference.question.clone()],
    };
    let mut tried = 0;
    loop {
        let before = size(&small);
        for candidate in smaller(&small) {
            tried += 1;
            if tried > 2_000 {
                return Ok(small);
            }
            if size(&candidate) < size(&small) && differs(binary, scratch, &candidate, difference.mode)? {
                small = candidate;
                break;
            }
        }
        if size(&small) == before {
            return Ok(small);
        }
    }
}

fn size(case: &Case) -> usize {
    let policies: usize = case.policies.iter().map(|(_, policy)| policy.to_string().len()).sum();
    let questions: usize = case
        .questions
        .iter()
        .map(|q| {
            q.principal.to_string().len() + q.resources.iter().map(|r| r.to_string().len()).sum::<usize>()
        })
        .sum();
    policies + questions
}

fn differs(binary: &Path, scratch: &Path, case: &Case, mode: Mode) -> Result<bool, String> {
    let answers = once(binary, scratch, case, mode)?;
    Ok(answers.is_some_and(|(ours, theirs)| !ours.is_ok_and(|ours| ours.agrees(&theirs))))
}

/// Ours, or why there is none, and Cerbos's.
type Answers = (Result<Answer, String>, Answer);

/// Our answer and that of a Cerbos with these policies alone to the first question; none where one of the two takes the policies or the
/// question for wrong.
fn once(binary: &Path, scratch: &Path, case: &Case, mode: Mode) -> Result<Option<Answers>, String> {
    let directory: PathBuf = scratch.join("shrink");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    repair::write(std::slice::from_ref(case), &directory)?;
    let (Ok(set), Ok(pdp)) = (ours::load(case), Pdp::start(binary, &directory, mode, scratch)) else {
        return Ok(None);
    };
    let Some(question) = case.questions.first() else { return Ok(None) };
    let Ok(answer) = pdp.check(&question.principal, &question.resources) else { return Ok(None) };
    let first = question.resources.first().zip(ours::theirs(&answer).into_iter().next());
    Ok(first.map(|(resource, theirs)| {
        (ours::check(&set, mode, &question.principal, resource, &mut |_| {}), theirs)
    }))
}

/// A difference that was found, made small and kept: both have to agree on it now, or we refuse its policies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What was decided otherwise.
    pub about: String,
    /// Whether it is decided by a mistake of Cerbos's, so that we take no such policies.
    pub refused: bool,
    /// The policies by their files' names.
    pub policies: BTreeMap<String, Value>,
    /// Who asks.
    pub principal: Value,
    /// About what: `{"resource": …, "actions": […]}`.
    pub resource: Value,
}

impl Found {
    /// A case with one question about one resource.
    pub fn new(case: &Case, about: String) -> Option<Self> {
        let Question { principal, resources } = case.questions.first()?;
        let [resource] = &resources[..] else { return None };
        let policies = case.policies.iter().cloned().collect();
        Some(Self {
            about,
            refused: false,
            policies,
            principal: principal.clone(),
            resource: resource.clone(),
        })
    }

    /// What still differs, in either mode.
    pub fn hold(&self, binary: &Path, scratch: &Path) -> Result<(), String> {
        let question = Question { principal: self.principal.clone(), resources: vec![self.resource.clone()] };
        let policies = self.policies.clone().into_iter().collect();
        let case = Case { seed: 0, policies, questions: vec![question] };
        if self.refused {
            return match ours::load(&case) {
                Err(problems) if problems.to_string().contains("Cerbos 0.55") => Ok(()),
                Err(problems) => Err(format!("refused for another reason: {problems}")),
                Ok(_) => Err("these policies are taken now: say what they come to".to_owned()),
            };
        }
        for mode in [Mode::Strict, Mode::Lenient] {
            let (ours, theirs) =
                once(binary, scratch, &case, mode)?.ok_or("nobody answers: the case has rotted")?;
            let ours = ours?;
            if !ours.agrees(&theirs) {
                return Err(format!("{mode:?}: {}", ours.unlike(&theirs).join("; ")));
            }
        }
        Ok(())
    }
}

/// Cases with one part less.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for at in 0..case.policies.len() {
        let mut less = case.clone();
        less.policies.remove(at);
        all.push(less);
    }
    for at in 0..case.policies.len() {
        for policy in without_one(&case.policies[at].1) {
            let mut less = case.clone();
            less.policies[at].1 = policy;
            all.push(less);
        }
    }
    for question in 0..case.questions.len() {
        for principal in without_one(&case.questions[question].principal) {
            let mut less = case.clone();
            less.questions[question].principal = principal;
            all.push(less);
        }
        for resource in without_one(&case.questions[question].resources[0]) {
            let mut less = case.clone();
            less.questions[question].resources[0] = resource;
            all.push(less);
        }
    }
    all
}

/// The value with one member or item left out, anywhere in it.
fn without_one(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(members) => {
            for name in members.keys() {
                let mut less = members.clone();
                less.remove(name);
                all.push(Value::Object(less));
            }
            for (name, inner) in members {
                for inner in without_one(inner) {
                    let mut less = members.clone();
                    less.insert(name.clone(), inner);
                    all.push(Value::Object(less));
                }
            }
        }
        Value::Array(items) => {
            for at in 0..items.len() {
                let mut less = items.clone();
                less.remove(at);
                all.push(Value::Array(less));
            }
            for (at, inner) in items.iter().enumerate() {
                for inner in without_one(inner) {
                    let mut less = items.clone();
                    less[at] = inner;
                    all.push(Value::Array(less));
                }
            }
        }
        _ => {}
    }
    all
}
