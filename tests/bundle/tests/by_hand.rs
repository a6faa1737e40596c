//! `README.txt` is not a promise: its commands are run as they stand, with `unzip`, `sha256sum` and `openssl`.

use std::fs;
use std::path::Path;
use std::process::Command;

use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape, signer_of};
use fuze_agent_bundle_tests::tamper::rewrite;
use fuze_agent_bundle_tests::tools::have;
use fuze_audit::{Export, Selection};
use fuze_evidence::keys::{FileSigner, Signer as _};
use serde_json::json;

const TOOLS: [&str; 6] = ["unzip", "sha256sum", "openssl", "cmp", "bash", "dash"];

/// What one command said on its standard output, and whether it ended well.
struct Answer {
    command: String,
    expected: String,
    said: String,
    ok: bool,
}

/// Runs all commands of a bundle's README in each shell, in the directory that it was unpacked into.
fn follow(bundle: &[u8], run: &Run) -> Vec<Answer> {
    ["bash", "dash"].iter().flat_map(|shell| follow_in(shell, bundle, run)).collect()
}

fn follow_in(shell: &str, bundle: &[u8], run: &Run) -> Vec<Answer> {
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
    let status = Command::new(shell).arg("-c").arg(&script).current_dir(&unpacked).status().unwrap();
    assert!(status.success());
    assert!(!place.path().join("touched").exists(), "the bundle gave the shell a command of its own");
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
    if !have(&TOOLS) {
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

/// Somebody who packs what is not theirs.
fn stranger() -> FileSigner {
    signer_of(99)
}

fn packed_by(run: &Run, maker: &FileSigner) -> Members {
    let mut bundle = Vec::new();
    let export = Export { maker, ..run.export(Selection::all()) };
    export.write(Path::new("."), &mut bundle).unwrap();
    unpack(&bundle)
}

#[test]
fn whose_key_packed_it_is_said_where_it_is_not_the_runs() {
    if !have(&TOOLS) {
        return;
    }
    for shape in [Shape::full(1), Shape { closed: false, ..Shape::full(3) }] {
        let run = Run::new(shape);
        let members = packed_by(&run, &stranger());
        let readme = String::from_utf8(members["README.txt"].clone()).unwrap();
        assert!(readme.contains(&format!("Its id is {}", stranger().key_id())), "{readme}");
        let answers = follow(&pack(&members), &run);
        for answer in &answers {
            assert!(is_well(answer), "$ {}\n{}\nexpected: {}", answer.command, answer.said, answer.expected);
        }
        let id = stranger().key_id().to_string();
        assert!(answers.iter().any(|a| a.command.contains("keys/export.pem") && a.said == id));
        let own = unpack(&run.bundle(Selection::all()));
        assert!(!String::from_utf8_lossy(&own["README.txt"]).contains("keys/export"));
    }
}

/// Which commands complain.
fn wrong(bundle: &[u8], run: &Run) -> Vec<String> {
    follow(bundle, run).into_iter().filter(|answer| !is_well(answer)).map(|answer| answer.command).collect()
}

/// A change must be found in every shell.
#[track_caller]
fn check_found(members: &Members, run: &Run, found_by: &str) {
    let wrong = wrong(&pack(members), run);
    let found = wrong.iter().filter(|command| command.contains(found_by)).count();
    assert!(found > 0 && found.is_multiple_of(2), "{found_by}: {wrong:?}");
}

/// A stranger can make the digests and the chain fit, never the roots.
#[test]
fn by_hand_the_records_of_an_open_run_are_those_that_were_signed() {
    if !have(&TOOLS) {
        return;
    }
    let stranger = stranger();
    for closed in [false, true] {
        let run = Run::new(Shape { closed, ..Shape::full(3) });
        let members = packed_by(&run, &stranger);
        for at in [0, 2] {
            let mut forged = members.clone();
            rewrite(&mut forged, |all| all[at]["payload"]["stepId"] = json!(700));
            let forged = unpack(&repack(&forged, &stranger));
            check_found(&forged, &run, "is not about these records");
            // Digests and chain are as they should be.
            let wrong = wrong(&pack(&forged), &run);
            let of_roots = |c: &String| c.contains("roots/") && !c.contains("keys/");
            assert!(wrong.iter().all(of_roots), "{wrong:?}");
        }
    }
    // Nothing may hide behind the last line feed.
    let run = Run::new(Shape { closed: false, ..Shape::full(3) });
    let mut forged = packed_by(&run, &stranger);
    forged.get_mut("records.jsonl").unwrap().extend(b"{\"payload\":{\"made\":\"up\"}}");
    check_found(&unpack(&repack(&forged, &stranger)), &run, "while IFS= read");
    // What stands in a root is never a command of the shell's or of sed's.
    let mut forged = packed_by(&run, &stranger);
    forged.insert(
        "roots/0.json".to_owned(),
        b"1e touch ../touched;#\"count\":a[$(touch ../touched)],\n".to_vec(),
    );
    check_found(&unpack(&repack(&forged, &stranger)), &run, "is not about these records");
}

/// An RSA key's last octets are its exponent, which is anybody's to choose.
#[test]
fn by_hand_a_key_of_another_kind_does_not_pass_for_the_runs() {
    if !have(&TOOLS) {
        return;
    }
    // An exponent is odd.
    let run = (0..7).map(|deployment| Run::new(Shape { deployment, ..Shape::full(3) }));
    let run = run.into_iter().find(|run| run.signer().public_key()[31] % 2 == 1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let openssl = |args: &str| {
        let done = Command::new("openssl").args(args.split(' ')).current_dir(place.path()).output().unwrap();
        assert!(done.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let exponent = fuze_evidence::Hash(run.signer().public_key());
    openssl(&format!(
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:0x{exponent} -out key"
    ));
    openssl("pkey -in key -pubout -out public");
    let mut forged = packed_by(&run, &stranger());
    forged.insert("keys/run.pem".to_owned(), fs::read(place.path().join("public")).unwrap());
    let roots: Vec<String> =
        forged.keys().filter_map(|name| name.strip_suffix(".sig")).map(str::to_owned).collect();
    for root in roots {
        fs::write(place.path().join("root"), &forged[&format!("{root}.json")]).unwrap();
        openssl("pkeyutl -sign -rawin -inkey key -in root -out signature");
        forged.insert(format!("{root}.sig"), fs::read(place.path().join("signature")).unwrap());
    }
    let forged = unpack(&repack(&forged, &stranger()));
    check_found(&forged, &run, "-noout -text");
    assert_eq!(wrong(&pack(&forged), &run).len(), 2, "by id and signatures alone nothing would be seen");
}

/// Commands that never complain would prove nothing.
#[test]
fn by_hand_each_kind_of_change_is_found() {
    if !have(&TOOLS) {
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
        check_found(&changed, &run, found_by);
    }
}
