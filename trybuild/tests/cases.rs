//! Runs every case of `fail/` and `attack/` through `cargo check`, in one go, and compares the errors in full.

#[test]
fn what_breaks_a_rule_does_not_compile() {
    let cases = trybuild::TestCases::new();
    for directory in xtask::proof::CHECKED {
        cases.compile_fail(format!("{directory}/*.rs"));
    }
}
