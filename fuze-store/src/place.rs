//! The directory and the file: made with narrow rights, refused when others could write or a link leads elsewhere.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fuze_agent::store::StoreError;

use crate::error;

/// The file below a store's directory that counts.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join("fuze.sqlite")
}

/// Opens or makes a directory of the store and returns its real path.
pub(crate) fn directory(path: &Path) -> Result<PathBuf, StoreError> {
    let io = |e| error::io(path, &e);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            builder.create(path).map_err(io)?;
            sync_parent(path).map_err(io)?;
        }
        Err(error) => return Err(io(error)),
    }
    let found = fs::symlink_metadata(path).map_err(io)?;
    if !found.is_dir() {
        return Err(StoreError::Io(format!(
            "`{}` is no directory; links are not followed, choose the place itself",
            path.display()
        )));
    }
    narrow(path, &found, 0o077, "700")?;
    fs::canonicalize(path).map_err(io)
}

/// Makes the database's file if there is none, and refuses what is no regular file or open to others.
pub(crate) fn database(path: &Path) -> Result<(), StoreError> {
    let io = |e| error::io(path, &e);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => sync_parent(path).map_err(io)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    let found = fs::symlink_metadata(path).map_err(io)?;
    if !found.is_file() {
        return Err(StoreError::Io(format!(
            "`{}` is no regular file; links are not followed",
            path.display()
        )));
    }
    narrow(path, &found, 0o177, "600")
}

#[cfg(unix)]
fn narrow(path: &Path, found: &fs::Metadata, others: u32, mend: &str) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = found.permissions().mode() & 0o7777;
    if mode & others == 0 {
        return Ok(());
    }
    Err(StoreError::Io(format!(
        "`{}` has the rights {mode:04o}, others than its owner can use it; run `chmod {mend}` on it",
        path.display()
    )))
}

#[cfg(not(unix))]
fn narrow(_: &Path, _: &fs::Metadata, _: u32, _: &str) -> Result<(), StoreError> {
    Ok(())
}

/// Makes the entry of `path` in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(parent)?.sync_all()
}
