//! Paths of files, of Unix and Windows alike, without a look at any file.
//!
//! Cerbos reads `\\host\share\dir` as `/host/share/dir`, `C:\dir` as `/C:/dir` and `dir\file` as `dir/file`, works on that as
//! Go does on Unix, and turns the result back.

use std::cmp::Ordering;

use super::{Computed, Context, Native, strings_of, text};
use crate::cel::error::EvalError;
use crate::cel::ops::text_cost_of;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

const ONE: &[&str] = &["(string) string"];
const TEST: &[&str] = &["(string, string) bool", "string.(string) bool"];

pub(super) const LINES: &[Line] = &[
    (
        "basePath",
        ONE,
        Native::Eager(|c, args| of_one(c, args, |path| Ok(base(&Path::read(path)?.value).to_owned()))),
    ),
    ("dirPath", ONE, Native::Eager(|c, args| of_one(c, args, dir))),
    (
        "extPath",
        ONE,
        Native::Eager(|c, args| of_one(c, args, |path| Ok(extension(&Path::read(path)?.value).to_owned()))),
    ),
    ("volumeName", ONE, Native::Eager(|c, args| of_one(c, args, |path| Ok(volume(path).to_owned())))),
    ("joinPath", &["(list(string)) string"], Native::Eager(join)),
    (
        "relPath",
        &["(string, string) string"],
        Native::Eager(|c, args| {
            let (base, target) = two(c, args)?;
            text(c, relative(base, target)?)
        }),
    ),
    ("pathHasPrefix", TEST, Native::Eager(has_prefix)),
    ("pathMatch", TEST, Native::Eager(matches)),
    (
        "pathMatchAnyOf",
        &["(string, list(string)) bool", "string.(list(string)) bool"],
        Native::Eager(matches_any),
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Drive,
    Unc,
}

/// A path as it is worked on.
struct Path {
    value: String,
    kind: Kind,
    windows: bool,
    root: bool,
}

impl Path {
    fn read(path: &str) -> Result<Path, EvalError> {
        let windows = path.contains('\\');
        let slashed = || path.replace('\\', "/");
        let (value, kind, root) = if let Some(rest) = path.strip_prefix(r"\\") {
            (slashed(), Kind::Unc, rest.splitn(3, '\\').count() == 2)
        } else if is_drive(path) {
            if !windows && path.len() > 2 {
                return Err(EvalError::failed(format!(
                    "failed to encode path {path}: unsupported Win32 path"
                )));
            }
            (format!("/{}", slashed()), Kind::Drive, path.len() <= 3)
        } else {
            (slashed(), Kind::Plain, false)
        };
        Ok(Path { value: clean(&value), kind, windows, root })
    }

    fn write(&self) -> String {
        let back = || self.value.replace('/', "\\");
        match self.kind {
            Kind::Unc => format!("\\{}", back()),
            Kind::Drive => {
                let back = back();
                back.strip_prefix('\\').unwrap_or(&back).to_owned()
            }
            Kind::Plain if self.windows => back(),
            Kind::Plain => self.value.clone(),
        }
    }
}

fn is_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Go's `filepath.Clean`: the shortest path that leads to the same place.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None if rooted => {}
                None => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Go's `filepath.Base` of a clean path.
fn base(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((_, "")) => "/",
        Some((_, last)) => last,
        None => path,
    }
}

fn extension(path: &str) -> &str {
    let last = path.rsplit_once('/').map_or(path, |(_, last)| last);
    last.rfind('.').and_then(|at| last.get(at..)).unwrap_or_default()
}

fn volume(path: &str) -> &str {
    if let Some(rest) = path.strip_prefix(r"\\") {
        let mut parts = rest.splitn(3, '\\');
        return match (parts.next(), parts.next()) {
            (Some(host), Some(share)) if !host.is_empty() && !share.is_empty() => {
                path.get(..3 + host.len() + share.len()).unwrap_or_default()
            }
            _ => "",
        };
    }
    if is_drive(path) { path.get(..2).unwrap_or_default() } else { "" }
}

fn dir(path: &str) -> Result<String, EvalError> {
    let mut path = Path::read(path)?;
    match (path.kind, path.root) {
        (Kind::Unc, true) => return Ok(path.write()),
        (Kind::Drive, true) => return Ok(format!("{}\\", path.write())),
        _ => {}
    }
    let parent = path.value.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    path.value = match (path.kind, path.windows) {
        (Kind::Plain, false) => match parent {
            Some(parent) if parent.is_empty() => "/".to_owned(),
            Some(parent) => parent,
            None => ".".to_owned(),
        },
        // The engine fails on a Windows path of one part.
        _ => parent.ok_or_else(|| EvalError::failed("the path has no directory"))?,
    };
    Ok(path.write())
}

/// Go's `filepath.Rel` of clean paths.
fn relative_clean(base: &str, target: &str) -> Option<String> {
    if target == base {
        return Some(".".to_owned());
    }
    let base = if base == "." { "" } else { base };
    if base.starts_with('/') != target.starts_with('/') {
        return None;
    }
    let parts =
        |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (base, target) = (parts(base), parts(target));
    let common = base.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let up = base.get(common..).unwrap_or_default();
    if up.first().is_some_and(|part| part == "..") {
        return None;
    }
    let down = target.get(common..).unwrap_or_default().iter().map(String::as_str);
    Some(up.iter().map(|_| "..").chain(down).collect::<Vec<_>>().join("/"))
}

