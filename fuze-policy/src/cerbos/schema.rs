//! JSON schemas of attributes, from the set's own `_schemas` directory alone: nothing is ever fetched.

mod message;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::{Map, Value as Json, json};

use super::check::{AttributesOf, CheckInput, ValidationError};
use super::files::{SCHEMAS, Source};
use super::problem::{Collector, Position, Problems};
use super::set::{PolicySet, SchemaRef, SchemaRefs};

/// Compiled schemas, by the address that policies give them.
#[derive(Default)]
pub struct Schemas(BTreeMap<Arc<str>, Validator>);

/// Schemas that are enforced.
#[derive(Clone, Debug)]
pub struct Enforced {
    /// The schemas.
    pub schemas: Arc<Schemas>,
    /// What happens to a request that does not follow them.
    pub enforcement: Enforcement,
}

/// What happens to a request whose attributes do not follow their schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It is told, and decided.
    Warn,
    /// It is told, and denied.
    Reject,
}

impl Schemas {
    /// Compiles the schemas that policies name; `files` are paths relative to `_schemas`.
    ///
    /// # Errors
    /// Schemas that are not there, are no JSON, are no schemas, or point outside of the directory.
    pub fn load(set: &PolicySet, files: &[Source]) -> Result<Self, Problems> {
        let mut out = Collector::default();
        let mut documents = BTreeMap::new();
        for source in files {
            let path: Arc<str> = format!("{SCHEMAS}/{}", source.path).into();
            match serde_json::from_str::<Json>(&source.text) {
                Ok(json) => {
                    documents.insert(source.path.clone(), json);
                }
                Err(error) => {
                    let whole = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
                    let at = Position { line: whole(error.line()), column: whole(error.column()) };
                    out.add(&path, at, format!("the schema is not JSON: {error}"));
                }
            }
        }
        let directory = Directory(Arc::new(documents));
        let mut compiled: BTreeMap<Arc<str>, Result<Validator, String>> = BTreeMap::new();
        for schema in set.named_schemas() {
            let found = compiled
                .entry(schema.reference.clone())
                .or_insert_with(|| directory.compile(&schema.reference));
            if let Err(why) = found {
                let message = format!("the schema `{}` cannot be used: {why}", schema.reference);
                out.add(&schema.place.file, schema.place.at, message);
            }
        }
        let usable = compiled.into_iter().filter_map(|(reference, found)| Some((reference, found.ok()?)));
        out.into_result(Self(usable.collect()))
    }

    fn attributes(
        &self,
        of: AttributesOf,
        schema: Option<&SchemaRef>,
        attributes: &Map<String, Json>,
        actions: &[Arc<str>],
    ) -> Vec<ValidationError> {
        let Some(schema) = schema else { return Vec::new() };
        let ignored = |action: &Arc<str>| schema.ignore_when.iter().any(|glob| glob.matches(action));
        if !schema.ignore_when.is_empty() && actions.iter().all(ignored) {
            return Vec::new();
        }
        let Some(validator) = self.0.get(&schema.reference) else {
            let message = format!("the schema `{}` was not loaded with the policies", schema.reference);
            return vec![ValidationError { of, path: String::new(), message }];
        };
        message::all(of, validator.iter_errors(&Json::Object(attributes.clone())))
    }
}

impl Enforced {
    /// What is wrong with the attributes of a request.
    pub(crate) fn validate(&self, refs: &SchemaRefs, input: &CheckInput) -> Vec<ValidationError> {
        let Self { schemas, .. } = self;
        let (principal, resource) = (refs.principal.as_ref(), refs.resource.as_ref());
        let mut all =
            schemas.attributes(AttributesOf::Principal, principal, &input.principal.attr, &input.actions);
        all.extend(schemas.attributes(
            AttributesOf::Resource,
            resource,
            &input.resource.attr,
            &input.actions,
        ));
        all
    }

    /// Whether a request that does not follow its schemas is denied.
    pub(crate) fn rejects(&self) -> bool {
        self.enforcement == Enforcement::Reject
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The schemas of a policy directory, by their paths within it.
#[derive(Clone)]
struct Directory(Arc<BTreeMap<Arc<str>, Json>>);

/// The address of the root of the schemas.
const ROOT: &str = "cerbos:///";

impl Directory {
    fn compile(&self, reference: &str) -> Result<Validator, String> {
        let address = if reference.contains("://") {
            reference.to_owned()
        } else {
            format!("{ROOT}{}", reference.trim_start_matches('/'))
        };
        self.document(address.split('#').next().unwrap_or_default())?;
        jsonschema::options()
            .with_retriever(self.clone())
            .should_validate_formats(true)
            // Linear in the text, as Go's.
            .with_pattern_options(PatternOptions::regex())
            .build(&json!({ "$ref": address }))
            .map_err(|error| error.to_string())
    }

    fn document(&self, address: &str) -> Result<&Json, String> {
        let Some(path) = address.strip_prefix(ROOT) else {
            return Err(format!("`{address}` is not in `{SCHEMAS}` (`{ROOT}…`), and nothing is fetched"));
        };
        self.0.get(path).ok_or_else(|| format!("there is no `{SCHEMAS}/{path}`"))
    }
}

impl Retrieve for Directory {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn Error + Send + Sync>> {
        Ok(self.document(uri.as_str().split('#').next().unwrap_or_default())?.clone())
    }
}

#[cfg(test)]
mod tests;
