//! Macros that walk a list or map.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::{Expr, Fold, FoldKind};
use super::error::EvalError;
use super::eval::{Interpreter, Slot};
use super::map::{Key, Map};
use super::ops;
use super::value::Value;

type Evaluated = Result<Value, EvalError>;

/// Evaluates a macro.
pub(super) fn fold<'e>(interpreter: &mut Interpreter<'e>, fold: &'e Fold) -> Evaluated {
    let range = interpreter.eval(&fold.range)?;
    let mut collector = Collector::new(fold.kind);
    match &range {
        Value::List(items) => {
            for (at, item) in (0..).zip(items.iter()) {
                if !turn(interpreter, fold, &mut collector, Value::Int(at), item, item)? {
                    break;
                }
            }
        }
        Value::Map(map) => {
            for (key, value) in map.iter() {
                let key = key.to_value();
                if !turn(interpreter, fold, &mut collector, key.clone(), value, &key)? {
                    break;
                }
            }
        }
        _ => {
            return Err(EvalError::failed(format!(
                "got '{}', expected iterable type",
                range.type_of().name()
            )));
        }
    }
    collector.finish(interpreter, &range)
}

/// One turn; false once the result is decided.
fn turn<'e>(
    interpreter: &mut Interpreter<'e>,
    fold: &'e Fold,
    collector: &mut Collector,
    key: Value,
    value: &Value,
    single: &Value,
) -> Result<bool, EvalError> {
    interpreter.budget.step(1)?;
    let outside = interpreter.locals.len();
    if fold.variables == 2 {
        interpreter.locals.push(Slot::Value(key));
        interpreter.locals.push(Slot::Value(value.clone()));
    } else {
        interpreter.locals.push(Slot::Value(single.clone()));
    }
    let result = wanted(interpreter, fold.filter.as_ref()).and_then(|wanted| {
        if !wanted {
            return Ok(true);
        }
        let result = interpreter.eval(&fold.body);
        let first = match interpreter.locals.get(outside) {
            Some(Slot::Value(value)) => value.clone(),
            _ => Value::Null,
        };
        collector.add(interpreter, first, result)
    });
    interpreter.locals.truncate(outside);
    result
}

