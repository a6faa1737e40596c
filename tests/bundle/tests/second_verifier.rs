//! The verifiers in `docs`, which know nothing of this code, agree with ours on every bundle, good or tampered.
//!
//! `verify_bundle.py` gives the same answer, always. `verify.py` looks at the evidence alone; what it must answer is what ours answers about
//! the same evidence (records, roots, content, the run's key) when all that is wrapped around it is made anew ([`rewrapped`]). So a change of
//! the evidence is found by both, and a change of the wrapping changes nothing for it. There are two kinds of bundles where its answer is
//! not fixed to one: a zip that was itself broken (what Python's `zipfile` cannot read, or reads all the same) and a key that nobody
//! vouched for, about which it may stop earlier or later than ours. Neither makes it say "verified" of what ours does not.

use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{CLASSES, Dice, Packing, lines, remanifest, replace, tampered};
use fuze_agent_bundle_tests::tools::{python, workspace};
use fuze_audit::verify::verify;
use fuze_audit::{Selection, Trust};
use fuze_evidence::keys::Signer as _;
use fuze_evidence::sign::read_signature;
use fuze_evidence::{Hash, jcs};
use serde_json::{Value, json};

/// A process that judges bundles.
struct Other {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Other {
    fn start(python: &std::path::Path) -> Self {
        let mut child = Command::new(python)
            .arg(workspace("tests/bundle/python/stream.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    /// What is said about the whole, and about the evidence in it.
    fn judge(&mut self, bundle: &[u8], run_key: Hash, any_exporter: bool) -> [(u8, String); 2] {
        let header = json!({"run_keys": [run_key], "any_exporter": any_exporter, "size": bundle.len()});
        writeln!(self.to, "{header}").unwrap();
        self.to.write_all(bundle).unwrap();
        self.to.flush().unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success());
    }
}

fn ours(bundle: &[u8], run_key: Hash, any_exporter: bool) -> (u8, String) {
    let trust = Trust::new().run_key(run_key);
    let trust = if any_exporter { trust.any_exporter() } else { trust };
    match verify(Cursor::new(bundle), &trust) {
        Ok(report) => (report.verdict().exit_code(), format!("{:?}", report.verdict())),
        Err(error) => (error.exit_code(), error.to_string()),
    }
}

/// The members that `verify.py` looks at.
fn evidence(name: &str) -> bool {
    matches!(name, "records.jsonl" | "roots/roots.jsonl" | "keys/run.hex") || name.starts_with("content/")
}

/// The same evidence, and around it all that a bundle needs, made anew by whoever has the run's key.
fn rewrapped(members: &Members, run: &Run) -> Vec<u8> {
    let values = |name: &str| -> Vec<Value> {
        let octets = members.get(name).map_or(&[][..], Vec::as_slice);
        lines(octets).iter().map(|line| serde_json::from_slice(line).unwrap_or_default()).collect()
    };
    let (roots, records) = (values("roots/roots.jsonl"), values("records.jsonl"));
    let mut made = unpack(&run.bundle(Selection::nothing()));
    made.retain(|name, _| !evidence(name) && !name.starts_with("roots/") && !name.starts_with("oversight/"));
    made.extend(members.clone().into_iter().filter(|(name, _)| evidence(name)));
    let last = records.last().map(|last| &last["payload"]);
    let close = last.and_then(|payload| payload.get("signature")).map(|signed| ("close".to_owned(), signed));
    let numbered = roots.iter().enumerate().map(|(n, signed)| (n.to_string(), signed));
    for (name, signed) in numbered.chain(close) {
        // What is no signature is refused where it is said, before its copy is looked at.
        let signature = signed["signature"].as_str().and_then(|text| read_signature(text).ok());
        made.insert(format!("roots/{name}.json"), jcs::to_vec(&signed["root"]).unwrap());
        made.insert(format!("roots/{name}.sig"), signature.map(Vec::from).unwrap_or_default());
    }
    if last.is_some() {
        remanifest(&mut made, run.signer());
    }
    repack(&made, run.signer())
}

/// What happened to a bundle, the bundle, and whether it is still a zip.
type Variant = (String, Vec<u8>, bool);

/// One of the things that can happen to a bundle.
fn variant(number: usize, run: &Run, other: &Run, dice: &mut Dice) -> Variant {
    let whole = run.bundle(run.selection());
    let kinds = CLASSES.len() * 2 + 6;
    match number % kinds {
        n if n < CLASSES.len() * 2 => {
            let (class, packing) = (&CLASSES[n / 2], [Packing::AsIs, Packing::Remade][n % 2]);
            (format!("{} {packing:?}", class.name), tampered(class, run, other, dice, packing).0, true)
        }
        n => {
            let mut members = unpack(&whole);
            let names: Vec<String> = members.keys().cloned().collect();
            let name = &names[dice.below(names.len())];
            match n - CLASSES.len() * 2 {
                0 | 1 => ("good".to_owned(), whole, true),
                2 => {
                    let mut flipped = whole;
                    let bit = dice.below(flipped.len() * 8);
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    (format!("bit {bit}"), flipped, false)
                }
                3 => {
                    let mut cut = whole;
                    cut.truncate(dice.below(cut.len()));
                    ("cut".to_owned(), cut, false)
                }
                4 => {
                    let octets = members.get_mut(name).unwrap();
                    let bit = dice.below(octets.len() * 8);
                    octets[bit / 8] ^= 1 << (bit % 8);
                    let packed =
                        if name == "manifest.json" { pack(&members) } else { repack(&members, run.signer()) };
                    (format!("bit of {name} under a new manifest"), packed, true)
                }
                _ => {
                    let octets = members.remove(name).unwrap();
                    if name == "manifest.json" {
                        members.insert(name.clone(), octets[1..].to_vec());
                        return ("manifest cut".to_owned(), pack(&members), true);
                    }
                    (format!("without {name}"), repack(&members, run.signer()), true)
                }
            }
        }
    }
}

/// Agreement over `count` bundles, from run number `first` on: how often ours answered what, and, of the bundles about which `verify.py`
/// must answer one thing alone, how many there were and how many of them are refused.
fn agree(python: &std::path::Path, first: usize, count: usize) -> ([usize; 5], [usize; 2]) {
    let mut other_verifier = Other::start(python);
    let (mut answers, mut exact, mut refused) = ([0; 5], 0, 0);
    let mut runs: Option<(Run, Run)> = None;
    for number in first..first + count {
        if number % 8 == 0 || runs.is_none() {
            let shape = Shape { deployment: 1, ..Shape::of(number as u64 / 8) };
            runs = Some((Run::new(shape), Run::new(Shape { seed: shape.seed + 1_000_000, ..shape })));
        }
        let (run, other) = runs.as_ref().unwrap();
        let mut dice = Dice(number as u64);
        let (what, bundle, is_zip) = variant(number, run, other, &mut dice);
        let any = number % 3 == 0;
        let vouched = number % 41 != 7;
        let key = if vouched { run.public_key().id() } else { Hash([9; 32]) };
        let mine = ours(&bundle, key, any);
        let [whole, about_evidence] = other_verifier.judge(&bundle, key, any);
        let disagree = |which: &str, mine: &(u8, String), theirs: &(u8, String)| {
            let path = std::env::temp_dir().join("disagreement.zip");
            std::fs::write(&path, &bundle).unwrap();
            panic!("{number} {what} {:?}: ours {mine:?}, {which} {theirs:?}; {}", run.shape, path.display());
        };
        if mine.0 != whole.0 {
            disagree("verify_bundle.py", &mine, &whole);
        }
        let (alone, fixed) = if is_zip {
            let members = unpack(&bundle);
            // Which key it is that nobody vouched for, ours looks up in record 0 before it says so.
            let named = members.get("keys/run.hex")
                == Some(&format!("{}\n", Hash(run.signer().public_key())).into_bytes());
            (ours(&rewrapped(&members, run), key, true), vouched && named)
        } else {
            (ours(&run.bundle(run.selection()), key, true), false)
        };
        let good = about_evidence.0 == alone.0 || (!fixed && matches!(about_evidence.0, 1 | 3));
        if !good {
            disagree("verify.py", &alone, &about_evidence);
        }
        exact += usize::from(fixed);
        refused += usize::from(fixed && alone.0 == 1);
        answers[usize::from(mine.0)] += 1;
    }
    other_verifier.end();
    (answers, [exact, refused])
}

#[test]
fn the_verifiers_agree_on_ten_thousand_bundles() {
    let Some(python) = python() else { return };
    let count = std::env::var("FUZE_BUNDLES").map_or(10_000, |n| n.parse().unwrap());
    let halves = std::thread::scope(|scope| {
        let python = &python;
        let half = |first| scope.spawn(move || agree(python, first, count / 2));
        [half(0), half(count / 2)].map(|half| half.join().unwrap())
    });
    let all: Vec<usize> = (0..5).map(|code| halves.iter().map(|half| half.0[code]).sum()).collect();
    let [exact, refused] = [0, 1].map(|n| halves.iter().map(|half| half.1[n]).sum::<usize>());
    println!("verified {}, failed {}, could not be verified {}", all[0], all[1], all[3]);
    println!("evidence alone: {exact}, of which failed {refused}");
    assert_eq!(all.iter().sum::<usize>(), count / 2 * 2);
    // Agreement about nothing but failures would say little, and so would agreement about none.
    assert!(all[0] > count / 50 && all[1] > count / 2 && all[3] > count / 50, "{all:?}");
    assert!(exact > count * 4 / 5 && refused > count / 3, "{exact} {refused}");
}

/// The programs as an auditor calls them.
#[test]
fn the_programs_exit_as_they_say() {
    let Some(python) = python() else { return };
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, bundle: &[u8]| std::fs::write(place.path().join(name), bundle).unwrap();
    let whole = run.bundle(Selection::all());
    let mut changed = unpack(&whole);
    replace(&mut changed, "records.jsonl", "HiringAgent", "FiringAgent");
    write("good.zip", &whole);
    write("bad.zip", &pack(&changed));
    write("open.zip", &Run::new(Shape { closed: false, ..Shape::full(1) }).bundle(Selection::nothing()));
    let id = run.public_key().id().to_string();
    let other = Hash([1; 32]).to_string();
    for (arguments, expected) in [
        (vec!["--key-id", &id, "good.zip"], 0),
        (vec!["--key-id", &id, "bad.zip"], 1),
        (vec!["--key-id", &id], 2),
        (vec!["good.zip"], 2),
        (vec!["--key-id", &id, "open.zip"], 3),
        (vec!["--key-id", &other, "good.zip"], 3),
        (vec!["--key-id", &id, "absent.zip"], 4),
        (vec!["--key-id", &id, "good.zip", "bad.zip"], 1),
    ] {
        for script in ["docs/verify.py", "docs/verify_bundle.py"] {
            let script = std::fs::canonicalize(workspace(script)).unwrap();
            let mut command = Command::new(&python);
            command.arg("-B").arg(script).args(&arguments).current_dir(place.path());
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
        }
    }
}

/// What they do not read they say, whatever it is; and never before everything else has been looked at.
#[test]
fn an_annex_or_a_key_history_is_never_verified() {
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let run = Run::new(Shape::full(1));
    let id = run.public_key().id();
    let mut codes = |members: &Members| {
        other_verifier.judge(&repack(members, run.signer()), id, false).map(|(code, _)| code)
    };
    for name in ["annex/annex.jsonl", "keys/run.history.jsonl"] {
        let mut members = unpack(&run.bundle(Selection::all()));
        assert_eq!(codes(&members), [0, 0]);
        members.insert(name.to_owned(), b"{}\n".to_vec());
        assert_eq!(codes(&members), [3, 3], "{name}");
        let disclosed = |(name, octets): &(&String, &Vec<u8>)| {
            name.starts_with("content/") && String::from_utf8_lossy(octets).contains("\"value\":\"")
        };
        let content = members.iter().find(disclosed).unwrap().0.clone();
        let mut without = members.clone();
        without.remove(&content);
        // An annex can explain that; a history cannot.
        let explained = if name.starts_with("annex/") { 3 } else { 1 };
        assert_eq!(codes(&without), [explained; 2], "{name}");
        replace(&mut members, &content, "\"value\":\"", "\"value\":\"x");
        assert_eq!(codes(&members), [1, 1], "{name}");
    }
    other_verifier.end();
}
