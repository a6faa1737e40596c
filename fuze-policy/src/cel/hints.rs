//! What an author probably meant who wrote what CEL does not have: the habits of other languages.

use super::signatures;
use super::value::ObjectKind;

/// What to write for a word or sign that stands where an operator or a value should.
pub(super) fn operator(found: &str) -> Option<&'static str> {
    Some(match found {
        "=" | "is" | "eq" | "equals" => "to compare, write `==`",
        "<>" | "ne" => "write `!=`",
        "and" | "AND" | "&" => "write `&&`",
        "or" | "OR" | "|" => "write `||`",
        "not" | "NOT" => "write `!(…)`; for `not in`, `!(… in …)`",
        "IN" => "write `in`",
        "contains" | "matches" | "startsWith" | "endsWith" => {
            "it is a function: write `….contains(\"…\")`, and so on"
        }
        "like" | "LIKE" | "starts" | "ends" => {
            "write `….contains(\"…\")`, `….startsWith(\"…\")` or `….matches(\"…\")`"
        }
        "if" | "then" | "else" => "a choice is `condition ? one : other`",
        "“" | "”" | "„" | "‘" | "’" | "‚" | "«" | "»" | "´" => {
            "text stands in straight quotes: `\"…\"`"
        }
        _ => return None,
    })
}

/// Names of other languages for what has another here.
const ALIASES: [(&str, &str); 16] = [
    ("len", "size"),
    ("length", "size"),
    ("count", "size"),
    ("any", "exists"),
    ("some", "exists"),
    ("every", "all"),
    ("each", "all"),
    ("lower", "lowerAscii"),
    ("tolower", "lowerAscii"),
    ("tolowercase", "lowerAscii"),
    ("upper", "upperAscii"),
    ("toupper", "upperAscii"),
    ("touppercase", "upperAscii"),
    ("includes", "contains"),
    ("strip", "trim"),
    ("regexmatch", "matches"),
];

/// Macros that a function may be mistaken for.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "map", "has"];

/// The function that another name probably means.
pub(super) fn function(name: &str) -> Option<&'static str> {
    let folded = name.to_lowercase();
    let alias = ALIASES.iter().find(|(other, _)| *other == folded).map(|(_, here)| *here);
    alias.or_else(|| {
        let mut known: Vec<(usize, &str)> = signatures::names()
            .chain(MACROS)
            .map(|known| (distance(&folded, &known.to_lowercase()), known))
            .filter(|(edits, known)| *edits <= known.len() / 5)
            .collect();
        known.sort_unstable();
        known.first().map(|(_, known)| *known)
    })
}

/// The path that a name, or a field of the request, probably means.
pub(super) fn path(of: Option<ObjectKind>, name: &str) -> Option<String> {
    match (of, name) {
        (None, "principal" | "user" | "subject" | "p") => Some("P".to_owned()),
        (None, "resource" | "r" | "tool") => Some("R".to_owned()),
        (None, "attr" | "attributes") => Some("R.attr".to_owned()),
        (None, "True" | "TRUE" | "False" | "FALSE" | "Null" | "NULL") => Some(name.to_lowercase()),
        (None, "nil" | "None" | "undefined") => Some("null".to_owned()),
        (None | Some(ObjectKind::Resource), "args" | "arguments") => Some("R.attr.args".to_owned()),
        (Some(ObjectKind::Principal), "role") => Some("P.roles".to_owned()),
        (Some(ObjectKind::Principal), name) => Some(format!("P.attr.{name}")),
        (Some(ObjectKind::Resource), name) => Some(format!("R.attr.{name}")),
        _ => None,
    }
}

/// How many characters have to be put in, taken out or exchanged (Levenshtein).
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut left = at + 1;
        let mut above_left = at;
        let mut next = vec![left];
        for (above, d) in row.iter().skip(1).zip(&other) {
            left = (left + 1).min(above + 1).min(above_left + usize::from(c != *d));
            above_left = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::Program;

    #[test]
    fn habits_of_other_languages_are_told_what_to_write() {
        for (source, mend) in [
            (r#"R.attr.a = "x""#, "`==`"),
            (r#"R.attr.a === "x""#, "`==`"),
            (r#"R.attr.a <> "x""#, "`!=`"),
            (r#"R.attr.a == "x" and R.attr.b"#, "`&&`"),
            ("R.attr.a & R.attr.b", "`&&`"),
            ("R.attr.a or R.attr.b", "`||`"),
            ("R.attr.a | R.attr.b", "`||`"),
            ("not R.attr.a", "`!(…)`"),
            (r#"R.attr.a not in ["x"]"#, "`!(… in …)`"),
            ("R.attr.a is null", "`==`"),
            ("R.attr.a == “x”", "straight quotes"),
            (r#"R.attr.a like "x""#, "`….contains(\"…\")`"),
            ("if R.attr.a then true", "`condition ? one : other`"),
            (r#"R.attr.a.startswith("x")"#, "did you mean `startsWith`?"),
            (r#"R.attr.a.startWith("x")"#, "did you mean `startsWith`?"),
            ("len(R.attr.a) > 1", "did you mean `size`?"),
            ("R.attr.a.length() > 1", "did you mean `size`?"),
            ("R.attr.a.any(x, x == 1)", "did you mean `exists`?"),
            (r#"R.attr.a.toLowerCase() == "a""#, "did you mean `lowerAscii`?"),
            (r#"contains(R.attr.a, "x")"#, "write `x.contains(…)`"),
            (r#"R.attr.a.timestamp() == "x""#, "write `timestamp(x)`"),
            (r#"R.tool_name == "x""#, "did you mean `R.attr.tool_name`?"),
            ("R.args.x == 1", "did you mean `R.attr.args`?"),
            ("args.x == 1", "did you mean `R.attr.args`?"),
            (r#""x" in P.role"#, "did you mean `P.roles`?"),
            (r#"P.tenant == "x""#, "did you mean `P.attr.tenant`?"),
            (r#"principal.id == "a""#, "did you mean `P`?"),
            ("R.attr.a == True", "did you mean `true`?"),
            (r#"tool_name == "x""#, "attributes under `R.attr` and `P.attr`"),
        ] {
            let error = Program::parse(source).map(drop).unwrap_err();
            assert!(error.message.contains(mend), "{source}: {error}");
        }
    }

    #[test]
    fn nothing_is_guessed_far_away() {
        for source in ["foo(1)", "R.attr.a.frobnicate()", "a ~ b", "R.attr.a R.attr.b"] {
            let error = Program::parse(source).map(drop).unwrap_err();
            assert!(!error.message.contains("did you mean") && !error.message.contains("write"), "{error}");
        }
    }

    #[test]
    fn a_distance_counts_edits() {
        for (one, other, edits) in [
            ("", "", 0),
            ("agent.tool", "agent.tool", 0),
            ("agent.tools", "agent.tool", 1),
            ("", "abc", 3),
            ("agent-tool", "agent.tool", 1),
            ("agnet.tool", "agent.tool", 2),
            ("agenttool", "agent.tool", 1),
            ("album", "agent.tool", 9),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        }
    }
}
