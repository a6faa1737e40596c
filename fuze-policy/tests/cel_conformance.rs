//! What Cerbos says: the published cases of `cel_eval`, and answers of the real engine to expressions of our own.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "helpers of tests"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuze_policy::cel::{Activation, AuxData, Budget, Map, Principal, Program, Resource, Timestamp, Value};
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value as Json;

/// The moment the published cases are evaluated at.
fn now() -> Timestamp {
    // 2021-04-22T10:05:20.021-05:00
    Timestamp::new(1_619_103_920, 21_000_000, 0).unwrap()
}

#[test]
fn the_published_cases_pass() {
    let Some(folder) = shared("vectors/cerbos/cel_eval") else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 10, "cases in {files:?}");
    for file in files {
        let case = yaml(&std::fs::read_to_string(&file).unwrap());
        let activation = activation(&case["request"]);
        assert_eq!(satisfied(&case["condition"], &activation, &file), case["want"], "{}", file.display());
    }
}

/// Conditions as Cerbos combines them when it is not strict: an error is not satisfied.
fn satisfied(condition: &Json, activation: &Activation, file: &Path) -> bool {
    let each = |of: &Json| {
        let expressions = of["of"].as_array().unwrap().iter();
        expressions.map(|one| satisfied(one, activation, file)).collect::<Vec<_>>()
    };
    if let Some(source) = condition["expr"].as_str() {
        let program = Program::parse(source).unwrap_or_else(|e| panic!("{}: {e}: {source}", file.display()));
        return matches!(program.eval(activation, &mut Budget::default()), Ok(Value::Bool(true)));
    }
    if condition["all"].is_object() {
        return each(&condition["all"]).into_iter().all(|met| met);
    }
    if condition["any"].is_object() {
        return each(&condition["any"]).into_iter().any(|met| met);
    }
    !each(&condition["none"]).into_iter().any(|met| met)
}

fn activation(request: &Json) -> Activation {
    let text = |part: &Json, field: &str| Arc::from(part[field].as_str().unwrap_or_default());
    let map = |part: &Json| match Value::from(part.clone()) {
        Value::Map(map) => map,
        _ => Arc::new(Map::default()),
    };
    let roles = match Value::from(request["principal"]["roles"].clone()) {
        Value::List(roles) => roles,
        _ => Arc::default(),
    };
    let (principal, resource) = (&request["principal"], &request["resource"]);
    let principal = Principal {
        id: text(principal, "id"),
        roles,
        attr: map(&principal["attr"]),
        policy_version: text(principal, "policyVersion"),
        scope: text(principal, "scope"),
    };
    let resource = Resource {
        kind: text(resource, "kind"),
        id: text(resource, "id"),
        attr: map(&resource["attr"]),
        policy_version: text(resource, "policyVersion"),
        scope: text(resource, "scope"),
    };
    let mut activation = Activation::new(principal, resource, now());
    let aux = &request["auxData"];
    if aux.is_object() {
        activation.aux_data = Some(AuxData { jwt: map(&aux["jwt"]), jwts: map(&aux["jwts"]) });
    }
    activation
}

#[test]
fn the_real_engine_answers_the_same() {
    let answers = include_str!("cel/answers.tsv");
    let activation = Activation::new(Principal::default(), Resource::default(), now());
    let mut wrong = Vec::new();
    let mut asked = 0;
    for line in answers.lines().filter(|line| !line.starts_with('#')) {
        let (wanted, source) = line.split_once('\t').unwrap();
        let found = match Program::parse(source) {
            Err(_) => "refused".to_owned(),
            Ok(program) => match program.eval(&activation, &mut Budget::default()) {
                Err(_) => "error".to_owned(),
                Ok(value) => shown(&value).to_string(),
            },
        };
        asked += 1;
        let same = found == wanted
            || matches!((found.parse::<Json>(), wanted.parse::<Json>()), (Ok(a), Ok(b)) if equal(&a, &b));
        if !same {
            wrong.push(format!("{source}\n    wanted {wanted}\n    found  {found}"));
        }
    }
    assert!(asked > 900, "only {asked} answers");
    assert!(wrong.is_empty(), "{} of {asked} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Numbers by what they are, not how they are written.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// The value as the REPL prints it.
fn shown(value: &Value) -> Json {
    match value {
        Value::Optional(Some(value)) => shown(value),
        Value::Optional(None) => Json::Null,
        Value::Type(ty) => Json::from(ty.name()),
        Value::Hierarchy(parts) => parts.iter().map(|part| Json::from(&**part)).collect(),
        Value::Duration(duration) => Json::from(duration.nanoseconds),
        Value::Int(i) => Json::from(*i),
        Value::Uint(u) => Json::from(*u),
        Value::Ip(ip) => Json::from(ip.to_string()),
        Value::Cidr(cidr) => Json::from(cidr.to_string()),
        Value::Spiffe(spiffe) => Json::from(spiffe.to_string()),
        Value::List(items) => items.iter().map(shown).collect(),
        other => other.to_json().unwrap_or_else(|error| panic!("{other:?} has no JSON: {error}")),
    }
}

/// `../shared/<folder>` beside the workspace; prints and gives `None` when it is not there, unless it must be.
fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("FUZE_REQUIRE_SHARED").is_none_or(|v| v != "1"),
        "{} is not there",
        path.display()
    );
    println!("SKIPPED: {} is not there", path.display());
    None
}

/// The only document of a YAML file.
fn yaml(text: &str) -> Json {
    // The parser is strict about brackets that close at the beginning of a line.
    let text = text.replace("\n}", "\n }");
    let mut events = Parser::new_from_str(&text).map(|event| event.unwrap().0);
    events.find(|event| matches!(event, Event::DocumentStart(_))).unwrap();
    let first = events.next().unwrap();
    node(first, &mut events)
}

fn node<'t>(event: Event<'t>, events: &mut impl Iterator<Item = Event<'t>>) -> Json {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => text.parse().unwrap_or_else(|_| Json::from(&*text)),
        Event::Scalar(text, ..) => Json::from(&*text),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => return Json::Array(items),
                    event => items.push(node(event, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut fields = serde_json::Map::new();
            loop {
                match events.next().unwrap() {
                    Event::MappingEnd => return Json::Object(fields),
                    key => {
                        let key = node(key, events).as_str().unwrap().to_owned();
                        let event = events.next().unwrap();
                        fields.insert(key, node(event, events));
                    }
                }
            }
        }
        other => panic!("unexpected {other:?}"),
    }
}
