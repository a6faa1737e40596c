//! What a trusted attribute is compared with: constants by `==`, `!=` or `in`, also where the attribute is wrapped in what leaves it as it is.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::vocabulary::attribute;
use crate::cel::{BinaryOp, Expr, Kind, Path, Root, Value};
use crate::cerbos::Params;
use crate::cerbos::closing::constant;

/// In which case an attribute's text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    AsItIs,
    Lower,
    Upper,
}

impl Case {
    pub(super) fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AsItIs => text.into(),
            Self::Lower => text.to_ascii_lowercase().into(),
            Self::Upper => text.to_ascii_uppercase().into(),
        }
    }
}

/// An attribute, and texts that it is compared with.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) attribute: usize,
    pub(super) case: Case,
    pub(super) texts: Vec<Arc<str>>,
}

/// An expression that is an attribute, or one of a few constants.
struct Trusted {
    attribute: usize,
    case: Case,
    /// What it may be besides.
    besides: Vec<Arc<str>>,
}

impl Trusted {
    /// Comparing it with these says something of the attribute alone.
    fn with(self, texts: Vec<Arc<str>>) -> Compared {
        let Self { attribute, case, besides } = self;
        let texts = texts.into_iter().filter(|text| !besides.contains(text)).collect();
        Compared { attribute, case, texts }
    }
}

/// The comparisons that an expression is, not those within.
pub(super) fn comparisons(part: &Expr, params: &Params) -> Vec<Compared> {
    let Kind::Binary(op, both) = &part.kind else { return Vec::new() };
    let [left, right] = &**both;
    let compared = |one: &Expr, texts_in: &Expr| Some(trusted(one, params)?.with(texts(texts_in, params)));
    let found = match op {
        BinaryOp::Equal | BinaryOp::NotEqual => [compared(left, right), compared(right, left)],
        BinaryOp::In => {
            let listed = match &right.kind {
                Kind::List(items) => either(items.iter().map(|item| &item.value), params)
                    .map(|of| of.with(texts(left, params))),
                _ => None,
            };
            [compared(left, right), listed]
        }
        _ => return Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// The attribute that an expression is, as a whole.
fn trusted(expr: &Expr, params: &Params) -> Option<Trusted> {
    match &expr.kind {
        Kind::Path(path) => plain(attribute_of(path.root, &path.keys)?),
        Kind::Index { operand, index, optional: false } => match (&operand.kind, &index.kind) {
            (Kind::Path(Path { root, keys }), Kind::Literal(Value::String(key))) if keys.is_empty() => {
                plain(attribute_of(*root, std::slice::from_ref(key))?)
            }
            _ => None,
        },
        Kind::Call(function, of) => {
            let [operand] = of.as_slice() else { return None };
            let case = match function.name() {
                // Of a text, the text.
                "string" | "dyn" => return trusted(operand, params),
                "lowerAscii" => Case::Lower,
                "upperAscii" => Case::Upper,
                _ => return None,
            };
            let Trusted { attribute, besides, .. } = trusted(operand, params)?;
            let besides = besides.iter().map(|text| case.of(text).into()).collect();
            Some(Trusted { attribute, case, besides })
        }
        Kind::Conditional(three) => {
            let [_, then, otherwise] = &**three;
            either([then, otherwise].into_iter(), params)
        }
        _ => None,
    }
}

fn plain(attribute: usize) -> Option<Trusted> {
    Some(Trusted { attribute, case: Case::AsItIs, besides: Vec::new() })
}

/// One of several, each of which is the same attribute or a constant.
fn either<'e>(of: impl Iterator<Item = &'e Expr>, params: &Params) -> Option<Trusted> {
    let mut found: Option<Trusted> = None;
    let mut constants = Vec::new();
    for expr in of {
        match (trusted(expr, params), &mut found) {
            (None, _) => {
                let texts = texts(expr, params);
                if texts.is_empty() {
                    return None;
                }
                constants.extend(texts);
            }
            (Some(one), None) => found = Some(one),
            (Some(one), Some(other)) if (one.attribute, one.case) == (other.attribute, other.case) => {
                other.besides.extend(one.besides);
            }
            (Some(_), Some(_)) => return None,
        }
    }
    found.map(|mut of| {
        of.besides.extend(constants);
        of
    })
}

/// Texts that something is compared with, constants looked up.
pub(super) fn texts(expr: &Expr, params: &Params) -> Vec<Arc<str>> {
    match &expr.kind {
        Kind::Literal(value) => of_value(value),
        Kind::List(items) => items.iter().flat_map(|item| texts(&item.value, params)).collect(),
        // A name is in a mapping if it is one of its keys.
        Kind::Map(entries) => entries.iter().flat_map(|entry| texts(&entry.key, params)).collect(),
        Kind::Path(Path { root: Root::Constants, keys }) => match keys.as_slice() {
            [name] => params.constants.get_str(name).map(of_value).unwrap_or_default(),
            _ => Vec::new(),
        },
        Kind::Conditional(three) => {
            let [_, then, otherwise] = &**three;
            [then, otherwise].into_iter().flat_map(|expr| texts(expr, params)).collect()
        }
        Kind::Binary(BinaryOp::Add, _) | Kind::Call(..) => match constant(expr) {
            Some(Ok(value)) => of_value(&value),
            Some(Err(_)) | None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn of_value(value: &Value) -> Vec<Arc<str>> {
    let text = |value: &Value| if let Value::String(text) = value { Some(Arc::clone(text)) } else { None };
    match value {
        Value::String(text) => vec![Arc::clone(text)],
        Value::List(items) => items.iter().filter_map(text).collect(),
        Value::Map(map) => map.iter().filter_map(|(key, _)| text(&key.to_value())).collect(),
        _ => Vec::new(),
    }
}

/// The attribute that keys below a root are, as a whole.
fn attribute_of(root: Root, keys: &[Arc<str>]) -> Option<usize> {
    let field = matches!(root, Root::ResourceId | Root::PrincipalId);
    if keys.len() != usize::from(!field) {
        return None;
    }
    attribute(root, keys.first().map(|key| &**key))
}
