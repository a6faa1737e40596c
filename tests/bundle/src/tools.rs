//! Programs that are not ours, as far as they are here.

use std::path::PathBuf;

/// A path in the workspace.
pub fn workspace(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
