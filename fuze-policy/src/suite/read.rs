//! Reads suites and the fixtures beside them.

use std::sync::Arc;

use crate::cel::Timestamp;
use crate::cerbos::yaml::{self, Limits, Node};
use crate::cerbos::{Collector, Effect, Fields, json_of, list_of, text_of};
use crate::cerbos::{Place, Position, Problem, Source};

use super::fixtures::Fixtures;
use super::{Expectation, Names, Options, Suite, Table};

/// Reads a suite. `beside` are the files of the `testdata` directory next to it.
pub(super) fn suite(source: &Source, beside: &[Source]) -> Result<Suite, Vec<Problem>> {
    let mut out = Collector::default();
    let mut fixtures = Fixtures::default();
    for file in beside {
        fixtures.file(file, &mut out);
    }
    let suite = one_document(source, &mut out).and_then(|node| {
        let mut fields = Fields::of(&source.path, &node, "a test suite", &mut out)?;
        let suite = read_suite(&mut fields, fixtures, &mut out);
        fields.finish(&mut out);
        suite
    });
    match out.into_result(suite) {
        Ok(Some(suite)) => Ok(suite),
        Ok(None) => {
            let place = Place { file: Arc::clone(&source.path), at: Position::START };
            Err(vec![Problem { place, message: "there is no test suite in this file".to_owned() }])
        }
        Err(problems) => Err(problems.all().to_vec()),
    }
}

pub(super) fn one_document(source: &Source, out: &mut Collector) -> Option<Node> {
    match yaml::read(&source.path, &source.text, Limits::default()) {
        Ok(mut documents) => {
            if documents.len() > 1 {
                out.add(
                    &source.path,
                    Position::START,
                    "one document is expected here, this file has several",
                );
                return None;
            }
            documents.pop()
        }
        Err(problem) => {
            out.push(problem);
            None
        }
    }
}

fn read_suite(fields: &mut Fields<'_>, mut fixtures: Fixtures, out: &mut Collector) -> Option<Suite> {
    fields.text("$schema", out);
    let name = fields.required_text("name", out);
    let description = text(fields, "description", out);
    let skip = skip(fields, out);
    let options = fields.mapping("options", "options", out).map(|fields| options(fields, out));
    fixtures.suite(fields, out);
    let file = fields.file.clone();
    let tests = list_of(fields, "tests", out, |node, out| {
        let mut fields = Fields::of(&file, node, "a test", out)?;
        let table = table(&mut fields, out);
        fields.finish(out);
        table
    });
    let tests = tests.unwrap_or_default();
    if tests.is_empty() && !fields.reported("tests") {
        fields.refuse(fields.at, "a test suite needs `tests` with at least one test", out);
    }
    Some(Suite {
        name: name?.value.as_ref().to_owned(),
        description,
        skip,
        options: options.unwrap_or_default(),
        fixtures,
        tests,
    })
}

fn skip(fields: &mut Fields<'_>, out: &mut Collector) -> Option<String> {
    let skip = fields.flag("skip", out);
    let reason = text(fields, "skipReason", out);
    skip.then_some(reason)
}

fn text(fields: &mut Fields<'_>, name: &'static str, out: &mut Collector) -> String {
    fields.text(name, out).map(|text| text.value.as_ref().to_owned()).unwrap_or_default()
}

fn options(mut fields: Fields<'_>, out: &mut Collector) -> Options {
    let given = |text: Option<yaml::Text>| text.map(|text| text.value).filter(|text| !text.is_empty());
    let options = Options {
        now: now(&mut fields, out),
        lenient_scope_search: fields.flag("lenientScopeSearch", out),
        strict_evaluation: fields.flag("strictEvaluation", out),
        globals: fields.values("globals", out).into_iter().collect(),
        default_policy_version: given(fields.text("defaultPolicyVersion", out)),
        default_scope: given(fields.text("defaultScope", out)),
    };
    fields.finish(out);
    options
}

/// A time, if one is given: then also nothing is wrong.
fn now(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Timestamp> {
    let text = fields.text("now", out)?;
    let now = Timestamp::parse(&text.value);
    if now.is_none() {
        let message = format!("`now: {}` is no time as in `2026-01-31T12:00:00Z`", text.value);
        fields.refuse(text.at, message, out);
    }
    now
}

pub(super) fn strings(texts: Vec<yaml::Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.value.as_ref().to_owned()).collect()
}

