//! The interpreter.
//!
//! It recurses as deep as the expression, which the parser bounds. Each expression is a step of the budget, each turn of a
//! macro another, and operators and functions take what their operands cost.

use std::sync::Arc;

use super::activation::{Activation, DerivedRoles};
use super::ast::{Entry, Expr, Item, Kind, Path, Root};
use super::budget::Budget;
use super::error::EvalError;
use super::functions::{Context, Native};
use super::map::{Key, Map};
use super::ops;
use super::types::Ty;
use super::value::{Object, ObjectKind, Value};
use super::{eval_fold, signatures};

type Evaluated = Result<Value, EvalError>;

/// A variable of a macro.
pub(super) enum Slot {
    /// Its value.
    Value(Value),
    /// What `cel.bind` gives it failed: an error for those who look at it only, as in cel-go.
    Failed(EvalError),
}

/// One evaluation.
pub(super) struct Interpreter<'e> {
    pub(super) activation: &'e Activation,
    pub(super) budget: &'e mut Budget,
    pub(super) locals: Vec<Slot>,
    /// Without, whatever looks at the request fails.
    pub(super) sees: bool,
}

impl<'e> Interpreter<'e> {
    pub(super) fn eval(&mut self, expr: &'e Expr) -> Evaluated {
        self.budget.step(1)?;
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Path(path) => self.path(path),
            Kind::Local(slot) => self.local(*slot),
            Kind::Select { operand, field, optional } => {
                let operand = self.eval(operand)?;
                select(&operand, field, *optional)
            }
            Kind::Has { operand, field } => self.has(operand, field).map(Value::Bool),
            Kind::Index { operand, index, optional } => {
                let operand = self.eval(operand)?;
                let index = self.eval(index)?;
                self.budget.step(ops::text_cost(&index))?;
                element(&operand, &index, *optional)
            }
            Kind::Not(operand) => match self.eval(operand)? {
                Value::Bool(b) => Ok(Value::Bool(!b)),
                _ => Err(EvalError::NO_SUCH_OVERLOAD),
            },
            Kind::Negate(operand) => ops::negate(&self.eval(operand)?),
            Kind::Binary(op, both) => {
                let [left, right] = &**both;
                let left = self.eval(left)?;
                let right = self.eval(right)?;
                ops::binary(*op, &left, &right, self.budget)
            }
            Kind::And(terms) => self.logic(terms, false),
            Kind::Or(terms) => self.logic(terms, true),
            Kind::Conditional(three) => {
                let [condition, then, otherwise] = &**three;
                match self.eval(condition)? {
                    Value::Bool(true) => self.eval(then),
                    Value::Bool(false) => self.eval(otherwise),
                    _ => Err(EvalError::NO_SUCH_OVERLOAD),
                }
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Matches(operand, pattern) => match self.eval(operand)? {
                Value::String(text) => {
                    self.budget.step(pattern.cost(text.len()))?;
                    Ok(Value::Bool(pattern.is_match(&text)))
                }
                _ => Err(EvalError::NO_SUCH_OVERLOAD),
            },
            Kind::Call(function, args) => self.call(*function, args),
            Kind::Fold(fold) => eval_fold::fold(self, fold),
            Kind::Bind(both) => {
                let [init, body] = &**both;
                let slot = match self.eval(init) {
                    Ok(value) => Slot::Value(value),
                    Err(error @ EvalError::Exhausted(_)) => return Err(error),
                    // In Cerbos what is not looked at is not evaluated, so that it does not ask for the time either.
                    Err(error) => Slot::Failed(error),
                };
                self.with_local(slot, |this| this.eval(body))
            }
            Kind::OptMap { operand, body, flat } => match self.eval(operand)? {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(value)) => {
                    let result =
                        self.with_local(Slot::Value(Value::clone(&value)), |this| this.eval(body))?;
                    Ok(if *flat { result } else { Value::Optional(Some(Arc::new(result))) })
                }
                _ => Err(EvalError::NO_SUCH_OVERLOAD),
            },
        }
    }

    /// Evaluates with one more variable.
    pub(super) fn with_local<T>(&mut self, slot: Slot, eval: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(slot);
        let result = eval(self);
        self.locals.pop();
        result
    }

    fn local(&self, slot: usize) -> Evaluated {
        match self.locals.get(slot) {
            Some(Slot::Value(value)) => Ok(value.clone()),
            Some(Slot::Failed(error)) => Err(error.clone()),
            // INVARIANT: the checker numbers only variables that are bound.
            None => Err(EvalError::failed("no such attribute")),
        }
    }

    /// `&&` with `decisive` false, `||` with `decisive` true: a decisive operand wins over errors beside it.
    fn logic(&mut self, terms: &'e [Expr], decisive: bool) -> Evaluated {
        let mut first_error = None;
        for term in terms {
            match self.eval(term) {
                Ok(Value::Bool(b)) if b == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => first_error = first_error.or(Some(EvalError::NO_SUCH_OVERLOAD)),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn list(&mut self, items: &'e [Item]) -> Evaluated {
        self.budget.grow(ops::list_bytes(items.len()))?;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match (self.eval(&item.value)?, item.optional) {
                (Value::Optional(None), true) => {}
                (Value::Optional(Some(value)), true) => values.push(Value::clone(&value)),
                (_, true) => {
                    return Err(EvalError::failed(
                        "cannot initialize optional list element from non-optional value",
                    ));
                }
                (value, false) => values.push(value),
            }
        }
        Ok(Value::List(values.into()))
    }

    fn map(&mut self, entries: &'e [Entry]) -> Evaluated {
        self.budget.grow(2 * ops::list_bytes(entries.len()))?;
        let mut built: Vec<(Key, Value)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let key = Key::from_value(&key).ok_or_else(|| {
                EvalError::failed(format!("a map cannot have keys of type {}", key.type_of().name()))
            })?;
            self.budget.step(ops::key_cost(&key))?;
            match (self.eval(&entry.value)?, entry.optional) {
                // As cel-go does: an absent value also removes what an entry before put there.
                (Value::Optional(None), true) => built.retain(|(other, _)| *other != key),
                (Value::Optional(Some(value)), true) => built.push((key, Value::clone(&value))),
                (_, true) => {
                    return Err(EvalError::failed(
                        "cannot initialize optional entry from non-optional value",
                    ));
                }
                (value, false) => built.push((key, value)),
            }
        }
        Ok(Value::Map(Arc::new(Map::new(built))))
    }

    fn call(&mut self, function: super::Function, args: &'e [Expr]) -> Evaluated {
        let decl = signatures::decl(function).ok_or(EvalError::NO_SUCH_OVERLOAD)?;
        let native = match (decl.native, args) {
            (Native::Eager(native), _) => native,
            (Native::OrElse(present), [optional, otherwise]) => {
                return match self.eval(optional)? {
                    Value::Optional(Some(value)) => Ok(present(value)),
                    Value::Optional(None) => self.eval(otherwise),
                    _ => Err(EvalError::NO_SUCH_OVERLOAD),
                };
            }
            (Native::OrElse(_), _) => return Err(EvalError::NO_SUCH_OVERLOAD),
        };
        let values = args.iter().map(|arg| self.eval(arg)).collect::<Result<Vec<_>, _>>()?;
        // Each function walks the text it is given once at least.
        self.budget.step(values.iter().map(ops::text_cost).sum())?;
        native(&mut Context { now: self.activation.now, budget: self.budget }, &values)
    }

    fn has(&mut self, operand: &'e Expr, field: &str) -> Result<bool, EvalError> {
        if let Kind::Path(path) = &operand.kind
            && path.keys.is_empty()
            && let Some(set) = self.has_declared(path.root, field)?
        {
            return Ok(set);
        }
        present(&self.eval(operand)?, field)
    }

    /// Whether a declared field of the request is set: strings, lists and maps are if they are not empty.
    fn has_declared(&mut self, root: Root, field: &str) -> Result<Option<bool>, EvalError> {
        self.look()?;
        let kind = match root {
            Root::Request => ObjectKind::Request,
            Root::Principal => ObjectKind::Principal,
            Root::Resource => ObjectKind::Resource,
            Root::AuxData => ObjectKind::AuxData,
            Root::Runtime => ObjectKind::Runtime,
            _ => return Ok(None),
        };
        let Some((root, _)) = kind.field(field) else { return Ok(None) };
        let a = self.activation;
        Ok(Some(match root {
            Root::Principal | Root::Resource => true,
            Root::AuxData => a.aux_data.is_some(),
            // Always set, once it can be looked at.
            Root::EffectiveDerivedRoles => self.whole(root).map(|_| true)?,
            root => match self.whole(root)? {
                Value::String(s) => !s.is_empty(),
                Value::List(l) => !l.is_empty(),
                Value::Map(m) => !m.is_empty(),
                _ => true,
            },
        }))
    }

    fn look(&self) -> Result<(), EvalError> {
        if self.sees { Ok(()) } else { Err(EvalError::NO_SUCH_OVERLOAD) }
    }

    fn path(&mut self, path: &'e Path) -> Evaluated {
        self.look()?;
        let activation = self.activation;
        let aux = activation.aux_data.as_ref();
        let map = match path.root {
            Root::PrincipalAttr => &activation.principal.attr,
            Root::ResourceAttr => &activation.resource.attr,
            Root::Variables => &activation.variables,
            Root::Constants => &activation.constants,
            Root::Globals => &activation.globals,
            Root::AuxDataJwt if let Some(aux) = aux => &aux.jwt,
            Root::AuxDataJwts if let Some(aux) = aux => &aux.jwts,
            // A message has to be put together.
            root @ (Root::Request | Root::Principal | Root::Resource | Root::AuxData | Root::Runtime) => {
                self.budget.step(16)?;
                return self.whole(root);
            }
            root => {
                return path.keys.iter().try_fold(self.whole(root)?, |value, key| select(&value, key, false));
            }
        };
        let Some((first, rest)) = path.keys.split_first() else { return self.whole(path.root) };
        let found = map.get_str(first).ok_or_else(|| match path.root {
            // To Cerbos these are messages, not maps.
            Root::Variables | Root::Constants | Root::Globals => {
                EvalError::failed(format!("undefined field '{first}'"))
            }
            _ => no_such_key(first),
        })?;
        walk(found, rest)
    }

    /// A part of the request without keys.
    fn whole(&self, root: Root) -> Evaluated {
        let a = self.activation;
        let text = |text: &Arc<str>| Value::String(Arc::clone(text));
        let map = |map: &Arc<Map>| Value::Map(Arc::clone(map));
        // Only what is set, as in a message.
        let object = |kind, fields: &[(&'static str, Root)]| {
            let mut entries = Vec::new();
            for (name, root) in fields {
                entries.push((*name, self.whole(*root)?));
            }
            let fields = entries.into_iter().filter(|(_, value)| is_set(value)).collect();
            Ok(Value::Object(Arc::new(Object { kind, fields })))
        };
        Ok(match root {
            Root::Request => {
                let mut fields = vec![("principal", Root::Principal), ("resource", Root::Resource)];
                fields.extend(a.aux_data.is_some().then_some(("auxData", Root::AuxData)));
                return object(ObjectKind::Request, &fields);
            }
            Root::Principal => {
                return object(
                    ObjectKind::Principal,
                    &[
                        ("id", Root::PrincipalId),
                        ("roles", Root::PrincipalRoles),
                        ("attr", Root::PrincipalAttr),
                        ("policyVersion", Root::PrincipalPolicyVersion),
                        ("scope", Root::PrincipalScope),
                    ],
                );
            }
            Root::Resource => {
                return object(
                    ObjectKind::Resource,
                    &[
                        ("kind", Root::ResourceKind),
                        ("id", Root::ResourceId),
                        ("attr", Root::ResourceAttr),
                        ("policyVersion", Root::ResourcePolicyVersion),
                        ("scope", Root::ResourceScope),
                    ],
                );
            }
            Root::AuxData => {
                return object(
                    ObjectKind::AuxData,
                    &[("jwt", Root::AuxDataJwt), ("jwts", Root::AuxDataJwts)],
                );
            }
            Root::Runtime => {
                return object(
                    ObjectKind::Runtime,
                    &[("effectiveDerivedRoles", Root::EffectiveDerivedRoles)],
                );
            }
            Root::PrincipalId => text(&a.principal.id),
            Root::PrincipalRoles => Value::List(Arc::clone(&a.principal.roles)),
            Root::PrincipalAttr => map(&a.principal.attr),
            Root::PrincipalPolicyVersion => text(&a.principal.policy_version),
            Root::PrincipalScope => text(&a.principal.scope),
            Root::ResourceKind => text(&a.resource.kind),
            Root::ResourceId => text(&a.resource.id),
            Root::ResourceAttr => map(&a.resource.attr),
            Root::ResourcePolicyVersion => text(&a.resource.policy_version),
            Root::ResourceScope => text(&a.resource.scope),
            Root::AuxDataJwt => {
                a.aux_data.as_ref().map_or_else(|| Value::Map(Arc::default()), |aux| map(&aux.jwt))
            }
            Root::AuxDataJwts => {
                a.aux_data.as_ref().map_or_else(|| Value::Map(Arc::default()), |aux| map(&aux.jwts))
            }
            Root::EffectiveDerivedRoles => match &a.derived_roles {
                DerivedRoles::Known(roles) => Value::List(Arc::clone(roles)),
                DerivedRoles::Failed(roles) => {
                    let names = roles.join(", ");
                    return Err(EvalError::failed(format!(
                        "failed to compute effective derived roles [{names}]"
                    )));
                }
            },
            Root::Constants => map(&a.constants),
            Root::Variables => map(&a.variables),
            Root::Globals => map(&a.globals),
        })
    }
}

fn no_such_key(key: &str) -> EvalError {
    EvalError::failed(format!("no such key: {key}"))
}

/// Follows keys without taking hold of what lies between.
fn walk(mut value: &Value, keys: &[Arc<str>]) -> Evaluated {
    for (at, key) in keys.iter().enumerate() {
        match value {
            Value::Map(map) => value = map.get_str(key).ok_or_else(|| no_such_key(key))?,
            // Only where a chain begins cel-go looks into an optional.
            Value::Optional(_) => return Err(no_such_key(key)),
            other => {
                let rest = keys.get(at..).unwrap_or_default();
                return rest.iter().try_fold(other.clone(), |value, key| select(&value, key, false));
            }
        }
    }
    Ok(value.clone())
}

/// `value.field`, or `value.?field` if optional; of an optional always an optional.
fn select(value: &Value, field: &Arc<str>, optional: bool) -> Evaluated {
    element(value, &Value::String(Arc::clone(field)), optional)
}

/// `has(value.field)`.
fn present(value: &Value, field: &str) -> Result<bool, EvalError> {
    match value {
        Value::Map(map) => Ok(map.get_str(field).is_some()),
        Value::Object(object) => Ok(object.set(field)?.is_some()),
        Value::List(_) => Err(EvalError::failed("unsupported index type 'string' in list")),
        Value::Hierarchy(_) => Err(EvalError::failed("unsupported index type 'string'")),
        Value::Optional(Some(value)) => present(value, field),
        // Anything else has no fields: none is present.
        _ => Ok(false),
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::String(s) => !s.is_empty(),
        Value::List(l) => !l.is_empty(),
        Value::Map(m) => !m.is_empty(),
        _ => true,
    }
}

/// `value[index]`, or `value[?index]` if optional; of an optional always an optional.
fn element(value: &Value, index: &Value, optional: bool) -> Evaluated {
    if let Value::Optional(inner) = value {
        return match inner {
            Some(inner) => element(inner, index, true),
            None => Ok(Value::Optional(None)),
        };
    }
    if !matches!(index, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_))
    {
        return Err(EvalError::failed(format!(
            "a value of type {} cannot be an index",
            index.type_of().name()
        )));
    }
    let found = match value {
        Value::Map(map) => map.get(index).cloned(),
        Value::List(items) => position(index)?.and_then(|at| items.get(at)).cloned(),
        Value::Hierarchy(parts) => match index {
            Value::Int(at) => {
                usize::try_from(*at).ok().and_then(|at| parts.get(at)).cloned().map(Value::String)
            }
            _ => return Err(EvalError::failed("unsupported index type")),
        },
        Value::Object(object) => match index {
            Value::String(field) if optional => object.set(field)?.cloned(),
            Value::String(field) => Some(object.get(field)?),
            _ => return Err(EvalError::failed("a field has a name")),
        },
        _ => None,
    };
    match (found, optional) {
        (found, true) => Ok(Value::Optional(found.map(Arc::new))),
        (Some(value), false) => Ok(value),
        (None, false) => Err(match (value, index) {
            (Value::List(items), _) => {
                EvalError::failed(format!("index out of range in list of {}", items.len()))
            }
            (_, Value::String(key)) => no_such_key(key),
            _ => EvalError::failed("no such key"),
        }),
    }
}

