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

/// The Python that [`setup.sh`](../python/setup.sh) installs. Without a network it is not there, and that is said aloud; with
/// `FUZE_REQUIRE_PYTHON=1` that is a failure.
pub fn python() -> Option<PathBuf> {
    let setup = Command::new(workspace("tests/bundle/python/setup.sh")).output();
    let why = match setup {
        Ok(output) if output.status.success() => {
            return Some(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var_os("FUZE_REQUIRE_PYTHON").is_none_or(|v| v != "1"),
        "no Python with `cryptography`: {why}"
    );
    println!("SKIPPED: no Python with `cryptography`: {why}");
    None
}