fn table(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Table> {
    let at = fields.at;
    let name = fields.required_text("name", out);
    text(fields, "description", out);
    let skip = skip(fields, out);
    let options = fields.mapping("options", "options", out).map(|fields| self::options(fields, out));
    let Some(mut input) = fields.mapping("input", "the input of a test", out) else {
        if !fields.reported("input") {
            fields.refuse(at, "a test needs `input`", out);
        }
        // That is known all the same, and nothing to say of it.
        fields.take("expected");
        return None;
    };
    let principals = Names {
        keys: strings(input.texts("principals", out)),
        groups: strings(input.texts("principalGroups", out)),
    };
    let resources = Names {
        keys: strings(input.texts("resources", out)),
        groups: strings(input.texts("resourceGroups", out)),
    };
    for (names, what) in [(&principals, "principals"), (&resources, "resources")] {
        if names.keys.is_empty() && names.groups.is_empty() && !input.reported(what) {
            input.refuse(input.at, format!("`input` names no {what}"), out);
        }
    }
    let actions = strings(input.required_texts("actions", out));
    let aux_data =
        input.text("auxData", out).map(|text| text.value.as_ref().to_owned()).filter(|t| !t.is_empty());
    input.finish(out);
    let file = fields.file.clone();
    let expected = list_of(fields, "expected", out, |node, out| {
        let mut fields = Fields::of(&file, node, "an expectation", out)?;
        let expectation = expectation(&mut fields, out);
        fields.finish(out);
        expectation
    });
    let expected = expected.unwrap_or_default();
    if expected.is_empty() && !fields.reported("expected") {
        let at = fields.key_at("expected");
        fields.refuse(
            at,
            "a test needs `expected` with at least one expectation, else whatever is decided holds",
            out,
        );
    }
    Some(Table {
        name: name?.value.as_ref().to_owned(),
        at,
        skip,
        options,
        principals,
        resources,
        actions,
        aux_data,
        expected,
    })
}

fn expectation(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Expectation> {
    let at = fields.at;
    let principals = names(fields, "principal", "principals", "principalGroups", out);
    let resources = names(fields, "resource", "resources", "resourceGroups", out);
    let actions =
        fields.named("actions", out, |node| match text_of(node).as_ref().map(|text| &*text.value) {
            Some("EFFECT_ALLOW") => Ok(Effect::Allow),
            Some("EFFECT_DENY") => Ok(Effect::Deny),
            // What stood in a suite before its policies were rewritten by `fuze policy migrate`.
            Some("EFFECT_REQUIRES_APPROVAL") => Err(
                "`EFFECT_ALLOW` or `EFFECT_DENY` (where a person has to approve, in policies that `fuze policy migrate` has rewritten: \
                 `EFFECT_ALLOW` for `invoke` and `EFFECT_DENY` for `invoke:auto`, both among the `actions` of the test)",
            ),
            _ => Err("`EFFECT_ALLOW` or `EFFECT_DENY`"),
        });
    if actions.is_empty() && !fields.reported("actions") {
        let at = fields.key_at("actions");
        fields.refuse(at, "an expectation needs `actions` with at least one action", out);
    }
    let file = fields.file.clone();
    let mut spoken: Vec<Arc<str>> = Vec::new();
    let outputs = list_of(fields, "outputs", out, |node, out| {
        let mut fields = Fields::of(&file, node, "an expected output", out)?;
        let action = fields.required_text("action", out);
        if let Some(action) = &action {
            once(&mut spoken, action, "the action", &fields, out);
        }
        let mut sources: Vec<Arc<str>> = Vec::new();
        let expected = list_of(&mut fields, "expected", out, |node, out| {
            let mut fields = Fields::of(&file, node, "an output", out)?;
            let source = fields.text("src", out);
            if let Some(source) = &source {
                once(&mut sources, source, "the rule", &fields, out);
            }
            let value = fields.take("val").map(|entry| json_of(&file, &entry.value, out));
            // Cerbos reads both and looks at neither.
            for ignored in ["action", "error"] {
                fields.text(ignored, out);
            }
            fields.finish(out);
            Some((source.map(|source| source.value.as_ref().to_owned()).unwrap_or_default(), value))
        });
        let expected = expected.unwrap_or_default();
        if expected.is_empty() && !fields.reported("expected") {
            let at = fields.key_at("expected");
            fields.refuse(at, "an expected output needs `expected` with at least one output", out);
        }
        fields.finish(out);
        Some((action?.value.as_ref().to_owned(), expected))
    });
    Some(Expectation {
        at,
        principals: principals?,
        resources: resources?,
        actions: actions.into_iter().map(|named| (named.name.as_ref().to_owned(), named.value)).collect(),
        outputs: outputs.unwrap_or_default(),
    })
}

/// Refuses what stands before already: Cerbos looks at the last alone, and nobody would learn that the others are not tested.
fn once(before: &mut Vec<Arc<str>>, text: &yaml::Text, what: &str, fields: &Fields<'_>, out: &mut Collector) {
    if before.contains(&text.value) {
        let message = format!("outputs of {what} `{}` are expected above: put them together", text.value);
        fields.refuse(text.at, message, out);
    }
    before.push(Arc::clone(&text.value));
}

/// One key, or several keys and groups.
fn names(
    fields: &mut Fields<'_>,
    one: &'static str,
    several: &'static str,
    groups: &'static str,
    out: &mut Collector,
) -> Option<Names> {
    let single: Option<Arc<str>> =
        fields.text(one, out).map(|text| text.value).filter(|text| !text.is_empty());
    let mut keys = strings(fields.texts(several, out));
    let groups = strings(fields.texts(groups, out));
    if let Some(single) = single {
        if !keys.is_empty() {
            let at = fields.key_at(several);
            fields.refuse(at, format!("`{one}` and `{several}` cannot stand together"), out);
        }
        keys = vec![single.as_ref().to_owned()];
    }
    if keys.is_empty() && groups.is_empty() {
        fields.refuse(fields.at, format!("an expectation names no {one}"), out);
        return None;
    }
    Some(Names { keys, groups })
}