/// A position in a list: integers, and doubles without fraction.
fn position(index: &Value) -> Result<Option<usize>, EvalError> {
    let whole = match index {
        Value::Int(i) => Some(*i),
        Value::Uint(u) => i64::try_from(*u).ok(),
        Value::Double(d) => super::map::lossless_i64(*d),
        _ => None,
    };
    let whole = whole.ok_or_else(|| {
        EvalError::failed(format!("unsupported index type '{}' in list", index.type_of().name()))
    })?;
    Ok(usize::try_from(whole).ok())
}

impl Object {
    /// A field that is set, in either spelling.
    fn set(&self, field: &str) -> Result<Option<&Value>, EvalError> {
        self.declared(field)?;
        let json = match field {
            "policy_version" => "policyVersion",
            "aux_data" => "auxData",
            "effective_derived_roles" => "effectiveDerivedRoles",
            other => other,
        };
        Ok(self.fields.get_str(json))
    }

    /// A field, empty if it is not set.
    fn get(&self, field: &str) -> Evaluated {
        if let Some(set) = self.set(field)? {
            return Ok(set.clone());
        }
        Ok(match self.declared(field)? {
            Ty::List(_) => Value::List(Arc::default()),
            Ty::Map(_) => Value::Map(Arc::default()),
            Ty::Object(kind) => Value::Object(Arc::new(Object { kind, fields: Map::default() })),
            _ => Value::String(Arc::default()),
        })
    }

    fn declared(&self, field: &str) -> Result<Ty, EvalError> {
        let (_, ty) =
            self.kind.field(field).ok_or_else(|| EvalError::failed(format!("no such field '{field}'")))?;
        Ok(ty)
    }
}
