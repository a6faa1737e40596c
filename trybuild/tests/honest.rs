//! Builds what must compile, so that a case fails by its mistake and not by what surrounds it, and what only a build
//! refuses. In a test binary of its own: trybuild builds instead of checking as soon as one program must pass.

#[test]
fn honest_programs_compile_and_late_mistakes_do_not_build() {
    let cases = trybuild::TestCases::new();
    for directory in xtask::proof::HONEST {
        cases.pass(format!("{directory}/*.rs"));
    }
    for directory in xtask::proof::BUILT {
        cases.compile_fail(format!("{directory}/*.rs"));
    }
}
