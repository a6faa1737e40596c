//! Values that are borrowed from the policy, the request or the arguments: nothing is built to look at them.

use crate::cel::{Map, Value};

use super::json::{self, Found, Unreadable};

/// Why a lowered expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// An error of the language; which one the interpreter says.
    Failed,
    /// Something that is not lowered: the interpreter decides.
    Leave,
}

impl From<Unreadable> for Stop {
    fn from(_: Unreadable) -> Self {
        Stop::Leave
    }
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ref<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(&'a str),
    List(List<'a>),
    Map(Members<'a>),
}

/// A list.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    /// Of the policy, or of a request's attributes.
    Values(&'a [Value]),
    /// A principal's roles.
    Texts(&'a [String]),
    /// Of the arguments.
    Json(&'a [u8]),
}

/// A map.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    Values(&'a Map),
    Json(&'a [u8]),
}

impl<'a> Ref<'a> {
    /// A value that an expression of the lowered kind can hold.
    pub(super) fn of(value: &'a Value) -> Result<Self, Stop> {
        Ok(match value {
            Value::Null => Ref::Null,
            Value::Bool(flag) => Ref::Bool(*flag),
            Value::Int(number) => Ref::Int(*number),
            Value::Uint(number) => Ref::Uint(*number),
            Value::Double(number) => Ref::Double(*number),
            Value::String(text) => Ref::Text(text),
            Value::List(items) => Ref::List(List::Values(items)),
            Value::Map(map) => Ref::Map(Members::Values(map)),
            Value::Bytes(_)
            | Value::Timestamp(_)
            | Value::Duration(_)
            | Value::Type(_)
            | Value::Optional(_)
            | Value::Ip(_)
            | Value::Cidr(_)
            | Value::Hierarchy(_)
            | Value::Spiffe(_)
            | Value::Object(_) => return Err(Stop::Leave),
        })
    }

    pub(super) fn of_json(found: Found<'a>) -> Result<Self, Stop> {
        Ok(match found {
            Found::Null => Ref::Null,
            Found::Bool(flag) => Ref::Bool(flag),
            Found::Number(number) => Ref::Double(number),
            Found::Plain(text) => Ref::Text(text),
            Found::Escaped => return Err(Stop::Leave),
            Found::Object(bytes) => Ref::Map(Members::Json(bytes)),
            Found::Array(bytes) => Ref::List(List::Json(bytes)),
        })
    }

    /// `self.key`. A missing key is an error of the language.
    pub(super) fn member(self, key: &str) -> Result<Self, Stop> {
        self.find(key)?.ok_or(Stop::Failed)
    }

    /// The member if it is there. What is no map has no members to ask for.
    pub(super) fn find(self, key: &str) -> Result<Option<Self>, Stop> {
        match self {
            Ref::Map(Members::Values(map)) => map.get_str(key).map(Ref::of).transpose(),
            Ref::Map(Members::Json(bytes)) => json::member(bytes, key)?.map(Ref::of_json).transpose(),
            // An error, or an optional's member: the interpreter knows.
            _ => Err(Stop::Leave),
        }
    }

    /// `self == other`, as CEL compares values of any two types.
    pub(super) fn equals(self, other: Self) -> Result<bool, Stop> {
        Ok(match (self, other) {
            (Ref::List(_) | Ref::Map(_), _) | (_, Ref::List(_) | Ref::Map(_)) => return Err(Stop::Leave),
            (Ref::Null, Ref::Null) => true,
            (Ref::Bool(a), Ref::Bool(b)) => a == b,
            (Ref::Text(a), Ref::Text(b)) => a == b,
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.compare(b) == Some(std::cmp::Ordering::Equal),
                _ => false,
            },
        })
    }

    /// `<` and its kin, for which both have to be of one kind. What is not a number has no order, the interpreter says.
    pub(super) fn order(self, other: Self) -> Result<std::cmp::Ordering, Stop> {
        match (self, other) {
            (Ref::Bool(a), Ref::Bool(b)) => Ok(a.cmp(&b)),
            (Ref::Text(a), Ref::Text(b)) => Ok(a.cmp(b)),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.compare(b).ok_or(Stop::Leave),
                _ => Err(Stop::Leave),
            },
        }
    }

    pub(super) fn truth(self) -> Result<bool, Stop> {
        match self {
            Ref::Bool(flag) => Ok(flag),
            _ => Err(Stop::Failed),
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Ref::Int(number) => Some(Number::Int(number)),
            Ref::Uint(number) => Some(Number::Uint(number)),
            Ref::Double(number) => Some(Number::Double(number)),
            _ => None,
        }
    }
}

/// Numbers compare across their types; whole ones beside a double as doubles, as cel-go does it.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl Number {
    /// `None` where one is NaN.
    fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(&b)),
            (Self::Int(a), Self::Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            (Self::Uint(a), Self::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Double(a), b) => a.partial_cmp(&b.double()),
            (a, Self::Double(b)) => a.double().partial_cmp(&b),
        }
    }

    fn double(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Uint(number) => number as f64,
            Self::Double(number) => number,
        }
    }
}
