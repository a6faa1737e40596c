//! The zip itself: one way to write it, and what other tools make of it.

use std::io::Cursor;
use std::process::Command;

use fuze_agent_bundle_tests::forge::unpack;
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tools::have;
use fuze_audit::verify::verify;
use fuze_audit::zip::{Archive, Spool, ZipError};
use fuze_audit::{AuditError, ExportError, Selection};

/// Where the directory begins.
fn directory(bundle: &[u8]) -> usize {
    let at = bundle.len() - 6;
    u32::from_le_bytes(bundle[at..at + 4].try_into().unwrap()) as usize
}

fn set(bundle: &mut [u8], at: usize, octets: &[u8]) {
    bundle[at..at + octets.len()].copy_from_slice(octets);
}

fn refused(bundle: &[u8]) -> ZipError {
    Archive::open(Cursor::new(bundle)).expect_err("another spelling of the same members")
}

#[test]
fn there_is_one_way_to_write_it() {
    let run = Run::new(Shape::full(1));
    let bundle = run.bundle(Selection::nothing());
    let end = bundle.len() - 22;
    let at = directory(&bundle);

    let mut before = b"#!/bin/sh\n".to_vec();
    before.extend_from_slice(&bundle);
    refused(&before);
    let mut after = bundle.clone();
    after.push(0);
    refused(&after);
    // A comment of one octet, announced.
    set(&mut after, end + 20, &[1, 0]);
    refused(&after);
    // Octets between the members and the directory, with all offsets right.
    let mut between = bundle.clone();
    between.splice(at..at, [7; 4]);
    let moved = u32::try_from(at + 4).unwrap().to_le_bytes();
    set(&mut between, end + 4 + 16, &moved);
    refused(&between);
    // The numbers of entries on this disk and in all.
    for field in [end + 8, end + 10, end + 4] {
        let mut count = bundle.clone();
        count[field] = count[field].wrapping_add(1);
        refused(&count);
    }
    // A compression method, an extra field, a time, in the directory and in the header alike.
    for (local, central) in [(8, 10), (28, 30), (10, 12), (6, 8)] {
        let mut field = bundle.clone();
        field[local] ^= 8;
        field[at + central] ^= 8;
        refused(&field);
    }
    assert!(matches!(refused(&[]), ZipError::Layout { .. }));
    assert!(matches!(refused(&bundle[..bundle.len() - 1]), ZipError::Layout { .. }));
}

#[test]
fn names_that_lead_elsewhere_are_refused_by_both_ends() {
    let name = "policy/bundle";
    let zip = |name: &str| {
        let mut spool = Spool::new(".".as_ref());
        spool.add(name, &b"x"[..])?;
        let mut out = Vec::new();
        spool.finish(&mut out).map(|()| out)
    };
    let good = zip(name).unwrap();
    for bad in [
        "../../../etc/x",
        "/policy/bundl",
        "policy/../bun",
        "policy//bundl",
        "policy\\bundle",
        "policy/bundl\0",
        "./policy/bund",
        "policy/bundl/",
    ] {
        assert!(matches!(zip(bad), Err(ZipError::Name { .. })), "{bad}");
        let mut forged = good.clone();
        let bad = format!("{bad:x<13}");
        for at in 0..forged.len() - name.len() {
            if forged[at..].starts_with(name.as_bytes()) {
                set(&mut forged, at, &bad.as_bytes()[..name.len()]);
            }
        }
        assert!(matches!(refused(&forged), ZipError::Name { .. }), "{bad}");
    }
    let long = "x".repeat(129);
    assert!(matches!(zip(&long), Err(ZipError::Name { .. })));
}

#[test]
fn a_name_stands_once() {
    let two = |a: &str, b: &str| {
        let mut spool = Spool::new(".".as_ref());
        spool.add(a, &b"x"[..])?;
        spool.add(b, &b"x"[..])?;
        let mut out = Vec::new();
        spool.finish(&mut out).map(|()| out)
    };
    assert!(matches!(two("a", "a"), Err(ZipError::Order { .. })));
    let mut twice = two("a", "b").unwrap();
    for octet in twice.iter_mut().filter(|octet| **octet == b'b') {
        *octet = b'a';
    }
    assert!(matches!(refused(&twice), ZipError::Order { .. }));
    // The order of adding does not matter.
    assert_eq!(two("b", "a").unwrap(), two("a", "b").unwrap());
}

#[test]
fn a_checksum_that_does_not_hold_is_found() {
    let run = Run::new(Shape::full(1));
    let mut bundle = run.bundle(Selection::nothing());
    let at = directory(&bundle);
    bundle[at + 16] ^= 1;
    bundle[14] ^= 1;
    match verify(Cursor::new(&bundle), &run.trust()) {
        Err(AuditError::Failed(failure)) => assert_eq!(failure.member, "README.txt"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_tools_read_it() {
    if !have(&["unzip", "zipinfo"]) {
        return;
    }
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("b.zip");
    let _ = run.export(Selection::all()).to_path(&path).unwrap();
    let test = Command::new("unzip").arg("-t").arg(&path).output().unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
    let list = Command::new("zipinfo").arg(&path).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let members = unpack(&std::fs::read(&path).unwrap());
    assert!(list.contains(&format!("number of entries: {}", members.len())), "{list}");
    let rows: Vec<&str> = list.lines().filter(|row| row.starts_with('-')).collect();
    assert_eq!(rows.len(), members.len());
    assert!(
        rows.iter().all(|row| row.contains("-rw-r--r--  2.0 unx") && row.contains("stor 80-Jan-01 00:00")),
        "{list}"
    );
}

#[test]
fn a_bundle_is_written_once_and_whole() {
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("b.zip");
    let _ = run.export(Selection::nothing()).to_path(&path).unwrap();
    let first = std::fs::read(&path).unwrap();
    assert!(matches!(run.export(Selection::all()).to_path(&path), Err(ExportError::Io { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), first);
    // Of an export that fails nothing is left.
    let failing = run.export(Selection::nothing().record(99));
    let other = place.path().join("c.zip");
    assert!(matches!(failing.to_path(&other), Err(ExportError::NoContent { sequence: 99 })));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_disclosed_is_not_silently_left_out() {
    let run = Run::new(Shape::full(1));
    let write = |export: fuze_audit::Export<'_>| export.write(".".as_ref(), Vec::new());
    let field = Selection::nothing().field(0, "/nowhere").unwrap();
    assert!(matches!(write(run.export(field)), Err(ExportError::NoField { sequence: 0, .. })));
    for take in [
        |e: &mut fuze_audit::Export<'_>| e.master_key = None,
        |e: &mut fuze_audit::Export<'_>| e.subject_keys = None,
    ] {
        let mut export = run.export(Selection::all());
        take(&mut export);
        assert!(matches!(write(export), Err(ExportError::NoKey { sequence: 0 })));
        let mut export = run.export(Selection::nothing());
        take(&mut export);
        assert!(write(export).is_ok(), "hashes need no key");
    }
    // A run without a key for its content is exported as it is; one that is not intact is not.
    let mut broken = Run::new(Shape::full(1));
    let at = broken.files.records.len() / 2;
    broken.files.records[at] ^= 1;
    assert!(matches!(write(broken.export(Selection::nothing())), Err(ExportError::Run(_))));
    let mut gone = Run::new(Shape::full(1));
    gone.files.content.clear();
    assert!(matches!(write(gone.export(Selection::nothing())), Err(ExportError::Missing { sequence: 0 })));
}
