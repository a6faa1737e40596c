//! Reading a mapping whose keys are known: what is missing, unknown or of the wrong kind is told with its place.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::problem::{Collector, Position};
use super::super::yaml::{Entry, Node, Text, Value};
use super::policy::Named;

/// Names in one list at most: every role of a rule is paired with every action.
const MOST_ITEMS: usize = 20_000;

/// A mapping that is being read.
pub(crate) struct Fields<'n> {
    pub(crate) file: Arc<str>,
    pub(crate) at: Position,
    what: &'static str,
    entries: &'n [Entry],
    taken: Vec<&'static str>,
    reported: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields of a node, which must be a mapping.
    pub(crate) fn of(
        file: &Arc<str>,
        node: &'n Node,
        what: &'static str,
        out: &mut Collector,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let mend = in_place_of_mapping(what, node);
            out.add(file, node.at, format!("expected {what} as a mapping, found {}{mend}", node.kind()));
            return None;
        };
        Some(Self { file: file.clone(), at: node.at, what, entries, taken: Vec::new(), reported: Vec::new() })
    }

    /// Notes a problem in this file.
    pub(crate) fn refuse(&self, at: Position, message: impl Into<String>, out: &mut Collector) {
        out.add(&self.file, at, message);
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| is(&entry.key, name))
    }

    /// Whether a key is there with nothing behind it.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| is(&entry.key, name) && matches!(entry.value.value, Value::Null))
    }

    /// Whether a value of this name was refused already.
    pub(crate) fn reported(&self, name: &str) -> bool {
        self.reported.contains(&name)
    }

    /// Where a key stands, or the mapping if it does not.
    pub(crate) fn key_at(&self, name: &str) -> Position {
        self.entries.iter().find(|entry| is(&entry.key, name)).map_or(self.at, |entry| entry.key_at)
    }

    /// The entry of a name, which from now on is known.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Entry> {
        if !self.taken.contains(&name) {
            self.taken.push(name);
        }
        self.entries.iter().find(|entry| is(&entry.key, name))
    }

    /// Text; whole numbers, true and false are taken as text too, as Cerbos does. Nothing is empty text.
    pub(crate) fn text(&mut self, name: &'static str, out: &mut Collector) -> Option<Text> {
        self.text_by(name, text_of, out)
    }

    /// The text of an expression, to which blanks at its end are nothing.
    pub(crate) fn expression(&mut self, name: &'static str, out: &mut Collector) -> Option<Text> {
        self.text_by(name, expression_of, out)
    }

    fn text_by(
        &mut self,
        name: &'static str,
        read: fn(&Node) -> Option<Text>,
        out: &mut Collector,
    ) -> Option<Text> {
        let entry = self.take(name)?;
        let text = read(&entry.value);
        if text.is_none() {
            self.wrong(name, &entry.value, "text", out);
        }
        text
    }

    /// The values of a mapping as JSON.
    pub(crate) fn values(
        &mut self,
        name: &'static str,
        out: &mut Collector,
    ) -> serde_json::Map<String, serde_json::Value> {
        let named = self.named(name, out, Ok);
        let json = named
            .into_iter()
            .map(|named| (named.name.as_ref().to_owned(), json_of(&self.file, named.value, out)));
        json.collect()
    }

    /// Text that must be there and hold something.
    pub(crate) fn required_text(&mut self, name: &'static str, out: &mut Collector) -> Option<Text> {
        let text = self.text(name, out);
        if self.reported(name) {
            return None;
        }
        match text {
            Some(text) if !text.value.is_empty() => Some(text),
            Some(text) => {
                self.refuse(text.at, format!("`{name}` of {} is empty", self.what), out);
                None
            }
            None => {
                self.refuse(self.at, format!("{} needs `{name}`", self.what), out);
                None
            }
        }
    }

    /// True or false; false if it is not there.
    pub(crate) fn flag(&mut self, name: &'static str, out: &mut Collector) -> bool {
        match self.take(name).map(|entry| &entry.value) {
            None => false,
            Some(Node { value: Value::Bool(flag), .. }) => *flag,
            Some(node) => {
                self.wrong(name, node, "true or false", out);
                false
            }
        }
    }

    /// A mapping within.
    pub(crate) fn mapping(
        &mut self,
        name: &'static str,
        what: &'static str,
        out: &mut Collector,
    ) -> Option<Fields<'n>> {
        let entry = self.take(name)?;
        let found = Fields::of(&self.file, &entry.value, what, out);
        if found.is_none() {
            self.reported.push(name);
        }
        found
    }

    /// A list within; `None` if it is not there or is none.
    pub(crate) fn list(&mut self, name: &'static str, out: &mut Collector) -> Option<&'n [Node]> {
        let entry = self.take(name)?;
        if let Value::List(items) = &entry.value.value {
            return Some(items);
        }
        self.wrong(name, &entry.value, "a list", out);
        None
    }

    /// A list of texts, none of them empty, none twice.
    pub(crate) fn texts(&mut self, name: &'static str, out: &mut Collector) -> Vec<Text> {
        let mut texts: Vec<Text> = Vec::new();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        let items = self.list(name, out).unwrap_or_default();
        if items.len() > MOST_ITEMS {
            self.reported.push(name);
            let at = self.key_at(name);
            let message =
                format!("`{name}` has {} items, at most {MOST_ITEMS} are read: use a pattern", items.len());
            self.refuse(at, message, out);
            return texts;
        }
        for node in items {
            match text_of(node) {
                None => self.wrong(name, node, "text", out),
                Some(text) if text.value.is_empty() => {
                    self.reported.push(name);
                    self.refuse(node.at, format!("an item of `{name}` is empty"), out);
                }
                Some(text) if !seen.insert(text.value.clone()) => {
                    self.reported.push(name);
                    self.refuse(node.at, format!("`{}` stands twice in `{name}`", text.value), out);
                }
                Some(text) => texts.push(text),
            }
        }
        texts
    }

    /// A list of texts with at least one item.
    pub(crate) fn required_texts(&mut self, name: &'static str, out: &mut Collector) -> Vec<Text> {
        let texts = self.texts(name, out);
        if texts.is_empty() && !self.reported(name) {
            let at = self.key_at(name);
            self.refuse(at, format!("{} needs `{name}` with at least one item", self.what), out);
        }
        texts
    }

    /// A mapping from names to values of one kind.
    pub(crate) fn named<T>(
        &mut self,
        name: &'static str,
        out: &mut Collector,
        mut read: impl FnMut(&'n Node) -> Result<T, &'static str>,
    ) -> Vec<Named<T>> {
        let Some(entry) = self.take(name) else { return Vec::new() };
        let Value::Map(entries) = &entry.value.value else {
            self.wrong(name, &entry.value, "a mapping", out);
            return Vec::new();
        };
        let mut all = Vec::with_capacity(entries.len());
        for Entry { key, key_at, value } in entries {
            match read(value) {
                Ok(value) => all.push(Named { name: key.clone(), name_at: *key_at, value }),
                Err(wanted) => {
                    let this = match &value.value {
                        Value::Text(text) => format!("`{}`", text.value),
                        _ => value.kind().to_owned(),
                    };
                    out.add(&self.file, value.at, format!("`{key}` must be {wanted}, this is {this}"));
                }
            }
        }
        all
    }

    /// Tells every key that nobody asked for.
    pub(crate) fn finish(&self, out: &mut Collector) {
        let mut seen: Vec<&str> = Vec::new();
        for entry in self.entries {
            let Some(name) = self.taken.iter().find(|name| is(&entry.key, name)) else {
                out.add(
                    &self.file,
                    entry.key_at,
                    format!("{} has no field `{}`{}", self.what, entry.key, self.hint(&entry.key)),
                );
                continue;
            };
            if seen.contains(name) {
                out.add(
                    &self.file,
                    entry.key_at,
                    format!("`{name}` stands here a second time, spelled `{}`", entry.key),
                );
            }
            seen.push(name);
        }
    }

    /// The known field that a wrong one probably means.
    fn hint(&self, key: &str) -> String {
        let plain =
            |s: &str| s.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let (wanted, trimmed) = (plain(key), plain(key.trim_end_matches('s')));
        let near = self.taken.iter().find(|name| {
            let name = plain(name);
            name == wanted || name == trimmed || name.trim_end_matches('s') == wanted
        });
        match (near, self.what) {
            (Some(name), _) => format!(": did you mean `{name}`?"),
            (None, "a condition") if MATCHES.contains(&key) => ": it stands under `match:`".to_owned(),
            (None, "variables" | "constants") => format!(": write `{key}` under `local:`"),
            (None, _) => String::new(),
        }
    }

    fn wrong(&mut self, name: &'static str, node: &Node, wanted: &str, out: &mut Collector) {
        self.reported.push(name);
        out.add(&self.file, node.at, format!("`{name}` must be {wanted}, this is {}", node.kind()));
    }
}

/// What a match can be.
pub(super) const MATCHES: [&str; 4] = ["all", "any", "none", "expr"];

/// What to write where an author left out a level.
fn in_place_of_mapping(what: &str, node: &Node) -> &'static str {
    match (what, &node.value) {
        ("a list of matches", Value::List(_)) => ": write `of:` above the list",
        ("`match`", Value::List(_)) => {
            ": write `all:` and under it `of:` above the list, or `any:` and `of:`"
        }
        ("`match`" | "a match", Value::Text(_)) => ": write `expr:` before it",
        ("a condition", Value::Text(_)) => ": write `match:` and under it `expr:`",
        ("an output", Value::Text(_)) => ": write `when:` and under it `ruleActivated:`",
        ("variables" | "constants", Value::List(_)) => ": write `local:` and under it each as `name: …`",
        _ => "",
    }
}

