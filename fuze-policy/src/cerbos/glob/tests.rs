use super::{Glob, Pattern};

#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let glob = Glob::new(pattern).expect(pattern);
    for text in yes {
        assert!(glob.matches(text), "`{pattern}` should match `{text}`");
    }
    for text in no {
        assert!(!glob.matches(text), "`{pattern}` should not match `{text}`");
    }
}

#[test]
fn stars() {
    check("*", &["", "a", "a:b", "ä:b:c"], &[]);
    check("**", &["", "a:b"], &[]);
    check("view:*", &["view:", "view:public", "view:é"], &["view", "view:a:b", "aview:b", "View:a"]);
    check("view:**", &["view:", "view:a:b"], &["view", "vie:"]);
    check("*:view", &[":view", "a:view"], &["view", "a:b:view", "a:view:b"]);
    check("**:view", &["a:b:view"], &["view"]);
    check("*:*", &[":", "a:b"], &["", "a", "a:b:c"]);
    check("a*c", &["ac", "abc", "acc"], &["a:c", "acb", "bac"]);
    check("a**c*e", &["ace", "a:cxe", "accce"], &["ac:e", "ace:"]);
    check("*a*a*a", &["aaa", "xaxaxa"], &["aa", "a:a:a", "aaab"]);
}

#[test]
fn the_two_ends_of_a_double_star_may_overlap() {
    check("ab**b", &["ab", "abb", "ab:b"], &["a", "b", "ba"]);
    check("a**a", &["a", "aa", "a:a"], &["", "ab"]);
    check("a*a", &["aa", "aba"], &["a"]);
}

#[test]
fn single_characters_and_classes() {
    check("?*", &["a", "ab"], &["", ":", "a:"]);
    check("v?ew*", &["view", "vxew1"], &["vew", "v:ew"]);
    check("[abc]*", &["a", "cx"], &["d", "", "a:b"]);
    check("[!abc]*", &["d", ":", ":x"], &["a", ""]);
    check("[a-c]*", &["a", "b1"], &["d", "-"]);
    check("[!a-c]*", &["d", ":"], &["b", ""]);
    check("[a\\]]*", &["]", "a"], &["\\", "b"]);
    check("[]-a]*", &["]", "_", "a"], &["b"]);
    check("[*?]*", &["*x", "?"], &["x"]);
}

#[test]
fn alternatives_and_escapes() {
    check("{view,edit}:*", &["view:a", "edit:"], &["view", "viewedit:a", "delete:a"]);
    check("x{a,{b,c}d}*", &["xa", "xbd", "xcd1"], &["xb", "xd"]);
    check("{a,bb,[cd]?}**", &["a", "abb", "bb:", "cx"], &["b", "c", "c:"]);
    check("{a,b", &["a", "b"], &["c", "{a,b"]);
    check("a,b}*", &["a,b}", "a,b}c"], &["a"]);
    check("\\**", &["*", "*a"], &["a", "\\"]);
    check("a\\", &["a"], &["a\\"]);
    check("a]*", &["a]"], &["a"]);
}

#[test]
fn what_is_no_pattern_says_so() {
    for bad in ["[", "[a", "[]", "[!]", "[a-]*", "[b-a]*", "[a-z", "[a-cx]*", "a***", "\0*", "\u{fffd}*"] {
        let why = Glob::new(bad).map(|_| ()).expect_err(bad);
        assert!(why.contains("the pattern"), "{why}");
    }
    for bad in ["{a*,a}", "{**}", "x{,a}", "{a,}", "{}", "{a,{b,*}}"] {
        let why = Glob::new(bad).map(|_| ()).expect_err(bad);
        assert!(why.contains("each alternative as an item of its own"), "{why}");
    }
    assert!(Glob::new(&"a".repeat(255)).is_ok());
    assert!(Glob::new(&format!("*{}", "a".repeat(255))).unwrap_err().contains("255 characters"));
    assert!(Glob::new(&"{a,".repeat(9)).unwrap_err().contains("more than 8 deep"));
}

#[test]
fn only_a_star_makes_a_pattern() {
    let exact = |text: &str| matches!(Pattern::new(text), Ok(Pattern::Exact(_)));
    assert!(exact("view") && exact("{a,b}") && exact("v?ew") && exact("["));
    let literal = Pattern::new("v?ew").unwrap();
    assert!(literal.matches("v?ew") && !literal.matches("view"));
    assert!(Pattern::new("v*").unwrap().matches("view"));
    assert_eq!(Pattern::new("v*").unwrap().as_str(), "v*");
}

#[test]
fn hostile_patterns_take_linear_time() {
    let glob = Glob::new(&format!("{}b", "*a".repeat(100))).unwrap();
    assert!(!glob.matches(&"a".repeat(10_000)));
    let nested = Glob::new(&format!("{}a", "{a,".repeat(8))).unwrap();
    assert!(nested.matches("a") && !nested.matches("aa"));
}
