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
    refused(directory.path(), "fuze-policy.manifest:4:1:", "nothing in it");
    fs::write(&manifest, "---\nformat: 1\nglobals: {limit: 5}\n---\n# nothing\n").unwrap();
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
    refused(linked.path(), "more:", "it is a link");
    let directory = directory();
    let _socket = UnixListener::bind(directory.path().join("b.yaml")).unwrap();
    refused(directory.path(), "b.yaml:", "no file");
}

#[test]
fn the_same_policy_however_it_is_written_down() {
    let text = policy();
    for same in [text.replace('\n', "\r\n"), format!("{text}---\n# nothing\n")] {
        let directory = directory();
        fs::write(directory.path().join("a.yaml"), &same).unwrap();
        assert!(Cerbos::load(directory.path()).is_ok(), "{same:?}");
    }
    for (wrong, part) in [
        (text.replace("  resource:", "\tresource:"), "YAML"),
        (text.replace("agent.tool", "agent.tool\u{0}"), ""),
        (format!("\u{feff}{text}"), "byte order mark"),
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

/// Cerbos drops them in some places. An expression is the same without.
#[test]
fn blanks_at_the_end_of_a_block_matter_to_texts_alone() {
    let text = policy();
    let written = |from: &str, to: &str| {
        let directory = directory();
        assert!(text.contains(from), "{from}");
        fs::write(directory.path().join("a.yaml"), text.replace(from, to)).unwrap();
        directory
    };
    let variable = written("resourcePolicy:", "variables:\n  x: |-\n    1 == 1  \nresourcePolicy:");
    Cerbos::load(variable.path()).unwrap();
    for (texts, line) in [
        ("description: |-\n  of tools  \n", 3),
        ("metadata:\n  annotations:\n    a: |-\n      of tools \n", 5),
    ] {
        let directory = written("resourcePolicy:", &format!("{texts}resourcePolicy:"));
        refused(directory.path(), &format!("a.yaml:{line}:"), "which Cerbos may drop");
    }
    let manifest = directory();
    let globals = "format: 1\nglobals:\n  name:\n    - |-\n      of tools \n";
    fs::write(manifest.path().join("fuze-policy.manifest"), globals).unwrap();
    refused(manifest.path(), "fuze-policy.manifest:5:", "which Cerbos may drop");
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

/// A suite that tries nothing, or more than anybody waits for, does not hold.
#[test]
fn a_suite_that_tests_nothing_does_not_hold() {
    let names =
        |of: &str, count: usize| -> Vec<String> { (0..count).map(|at| format!("{of}{at}")).collect() };
    let suite = |principals: &[String], resources: &[String], actions: &[String]| {
        let fixtures = |names: &[String], more: &str| -> String {
            names.iter().map(|name| format!("{name}: {{id: x, {more}}}, ")).collect()
        };
        format!(
            "name: s\nprincipals: {{{}}}\nresources: {{{}}}\ntests:\n  - name: t\n    input: {{principals: [{}], resources: [{}], actions: [{}]}}\n    \
             expected: [{{principal: p0, resource: r0, actions: {{do0: EFFECT_DENY}}}}]\n",
            fixtures(principals, "roles: [a]"),
            fixtures(resources, "kind: album"),
            principals.join(", "),
            resources.join(", "),
            actions.join(", ")
        )
    };
    let check = |principals: usize, resources: usize, actions: usize, part: &str| {
        let text = suite(&names("p", principals), &names("r", resources), &names("do", actions));
        let directory = directory();
        fs::write(directory.path().join("a_test.yaml"), text).unwrap();
        let files = fuze_policy::cerbos::read_directory(directory.path()).unwrap();
        let set = fuze_policy::cerbos::PolicySet::load(&files.policies).unwrap();
        let results = fuze_policy::suite::run_all(directory.path(), &files, &set).unwrap();
        let problems: Vec<String> =
            results.iter().flat_map(|r| &r.problems).map(ToString::to_string).collect();
        assert_eq!(results.iter().all(|result| result.holds()), part.is_empty(), "{problems:?}");
        assert!(part.is_empty() || problems.concat().contains(part), "{part}: {problems:?}");
    };
    check(1, 1, 1, "");
    check(0, 1, 1, "a_test.yaml:");
    check(1, 0, 1, "a_test.yaml:");
    check(1, 1, 0, "a_test.yaml:");
    check(100, 100, 11, "110000 combinations");
}

#[cfg(unix)]
#[test]
fn fixtures_that_are_no_files_are_refused() {
    let directory = directory();
    fs::write(directory.path().join("a_test.yaml"), "name: s\ntests: []\n").unwrap();
    fs::create_dir(directory.path().join("testdata")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", directory.path().join("testdata/principals.yaml")).unwrap();
    let files = fuze_policy::cerbos::read_directory(directory.path()).unwrap();
    let set = fuze_policy::cerbos::PolicySet::load(&files.policies).unwrap();
    let results = fuze_policy::suite::run_all(directory.path(), &files, &set).unwrap();
    assert!(results[0].problems[0].message.contains("no file"), "{:?}", results[0].problems);
}
