//! YAML, and JSON as its subset, as a tree in which every key and value knows its line and column.
//!
//! Deliberately absent: tags, because Cerbos drops them; keys that are not text; numbers whose meaning differs between
//! the versions of YAML. All are errors that say so.

mod doubt;
mod outdented;
mod pairs;
mod read;
mod scalar;

use std::sync::Arc;

use super::problem::Position;

pub use read::{Limits, read};

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, as written in decimal.
    Int {
        /// Its canonical decimal form.
        text: String,
        /// The nearest double: every number of a policy becomes one.
        number: f64,
    },
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Text(Text),
    /// Text that ends with blanks, which Cerbos may drop. To an expression they are nothing.
    Ragged(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_at: Position,
    /// The value.
    pub value: Node,
}

/// Text, and how its characters lie in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The characters.
    pub value: Arc<str>,
    /// Where it begins.
    pub at: Position,
    layout: Layout,
}

/// How the characters of a text lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// On one line, character by character, from this position on.
    Line(Position),
    /// A `|` block: line `n` of the text is line `first_line + n - 1` of the file, indented.
    Block {
        /// The file's line with the text's first.
        first_line: u32,
        /// Blanks before each line.
        indent: u32,
    },
    /// Folded, or with escapes: only the beginning is known.
    Folded,
}

impl Text {
    /// Text that begins at a position and stands as it is on one line.
    #[must_use]
    pub fn plain(value: &str, at: Position) -> Self {
        Self { value: value.into(), at, layout: Layout::Line(at) }
    }

    /// Where the character at `line`:`column` of the text (both from 1) stands in the file, as nearly as can be told.
    #[must_use]
    pub fn position_of(&self, line: u32, column: u32) -> Position {
        let (line, column) = (line.saturating_sub(1), column.saturating_sub(1));
        match self.layout {
            Layout::Line(start) if line == 0 => {
                Position { line: start.line, column: start.column.saturating_add(column) }
            }
            Layout::Block { first_line, indent } => Position {
                line: first_line.saturating_add(line),
                column: indent.saturating_add(column).saturating_add(1),
            },
            Layout::Line(_) | Layout::Folded => self.at,
        }
    }
}

impl Node {
    /// What kind of thing this is, for an error message.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int { .. } | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Ragged(_) => "text with blanks at its end, which Cerbos may drop: remove them",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The value of a key, if this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
            _ => None,
        }
    }

    /// The same as JSON; every number becomes a double, as in Cerbos.
    ///
    /// # Errors
    /// The node within that Cerbos may read otherwise.
    pub fn to_json(&self) -> Result<serde_json::Value, &Self> {
        Ok(match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => serde_json::Value::Bool(*b),
            Value::Int { number, .. } | Value::Float(number) => {
                serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into)
            }
            Value::Text(text) => serde_json::Value::String(text.value.as_ref().to_owned()),
            Value::Ragged(_) => return Err(self),
            Value::List(items) => {
                serde_json::Value::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Value::Map(entries) => {
                let pairs = entries.iter().map(|e| Ok((e.key.as_ref().to_owned(), e.value.to_json()?)));
                serde_json::Value::Object(pairs.collect::<Result<_, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests;
