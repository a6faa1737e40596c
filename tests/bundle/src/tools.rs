//! Programs that are not ours, as far as they are here.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A path in the workspace.
pub fn workspace(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Whether all of these programs are here. Says so if not; with `FUZE_REQUIRE_TOOLS=1` that is a failure.
pub fn have(programs: &[&str]) -> bool {
    let missing = |program: &&&str| {
        let status =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        !status.is_ok_and(|status| status.success())
    };
    let Some(missing) = programs.iter().find(missing) else { return true };
    assert!(std::env::var_os("FUZE_REQUIRE_TOOLS").is_none_or(|v| v != "1"), "`{missing}` is not there");
    println!("SKIPPED: `{missing}` is not there");
    false
}
