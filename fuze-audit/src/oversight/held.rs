//! What a person was shown or wrote, held against what records commit to in its place.
//!
//! Records commit to redacted content. A mark stands for something that only the run's redaction key could name, so where one stands
//! nothing is held; everything else that is disclosed on both sides must be the same.

use std::collections::BTreeMap;

use fuze_evidence::content::{DisclosedLeaf, Disclosure, Opening};
use fuze_evidence::jcs;
use serde_json::Value;

/// What stands in the brackets of a mark, and the bracket that closes it.
const MAX_MARK_BYTES: usize = 32 + 1 + 22 + 1;

/// The first field that is another, as a JSON Pointer into the redacted value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Differs(pub(super) String);

/// Holds `said` against what is disclosed at `prefix` and below it. Where nothing of the commitment is withheld, no more and no fewer fields
/// may stand there.
pub(super) fn hold(said: &Value, disclosed: &Disclosure, prefix: &str) -> Result<(), Differs> {
    let fields: BTreeMap<&str, &Value> = disclosed
        .leaves
        .iter()
        .filter_map(|leaf| match leaf {
            DisclosedLeaf::Leaf(Opening { path, value, .. }) => Some((path.strip_prefix(prefix)?, value)),
            DisclosedLeaf::Decoy(_) | DisclosedLeaf::Hash(_) => None,
        })
        .filter(|(path, _)| path.is_empty() || path.starts_with('/'))
        .collect();
    for (path, value) in &fields {
        // Below a key that was redacted, whose value this is nobody can tell.
        if !has_mark(path) && !said.pointer(path).is_some_and(|there| is_same(value, there)) {
            return Err(Differs(format!("{prefix}{path}")));
        }
    }
    let below = |path: &str| {
        let from = format!("{path}/");
        fields.range(from.as_str()..).next().is_some_and(|(path, _)| path.starts_with(&from))
    };
    let whole = !disclosed.leaves.iter().any(|leaf| matches!(leaf, DisclosedLeaf::Hash(_)));
    // But for the leaf of its own of an object whose keys are 0, 1, 2 …
    if whole && fields.keys().filter(|path| !below(path)).count() != count(said) {
        return Err(Differs(prefix.to_owned()));
    }
    Ok(())
}

/// How many scalars, empty arrays and empty objects a value has.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(count).sum(),
        Value::Object(members) if !members.is_empty() => members.values().map(count).sum(),
        _ => 1,
    }
}

/// Whether a leaf is what redaction leaves of `said`.
fn is_same(leaf: &Value, said: &Value) -> bool {
    match (leaf, said) {
        // The leaf of its own of an object whose keys are 0, 1, 2 …
        (Value::Object(mark), Value::Object(members)) => {
            mark.is_empty() && (0..members.len()).all(|at| members.contains_key(&at.to_string()))
        }
        (Value::String(text), Value::String(said)) => text == said || stands_for(text, said),
        (Value::String(text), Value::Number(_)) => has_mark(text),
        // As they are written: 1 and 1.0 are one number.
        (leaf, said) => jcs::to_vec(leaf).is_ok_and(|leaf| jcs::to_vec(said).as_ref() == Ok(&leaf)),
    }
}

/// Where the next mark of section 10 begins and ends.
fn next_mark(text: &str) -> Option<(usize, usize)> {
    text.match_indices('[').find_map(|(at, _)| {
        let rest = text.as_bytes().get(at + 1..)?;
        let inner = rest.get(..rest.iter().take(MAX_MARK_BYTES).position(|&b| b == b']')?)?;
        let mut parts = inner.splitn(2, |&b| b == b':');
        let (kind, tag) = (parts.next()?, parts.next());
        let is_mark = match tag {
            None => inner == b"secret",
            Some(tag) => {
                (1..=32).contains(&kind.len())
                    && kind.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
                    && tag.len() == 22
                    && tag.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }
        };
        is_mark.then_some((at, at + inner.len() + 2))
    })
}

fn has_mark(text: &str) -> bool {
    next_mark(text).is_some()
}

/// Whether `redacted` can be what is left of `said`: at least one character for each mark, and the rest as it is.
fn stands_for(redacted: &str, said: &str) -> bool {
    let Some((at, end)) = next_mark(redacted) else { return redacted == said };
    let (first, mut rest) = (redacted.get(..at).unwrap_or_default(), redacted.get(end..).unwrap_or_default());
    let Some(mut said) = said.strip_prefix(first) else { return false };
    // What stands between two marks is found as early as possible, which leaves the most for what comes after.
    while let Some((at, end)) = next_mark(rest) {
        let between = rest.get(..at).unwrap_or_default();
        let Some((_, after)) = but_one(said).and_then(|said| said.split_once(between)) else { return false };
        (said, rest) = (after, rest.get(end..).unwrap_or_default());
    }
    but_one(said).is_some_and(|said| said.ends_with(rest))
}