fn wanted<'e>(interpreter: &mut Interpreter<'e>, filter: Option<&'e Expr>) -> Result<bool, EvalError> {
    match filter.map(|filter| interpreter.eval(filter)).transpose()? {
        None | Some(Value::Bool(true)) => Ok(true),
        Some(Value::Bool(false)) => Ok(false),
        Some(_) => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// What a macro gathers on its way.
enum Collector {
    /// `all` ends with the first false, `exists` with the first true; an error counts if nothing ends it.
    Quantifier {
        decisive: bool,
        decided: bool,
        error: Option<EvalError>,
    },
    Count(u64),
    Filter(Vec<Value>),
    List(Vec<Value>),
    /// `transformMap`; `transformMapEntry` if `merge`.
    Map {
        merge: bool,
        entries: Vec<(Key, Value)>,
    },
    SortBy(Vec<Value>),
}

impl Collector {
    fn new(kind: FoldKind) -> Self {
        let quantifier = |decisive| Collector::Quantifier { decisive, decided: false, error: None };
        let map = |merge| Collector::Map { merge, entries: Vec::new() };
        match kind {
            FoldKind::All => quantifier(false),
            FoldKind::Exists => quantifier(true),
            FoldKind::ExistsOne => Collector::Count(0),
            FoldKind::Filter => Collector::Filter(Vec::new()),
            FoldKind::Map => Collector::List(Vec::new()),
            FoldKind::TransformMap => map(false),
            FoldKind::TransformMapEntry => map(true),
            FoldKind::SortBy => Collector::SortBy(Vec::new()),
        }
    }

    /// Takes the result of one turn; false if the macro is decided.
    fn add(
        &mut self,
        interpreter: &mut Interpreter<'_>,
        first: Value,
        result: Evaluated,
    ) -> Result<bool, EvalError> {
        match self {
            Collector::Quantifier { decisive, decided, error } => match result {
                Ok(Value::Bool(b)) if b == *decisive => {
                    *decided = true;
                    return Ok(false);
                }
                Ok(Value::Bool(_)) => {}
                Ok(_) => {
                    error.get_or_insert(EvalError::NO_SUCH_OVERLOAD);
                }
                Err(failed) if failed.is_final() => return Err(failed),
                Err(failed) => {
                    error.get_or_insert(failed);
                }
            },
            Collector::Count(count) => *count += u64::from(boolean(&result?)?),
            Collector::Filter(kept) => {
                if boolean(&result?)? {
                    interpreter.budget.grow(ops::list_bytes(1))?;
                    kept.push(first);
                }
            }
            Collector::List(values) | Collector::SortBy(values) => {
                interpreter.budget.grow(ops::list_bytes(1))?;
                values.push(result?);
            }
            Collector::Map { merge: false, entries } => {
                let key = key(&first)?;
                interpreter.budget.grow(ops::list_bytes(2))?;
                interpreter.budget.step(ops::key_cost(&key))?;
                entries.push((key, result?));
            }
            Collector::Map { merge: true, entries } => {
                let Value::Map(added) = result? else { return Err(EvalError::NO_SUCH_OVERLOAD) };
                interpreter.budget.grow(ops::list_bytes(2 * added.len()))?;
                interpreter.budget.step(added.iter().map(|(key, _)| ops::key_cost(key)).sum())?;
                entries.extend(added.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        Ok(true)
    }

    fn finish(self, interpreter: &mut Interpreter<'_>, range: &Value) -> Evaluated {
        match self {
            Collector::Quantifier { decisive, decided: true, .. } => Ok(Value::Bool(decisive)),
            Collector::Quantifier { error: Some(error), .. } => Err(error),
            Collector::Quantifier { decisive, .. } => Ok(Value::Bool(!decisive)),
            Collector::Count(count) => Ok(Value::Bool(count == 1)),
            Collector::Filter(values) | Collector::List(values) => Ok(Value::List(values.into())),
            Collector::Map { entries, .. } => distinct_keys(entries),
            Collector::SortBy(keys) => match range {
                Value::List(items) => sorted(items, &keys, interpreter.budget),
                _ => Err(EvalError::NO_SUCH_OVERLOAD),
            },
        }
    }
}

fn boolean(value: &Value) -> Result<bool, EvalError> {
    match value {
        Value::Bool(b) => Ok(*b),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn key(value: &Value) -> Result<Key, EvalError> {
    Key::from_value(value).ok_or(EvalError::NO_SUCH_OVERLOAD)
}

/// A map of entries of which none has the key of another, numbers being equal across kinds.
fn distinct_keys(entries: Vec<(Key, Value)>) -> Evaluated {
    let count = entries.len();
    let map = Map::new(entries);
    let twice = || EvalError::failed("insert failed: key already exists");
    if map.len() < count {
        return Err(twice());
    }
    for (key, _) in map.iter() {
        let other = match key {
            Key::Uint(u) => i64::try_from(*u).ok().map(Value::Int),
            Key::Double(d) => super::map::lossless_i64(*d).map(Value::Int),
            _ => None,
        };
        if other.and_then(|other| Key::from_value(&other)).is_some_and(|other| map.has_exactly(&other)) {
            return Err(twice());
        }
    }
    Ok(Value::Map(Arc::new(map)))
}

/// The items in the order of their keys, which must be of one kind.
pub(super) fn sorted(items: &[Value], keys: &[Value], budget: &mut super::Budget) -> Evaluated {
    let Some(first) = keys.first() else { return Ok(Value::List(items.into())) };
    let ordered = matches!(
        first,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Double(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Timestamp(_)
            | Value::Duration(_)
    );
    if !ordered {
        return Err(EvalError::failed("list elements must be comparable"));
    }
    if keys.len() > 1 && keys.iter().any(|key| key.type_of() != first.type_of()) {
        return Err(EvalError::failed("list elements must have the same type"));
    }
    let count = keys.len() as u64;
    budget.grow(ops::list_bytes(items.len()))?;
    let all = keys.iter().fold(count, |all, key| all.saturating_add(ops::text_cost(key)));
    budget.step(all.saturating_mul(u64::from(count.ilog2() + 1)))?;
    let mut pairs: Vec<_> = keys.iter().zip(items).collect();
    pairs.sort_by(|a, b| ops::compare(a.0, b.0).unwrap_or(Ordering::Equal));
    Ok(Value::List(pairs.into_iter().map(|(_, item)| item.clone()).collect()))
}