fn relative(base: &str, target: &str) -> Result<String, EvalError> {
    let base = Path::read(base)?;
    let mut path = Path::read(target)?;
    path.value = relative_clean(&base.value, &path.value)
        .ok_or_else(|| EvalError::failed(format!("failed to determine relative path of {target}")))?;
    if matches!(path.value.as_str(), "." | "..") {
        return Ok(path.value);
    }
    if path.kind == Kind::Unc && !path.value.starts_with('\\') {
        return Ok(path.value.replace('/', "\\"));
    }
    Ok(path.write())
}

fn of_one(context: &mut Context<'_>, args: &[Value], f: fn(&str) -> Result<String, EvalError>) -> Computed {
    let [Value::String(path)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.grow(path.len() as u64)?;
    text(context, f(path)?)
}

fn two<'v>(context: &mut Context<'_>, args: &'v [Value]) -> Result<(&'v str, &'v str), EvalError> {
    let [Value::String(a), Value::String(b)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.grow(a.len() as u64 + b.len() as u64)?;
    Ok((a, b))
}

fn join(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [list] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let parts =
        strings_of(list).ok_or_else(|| EvalError::failed("failed to convert list to string slice"))?;
    context.budget.grow(parts.iter().map(|part| part.len() as u64).sum())?;
    let (first, rest) = match parts.as_slice() {
        [] => return text(context, ""),
        [only] => return text(context, std::sync::Arc::clone(only)),
        [first, rest @ ..] => (first, rest),
    };
    let mut joined = Path::read(first)?;
    let mut value = joined.value.clone();
    for part in rest {
        value.push('/');
        value.push_str(&Path::read(part)?.value);
    }
    joined.value = clean(&value);
    text(context, joined.write())
}

fn has_prefix(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (path, prefix) = two(context, args)?;
    if path == prefix {
        return Ok(Value::Bool(true));
    }
    let below = relative(prefix, path)?;
    Ok(Value::Bool(!below.is_empty() && !below.starts_with(['.', '/'])))
}

fn matches(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (path, pattern) = two(context, args)?;
    is_match(context, path, pattern).map(Value::Bool)
}

fn matches_any(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(path), list] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let patterns = strings_of(list).ok_or(EvalError::NO_SUCH_OVERLOAD)?;
    for pattern in patterns {
        if is_match(context, path, pattern)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn is_match(context: &mut Context<'_>, path: &str, pattern: &str) -> Result<bool, EvalError> {
    let path = Path::read(path)?;
    let pattern = Path::read(pattern)?;
    context.budget.step(1 + text_cost_of(path.value.len()).saturating_mul(1 + pattern.value.len() as u64))?;
    glob(&pattern.value, &path.value, context)
        .map_err(|error| error.unwrap_or_else(|| EvalError::failed("syntax error in pattern")))
}

/// Go's `filepath.Match`; an error without reason is a malformed pattern.
///
/// Of what `*` may take, only the last one is ever tried again, so that the time is the product of the lengths.
fn glob(pattern: &str, name: &str, context: &mut Context<'_>) -> Result<bool, Option<EvalError>> {
    let tokens = glob_tokens(pattern)?;
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut token) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        context.budget.step(1).map_err(Some)?;
        match (tokens.get(token), name.get(at)) {
            (None, None) => return Ok(true),
            (Some(Token::Any), _) => {
                retry = Some((token + 1, at));
                token += 1;
                continue;
            }
            (Some(expected), Some(c)) if expected.accepts(*c) => {
                token += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            // `*` takes one more character, which is no separator.
            Some((after, from)) if name.get(from).is_some_and(|c| *c != '/') => {
                retry = Some((after, from + 1));
                token = after;
                at = from + 1;
            }
            _ => return Ok(false),
        }
    }
}

enum Token {
    /// `*`.
    Any,
    /// `?`.
    One,
    Char(char),
    Class {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    fn accepts(&self, c: char) -> bool {
        match self {
            Token::Any => false,
            Token::One => c != '/',
            Token::Char(wanted) => *wanted == c,
            Token::Class { not, ranges } => {
                let inside = ranges.iter().any(|(low, high)| low.cmp(&c) != Ordering::Greater && c <= *high);
                inside != *not
            }
        }
    }
}

fn glob_tokens(pattern: &str) -> Result<Vec<Token>, Option<EvalError>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '[' => glob_class(&mut rest).ok_or(None)?,
            '\\' => Token::Char(rest.next().ok_or(None)?),
            other => Token::Char(other),
        });
    }
    Ok(tokens)
}

fn glob_class(rest: &mut std::str::Chars<'_>) -> Option<Token> {
    let not = rest.as_str().starts_with('^');
    if not {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Some(Token::Class { not, ranges });
        }
        let low = glob_character(rest)?;
        let high = if rest.as_str().starts_with('-') {
            rest.next();
            glob_character(rest)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn glob_character(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
    // Something must follow, if only the closing bracket.
    .filter(|_| !rest.as_str().is_empty())
}
