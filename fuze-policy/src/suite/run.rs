//! Runs suites.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::analysis::Call;
use crate::cel::{self, Map};
use crate::cerbos::{
    self, AuxData, CheckInput, CheckOutput, CheckParams, Effect, Place, PolicySet, Principal, Problem,
    Resource, Source,
};

use super::matrix::{self, Element, Expected};
use super::{Against, CaseResult, Options, Outcome, OutputFailure, Suite, SuiteResult, Table, read};

/// Results of one suite.
const MOST_RESULTS: usize = 1_000_000;

/// Runs a suite. `beside` are the files of the `testdata` directory next to it.
#[must_use]
pub fn run<'s>(against: impl Into<Against<'s>>, source: &Source, beside: &[Source]) -> SuiteResult {
    let against = against.into();
    let mut result = SuiteResult::of(source);
    let suite = match read::suite(source, beside) {
        Ok(suite) => suite,
        Err(problems) => {
            result.problems = problems;
            return result;
        }
    };
    result.name.clone_from(&suite.name);
    result.description.clone_from(&suite.description);
    if suite.skip.is_some() {
        result.skipped.clone_from(&suite.skip);
        return result;
    }
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    for table in &suite.tests {
        let problem = |message: String| Problem {
            place: Place { file: Arc::clone(&source.path), at: table.at },
            message,
        };
        if names.insert(&table.name, ()).is_some() {
            result.problems.push(problem(format!("another test is called `{}`, too", table.name)));
        }
        match Runner::new(&against, &suite, table) {
            Ok(runner) if result.cases.len().saturating_add(runner.count()) > MOST_RESULTS => {
                let message =
                    format!("up to this test the suite has more than {MOST_RESULTS} results: divide it");
                result.problems.push(problem(message));
                break;
            }
            Ok(runner) => result.cases.extend(runner.run()),
            Err((at, message)) => {
                let place = Place { file: Arc::clone(&source.path), at };
                result.problems.push(Problem { place, message });
            }
        }
    }
    if !result.problems.is_empty() {
        // As Cerbos: a suite with a mistake in it says nothing.
        result.cases.clear();
    }
    result
}

/// The calls that a suite tries; what it skips, it does not try.
pub(super) fn calls(source: &Source, beside: &[Source]) -> Vec<Call> {
    let Ok(suite) = read::suite(source, beside) else { return Vec::new() };
    let tried = suite.tests.iter().filter(|table| table.skip.is_none() && suite.skip.is_none());
    let of_table = |table: &Table| -> Vec<Call> {
        let now = table.options.as_ref().unwrap_or(&suite.options).now;
        let elements = matrix::elements(table, &suite.fixtures).unwrap_or_default();
        let call = |element: &Element<'_>| {
            let principal = suite.fixtures.principals.get(element.principal)?.clone();
            let resource = suite.fixtures.resources.get(element.resource)?.clone();
            Some(Call { input: CheckInput { principal, resource, ..CheckInput::default() }, now })
        };
        elements.iter().filter_map(call).collect()
    };
    tried.flat_map(of_table).collect()
}

struct Runner<'t> {
    set: &'t PolicySet,
    table: &'t Table,
    params: CheckParams,
    aux_data: Option<&'t AuxData>,
    cases: Vec<(Element<'t>, &'t Principal, &'t Resource)>,
}

impl<'t> Runner<'t> {
    fn new(
        against: &Against<'t>,
        suite: &'t Suite,
        table: &'t Table,
    ) -> Result<Self, (cerbos::Position, String)> {
        let at = |message| (table.at, message);
        let mut params = params(table.options.as_ref().unwrap_or(&suite.options));
        against.enforce(&mut params);
        let aux_data = match &table.aux_data {
            None => None,
            Some(key) => {
                let found = suite.fixtures.aux_data.get(key);
                Some(found.ok_or_else(|| at(format!("there is no auxData `{key}`")))?)
            }
        };
        let mut cases = Vec::new();
        for element in matrix::elements(table, &suite.fixtures)? {
            let missing = |what: &str, key: &str| at(format!("there is no {what} `{key}`"));
            let principal = suite.fixtures.principals.get(element.principal);
            let resource = suite.fixtures.resources.get(element.resource);
            let principal = principal.ok_or_else(|| missing("principal", element.principal))?;
            let resource = resource.ok_or_else(|| missing("resource", element.resource))?;
            cases.push((element, principal, resource));
        }
        Ok(Self { set: against.set, table, params, aux_data, cases })
    }

    /// How many results there will be.
    fn count(&self) -> usize {
        self.cases.len().saturating_mul(self.table.actions.len())
    }

    fn run(self) -> Vec<CaseResult> {
        let mut results = Vec::new();
        for (element, principal, resource) in &self.cases {
            let answer = match &self.table.skip {
                Some(_) => None,
                None => {
                    let input = CheckInput {
                        principal: (*principal).clone(),
                        resource: (*resource).clone(),
                        actions: self.table.actions.iter().map(|action| action.as_str().into()).collect(),
                        aux_data: self.aux_data.cloned(),
                        ..CheckInput::default()
                    };
                    Some(cerbos::check(self.set, &input, &self.params))
                }
            };
            for action in &self.table.actions {
                let outcome = match (&answer, &self.table.skip) {
                    (None, reason) => Outcome::Skipped(reason.clone().unwrap_or_default()),
                    (Some(Err(error)), _) => Outcome::Errored(error.to_string()),
                    (Some(Ok(output)), _) => judge(action, &element.expected, output),
                };
                results.push(CaseResult {
                    test: self.table.name.clone(),
                    principal: element.principal.to_owned(),
                    resource: element.resource.to_owned(),
                    action: action.clone(),
                    at: self.table.at,
                    outcome,
                });
            }
        }
        results
    }
}

fn judge(action: &str, expected: &Expected<'_>, output: &CheckOutput) -> Outcome {
    let Some(found) = output.action(action) else {
        return Outcome::Errored(format!("nothing was said about `{action}`"));
    };
    let effect = expected.effects.get(action).copied().unwrap_or(Effect::Deny);
    if effect != found.effect {
        return Outcome::Effect {
            expected: effect,
            actual: found.effect,
            unfit: output.validation_errors.clone(),
        };
    }
    let mut failures = Vec::new();
    for (source, wanted) in expected.outputs.get(action).into_iter().flatten() {
        // Where a rule speaks several times, for several roles, the last counts, as in Cerbos.
        let said =
            output.outputs.iter().rev().find(|entry| &*entry.action == action && &*entry.source == *source);
        let actual = said.map(|entry| entry.value.clone());
        let as_expected = matches!((&actual, wanted), (Some(Ok(actual)), Some(wanted)) if actual == *wanted);
        if !as_expected {
            failures.push(OutputFailure { source: (*source).to_owned(), expected: wanted.cloned(), actual });
        }
    }
    if failures.is_empty() { Outcome::Passed } else { Outcome::Outputs(failures) }
}

fn params(options: &Options) -> CheckParams {
    let mut params = CheckParams { now: options.now, ..CheckParams::timeless() };
    params.lenient = !options.strict_evaluation;
    params.lenient_scope_search = options.lenient_scope_search;
    if let Some(version) = &options.default_policy_version {
        version.as_ref().clone_into(&mut params.default_policy_version);
    }
    if let Some(scope) = &options.default_scope {
        scope.as_ref().clone_into(&mut params.default_scope);
    }
    if let cel::Value::Map(globals) = cel::Value::from(Value::Object(options.globals.clone())) {
        let globals: Arc<Map> = globals;
        params.globals = globals;
    }
    params
}
