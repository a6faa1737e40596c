//! What is done to a generated policy before the same is asked again, and what its expressions look at.

use fastrand::Rng;
use serde_json::Value;

/// Calls for each expression of a policy.
pub fn expressions(policy: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match policy {
        Value::Object(members) => {
            for (name, inner) in members {
                match (name.as_str(), inner) {
                    ("expr" | "ruleActivated" | "conditionNotMet", Value::String(text)) => change(text),
                    ("variables" | "exportVariables", inner) => definitions(inner, change),
                    (_, inner) => expressions(inner, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| expressions(item, change)),
        _ => {}
    }
}

fn definitions(of: &mut Value, change: &mut dyn FnMut(&mut String)) {
    for list in ["local", "definitions"] {
        let found = of.get_mut(list).and_then(Value::as_object_mut);
        for text in found.into_iter().flat_map(|texts| texts.values_mut()) {
            if let Value::String(text) = text {
                change(text);
            }
        }
    }
}

/// Puts `instead` in the place of every expression of which this holds.
pub fn replace(policies: &mut [(String, Value)], instead: &str, of: impl Fn(&str) -> bool) {
    for (_, policy) in policies {
        expressions(policy, &mut |text| {
            if of(text) {
                instead.clone_into(text);
            }
        });
    }
}

/// Whether some expression of the policies is one of these.
pub fn some(policies: &[(String, Value)], of: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    for (_, policy) in policies {
        expressions(&mut policy.clone(), &mut |text| found |= of(text));
    }
    found
}

/// Whether an expression can see that a member of `map` is not there in another way than by failing: it asks by `has`, or looks at the
/// map as a whole. `map` is a name with dots, such as `attr` or `attr.args`.
pub fn sees_absence(text: &str, map: &str) -> bool {
    let named = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |(at, _): (usize, &str)| {
        let rest = &text[at + map.len()..];
        match rest.chars().next() {
            Some('[') => false,
            // A method of the map, or the name of a member.
            Some('.') => rest[1..].trim_start_matches(named).starts_with('('),
            Some(c) => !named(c),
            None => true,
        }
    };
    text.contains("has(") || text.contains(".?") || text.contains("[?") || text.match_indices(map).any(whole)
}

/// Whether an expression may see in which order a principal's roles stand: it looks at them otherwise than by `in`.
pub fn sees_order_of_roles(text: &str) -> bool {
    text.match_indices("P.roles").any(|(at, roles)| {
        let follows = text[at + roles.len()..].chars().next();
        !text[..at].ends_with(" in ") || matches!(follows, Some('.' | '['))
    })
}

/// The rules of a policy that decides, each of an action in a principal policy.
pub fn rules(policy: &mut Value) -> Option<&mut Vec<Value>> {
    let kind = ["resourcePolicy", "principalPolicy", "rolePolicy"]
        .into_iter()
        .find(|kind| policy.get(kind).is_some())?;
    policy[kind]["rules"].as_array_mut()
}

/// Another order of rules, and of the roles and actions that they name.
pub fn shuffle(policy: &mut Value, rng: &mut Rng) {
    let Some(rules) = rules(policy) else { return };
    rng.shuffle(rules);
    for rule in rules {
        for list in ["actions", "roles", "derivedRoles", "allowActions"] {
            if let Some(list) = rule.get_mut(list).and_then(Value::as_array_mut) {
                rng.shuffle(list);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_looked_at_as_a_whole_or_by_member() {
        for whole in [
            "has(R.attr.a)",
            "R.attr == P.attr.m",
            "size(R.attr)",
            "\"a\" in P.attr",
            "R.attr.exists(k, true)",
            "R.attr.?a.orValue(1)",
            "[R.attr, 1]",
        ] {
            assert!(sees_absence(whole, "attr"), "{whole}");
        }
        for member in [
            "R.attr.a == 1",
            "R.attr[\"a\"].x",
            "hasIntersection(R.attr.l, [1])",
            "R.attr.l.exists(x, x == 1)",
            "R.id",
        ] {
            assert!(!sees_absence(member, "attr"), "{member}");
        }
        assert!(sees_absence("R.attr.args.m == 1", "attr.args.m"));
        assert!(!sees_absence("R.attr.args.m.x == 1 && R.attr.args.mm", "attr.args.m"));
    }

    #[test]
    fn roles_are_looked_at_in_order_or_not() {
        for ordered in
            ["P.roles[0] == \"a\"", "size(P.roles)", "\"a\" in P.roles.map(x, x)", "x in (P.roles + y)"]
        {
            assert!(sees_order_of_roles(ordered), "{ordered}");
        }
        assert!(!sees_order_of_roles("\"a\" in P.roles && \"b\" in P.roles"));
    }
}
