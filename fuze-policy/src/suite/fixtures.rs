//! Who and what tests speak of: read with the constraints that Cerbos has for requests, also where no test uses them.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json};

use crate::cerbos::yaml::{Entry, Node, Text, Value};
use crate::cerbos::{AuxData, Collector, Fields, Principal, Resource, Source, is_scope, is_word, json_of};

use super::read::{one_document, strings};

/// The fixtures of a suite, by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Fixtures {
    pub(super) principals: BTreeMap<String, Principal>,
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) aux_data: BTreeMap<String, AuxData>,
    pub(super) principal_groups: BTreeMap<String, Vec<String>>,
    pub(super) resource_groups: BTreeMap<String, Vec<String>>,
}

impl Fixtures {
    /// Reads a file of `testdata`; one of another name is passed over.
    pub(super) fn file(&mut self, source: &Source, out: &mut Collector) {
        let stem = source.path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        if !matches!(stem, "principals" | "resources" | "auxdata" | "auxData" | "aux_data") {
            return;
        }
        let Some(node) = one_document(source, out) else { return };
        let Some(mut fields) = Fields::of(&source.path, &node, "test fixtures", out) else { return };
        fields.text("$schema", out);
        match stem {
            "principals" => self.principals(&mut fields, out),
            "resources" => self.resources(&mut fields, out),
            _ => self.aux_data(&mut fields, out),
        }
        fields.finish(out);
    }

    /// Reads what a suite itself defines, which goes before what stands in `testdata`.
    pub(super) fn suite(&mut self, fields: &mut Fields<'_>, out: &mut Collector) {
        self.principals(fields, out);
        self.resources(fields, out);
        self.aux_data(fields, out);
    }

    fn principals(&mut self, fields: &mut Fields<'_>, out: &mut Collector) {
        self.principals.extend(each(fields, "principals", "a principal", principal, out));
        let all = (out.count() == 0).then_some(&self.principals);
        self.principal_groups.extend(groups(fields, ["principalGroups", "principals"], all, out));
    }

    fn resources(&mut self, fields: &mut Fields<'_>, out: &mut Collector) {
        self.resources.extend(each(fields, "resources", "a resource", resource, out));
        let all = (out.count() == 0).then_some(&self.resources);
        self.resource_groups.extend(groups(fields, ["resourceGroups", "resources"], all, out));
    }

    fn aux_data(&mut self, fields: &mut Fields<'_>, out: &mut Collector) {
        self.aux_data.extend(each(fields, "auxData", "auxData", aux_data, out));
    }
}

/// The entries of a mapping within; none if it is not there.
fn entries<'n>(fields: &mut Fields<'n>, name: &'static str, out: &mut Collector) -> &'n [Entry] {
    match fields.take(name).map(|entry| &entry.value) {
        None => &[],
        Some(Node { value: Value::Map(entries), .. }) => entries,
        Some(other) => {
            fields.refuse(other.at, format!("`{name}` must be a mapping, this is {}", other.kind()), out);
            &[]
        }
    }
}

fn each<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    what: &'static str,
    read: fn(&mut Fields<'_>, &mut Collector) -> Option<T>,
    out: &mut Collector,
) -> Vec<(String, T)> {
    let file = fields.file.clone();
    let all = entries(fields, name, out);
    let one = |entry: &Entry| {
        let mut fields = Fields::of(&file, &entry.value, what, out)?;
        let one = read(&mut fields, out);
        fields.finish(out);
        Some((entry.key.as_ref().to_owned(), one?))
    };
    all.iter().filter_map(one).collect()
}

