//! Values of CEL.

use std::net::IpAddr;
use std::sync::Arc;

use super::budget::Budget;
use super::error::EvalError;
use super::functions::encode;
use super::functions::net::Cidr;
use super::functions::spiffe::Spiffe;
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
    /// An IP address.
    Ip(IpAddr),
    /// A range of IP addresses.
    Cidr(Arc<Cidr>),
    /// `hierarchy("a.b.c")`.
    Hierarchy(Arc<[Arc<str>]>),
    /// A SPIFFE ID, trust domain or matcher.
    Spiffe(Arc<Spiffe>),
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
    Ip,
    Cidr,
    Hierarchy,
    SpiffeId,
    SpiffeTrustDomain,
    SpiffeMatcher,
    Object(ObjectKind),
}

impl Type {
    /// All types that have a name.
    pub(super) const ALL: [Type; 25] = [
        Type::Null,
        Type::Bool,
        Type::Int,
        Type::Uint,
        Type::Double,
        Type::String,
        Type::Bytes,
        Type::List,
        Type::Map,
        Type::Timestamp,
        Type::Duration,
        Type::Type,
        Type::Optional,
        Type::Ip,
        Type::Cidr,
        Type::Hierarchy,
        Type::SpiffeId,
        Type::SpiffeTrustDomain,
        Type::SpiffeMatcher,
        Type::Object(ObjectKind::Request),
        Type::Object(ObjectKind::Principal),
        Type::Object(ObjectKind::Resource),
        Type::Object(ObjectKind::AuxData),
        Type::Object(ObjectKind::Jwt),
        Type::Object(ObjectKind::Runtime),
    ];

    /// The name that expressions use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Type::Null => "null_type",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::List => "list",
            Type::Map => "map",
            Type::Timestamp => "google.protobuf.Timestamp",
            Type::Duration => "google.protobuf.Duration",
            Type::Type => "type",
            Type::Optional => "optional_type",
            Type::Ip => "net.IP",
            Type::Cidr => "net.CIDR",
            Type::Hierarchy => "cerbos.lib.hierarchy",
            Type::SpiffeId => "cerbos.lib.spiffeID",
            Type::SpiffeTrustDomain => "cerbos.lib.spiffeTrustDomain",
            Type::SpiffeMatcher => "cerbos.lib.spiffeMatcher",
            Type::Object(kind) => kind.type_name(),
        }
    }
}

/// Messages of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its message")]
pub enum ObjectKind {
    Request,
    Principal,
    Resource,
    AuxData,
    Jwt,
    Runtime,
}

impl ObjectKind {
    /// As an author of policies writes it.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            ObjectKind::Request => "request",
            ObjectKind::Principal => "P",
            ObjectKind::Resource => "R",
            ObjectKind::AuxData => "request.auxData",
            ObjectKind::Jwt => "request.auxData.jwts[…]",
            ObjectKind::Runtime => "runtime",
        }
    }

    /// The name of the message.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            ObjectKind::Request => "cerbos.engine.v1.Request",
            ObjectKind::Principal => "cerbos.engine.v1.Request.Principal",
            ObjectKind::Resource => "cerbos.engine.v1.Request.Resource",
            ObjectKind::AuxData => "cerbos.engine.v1.AuxData",
            ObjectKind::Jwt => "cerbos.engine.v1.AuxData.JWT",
            ObjectKind::Runtime => "cerbos.engine.v1.Runtime",
        }
    }
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
    /// The type of the value.
    #[must_use]
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Double(_) => Type::Double,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::List(_) => Type::List,
            Value::Map(_) => Type::Map,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::Type(_) => Type::Type,
            Value::Optional(_) => Type::Optional,
            Value::Ip(_) => Type::Ip,
            Value::Cidr(_) => Type::Cidr,
            Value::Hierarchy(_) => Type::Hierarchy,
            Value::Spiffe(spiffe) => spiffe.type_of(),
            Value::Object(object) => Type::Object(object.kind),
        }
    }

    /// What a variable keeps of the value that its expression gave; nothing if looking at the variable is an error.
    ///
    /// Cerbos stores native Go values, which loses kinds: a hierarchy becomes a list, an optional its value or null, a type
    /// its name, and SPIFFE values cannot be read back.
    #[must_use]
    pub fn into_variable(self) -> Option<Value> {
        Some(match self {
            Value::Hierarchy(parts) => {
                Value::List(parts.iter().map(|part| Value::String(Arc::clone(part))).collect())
            }
            Value::Optional(Some(value)) => return Value::clone(&value).into_variable(),
            Value::Optional(None) => Value::Null,
            Value::Type(ty) => Value::from(ty.name()),
            Value::Spiffe(_) => return None,
            other => other,
        })
    }

    /// The value as Cerbos writes it into an output.
    ///
    /// # Errors
    /// If JSON has no form for it, or it is larger than an output may be.
    pub fn to_json(&self) -> Result<serde_json::Value, EvalError> {
        self.to_json_within(&mut Budget::default())
    }

    /// The same, within what is left of a budget.
    pub(crate) fn to_json_within(&self, budget: &mut Budget) -> Result<serde_json::Value, EvalError> {
        encode::to_json(self, budget)
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
