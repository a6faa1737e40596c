//! One mistake, one error, at the author's token.

use crate::errors::carets;

/// Checks that a declaration has exactly these errors, each as `token: first line`.
#[track_caller]
fn check(declaration: &str, expected: &[&str]) {
    let found = carets(|mistakes| super::read(declaration.parse().unwrap(), mistakes));
    assert_eq!(found, expected);
}

#[test]
fn an_honest_policy_has_no_error() {
    check("/// Decides.\npub P { directory: \"policies\", tools: [a, m::b] }", &[]);
    check("P { tools: [], directory: \"a/b\", }", &[]);
}

#[test]
fn what_is_missing_misspelt_or_twice_is_told_at_its_token() {
    check(
        "P {}",
        &[
            "P: policy `P` needs `directory`: where the build script checked the policies, from the package",
            "P: policy `P` needs `tools`: the tools that the policies are about, because a macro cannot see those of others",
        ],
    );
    check(
        "P { directry: \"policies\", tools: [a], roles: [\"b\"] }",
        &[
            "directry: unknown key `directry` of `policy!`: did you mean `directory`?",
            "roles: unknown key `roles` of `policy!`",
        ],
    );
    check(
        "P { directory: policies, tools: a }",
        &["policies: `directory` takes a string: write it in quotes", "a: `tools` takes a list of tools"],
    );
    check(
        "P { directory: \" \", tools: [a, a, 1] }",
        &[
            "\" \": `directory` is empty",
            "a: tool `a` stands twice in `tools`: keep one of the two",
            "1: `tools` takes the names of tools: functions under `#[tool]`, or types that implement `Tool`",
        ],
    );
    check(
        "P { directory: \"p\", directory: \"q\", tools: }",
        &["directory: `directory` is given twice: keep one of the two", "tools: `tools` has no value"],
    );
    check(
        "P { directory: \"p\", tools: [] } Q {}",
        &["Q: `policy!` declares one set of policies: nothing may follow its body"],
    );
    check("pub P", &["P: policy `P` has no body"]);
    check("pub { }", &["{ }: `policy!` needs the name of a static"]);
}
