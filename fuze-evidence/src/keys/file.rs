//! Keys in files: one line each, made whole or not at all, readable by their owner only.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use super::{FileSigner, MasterKey, fresh};
use crate::crypto::Secret;
use crate::files::{is_same, names, refuse_other_name};
use crate::name::Name;
use crate::random::Random;

const SIGNING: &str = "fuze-signing-key-v1:";
const MASTER: &str = "fuze-master-key-v1:";
pub(super) const SUBJECT: &str = "fuze-subject-key-v1:";
pub(super) const INDEX: &str = "fuze-subject-index-v1:";
/// Prefix, 43 characters, line feed; anything longer is no key file.
const MAX_BYTES: u64 = 128;

/// Why a key file was not made or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system's own.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A file is there already; a key is never overwritten.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A symbolic link, a directory, a device.
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write it.
    Rights {
        /// The file.
        path: PathBuf,
        /// The rights it has.
        mode: u32,
    },
    /// Not one line of the expected kind.
    Contents {
        /// The file.
        path: PathBuf,
        /// What the line begins with.
        expected: &'static str,
    },
    /// The source of randomness failed.
    Random(crate::random::RandomError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "key file `{}`: {source}", path.display()),
            Self::Exists { path } => {
                write!(
                    f,
                    "key file `{}` exists already and is not overwritten; choose another path",
                    path.display()
                )
            }
            Self::NotAFile { path } => {
                write!(f, "key file `{}` is no regular file; links are not followed", path.display())
            }
            Self::Rights { path, mode } => write!(
                f,
                "key file `{}` has the rights {mode:04o}, others than its owner can use it; run `chmod 600` on it and consider the key known",
                path.display()
            ),
            Self::Contents { path, expected } => write!(
                f,
                "key file `{}` is not one line `{expected}` with 43 characters of base64url and a line feed",
                path.display()
            ),
            Self::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl FileSigner {
    /// Makes a new signing key at `path`, whole or not at all, with the rights 0600.
    ///
    /// # Errors
    /// When the file exists, cannot be written, or randomness fails.
    pub fn create(path: &Path, identity: Name, random: &mut dyn Random) -> Result<Self, KeyFileError> {
        create(path, SIGNING, random).map(|secret| Self::from_secret(&secret, identity))
    }

    /// Reads the signing key at `path`.
    ///
    /// # Errors
    /// When it is no regular file, others may read it, or its contents are not a signing key.
    pub fn load(path: &Path, identity: Name) -> Result<Self, KeyFileError> {
        load(path, SIGNING).map(|secret| Self::from_secret(&secret, identity))
    }
}

/// Makes and reads master keys in files.
#[derive(Debug)]
pub struct MasterKeyFile;

impl MasterKeyFile {
    /// Makes a new master key at `path`.
    ///
    /// # Errors
    /// As [`FileSigner::create`].
    pub fn create(path: &Path, random: &mut dyn Random) -> Result<MasterKey, KeyFileError> {
        create(path, MASTER, random).map(MasterKey)
    }

    /// Reads the master key at `path`.
    ///
    /// # Errors
    /// As [`FileSigner::load`].
    pub fn load(path: &Path) -> Result<MasterKey, KeyFileError> {
        load(path, MASTER).map(MasterKey)
    }
}

/// Writes beside `path`, makes it durable, then links it to its name: a name that exists is an error, never a loss.
pub(super) fn create(path: &Path, prefix: &str, random: &mut dyn Random) -> Result<Secret, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let secret = fresh(random).map_err(KeyFileError::Random)?;
    let mut tag = [0u8; 8];
    random.fill(&mut tag).map_err(KeyFileError::Random)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", Base64UrlUnpadded::encode_string(&tag)));
    let temporary = path.with_file_name(name);
    let written = write_new(&temporary, prefix, &secret).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists { path: path.to_owned() });
        }
        written => written.map_err(io)?,
    }
    removed.map_err(io)?;
    sync_parent(path).map_err(io)?;
    Ok(secret)
}

fn write_new(path: &Path, prefix: &str, secret: &Secret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(secret.as_slice()));
    let line = Zeroizing::new(format!("{prefix}{}\n", *encoded));
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// Names of the file at `path` beside it, as a crash in [`create`] leaves them.
pub(super) fn left_by_crash(path: &Path) -> Result<Vec<PathBuf>, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let (Ok(found), Some(name), Some(parent)) =
        (fs::symlink_metadata(path), path.file_name().and_then(|name| name.to_str()), path.parent())
    else {
        return Ok(Vec::new());
    };
    let mut left = Vec::new();
    if names(&found) < 2 {
        return Ok(left);
    }
    for entry in fs::read_dir(parent).map_err(io)? {
        let entry = entry.map_err(io)?;
        let made = |other: &str| {
            other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".new"))
        };
        if entry.file_name().to_str().is_some_and(made)
            && is_same(&found, &fs::symlink_metadata(entry.path()).map_err(io)?)
        {
            left.push(entry.path());
        }
    }
    Ok(left)
}

/// Refuses a key that would stay when it is deleted: at the end of a link, or under a name that nobody here gave it.
pub(super) fn check_erasable(path: &Path) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        found => {
            let found = found.map_err(io)?;
            if !found.is_file() {
                return Err(KeyFileError::NotAFile { path: path.to_owned() });
            }
            if names(&found) == left_by_crash(path)?.len() as u64 + 1 {
                return Ok(());
            }
            refuse_other_name(path).map_err(io)
        }
    }
}

/// Makes the entry of `path` in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(parent)?.sync_all()
}

pub(super) fn load(path: &Path, prefix: &'static str) -> Result<Secret, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let not_a_file = || KeyFileError::NotAFile { path: path.to_owned() };
    let contents = || KeyFileError::Contents { path: path.to_owned(), expected: prefix };
    let named = fs::symlink_metadata(path).map_err(io)?;
    if !named.is_file() {
        return Err(not_a_file());
    }
    let file = File::open(path).map_err(io)?;
    let opened = file.metadata().map_err(io)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // What was examined must be what was opened: a link put there in between leads elsewhere.
        if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
            return Err(not_a_file());
        }
        let mode = opened.mode() & 0o7777;
        if mode & 0o177 != 0 {
            return Err(KeyFileError::Rights { path: path.to_owned(), mode });
        }
    }
    if opened.len() > MAX_BYTES {
        return Err(contents());
    }
    let mut line = Zeroizing::new(String::new());
    match file.take(MAX_BYTES).read_to_string(&mut line) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(contents()),
        Err(error) => return Err(io(error)),
    }
    let encoded = line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(contents)?;
    let mut secret = Zeroizing::new([0u8; 32]);
    if encoded.len() != 43 || Base64UrlUnpadded::decode(encoded, secret.as_mut_slice()).is_err() {
        return Err(contents());
    }
    if secret.iter().all(|&b| b == 0) {
        return Err(contents());
    }
    Ok(secret)
}
