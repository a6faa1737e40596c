//! Text: positions count code points, as in cel-go.

use std::sync::Arc;

use super::{Computed, Context, Native, format, int, list, strings_of, text};
use crate::cel::error::EvalError;
use crate::cel::ops::text_cost_of;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

const TEST: &[&str] = &["string.(string) bool"];
const SEARCH: &[&str] = &["string.(string) int", "string.(string, int) int"];
const PLAIN: &[&str] = &["string.() string"];

pub(super) const LINES: &[Line] = &[
    ("contains", TEST, Native::Eager(|c, args| test(c, args, |s, part| s.contains(part)))),
    ("startsWith", TEST, Native::Eager(|c, args| test(c, args, |s, part| s.starts_with(part)))),
    ("endsWith", TEST, Native::Eager(|c, args| test(c, args, |s, part| s.ends_with(part)))),
    ("charAt", &["string.(int) string"], Native::Eager(char_at)),
    ("indexOf", SEARCH, Native::Eager(index_of)),
    ("lastIndexOf", SEARCH, Native::Eager(last_index_of)),
    ("lowerAscii", PLAIN, Native::Eager(|c, args| changed(c, args, str::to_ascii_lowercase))),
    ("upperAscii", PLAIN, Native::Eager(|c, args| changed(c, args, str::to_ascii_uppercase))),
    ("trim", PLAIN, Native::Eager(|c, args| changed(c, args, |s| s.trim_matches(is_space).to_owned()))),
    (
        "replace",
        &["string.(string, string) string", "string.(string, string, int) string"],
        Native::Eager(replace),
    ),
    ("split", &["string.(string) list(string)", "string.(string, int) list(string)"], Native::Eager(split)),
    ("substring", &["string.(int) string", "string.(int, int) string"], Native::Eager(substring)),
    ("join", &["list(string).() string", "list(string).(string) string"], Native::Eager(join)),
    ("strings.quote", &["(string) string"], Native::Eager(quote)),
    ("format", &["string.(list(dyn)) string"], Native::Eager(format::format)),
];