/// Reads each item of a list; items that cannot be read are told and left out.
pub(crate) fn list_of<'n, T>(
    fields: &mut Fields<'n>,
    name: &'static str,
    out: &mut Collector,
    mut read: impl FnMut(&'n Node, &mut Collector) -> Option<T>,
) -> Option<Vec<T>> {
    let items = fields.list(name, out)?;
    let before = out.count();
    let read: Vec<T> = items.iter().filter_map(|node| read(node, out)).collect();
    if out.count() > before {
        fields.reported.push(name);
    }
    Some(read)
}

/// A node as text, the way Cerbos takes it.
pub(crate) fn text_of(node: &Node) -> Option<Text> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int { text, .. } => Some(Text::plain(text, node.at)),
        Value::Bool(flag) => Some(Text::plain(if *flag { "true" } else { "false" }, node.at)),
        Value::Null => Some(Text::plain("", node.at)),
        Value::Ragged(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// A node as JSON. What Cerbos may read otherwise is told.
pub(crate) fn json_of(file: &Arc<str>, node: &Node, out: &mut Collector) -> serde_json::Value {
    node.to_json().unwrap_or_else(|doubtful| {
        out.add(file, doubtful.at, format!("this is {}", doubtful.kind()));
        serde_json::Value::Null
    })
}

/// A node as the text of an expression.
pub(crate) fn expression_of(node: &Node) -> Option<Text> {
    match &node.value {
        Value::Ragged(text) => Some(text.clone()),
        _ => text_of(node),
    }
}

/// Whether a key is a field's name in camel case, or in the snake case of its protobuf definition, as Cerbos allows.
fn is(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut key = key.chars();
    for c in name.chars() {
        if c.is_ascii_uppercase() && key.next() != Some('_') {
            return false;
        }
        if key.next() != Some(c.to_ascii_lowercase()) {
            return false;
        }
    }
    key.next().is_none()
}
