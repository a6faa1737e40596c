//! Runs suites.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value};

use crate::cel::{self, Map, Timestamp};
use crate::cerbos::{
    self, AuxData, CheckInput, CheckOutput, CheckParams, Effect, Place, PolicySet, Principal, Problem,
    Resource, Source,
};

use super::matrix::{self, Element, Expected};
use super::{Against, CaseResult, Options, Outcome, OutputFailure, Suite, SuiteResult, Table, read};

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

struct Runner<'s> {
    set: &'s PolicySet,
    table: &'s Table,
    params: CheckParams,
    cases: Vec<(Element, CheckInput)>,
}

impl<'s> Runner<'s> {
    fn new(
        against: &Against<'s>,
        suite: &Suite,
        table: &'s Table,
    ) -> Result<Self, (cerbos::Position, String)> {
        let at = |message| (table.at, message);
        let mut params = params(table.options.as_ref().unwrap_or(&suite.options)).map_err(at)?;
        against.enforce(&mut params);
        let aux_data = match &table.aux_data {
            None => None,
            Some(key) => {
                let value = suite
                    .fixtures
                    .aux_data
                    .get(key)
                    .ok_or_else(|| at(format!("there is no auxData `{key}`")))?;
                Some(aux_data(value).map_err(|why| at(format!("auxData `{key}`: {why}")))?)
            }
        };
        let mut cases = Vec::new();
        for element in matrix::elements(table, &suite.fixtures)? {
            let find = |of: &BTreeMap<String, Value>, what: &str, key: &str| {
                of.get(key).cloned().ok_or_else(|| at(format!("there is no {what} `{key}`")))
            };
            let principal = find(&suite.fixtures.principals, "principal", &element.principal)?;
            let resource = find(&suite.fixtures.resources, "resource", &element.resource)?;
            let input = CheckInput {
                principal: self::principal(&principal)
                    .map_err(|why| at(format!("principal `{}`: {why}", element.principal)))?,
                resource: self::resource(&resource)
                    .map_err(|why| at(format!("resource `{}`: {why}", element.resource)))?,
                actions: table.actions.iter().map(|action| action.as_str().into()).collect(),
                aux_data: aux_data.clone(),
                ..CheckInput::default()
            };
            cases.push((element, input));
        }
        Ok(Self { set: against.set, table, params, cases })
    }

    fn run(self) -> Vec<CaseResult> {
        let mut results = Vec::new();
        for (element, input) in &self.cases {
            let answer = match &self.table.skip {
                Some(_) => None,
                None => Some(cerbos::check(self.set, input, &self.params)),
            };
            for action in &self.table.actions {
                let outcome = match (&answer, &self.table.skip) {
                    (None, reason) => Outcome::Skipped(reason.clone().unwrap_or_default()),
                    (Some(Err(error)), _) => Outcome::Errored(error.to_string()),
                    (Some(Ok(output)), _) => judge(action, &element.expected, output),
                };
                results.push(CaseResult {
                    test: self.table.name.clone(),
                    principal: element.principal.clone(),
                    resource: element.resource.clone(),
                    action: action.clone(),
                    at: self.table.at,
                    outcome,
                });
            }
        }
        results
    }
}

fn judge(action: &str, expected: &Expected, output: &CheckOutput) -> Outcome {
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
        let said = output
            .outputs
            .iter()
            .rev()
            .find(|entry| &*entry.action == action && &*entry.source == source.as_str());
        let actual = said.map(|entry| entry.value.clone());
        if actual.as_ref().and_then(|value| value.as_ref().ok()) != Some(wanted) {
            failures.push(OutputFailure { source: source.clone(), expected: wanted.clone(), actual });
        }
    }
    if failures.is_empty() { Outcome::Passed } else { Outcome::Outputs(failures) }
}

fn params(options: &Options) -> Result<CheckParams, String> {
    let now = match &options.now {
        None => Timestamp { seconds: ZERO_TIME, nanoseconds: 0, offset_seconds: 0 },
        Some(text) => {
            Timestamp::parse(text).ok_or_else(|| format!("`now: {text}` is no time in RFC 3339"))?
        }
    };
    let mut params = CheckParams::at(now);
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
    Ok(params)
}

/// Go's zero time, 0001-01-01T00:00:00Z, which Cerbos takes where a suite names none.
const ZERO_TIME: i64 = -62_135_596_800;

fn principal(value: &Value) -> Result<Principal, String> {
    let mut members = Members::of(value)?;
    let principal = Principal {
        id: members.text("id")?,
        policy_version: members.text("policyVersion")?,
        scope: members.text("scope")?,
        roles: members.texts("roles")?,
        attr: members.map("attr")?,
    };
    members.finish()?;
    if principal.id.is_empty() {
        return Err("`id` is missing".to_owned());
    }
    if principal.roles.is_empty() {
        return Err("`roles` needs one role at least".to_owned());
    }
    Ok(principal)
}

fn resource(value: &Value) -> Result<Resource, String> {
    let mut members = Members::of(value)?;
    let resource = Resource {
        kind: members.text("kind")?,
        id: members.text("id")?,
        policy_version: members.text("policyVersion")?,
        scope: members.text("scope")?,
        attr: members.map("attr")?,
    };
    members.finish()?;
    if resource.kind.is_empty() || resource.id.is_empty() {
        return Err("`kind` and `id` are needed".to_owned());
    }
    Ok(resource)
}

fn aux_data(value: &Value) -> Result<AuxData, String> {
    let mut members = Members::of(value)?;
    let jwt = members.map("jwt")?;
    let mut jwts = BTreeMap::new();
    for (name, claims) in members.map("jwts")? {
        match claims {
            Value::Object(claims) => drop(jwts.insert(name, claims)),
            _ => return Err(format!("`jwts.{name}` must be a mapping")),
        }
    }
    members.finish()?;
    Ok(AuxData { jwt, jwts })
}

/// Reads a fixture member by member, so that a misspelt one is found.
struct Members(JsonMap<String, Value>);

impl Members {
    fn of(value: &Value) -> Result<Self, String> {
        value.as_object().cloned().map(Self).ok_or_else(|| "must be a mapping".to_owned())
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("`{name}` must be text")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<Arc<str>>, String> {
        let wrong = || format!("`{name}` must be a list of texts");
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(Arc::from).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn map(&mut self, name: &str) -> Result<JsonMap<String, Value>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(JsonMap::new()),
            Some(Value::Object(members)) => Ok(members),
            Some(_) => Err(format!("`{name}` must be a mapping")),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("`{name}` is not known here")),
        }
    }
}