fn test(context: &mut Context<'_>, args: &[Value], f: fn(&str, &str) -> bool) -> Computed {
    let [Value::String(s), Value::String(part)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.step(text_cost_of(s.len() + part.len()))?;
    Ok(Value::Bool(f(s, part)))
}

fn changed(context: &mut Context<'_>, args: &[Value], f: fn(&str) -> String) -> Computed {
    let [Value::String(s)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    text(context, f(s))
}

/// Space as Go knows it, which is Unicode's `White_Space`.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

fn out_of_range(index: i64) -> EvalError {
    EvalError::failed(format!("index out of range: {index}"))
}

/// The byte at which the code point of that number begins, the end included.
fn byte_of(s: &str, index: i64) -> Result<usize, EvalError> {
    let wanted = usize::try_from(index).map_err(|_| out_of_range(index))?;
    let mut starts = s.char_indices().map(|(at, _)| at).chain([s.len()]);
    starts.nth(wanted).ok_or_else(|| out_of_range(index))
}

fn char_at(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s), Value::Int(index)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.step(text_cost_of(s.len()))?;
    let at = byte_of(s, *index)?;
    let found = s.get(at..).and_then(|rest| rest.chars().next());
    text(context, found.map(String::from).unwrap_or_default())
}

fn index_of(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, part, from) = match args {
        [Value::String(s), Value::String(part)] => (s, part, 0),
        [Value::String(s), Value::String(part), Value::Int(from)] => (s, part, *from),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    // Characters are counted, too.
    context.budget.step(4 * text_cost_of(s.len() + part.len()))?;
    if from < 0 {
        return Err(out_of_range(from));
    }
    let at = match byte_of(s, from) {
        Ok(at) => at,
        // Behind the end nothing is found, except nothing, at the end.
        Err(_) if part.is_empty() => return Ok(int(s.chars().count())),
        Err(_) => return Ok(Value::Int(-1)),
    };
    let rest = s.get(at..).unwrap_or_default();
    if !part.is_empty() && rest.is_empty() {
        return Ok(Value::Int(-1));
    }
    let found = rest.find(&**part).and_then(|found| s.get(..at + found));
    Ok(found.map_or(Value::Int(-1), |before| int(before.chars().count())))
}

fn last_index_of(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, part, last) = match args {
        [Value::String(s), Value::String(part)] => (s, part, None),
        [Value::String(s), Value::String(part), Value::Int(last)] => (s, part, Some(*last)),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    context.budget.step(4 * text_cost_of(s.len() + part.len()))?;
    let length = s.chars().count();
    let last = match last {
        Some(last) => last,
        None if part.is_empty() => return Ok(int(length)),
        None if s.len() < part.len() => return Ok(Value::Int(-1)),
        None => i64::try_from(length).unwrap_or(i64::MAX) - 1,
    };
    if last < 0 {
        return Err(out_of_range(last));
    }
    let past_end = usize::try_from(last).map_or(true, |last| last >= length);
    if part.is_empty() {
        return Ok(if past_end { int(length) } else { Value::Int(last) });
    }
    if past_end {
        return Ok(Value::Int(-1));
    }
    // The last match may begin at that code point, so that it ends that much later.
    let end = byte_of(s, last)?.saturating_add(part.len()).min(s.len());
    let end = (end..=s.len()).find(|end| s.is_char_boundary(*end)).unwrap_or(s.len());
    let found = s.get(..end).and_then(|head| head.rfind(&**part));
    let before = found.and_then(|found| s.get(..found)).map(|before| int(before.chars().count()));
    Ok(before.filter(|at| matches!(at, Value::Int(at) if *at <= last)).unwrap_or(Value::Int(-1)))
}

fn replace(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, old, new, count) = match args {
        [Value::String(s), Value::String(old), Value::String(new)] => (s, old, new, -1),
        [Value::String(s), Value::String(old), Value::String(new), Value::Int(count)] => {
            (s, old, new, *count)
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    context.budget.step(text_cost_of(s.len()))?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let matches = s.matches(&**old).take(limit).count() as u64;
    // Before the text is made, which may be as long as the product of both.
    context.budget.grow(matches.saturating_mul(new.len() as u64).saturating_add(s.len() as u64))?;
    Ok(Value::String(s.replacen(&**old, new, limit).into()))
}

/// Go's `strings.Split`: of nothing into characters.
pub(super) fn split_all<'t>(s: &'t str, separator: &'t str) -> Box<dyn Iterator<Item = &'t str> + 't> {
    if separator.is_empty() {
        Box::new(s.split_inclusive(|_: char| true))
    } else {
        Box::new(s.split(separator))
    }
}

fn split(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, separator, count) = match args {
        [Value::String(s), Value::String(separator)] => (s, separator, -1),
        [Value::String(s), Value::String(separator), Value::Int(count)] => (s, separator, *count),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    context.budget.grow(s.len() as u64)?;
    let parts: Vec<&str> = match usize::try_from(count) {
        Err(_) => split_all(s, separator).collect(),
        Ok(0) => Vec::new(),
        Ok(count) if separator.is_empty() => {
            let mut parts: Vec<_> = split_all(s, separator).take(count - 1).collect();
            let taken = parts.iter().map(|part| part.len()).sum::<usize>();
            parts.extend(s.get(taken..).filter(|rest| !rest.is_empty()));
            parts
        }
        Ok(count) => s.splitn(count, &**separator).collect(),
    };
    list(context, parts.into_iter().map(Value::from).collect())
}

fn substring(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (s, start, end) = match args {
        [Value::String(s), Value::Int(start)] => (s, *start, None),
        [Value::String(s), Value::Int(start), Value::Int(end)] => (s, *start, Some(*end)),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    context.budget.step(text_cost_of(s.len()))?;
    if let Some(end) = end.filter(|end| start > *end) {
        return Err(EvalError::failed(format!("invalid substring range. start: {start}, end: {end}")));
    }
    let from = byte_of(s, start)?;
    let to = end.map_or(Ok(s.len()), |end| byte_of(s, end))?;
    text(context, s.get(from..to).unwrap_or_default())
}

fn join(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (items, separator) = match args {
        [items @ Value::List(_)] => (items, ""),
        [items @ Value::List(_), Value::String(separator)] => (items, &**separator),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    let parts = strings_of(items).ok_or_else(|| EvalError::failed("join: invalid input"))?;
    let length = parts.iter().map(|part| part.len() + separator.len()).sum::<usize>();
    context.budget.grow(length as u64)?;
    let parts: Vec<&str> = parts.into_iter().map(Arc::as_ref).collect();
    Ok(Value::String(parts.join(separator).into()))
}

fn quote(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let mut quoted = String::with_capacity(s.len() + 2);
    quoted.push('"');
    for c in s.chars() {
        match c {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    text(context, quoted)
}
