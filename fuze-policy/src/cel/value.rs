//! Values of CEL.

use std::sync::Arc;

use super::map::{Key, Map};

/// A value. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double, which every number in attributes is.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<[Value]>),
    /// A map.
    Map(Arc<Map>),
    /// A point in time.
    Timestamp(Timestamp),
    /// A span of time.
    Duration(Duration),
    /// A type, as `type(x)` gives it.
    Type(Type),
    /// `optional.of(x)`, `optional.none()`.
    Optional(Option<Arc<Value>>),
    /// `P`, `R`, `request`, `request.auxData`, `runtime` as a whole.
    Object(Arc<Object>),
}

/// Nanoseconds between two points in time, as Go counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// The length.
    pub nanoseconds: i64,
}

/// A point in time between the years 1 and 9999, and the offset it was written with.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds of the second, below 10⁹.
    pub nanoseconds: u32,
    /// Seconds east of UTC that it was written with: what `string()` shows, nothing else.
    pub offset_seconds: i32,
}

/// A type as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its type")]
pub enum Type {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    List,
    Map,
    Timestamp,
    Duration,
    Type,
    Optional,
    Object(ObjectKind),
}

/// Messages of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its message")]
pub enum ObjectKind {
    Request,
    Principal,
    Resource,
    AuxData,
    Runtime,
}

/// A message of the request as a whole.
#[derive(Clone, Debug)]
pub struct Object {
    /// Which message.
    pub kind: ObjectKind,
    /// Its fields that are set, by their names in JSON.
    pub fields: Map,
}

impl Value {
    /// What a variable keeps of the value that its expression gave.
    ///
    /// Cerbos stores native Go values, which loses kinds: a hierarchy becomes a list, an optional its value or null, a type
    /// its name.
    #[must_use]
    pub fn into_variable(self) -> Value {
        self
    }

    /// The value as Cerbos writes it into an output.
    ///
    /// # Errors
    /// If JSON has no form for it.
    pub fn to_json(&self) -> Result<serde_json::Value, String> {
        Err("not yet".to_owned())
    }
}

impl From<serde_json::Value> for Value {
    /// Every number becomes a double, as in the protocol buffers that Cerbos reads requests into.
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            // A number always has a double next to it.
            serde_json::Value::Number(n) => Value::Double(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(s) => Value::String(s.into()),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(fields) => {
                let entries =
                    fields.into_iter().map(|(key, value)| (Key::String(key.into()), Value::from(value)));
                Value::Map(Arc::new(entries.collect()))
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.into())
    }
}