/// Groups and their members, which have to be there: `all` is nothing where something is wrong with them already.
fn groups<T>(
    fields: &mut Fields<'_>,
    [name, members]: [&'static str; 2],
    all: Option<&BTreeMap<String, T>>,
    out: &mut Collector,
) -> Vec<(String, Vec<String>)> {
    let file = fields.file.clone();
    let entries = entries(fields, name, out);
    let one = |entry: &Entry| {
        let mut group = Fields::of(&file, &entry.value, "a group", out)?;
        let names = group.required_texts(members, out);
        group.finish(out);
        for name in &names {
            if all.is_some_and(|all| !all.contains_key(&*name.value)) {
                let message =
                    format!("`{}` is in the group `{}` and not in `{members}`", name.value, entry.key);
                out.add(&file, name.at, message);
            }
        }
        Some((entry.key.as_ref().to_owned(), strings(names)))
    };
    entries.iter().filter_map(one).collect()
}

fn principal(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Principal> {
    let id = fields.required_text("id", out);
    let policy_version = version(fields, out);
    let scope = scope(fields, out);
    let roles = fields.required_texts("roles", out).into_iter().map(|role| role.value).collect();
    let attr = named(fields, "attr", out);
    Some(Principal { id: text(id?), policy_version: policy_version?, scope: scope?, roles, attr })
}

fn resource(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Resource> {
    let kind = fields.required_text("kind", out);
    let id = fields.required_text("id", out);
    let policy_version = version(fields, out);
    let scope = scope(fields, out);
    let attr = named(fields, "attr", out);
    Some(Resource { kind: text(kind?), id: text(id?), policy_version: policy_version?, scope: scope?, attr })
}

fn aux_data(fields: &mut Fields<'_>, out: &mut Collector) -> Option<AuxData> {
    let at = fields.key_at("jwts");
    let jwt = entries(fields, "jwt", out);
    let jwt = values(fields, jwt, out);
    let claims = |token: &mut Fields<'_>, out: &mut Collector| {
        let claims = entries(token, "claims", out);
        Some(values(token, claims, out))
    };
    let tokens = each(fields, "jwts", "a token", claims, out);
    // Whatever else is wrong with it was told just now.
    let named = entries(fields, "jwts", &mut Collector::default());
    nameless(fields, "jwts", named, out);
    if !jwt.is_empty() && !tokens.is_empty() {
        fields.refuse(at, "`jwt` and `jwts` cannot stand together", out);
    }
    Some(AuxData { jwt, jwts: tokens.into_iter().collect() })
}

fn text(text: Text) -> String {
    text.value.as_ref().to_owned()
}

fn version(fields: &mut Fields<'_>, out: &mut Collector) -> Option<String> {
    let is_good = |text: &str| text.is_empty() || is_word(text);
    checked(fields, "policyVersion", is_good, "a version has letters, digits and `_` only", out)
}

/// Here `.` is a name of the root scope, too.
fn scope(fields: &mut Fields<'_>, out: &mut Collector) -> Option<String> {
    let rule = "a scope is names of letters, digits, `_` and `-` with dots between them";
    checked(fields, "scope", |text| text == "." || is_scope(text), rule, out)
}

fn checked(
    fields: &mut Fields<'_>,
    name: &'static str,
    is_good: fn(&str) -> bool,
    rule: &str,
    out: &mut Collector,
) -> Option<String> {
    match fields.text(name, out) {
        None if fields.reported(name) => None,
        None => Some(String::new()),
        Some(found) if is_good(&found.value) => Some(text(found)),
        Some(found) => {
            fields.refuse(found.at, format!("`{}` cannot be the `{name}`: {rule}", found.value), out);
            None
        }
    }
}

/// Values by their names, none of which is empty.
fn named(fields: &mut Fields<'_>, name: &'static str, out: &mut Collector) -> JsonMap<String, Json> {
    let all = entries(fields, name, out);
    nameless(fields, name, all, out);
    values(fields, all, out)
}

/// Refuses an empty name.
fn nameless(fields: &Fields<'_>, name: &str, all: &[Entry], out: &mut Collector) {
    for entry in all.iter().filter(|entry| entry.key.is_empty()) {
        fields.refuse(entry.key_at, format!("a name in `{name}` is empty"), out);
    }
}

/// Values by their names.
fn values(fields: &Fields<'_>, all: &[Entry], out: &mut Collector) -> JsonMap<String, Json> {
    let json = |entry: &Entry| (entry.key.as_ref().to_owned(), json_of(&fields.file, &entry.value, out));
    all.iter().map(json).collect()
}
