//! Evidence where nobody may write: it is read, and nothing is left beside it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use common::fuze;
use common::site::{Site, copy};

/// What lies in a directory.
fn names(directory: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everybody may read what is here, and nobody write.
fn read_only(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| read_only(&entry.unwrap().path()));
        chmod(path, 0o555);
    } else {
        chmod(path, 0o444);
    }
}

/// Root may write everywhere, so it is somebody else who reads.
fn as_reader(arguments: &[&str], place: &Path) -> Option<(Option<i32>, String)> {
    let command = env!("CARGO_BIN_EXE_fuze");
    let mut called = if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let there = Command::new("setpriv").arg("--version").output();
        if !there.is_ok_and(|output| output.status.success()) {
            println!("SKIPPED: `setpriv` is not there");
            return None;
        }
        // Somebody else may not go to where this was built.
        let copied = place.join("fuze");
        if !copied.exists() {
            fs::copy(command, &copied).unwrap();
        }
        let mut called = Command::new("setpriv");
        called.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(copied);
        called
    } else {
        Command::new(command)
    };
    let output = called.args(arguments).output().unwrap();
    Some((
        output.status.code(),
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    ))
}

#[test]
fn reading_a_store_leaves_nothing_beside_it() {
    let site = Site::new();
    let store = site.path("store");
    let before = names(&store);
    assert!(!before.iter().any(|name| name.ends_with("-wal") || name.ends_with("-shm")), "{before:?}");
    fuze(&["audit", "query", &store], 0);
    fuze(&["audit", "verify", &store, "--run", &site.runs[0], "--key", &site.key], 0);
    assert_eq!(names(&store), before);
}

#[test]
fn a_store_is_read_where_nobody_may_write() {
    let site = Site::new();
    // Not every path is an address as it stands.
    let there = site.path("é 100%?#");
    copy(&site.path("store"), &there);
    let place = Path::new(&there).parent().unwrap();
    chmod(place, 0o755);
    read_only(Path::new(&there));
    let before = names(&there);
    let query = ["audit", "query", &there];
    let verify = ["audit", "verify", &there, "--run", &site.runs[0], "--key", &site.key];
    let Some((code, said)) = as_reader(&query, place) else { return };
    assert!(code == Some(0) && said.contains(&site.runs[2]), "{said}");
    let (code, said) = as_reader(&verify, place).unwrap();
    assert!(code == Some(0) && said.contains("verified"), "{said}");
    assert_eq!(names(&there), before);

    // What stands in a log is part of the evidence: without it an answer would be about something older.
    chmod(Path::new(&there), 0o755);
    fs::write(format!("{there}/fuze.sqlite-wal"), vec![7; 4152]).unwrap();
    read_only(Path::new(&there));
    let (code, said) = as_reader(&query, place).unwrap();
    assert!(code == Some(4) && said.contains("write-ahead log") && said.contains("copy"), "{said}");
    chmod(Path::new(&there), 0o755);
    fs::remove_file(format!("{there}/fuze.sqlite-wal")).unwrap();
    // As it is again, an empty log says nothing.
    fs::write(format!("{there}/fuze.sqlite-wal"), "").unwrap();
    read_only(Path::new(&there));
    let (code, said) = as_reader(&query, place).unwrap();
    assert!(code == Some(0) && said.contains(&site.runs[2]), "{said}");
    chmod(Path::new(&there), 0o755);
    fs::read_dir(&there).unwrap().for_each(|entry| {
        let path = entry.unwrap().path();
        chmod(&path, if path.is_dir() { 0o755 } else { 0o644 });
    });
}
