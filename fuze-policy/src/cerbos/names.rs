//! Names of policies, as Cerbos makes them, and what names may look like.

/// Letters, digits and `_`, at least one.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(word)
}

/// The name of a set of derived roles, variables or constants, and of a derived role.
pub(crate) fn is_set_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| word(b) || b == b'-' || b == b'.')
}

/// The name of a rule.
pub(crate) fn is_rule_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| word(b) || matches!(b, b'@' | b'.' | b'-'))
}

/// A scope of a policy. `.` is left out on purpose: a policy in it is never found.
pub(crate) fn is_scope(text: &str) -> bool {
    text.is_empty()
        || (text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.split('.').all(|part| {
                part.bytes().all(|b| word(b) || b == b'-') && part.bytes().next().is_some_and(word)
            }))
}

/// What a variable, constant or global can be called, or why not.
pub(crate) fn identifier(text: &str) -> Result<(), String> {
    if matches!(text, "false" | "in" | "null" | "true") {
        return Err(format!("`{text}` is a word of the expression language and cannot be a name"));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) || !is_word(text) {
        return Err(format!(
            "`{text}` cannot be a name: names have letters, digits and `_`, and begin with no digit"
        ));
    }
    Ok(())
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// A name as it stands in a policy's key. Names of the old kind lose their special characters.
pub(crate) fn sanitized(name: &str) -> String {
    let old = name.split(':').all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| word(b) || matches!(b, b'@' | b'.' | b'-' | b'/'))
    });
    if !old {
        return name.to_owned();
    }
    let mut clean = String::with_capacity(name.len());
    let mut replaced = false;
    for c in name.chars() {
        let keep = c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if keep {
            clean.push(c);
        } else if !replaced {
            clean.push('_');
        }
        replaced = !keep;
    }
    clean
}

/// The key of a resource policy, such as `resource.leave_request.vdefault/acme`.
pub(crate) fn resource_key(resource: &str, version: &str, scope: &str) -> String {
    key("resource", resource, version, scope)
}

/// The key of a principal policy.
pub(crate) fn principal_key(principal: &str, version: &str, scope: &str) -> String {
    key("principal", principal, version, scope)
}

/// The key of a role policy.
pub(crate) fn role_key(role: &str, version: &str, scope: &str) -> String {
    key("role", role, version, scope)
}

fn key(kind: &str, name: &str, version: &str, scope: &str) -> String {
    let root = format!("{kind}.{}.v{}", sanitized(name), sanitized(version));
    if scope.is_empty() { root } else { format!("{root}/{scope}") }
}

/// The key of a set of derived roles, exported variables or exported constants.
pub(crate) fn set_key(kind: &str, name: &str) -> String {
    format!("{kind}.{}", sanitized(name))
}

/// The scopes above a scope, nearest first; the root is the empty one.
pub(crate) fn parents(scope: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(scope).filter(|scope| !scope.is_empty());
    std::iter::from_fn(move || {
        let scope = rest?;
        let parent = scope.rsplit_once('.').map_or("", |(parent, _)| parent);
        rest = Some(parent).filter(|scope| !scope.is_empty());
        Some(parent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_old_kind_lose_their_special_characters() {
        for (name, clean) in [
            ("leave_request", "leave_request"),
            ("leave-request", "leave_request"),
            ("a:b", "a_b"),
            ("a:-b", "a:-b"),
            ("a@-/b", "a_b"),
            ("album:object.v1", "album_object.v1"),
            ("1st", "1st"),
            ("-a", "-a"),
            ("a b", "a b"),
            ("a:*", "a:*"),
            ("ä-b", "ä-b"),
            ("", ""),
            ("a:", "a:"),
            ("a__-b", "a___b"),
        ] {
            assert_eq!(sanitized(name), clean, "{name}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(resource_key("leave-request", "20210210", ""), "resource.leave_request.v20210210");
        assert_eq!(
            principal_key("donald duck", "default", "acme.hr"),
            "principal.donald duck.vdefault/acme.hr"
        );
        assert_eq!(role_key("a:b", "default", "x"), "role.a_b.vdefault/x");
        assert_eq!(set_key("derived_roles", "my-roles"), "derived_roles.my_roles");
    }

    #[test]
    fn parents_go_up_to_the_root() {
        assert_eq!(parents("a.b.c").collect::<Vec<_>>(), ["a.b", "a", ""]);
        assert_eq!(parents("a").collect::<Vec<_>>(), [""]);
        assert_eq!(parents("").count(), 0);
    }

    #[test]
    fn what_names_look_like() {
        assert!(is_scope("") && is_scope("acme.hr-1._x") && is_scope("1a"));
        for bad in [".", "a.", ".a", "a..b", "_a", "-a", "a.-b", "a b", "ä"] {
            assert!(!is_scope(bad), "{bad}");
        }
        assert!(
            is_rule_name("a@b.c-d_1") && !is_rule_name("1a") && !is_rule_name("a b") && !is_rule_name("é")
        );
        assert!(is_set_name("a-b.c_1") && !is_set_name("") && !is_set_name("a/b"));
        assert!(is_word("v1_") && !is_word("1.0") && !is_word(""));
        for good in ["a", "_1", "A9_"] {
            assert_eq!(identifier(good), Ok(()), "{good}");
        }
        for bad in ["", "1a", "a-b", "true", "in", "é"] {
            assert!(identifier(bad).is_err(), "{bad}");
        }
    }
}
