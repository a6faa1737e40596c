//! `README.txt` is not a promise: its commands are run as they stand, with `unzip`, `sha256sum` and `openssl`.

use std::fs;
use std::process::Command;

use fuze_agent_bundle_tests::forge::{Members, pack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tools::have;
use fuze_audit::Selection;

/// What one command said on its standard output, and whether it ended well.
struct Answer {
    command: String,
    expected: String,
    said: String,
    ok: bool,
}

/// Runs all commands of a bundle's README in one shell, in the directory that it was unpacked into.
fn follow(bundle: &[u8], run: &Run) -> Vec<Answer> {
    let place = tempfile::tempdir().unwrap();
    let unpacked = place.path().join("bundle");
    fs::write(place.path().join("bundle.zip"), bundle).unwrap();
    fs::create_dir(&unpacked).unwrap();
    let unzip = Command::new("unzip").args(["-q", "../bundle.zip"]).current_dir(&unpacked).status();
    assert!(unzip.unwrap().success());
    let readme = fs::read_to_string(unpacked.join("README.txt")).unwrap();
    let mut script = String::new();
    let mut commands = Vec::new();
    let mut lines = readme.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("    $ ") else { continue };
        let expected = lines.peek().and_then(|next| next.strip_prefix("        ")).unwrap_or_default();
        let n = commands.len();
        // The same shell for all: a later command uses what an earlier one found.
        script.push_str(&format!("{{ {command}\n}} > ../out.{n} 2> ../err.{n}; echo $? > ../code.{n}\n"));
        commands.push((command.to_owned(), expected.to_owned()));
    }
    assert!(commands.len() > 8, "{readme}");
    let status = Command::new("sh").arg("-c").arg(&script).current_dir(&unpacked).status().unwrap();
    assert!(status.success());
    let said = |what: &str, n: usize| fs::read_to_string(place.path().join(format!("{what}.{n}"))).unwrap();
    let answer = |(n, (command, expected)): (usize, (String, String))| {
        let expected = match expected.as_str() {
            "the run key id above" => run.public_key().id().to_string(),
            other => other.to_owned(),
        };
        Answer {
            command,
            expected,
            said: said("out", n).trim().to_owned(),
            ok: said("code", n).trim() == "0",
        }
    };
    commands.into_iter().enumerate().map(answer).collect()
}

fn is_well(answer: &Answer) -> bool {
    let says = match answer.expected.as_str() {
        _ if answer.command.starts_with("openssl pkeyutl") => {
            answer.said.contains("Signature Verified Successfully")
        }
        expected if expected.starts_with("the number of records") => {
            answer.said.contains(" records, head ") && !answer.said.contains("wrong")
        }
        "" => true,
        expected => answer.said == expected,
    };
    answer.ok && says
}

#[test]
fn each_command_answers_as_the_readme_says() {
    if !have(&["unzip", "sha256sum", "openssl", "cmp"]) {
        return;
    }
    for shape in [
        Shape::full(1),
        Shape { waits: false, subject: false, ..Shape::full(2) },
        Shape { closed: false, ..Shape::full(3) },
    ] {
        let run = Run::new(shape);
        let bundle = run.bundle(Selection::all());
        for answer in follow(&bundle, &run) {
            assert!(
                is_well(&answer),
                "{shape:?}\n$ {}\n{}\nexpected: {}",
                answer.command,
                answer.said,
                answer.expected
            );
        }
        let head = follow(&bundle, &run).into_iter().find(|a| a.said.contains(" records, head ")).unwrap();
        let lines = run.files.records.iter().filter(|&&octet| octet == b'\n').count();
        assert!(head.said.starts_with(&format!("{lines} records")), "{}", head.said);
    }
}

/// Commands that never complain would prove nothing.
#[test]
fn by_hand_each_kind_of_change_is_found() {
    if !have(&["unzip", "sha256sum", "openssl", "cmp"]) {
        return;
    }
    let run = Run::new(Shape::full(1));
    let members = unpack(&run.bundle(Selection::all()));
    let change = |name: &str, from: &str, to: &str| {
        let mut changed = members.clone();
        let octets = changed.get_mut(name).unwrap();
        let at = octets.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        octets.splice(at..at + from.len(), to.bytes());
        changed
    };
    let mut added = members.clone();
    added.insert("policy/bundle".to_owned(), b"x".to_vec());
    let mut swapped = members.clone();
    let close = swapped["roots/0.sig"].clone();
    swapped.insert("roots/close.sig".to_owned(), close);
    for (changed, found_by) in [
        (change("records.jsonl", "HiringAgent", "FiringAgent"), "while IFS= read"),
        (
            change("records.jsonl", "\"fuze.run.status\":\"completed\"", "\"fuze.run.status\":\"halted\""),
            "payload=",
        ),
        (change("roots/close.json", "\"segment\":1", "\"segment\":2"), "roots/close.json"),
        (change("report.html", "<title>", "<title>x"), "--check"),
        (added, "nothing else"),
        (swapped, "roots/close.sig"),
    ] as [(Members, &str); 6]
    {
        let answers = follow(&pack(&changed), &run);
        let wrong: Vec<&str> = answers.iter().filter(|a| !is_well(a)).map(|a| a.command.as_str()).collect();
        assert!(wrong.iter().any(|command| command.contains(found_by)), "{found_by}: {wrong:?}");
    }
}