/// Without its first character.
fn but_one(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fuze_evidence::Hash;
    use serde_json::json;

    const MARK: &str = "[iban:AAAAAAAAAAAAAAAAAAAAAA]";

    fn disclosed(leaves: &[(&str, Value)], hidden: bool) -> Disclosure {
        let salt = serde_json::from_value(json!("A".repeat(43))).unwrap();
        let leaf = |(path, value): &(&str, Value)| {
            DisclosedLeaf::Leaf(Opening { path: (*path).to_owned(), value: value.clone(), salt })
        };
        let mut leaves: Vec<_> = leaves.iter().map(leaf).collect();
        leaves.push(if hidden { DisclosedLeaf::Hash(Hash::ZERO) } else { DisclosedLeaf::Decoy(salt) });
        Disclosure { leaves, root: Hash::ZERO }
    }

    #[test]
    fn what_is_disclosed_on_both_sides_is_the_same() {
        let said = json!({"step": "invite", "to": "a-19", "n": 1.0, "tags": [], "m": {"0": 1}, "x/y": null});
        let all = [
            ("/step", json!("invite")),
            ("/to", json!("a-19")),
            ("/n", json!(1)),
            ("/tags", json!([])),
            ("/m", json!({})),
            ("/m/0", json!(1)),
            ("/x~1y", Value::Null),
        ];
        assert_eq!(hold(&said, &disclosed(&all, false), ""), Ok(()));
        assert_eq!(hold(&said, &disclosed(&all[..2], true), ""), Ok(()));
        // Nothing is withheld, and there is less.
        assert_eq!(hold(&said, &disclosed(&all[..2], false), ""), Err(Differs(String::new())));
        for (path, value) in [
            ("/step", json!("decline")),
            ("/n", json!("1")),
            ("/tags", json!({})),
            ("/other", json!(1)),
            ("/m", json!([])),
            ("/step/0", json!("invite")),
            ("", json!({})),
        ] {
            let hidden = disclosed(&[(path, value)], true);
            assert_eq!(hold(&said, &hidden, ""), Err(Differs(path.to_owned())), "{path}");
        }
        // Only what stands at the prefix, and not what merely begins with it.
        let more =
            disclosed(&[("/said/to", json!("a-19")), ("/saidnot", json!(1)), ("/other", json!(2))], true);
        assert_eq!(hold(&said, &more, "/said"), Ok(()));
        assert_eq!(
            hold(&json!("why"), &disclosed(&[("/rationale", json!("because"))], true), "/rationale")
                .unwrap_err()
                .0,
            "/rationale"
        );
    }

    #[test]
    fn a_mark_stands_for_anything_and_the_rest_for_itself() {
        for (redacted, said, expected) in [
            (format!("pay {MARK} now"), "pay DE89 now", true),
            (format!("pay {MARK} now"), "pay DE89 later", false),
            (format!("pay {MARK} now"), "pay  now", false),
            (MARK.to_owned(), "anything", true),
            (MARK.to_owned(), "", false),
            (format!("{MARK}[secret]"), "ab", true),
            (format!("{MARK}[secret]"), "a", false),
            (format!("{MARK}, {MARK}, x"), "1, 2, 3, x", true),
            (format!("{MARK}, {MARK}, x"), "1, x", false),
            ("é[secret]é".to_owned(), "éüé", true),
            // No marks.
            ("[iban:AAAA]".to_owned(), "DE89", false),
            ("[IBAN:AAAAAAAAAAAAAAAAAAAAAA]".to_owned(), "DE89", false),
            ("[[secret]".to_owned(), "[x", true),
        ] {
            let leaf = disclosed(&[("/a", json!(redacted))], true);
            assert_eq!(hold(&json!({"a": said}), &leaf, "").is_ok(), expected, "{redacted} {said}");
        }
        let number = disclosed(&[("/a", json!(MARK))], true);
        assert_eq!(hold(&json!({"a": 4111111111111111_u64}), &number, ""), Ok(()));
        assert!(hold(&json!({"a": true}), &number, "").is_err());
        // Below a key that was redacted, whatever it was.
        let key = disclosed(&[(&format!("/{MARK}/b"), json!(1))], false);
        assert_eq!(hold(&json!({"DE89": {"b": 2}}), &key, ""), Ok(()));
        assert!(hold(&json!({"DE89": {"b": 2, "c": 3}}), &key, "").is_err());
    }
}
