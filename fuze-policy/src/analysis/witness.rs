//! From cells to requests: what an expression sees, and what the real evaluation is asked.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::atoms::{Atom, VarId};
use super::cells::{Cell, Subject, instant};
use super::frames::Frame;
use super::logic::Truth;
use super::model::Model;
use super::vocabulary::{ARGS, ATTRIBUTES, PRINCIPAL, TOOL_NAME};
use crate::agent_tool::{ACTIONS, KIND};
use crate::cel::{self, Activation, Budget, EvalError, Map, Root, Timestamp, Value};
use crate::cerbos::{CheckInput, Principal, Resource};

/// Values of attributes and arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// When it is asked, if that was chosen.
    pub(super) now: Option<Timestamp>,
    attributes: [Option<Json>; ATTRIBUTES.len()],
    args: JsonMap<String, Json>,
}

impl Values {
    /// One variable's.
    pub(super) fn of(model: &Model<'_>, var: VarId, cell: &Cell) -> Self {
        let mut values = Self::default();
        values.set(model, var, cell);
        values
    }

    pub(super) fn set(&mut self, model: &Model<'_>, var: VarId, cell: &Cell) {
        match model.variable(var).map(|variable| &variable.subject) {
            Some(Subject::Attribute(at)) => {
                if let Some(attribute) = self.attributes.get_mut(*at) {
                    attribute.clone_from(&cell.json);
                }
            }
            Some(Subject::Argument(keys)) => put(&mut self.args, keys, cell),
            Some(Subject::Now) => {
                let nanoseconds =
                    cell.json.as_ref().and_then(Json::as_str).and_then(|text| text.parse().ok());
                self.now = nanoseconds.and_then(instant);
            }
            None => {}
        }
    }

    /// Gives a variable a value that is no cell.
    pub(super) fn put(&mut self, model: &Model<'_>, var: VarId, json: Json) {
        self.set(model, var, &Cell::point(json));
    }

    /// The value of a variable.
    pub(super) fn get(&self, model: &Model<'_>, var: VarId) -> Option<Json> {
        match model.variable(var).map(|variable| &variable.subject)? {
            Subject::Attribute(at) => self.attributes.get(*at)?.clone(),
            Subject::Argument(keys) => {
                let (first, rest) = keys.split_first()?;
                rest.iter().try_fold(self.args.get(&**first)?, |json, key| json.get(&**key)).cloned()
            }
            Subject::Now => None,
        }
    }

    fn text(&self, attribute: usize) -> String {
        let value = self.attributes.get(attribute).and_then(Option::as_ref);
        value.and_then(Json::as_str).unwrap_or_default().to_owned()
    }

    /// Attributes of one side of the request.
    fn of_root(&self, root: Root) -> JsonMap<String, Json> {
        let all = ATTRIBUTES.iter().zip(&self.attributes).filter(|(attribute, _)| attribute.root == root);
        all.filter_map(|(attribute, value)| Some((attribute.name.to_owned(), value.clone()?))).collect()
    }

    /// What an atom comes to that looks at nothing else; `None` as below.
    pub(super) fn truth(&self, atom: &Atom) -> Option<Truth> {
        self.truth_in(atom, "", &[])
    }

    /// What an atom comes to in a scope, for somebody with these roles; `None` where that is not known: an atom has its variables written
    /// out at each use, so that it may cost more than a real evaluation, which computes each of them once.
    pub(super) fn truth_in(&self, atom: &Atom, scope: &str, roles: &[Arc<str>]) -> Option<Truth> {
        let map = |json: JsonMap<String, Json>| -> Arc<Map> {
            match Value::from(Json::Object(json)) {
                Value::Map(map) => map,
                _ => Arc::default(),
            }
        };
        let principal = cel::Principal {
            id: self.text(PRINCIPAL).into(),
            roles: roles.iter().cloned().map(Value::String).collect(),
            attr: map(self.of_root(Root::PrincipalAttr)),
            ..cel::Principal::default()
        };
        let mut attributes = self.of_root(Root::ResourceAttr);
        attributes.insert(ARGS.to_owned(), Json::Object(self.args.clone()));
        let resource = cel::Resource {
            kind: KIND.into(),
            id: self.text(TOOL_NAME).into(),
            attr: map(attributes),
            scope: scope.into(),
            ..cel::Resource::default()
        };
        let never = Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 };
        let activation = Activation::new(principal, resource, self.now.unwrap_or(never));
        match atom.program.eval(&activation, &mut Budget::default()) {
            Ok(Value::Bool(true)) => Some(Truth::True),
            Ok(Value::Bool(false)) => Some(Truth::False),
            Ok(_) => Some(Truth::Other),
            Err(EvalError::Failed(_)) => Some(Truth::Error),
            Err(EvalError::Exhausted(_) | EvalError::NoTime) => None,
        }
    }

    /// The request, as [`question`](crate::agent_tool::question) asks it.
    pub(super) fn request(&self, frame: &Frame<'_>, scope: &str) -> CheckInput {
        let mut attributes = self.of_root(Root::ResourceAttr);
        attributes.insert(ARGS.to_owned(), Json::Object(self.args.clone()));
        CheckInput {
            principal: Principal {
                id: self.text(PRINCIPAL),
                roles: frame.roles.clone(),
                attr: self.of_root(Root::PrincipalAttr),
                ..Principal::default()
            },
            resource: Resource {
                kind: KIND.to_owned(),
                id: self.text(TOOL_NAME),
                scope: scope.to_owned(),
                attr: attributes,
                ..Resource::default()
            },
            actions: ACTIONS.iter().map(|action| (*action).into()).collect(),
            ..CheckInput::default()
        }
    }
}

fn put(args: &mut JsonMap<String, Json>, keys: &[Arc<str>], cell: &Cell) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        match (&cell.json, args.get(&**first)) {
            // What is in it may be there already.
            (Some(Json::Object(_)), Some(Json::Object(_))) => {}
            (Some(json), _) => drop(args.insert(first.as_ref().to_owned(), json.clone())),
            (None, _) => drop(args.remove(&**first)),
        }
        return;
    }
    let inner = args.entry(&**first).or_insert_with(|| Json::Object(JsonMap::new()));
    if let Json::Object(inner) = inner {
        put(inner, rest, cell);
    }
}
