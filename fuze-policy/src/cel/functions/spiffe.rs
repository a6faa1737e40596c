//! SPIFFE IDs, trust domains and matchers.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::{Computed, Context, Native, text};
use crate::cel::error::EvalError;
use crate::cel::ops::Equality;
use crate::cel::signatures::Line;
use crate::cel::value::{Type, Value};

pub(super) const LINES: &[Line] = &[
    ("spiffeID", &["(string) spiffeId"], Native::Eager(new_id)),
    ("spiffeTrustDomain", &["(string) spiffeTrustDomain"], Native::Eager(new_trust_domain)),
    ("spiffeMatchAny", &["() spiffeMatcher"], Native::Eager(|_, _| Ok(value(Spiffe::Matcher(Matcher::Any))))),
    ("spiffeMatchExact", &["(spiffeId) spiffeMatcher", "(string) spiffeMatcher"], Native::Eager(match_exact)),
    (
        "spiffeMatchOneOf",
        &["(list(spiffeId)) spiffeMatcher", "(list(string)) spiffeMatcher"],
        Native::Eager(match_one_of),
    ),
    (
        "spiffeMatchTrustDomain",
        &["(spiffeTrustDomain) spiffeMatcher", "(string) spiffeMatcher"],
        Native::Eager(match_trust_domain),
    ),
    ("isMemberOf", &["spiffeId.(spiffeTrustDomain) bool"], Native::Eager(is_member_of)),
    ("path", &["spiffeId.() string"], Native::Eager(path)),
    ("trustDomain", &["spiffeId.() spiffeTrustDomain"], Native::Eager(trust_domain_of)),
    ("name", &["spiffeTrustDomain.() string"], Native::Eager(trust_domain_name)),
    (
        "matchesID",
        &["spiffeMatcher.(spiffeId) bool", "spiffeMatcher.(string) bool"],
        Native::Eager(matches_id),
    ),
];

/// A SPIFFE ID, trust domain or matcher.
#[derive(Clone, Debug)]
pub enum Spiffe {
    /// `spiffe://trust.domain/path`.
    Id(Id),
    /// The name of a trust domain.
    TrustDomain(Arc<str>),
    /// Which IDs are accepted.
    Matcher(Matcher),
}

/// A SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    text: Arc<str>,
    /// Where the trust domain ends and the path, if any, begins.
    path_at: usize,
}

/// Which IDs are accepted.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// All.
    Any,
    /// These.
    OneOf(Arc<[Id]>),
    /// Those of this trust domain.
    TrustDomain(Arc<str>),
}

const SCHEME: &str = "spiffe://";

impl Id {
    fn parse(text: &str) -> Result<Id, &'static str> {
        let rest = text.strip_prefix(SCHEME).ok_or("scheme is missing or invalid")?;
        let path_at = SCHEME.len() + rest.find('/').unwrap_or(rest.len());
        let id = Id { text: text.into(), path_at };
        check_trust_domain(id.trust_domain())?;
        check_path(id.path())?;
        Ok(id)
    }

    fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path_at).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.text.get(self.path_at..).unwrap_or_default()
    }
}

