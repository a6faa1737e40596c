//! The audit proof: rule · article · case · the error in full.
//!
//! Reads the cases of `trybuild/` and the errors checked in beside them. It does not compile anything: that the errors
//! are still the compiler's own is what the tests of `trybuild/` show, from the same directories.

mod case;
mod check;
mod report;
mod rules;

use std::path::{Path, PathBuf};
use std::{fs, io};

pub use case::{Case, Header, HeaderError};
pub use check::{Defect, Fault, defects};
pub use report::{Toolchain, report};
pub use rules::{RULES, Rule};

/// Directories whose cases `cargo check` must refuse.
pub const CHECKED: &[&str] = &["fail", "attack"];
/// Directories whose cases only `cargo build` refuses: what they break is known when generic code gets its types.
pub const BUILT: &[&str] = &["build"];
/// Directories of programs that compile, so that a case fails by its mistake and not by what surrounds it.
pub const HONEST: &[&str] = &["pass"];

/// Beside the cases, what belongs to the package that runs them.
const PACKAGE: &[&str] = &["Cargo.toml", "src", "tests"];

/// All cases on disk, and whatever else lies there.
#[derive(Debug, Default)]
pub struct Suite {
    /// The cases, by path.
    pub cases: Vec<Case>,
    /// Honest programs, by path.
    pub honest: Vec<String>,
    /// Files that no harness runs, by path.
    pub strays: Vec<String>,
}

/// The directory of the cases in this repository.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trybuild")
}

/// Reads a directory of cases.
///
/// # Errors
/// When a file or directory cannot be read.
pub fn load(root: &Path) -> io::Result<Suite> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !PACKAGE.iter().any(|known| entry.file_name() == *known) {
            walk(&entry.path(), root, &mut files)?;
        }
    }
    files.sort();
    let mut suite = Suite::default();
    for path in &files {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let runs = |directories: &[&str]| directories.contains(&directory);
        let is_case = runs(CHECKED) || runs(BUILT);
        match name.rsplit_once('.') {
            Some((stem, "rs")) if is_case => {
                let stderr = format!("{directory}/{stem}.stderr");
                let stderr = match files.binary_search(&stderr) {
                    Ok(_) => Some(fs::read_to_string(root.join(stderr))?),
                    Err(_) => None,
                };
                suite.cases.push(Case::new(path, fs::read_to_string(root.join(path))?, stderr));
            }
            Some((_, "rs")) if runs(HONEST) => suite.honest.push(path.clone()),
            Some((stem, "stderr"))
                if is_case && files.binary_search(&format!("{directory}/{stem}.rs")).is_ok() => {}
            _ => suite.strays.push(path.clone()),
        }
    }
    Ok(suite)
}

fn walk(path: &Path, root: &Path, files: &mut Vec<String>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), root, files)?;
        }
    } else if let Ok(relative) = path.strip_prefix(root) {
        files.push(relative.to_string_lossy().replace('\\', "/"));
    }
    Ok(())
}
