//! Whether a directory lies on a network file system, where SQLite's locks and shared memory do not reach the other machines.
//! Knows what Linux says about its mounts; elsewhere, and where that cannot be read, it says nothing.

use std::path::{Path, PathBuf};

use fuze_agent::store::StoreError;

const NETWORK: &[&str] = &[
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
];

/// Refuses a directory (its real path) on a network file system.
pub(crate) fn refuse(directory: &Path) -> Result<(), StoreError> {
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else { return Ok(()) };
    match file_system(&mounts, directory) {
        Some(kind) if NETWORK.contains(&kind.as_str()) => Err(StoreError::Io(format!(
            "`{}` lies on a network file system (`{kind}`), where SQLite loses data; use a local disk",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

/// The kind of the mount that `path` lies on: of those above it the deepest, of those at one place the last.
fn file_system(mounts: &[u8], path: &Path) -> Option<String> {
    let mut found: Option<(usize, &[u8])> = None;
    for line in mounts.split(|&byte| byte == b'\n') {
        // proc_pid_mountinfo(5): the fifth field is the mount point; after ` - ` comes the type.
        let mut fields = line.split(|&byte| byte == b' ');
        let Some(point) = fields.nth(4).map(unescape) else { continue };
        let Some(kind) = fields.skip_while(|field| field != b"-").nth(1) else { continue };
        let depth = point.components().count();
        if path.starts_with(&point) && found.is_none_or(|(deepest, _)| deepest <= depth) {
            found = Some((depth, kind));
        }
    }
    found.map(|(_, kind)| String::from_utf8_lossy(kind).into_owned())
}

/// Space, tab, line feed and backslash stand there as `\` and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match after.split_first_chunk::<3>() {
            Some((digits, after)) if byte == b'\\' => {
                std::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, 8).ok()).zip(Some(after))
            }
            _ => None,
        };
        match escaped {
            Some((byte, after)) => {
                plain.push(byte);
                rest = after;
            }
            None => plain.push(byte),
        }
    }
    PathBuf::from(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        30 27 0:40 / /srv rw shared:1 master:2 - nfs4 server:/srv rw\n\
        31 30 254:1 / /srv/local\\040disk rw - xfs /dev/vdb rw\n\
        32 27 0:41 / /mnt rw - ext4 /dev/vdc rw\n\
        33 32 0:42 / /mnt rw - cifs //server/share rw\n";

    #[test]
    fn the_deepest_and_last_mount_counts() {
        for (path, kind) in [
            ("/", "ext4"),
            ("/home/a", "ext4"),
            ("/srv/runs", "nfs4"),
            ("/srvother", "ext4"),
            ("/srv/local disk/runs", "xfs"),
            ("/mnt/runs", "cifs"),
        ] {
            assert_eq!(file_system(MOUNTS, Path::new(path)).as_deref(), Some(kind), "{path}");
        }
        assert_eq!(file_system(b"nonsense", Path::new("/")), None);
    }

    #[test]
    fn a_local_directory_is_allowed() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(refuse(&place.path().canonicalize().unwrap()), Ok(()));
    }
}
