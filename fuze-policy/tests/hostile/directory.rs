//! Directories that hold more, other or stranger things than policies.

use std::fs;
use std::path::Path;

use fuze_policy::agent_tool::Cerbos;

use super::{rule, tools};

fn policy() -> String {
    format!("apiVersion: api.cerbos.dev/v1\n{}", tools("", &[rule("ALLOW", "true")]))
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), policy()).unwrap();
    directory
}

fn refused(directory: &Path, start: &str, part: &str) {
    let error = Cerbos::load(directory).expect_err(part).to_string();
    assert!(error.starts_with(start) && error.contains(part), "{error}");
}

#[test]
fn a_manifest_of_two_documents_is_refused() {
    let directory = directory();
    let manifest = directory.path().join("fuze-policy.manifest");
    fs::write(&manifest, "format: 1\n---\nformat: 1\nglobals: {limit: 5}\n").unwrap();
    refused(directory.path(), "fuze-policy.manifest:", "one document");
    fs::write(&manifest, "---\nformat: 1\nglobals: {limit: 5}\n---\n").unwrap();
    assert!(Cerbos::load(directory.path()).is_ok(), "a document without content is none");
}

#[test]
fn a_manifest_that_is_no_file_is_refused() {
    let directory = directory();
    fs::create_dir(directory.path().join("fuze-policy.manifest")).unwrap();
    refused(directory.path(), "fuze-policy.manifest:", "no file");
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let directory = directory();
    fs::write(directory.path().join("fuze-policy.manifest"), vec![b' '; (1 << 20) + 1]).unwrap();
    refused(directory.path(), "fuze-policy.manifest:", "more than 1048576 bytes");
    fs::remove_file(directory.path().join("fuze-policy.manifest")).unwrap();
    fs::write(directory.path().join("b.yaml"), vec![b' '; 1 << 20]).unwrap();
    assert!(Cerbos::load(directory.path()).is_ok());
    fs::write(directory.path().join("b.yaml"), vec![b' '; (1 << 20) + 1]).unwrap();
    refused(directory.path(), "b.yaml:", "more than 1048576 bytes");
}

#[cfg(unix)]
#[test]
fn links_sockets_and_what_has_no_end_are_refused_and_not_read() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.yaml"), policy()).unwrap();
    for (name, target) in [
        ("b.yaml", outside.path().join("x.yaml")),
        ("b.yaml", "a.yaml".into()),
        ("b.yaml", "/dev/zero".into()),
        ("b.yaml", "nowhere".into()),
        ("fuze-policy.manifest", "/dev/zero".into()),
        ("fuze-policy.manifest", "nowhere".into()),
    ] {
        let directory = directory();
        symlink(&target, directory.path().join(name)).unwrap();
        refused(directory.path(), name, "");
    }
    let linked = directory();
    symlink(outside.path(), linked.path().join("more")).unwrap();
    assert_eq!(
        Cerbos::load(linked.path()).unwrap().bundle_hash(),
        Cerbos::load(directory().path()).unwrap().bundle_hash(),
        "a directory outside is no part of the set, as in Cerbos"
    );
    let directory = directory();
    let _socket = UnixListener::bind(directory.path().join("b.yaml")).unwrap();
    refused(directory.path(), "b.yaml:", "no file");
}

#[test]
fn the_same_policy_however_it_is_written_down() {
    let text = policy();
    for same in [format!("\u{feff}{text}"), text.replace('\n', "\r\n"), format!("{text}---\n# nothing\n")] {
        let directory = directory();
        fs::write(directory.path().join("a.yaml"), &same).unwrap();
        assert!(Cerbos::load(directory.path()).is_ok(), "{same:?}");
    }
    for (wrong, part) in [
        (text.replace("  resource:", "\tresource:"), "YAML"),
        (text.replace("agent.tool", "agent.tool\u{0}"), ""),
        (format!("{text}{text}"), "second time"),
        (text.replace("version: default", "version: default\n  version: default"), "second time"),
        (text.replace("EFFECT_ALLOW", "!!str EFFECT_ALLOW"), "tags"),
    ] {
        let directory = directory();
        fs::write(directory.path().join("a.yaml"), &wrong).unwrap();
        refused(directory.path(), "a.yaml:", part);
    }
    let directory = directory();
    fs::write(directory.path().join("b.yaml"), b"\xff\xfea\0").unwrap();
    refused(directory.path(), "b.yaml:", "UTF-8");
}

/// Aliases of aliases: a few lines that would be written out to billions.
#[test]
fn a_billion_laughs_are_cut_short() {
    let mut text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..12 {
        let of = format!("*a{}, ", at - 1).repeat(10);
        text.push_str(&format!("b{at}: &a{at} [{of}]\n"));
    }
    let deep = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (text, part) in
        [(text, "more than 100000 values"), (deep, "limit"), ("a: &a [*a]".to_owned(), "alias")]
    {
        let directory = directory();
        fs::write(directory.path().join("b.yaml"), text).unwrap();
        refused(directory.path(), "b.yaml:", part);
    }
}