fn check_trust_domain(name: &str) -> Result<(), &'static str> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
    match name {
        "" => Err("trust domain is missing"),
        name if name.bytes().all(known) => Ok(()),
        _ => Err(
            "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
        ),
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(segments) = path.strip_prefix('/') else { return Ok(()) };
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    for segment in segments.split('/') {
        match segment {
            "" => return Err("path cannot contain empty segments or a trailing slash"),
            "." | ".." => return Err("path cannot contain dot segments"),
            segment if !segment.bytes().all(known) => {
                return Err(
                    "path segment characters are limited to letters, numbers, dots, dashes, and underscores",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

fn parse_trust_domain(text: &str) -> Result<Arc<str>, &'static str> {
    // What looks like an ID is read as one, for its trust domain.
    if text.contains(":/") {
        return Id::parse(text).map(|id| id.trust_domain().into());
    }
    check_trust_domain(text).map(|()| text.into())
}

impl Spiffe {
    pub(in crate::cel) fn type_of(&self) -> Type {
        match self {
            Spiffe::Id(_) => Type::SpiffeId,
            Spiffe::TrustDomain(_) => Type::SpiffeTrustDomain,
            Spiffe::Matcher(_) => Type::SpiffeMatcher,
        }
    }

    /// Equality as Cerbos defines it: with text too, and never of matchers.
    pub(in crate::cel) fn equality(&self, other: &Value) -> Equality {
        let same = match (self, other) {
            (Spiffe::Matcher(_), _) => false,
            (Spiffe::Id(id), Value::String(s)) => *id.text == **s,
            (Spiffe::TrustDomain(name), Value::String(s)) => {
                parse_trust_domain(s).is_ok_and(|other| other == *name)
            }
            (Spiffe::Id(id), Value::Spiffe(other)) => match &**other {
                Spiffe::Id(other) => id == other,
                _ => return Equality::Refused,
            },
            (Spiffe::TrustDomain(name), Value::Spiffe(other)) => match &**other {
                Spiffe::TrustDomain(other) => name == other,
                _ => return Equality::Refused,
            },
            _ => return Equality::Refused,
        };
        if same { Equality::Equal } else { Equality::Different }
    }

    /// The order of trust domains, turned around as in Cerbos, which compares the argument with the receiver.
    pub(in crate::cel) fn compare(&self, other: &Value) -> Result<Ordering, EvalError> {
        let Spiffe::TrustDomain(name) = self else { return Err(EvalError::NO_SUCH_OVERLOAD) };
        let other = match other {
            Value::String(s) => parse_trust_domain(s).map_err(failed)?,
            Value::Spiffe(other) => match &**other {
                Spiffe::TrustDomain(other) => Arc::clone(other),
                _ => return Err(EvalError::NO_SUCH_OVERLOAD),
            },
            _ => return Err(EvalError::NO_SUCH_OVERLOAD),
        };
        Ok(other.cmp(name))
    }
}

impl fmt::Display for Spiffe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spiffe::Id(id) => f.write_str(&id.text),
            Spiffe::TrustDomain(name) => f.write_str(name),
            Spiffe::Matcher(_) => f.write_str("SPIFFE matcher"),
        }
    }
}

fn failed(why: &'static str) -> EvalError {
    EvalError::failed(format!("failed to parse SPIFFE ID: {why}"))
}

fn value(spiffe: Spiffe) -> Value {
    Value::Spiffe(Arc::new(spiffe))
}

/// An ID, or text that is one.
fn id(value: &Value) -> Result<Id, EvalError> {
    match value {
        Value::String(s) => Id::parse(s).map_err(failed),
        Value::Spiffe(spiffe) => match &**spiffe {
            Spiffe::Id(id) => Ok(id.clone()),
            _ => Err(EvalError::NO_SUCH_OVERLOAD),
        },
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// A trust domain, or text that is one.
fn trust_domain(value: &Value) -> Result<Arc<str>, EvalError> {
    match value {
        Value::String(s) => parse_trust_domain(s).map_err(failed),
        Value::Spiffe(spiffe) => match &**spiffe {
            Spiffe::TrustDomain(name) => Ok(Arc::clone(name)),
            _ => Err(EvalError::NO_SUCH_OVERLOAD),
        },
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn one(args: &[Value]) -> Result<&Value, EvalError> {
    match args {
        [value] => Ok(value),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn new_id(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match one(args)? {
        text @ Value::String(_) => id(text).map(|id| value(Spiffe::Id(id))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn new_trust_domain(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match one(args)? {
        text @ Value::String(_) => trust_domain(text).map(|name| value(Spiffe::TrustDomain(name))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn match_exact(_: &mut Context<'_>, args: &[Value]) -> Computed {
    let id = id(one(args)?)?;
    Ok(value(Spiffe::Matcher(Matcher::OneOf([id].into()))))
}

fn match_one_of(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let Value::List(items) = one(args)? else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.step(items.len() as u64)?;
    // As in Cerbos, text and IDs may stand side by side.
    match items.iter().map(id).collect::<Result<Vec<_>, _>>() {
        Ok(ids) => Ok(value(Spiffe::Matcher(Matcher::OneOf(ids.into())))),
        Err(_) => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn match_trust_domain(_: &mut Context<'_>, args: &[Value]) -> Computed {
    Ok(value(Spiffe::Matcher(Matcher::TrustDomain(trust_domain(one(args)?)?))))
}

fn is_member_of(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Spiffe(member), Value::Spiffe(domain)] => match (&**member, &**domain) {
            (Spiffe::Id(id), Spiffe::TrustDomain(name)) => Ok(Value::Bool(id.trust_domain() == &**name)),
            _ => Err(EvalError::NO_SUCH_OVERLOAD),
        },
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn spiffe(args: &[Value]) -> Result<&Spiffe, EvalError> {
    match one(args)? {
        Value::Spiffe(spiffe) => Ok(spiffe),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn path(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match spiffe(args)? {
        Spiffe::Id(id) => text(context, id.path()),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn trust_domain_of(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match spiffe(args)? {
        Spiffe::Id(id) => Ok(value(Spiffe::TrustDomain(id.trust_domain().into()))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn trust_domain_name(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match spiffe(args)? {
        Spiffe::TrustDomain(name) => text(context, Arc::clone(name)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn matches_id(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::Spiffe(matcher), candidate] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let Spiffe::Matcher(matcher) = &**matcher else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let candidate = id(candidate)?;
    Ok(Value::Bool(match matcher {
        Matcher::Any => true,
        Matcher::OneOf(ids) => {
            context.budget.step(ids.len() as u64)?;
            ids.contains(&candidate)
        }
        Matcher::TrustDomain(name) => candidate.trust_domain() == &**name,
    }))
}
