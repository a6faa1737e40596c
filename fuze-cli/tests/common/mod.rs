//! Calls the command.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod schema;
pub(crate) mod site;

use std::process::Command;

pub(crate) struct Called {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Calls `fuze` with `arguments` and wants the exit code `code`.
pub(crate) fn fuze(arguments: &[&str], code: i32) -> Called {
    let output =
        Command::new(env!("CARGO_BIN_EXE_fuze")).args(arguments).env_remove("NO_COLOR").output().unwrap();
    let called = Called {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(output.status.code(), Some(code), "fuze {arguments:?}\n{}\n{}", called.stdout, called.stderr);
    assert!(!called.stdout.contains('\u{1b}'), "colours without a terminal");
    called
}

/// What it printed, as the one JSON object that it is, which its schema describes.
pub(crate) fn json(called: &Called) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
    schema::check(&value);
    value
}
