//! What holds for whatever comes next, by what it is called: a beginning, an end or a part that a condition names it does not have, and
//! empty it never is.

use super::super::vocabulary::{ATTRIBUTES, Domain, attribute};
use crate::cel::{BinaryOp, Expr, Kind, Pattern, Value};

/// Whether an expression holds for a name that the policy does not name; `None` where it is none about a name, or that is not certain.
pub(super) fn of_any_name(expr: &Expr) -> Option<bool> {
    match &expr.kind {
        Kind::Call(function, of) => {
            let ("startsWith" | "endsWith" | "contains", [name, part]) = (function.name(), of.as_slice())
            else {
                return None;
            };
            let domain = domain_of(name)?;
            match &part.kind {
                Kind::Literal(Value::String(part)) if part.is_empty() => Some(true),
                // Of what has a list of words each is looked at.
                Kind::Literal(Value::String(_)) if domain == Domain::Text => Some(false),
                _ => None,
            }
        }
        Kind::Matches(name, pattern) => {
            domain_of(name)?;
            takes_anything(pattern).then_some(true)
        }
        Kind::Binary(op, both) => {
            let [left, right] = &**both;
            let Kind::Call(function, of) = &left.kind else { return None };
            let ("size", [name]) = (function.name(), of.as_slice()) else { return None };
            domain_of(name)?;
            let least = match &right.kind {
                Kind::Literal(Value::Int(count)) => *count,
                _ => return None,
            };
            let always = match op {
                BinaryOp::Greater => least < 1,
                BinaryOp::GreaterEqual => least <= 1,
                BinaryOp::NotEqual => least < 1,
                _ => false,
            };
            always.then_some(true)
        }
        _ => None,
    }
}

/// What an attribute of a tool or a run can be, which is never an empty text; also in other letters.
fn domain_of(expr: &Expr) -> Option<Domain> {
    match &expr.kind {
        Kind::Path(path) => {
            let known = attribute(path.root, path.keys.first().map(|key| &**key))?;
            let domain = ATTRIBUTES.get(known)?.domain;
            let is_text = matches!(domain, Domain::Text | Domain::Open(_) | Domain::Closed(_));
            (is_text && path.keys.len() < 2).then_some(domain)
        }
        Kind::Call(function, of) => match (function.name(), of.as_slice()) {
            ("lowerAscii" | "upperAscii" | "string", [operand]) => domain_of(operand),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a pattern is found in every text: nothing is, wherever it stands.
fn takes_anything(pattern: &Pattern) -> bool {
    // What stands nowhere but at the beginning, at the end, or beside a word is left to other ways to tell.
    !pattern.source().contains(['^', '$', '\\']) && pattern.is_match("")
}
