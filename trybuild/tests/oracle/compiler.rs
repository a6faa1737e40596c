//! Many modules in one `cargo check`, and which of them have errors, by the compiler's own JSON.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::PRELUDE;

/// Modules in one file. Several files, so that two cores have something to do.
const PER_FILE: usize = 400;

/// An error of the compiler.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    /// Such as `E0277`.
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A generated package of modules.
pub(crate) struct Package {
    directory: PathBuf,
    /// File name, the lines of each module, and its index.
    places: Vec<(String, Range<u64>, usize)>,
    count: usize,
}

impl Package {
    /// Writes the modules to a package of this name.
    pub(crate) fn write(name: &str, modules: &[String]) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\nautobins = false\n\n[workspace]\n\n[dependencies]\n\
             fuze-agent = {{ path = {:?} }}\nfuze-agent-proof = {{ path = {here:?} }}\n",
            here.join("../fuze-agent")
        );
        let mut places = Vec::new();
        for (chunk_index, chunk) in modules.chunks(PER_FILE).enumerate() {
            let file = format!("part_{chunk_index}.rs");
            write!(manifest, "\n[[bin]]\nname = \"part_{chunk_index}\"\npath = \"{file}\"\n").unwrap();
            let mut text = PRELUDE.to_owned();
            let mut next_line = lines(&text) + 1;
            for (offset, module) in chunk.iter().enumerate() {
                let length = lines(module);
                places.push((file.clone(), next_line..next_line + length, chunk_index * PER_FILE + offset));
                next_line += length;
                text.push_str(module);
            }
            text.push_str("fn main() {}\n");
            fs::write(directory.join(file), text).unwrap();
        }
        fs::write(directory.join("Cargo.toml"), manifest).unwrap();
        fs::copy(here.join("../Cargo.lock"), directory.join("Cargo.lock")).unwrap();
        Self { directory, places, count: modules.len() }
    }

    /// Checks the package. For each module, its errors.
    ///
    /// Sound in both directions: whatever the compiler reports must belong to a module, and a compile that ends well
    /// must have reported nothing. That a module has no error means that it compiles only where no module has any, since
    /// an early phase may stop the compiler before a later one; the caller sorts modules accordingly.
    pub(crate) fn check(&self) -> Vec<Vec<Error>> {
        let output = Command::new(env!("CARGO"))
            .args(["check", "--offline", "--quiet", "--keep-going", "--bins", "--message-format=json"])
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-target"))
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        let mut errors = vec![Vec::new(); self.count];
        let mut reported = 0;
        let mut finished = None;
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            if message["reason"] == "build-finished" {
                finished = message["success"].as_bool();
            }
            let diagnostic = &message["message"];
            if message["reason"] != "compiler-message" || diagnostic["level"] != "error" {
                continue;
            }
            let Some(code) = diagnostic["code"]["code"].as_str() else {
                let text = diagnostic["message"].as_str().unwrap();
                assert!(text.starts_with("aborting due to"), "an error without a code: {text}");
                continue;
            };
            let error =
                Error { code: code.to_owned(), message: diagnostic["message"].as_str().unwrap().to_owned() };
            let primary =
                diagnostic["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true);
            let primary = primary.unwrap_or_else(|| panic!("an error without a place: {error:?}"));
            errors[self.module_at(primary, &error)].push(error);
            reported += 1;
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let finished = finished.unwrap_or_else(|| panic!("cargo did not finish: {stderr}"));
        assert_eq!(finished, output.status.success(), "{stderr}");
        assert_eq!(finished, reported == 0, "{reported} errors; {stderr}");
        errors
    }

    fn module_at(&self, span: &Value, error: &Error) -> usize {
        let file = span["file_name"].as_str().unwrap();
        let line = span["line_start"].as_u64().unwrap();
        let found = self.places.iter().find(|(name, lines, _)| name == file && lines.contains(&line));
        found.unwrap_or_else(|| panic!("an error outside every module, at {file}:{line}: {error:?}")).2
    }
}

fn lines(text: &str) -> u64 {
    u64::try_from(text.lines().count()).unwrap()
}
