//! `docs/verify.py`, which knows nothing of this code, gives the same answer for every bundle, good or tampered.

use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use fuze_agent_bundle_tests::forge::{pack, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{CLASSES, Dice, Packing, replace, tampered};
use fuze_agent_bundle_tests::tools::{python, workspace};
use fuze_audit::verify::verify;
use fuze_audit::{Selection, Trust};
use fuze_evidence::Hash;
use serde_json::json;

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

    fn judge(&mut self, bundle: &[u8], run_key: Hash, any_exporter: bool) -> (u8, String) {
        let header = json!({"run_keys": [run_key], "any_exporter": any_exporter, "size": bundle.len()});
        writeln!(self.to, "{header}").unwrap();
        self.to.write_all(bundle).unwrap();
        self.to.flush().unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let (code, said) = line.trim_end().split_once('\t').unwrap();
        (code.parse().unwrap(), said.to_owned())
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

/// One of the things that can happen to a bundle.
fn variant(number: usize, run: &Run, other: &Run, dice: &mut Dice) -> (String, Vec<u8>) {
    let whole = run.bundle(run.selection());
    let kinds = CLASSES.len() * 2 + 6;
    match number % kinds {
        n if n < CLASSES.len() * 2 => {
            let (class, packing) = (&CLASSES[n / 2], [Packing::AsIs, Packing::Remade][n % 2]);
            (format!("{} {packing:?}", class.name), tampered(class, run, other, dice, packing).0)
        }
        n => {
            let mut members = unpack(&whole);
            let names: Vec<String> = members.keys().cloned().collect();
            let name = &names[dice.below(names.len())];
            match n - CLASSES.len() * 2 {
                0 | 1 => ("good".to_owned(), whole),
                2 => {
                    let mut flipped = whole;
                    let bit = dice.below(flipped.len() * 8);
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    (format!("bit {bit}"), flipped)
                }
                3 => {
                    let mut cut = whole;
                    cut.truncate(dice.below(cut.len()));
                    ("cut".to_owned(), cut)
                }
                4 => {
                    let octets = members.get_mut(name).unwrap();
                    let bit = dice.below(octets.len() * 8);
                    octets[bit / 8] ^= 1 << (bit % 8);
                    let packed =
                        if name == "manifest.json" { pack(&members) } else { repack(&members, run.signer()) };
                    (format!("bit of {name} under a new manifest"), packed)
                }
                _ => {
                    let octets = members.remove(name).unwrap();
                    if name == "manifest.json" {
                        members.insert(name.clone(), octets[1..].to_vec());
                        return ("manifest cut".to_owned(), pack(&members));
                    }
                    (format!("without {name}"), repack(&members, run.signer()))
                }
            }
        }
    }
}

/// Agreement over `count` bundles, from run number `first` on.
fn agree(python: &std::path::Path, first: usize, count: usize) -> [usize; 5] {
    let mut other_verifier = Other::start(python);
    let mut answers = [0; 5];
    let mut runs: Option<(Run, Run)> = None;
    for number in first..first + count {
        if number % 8 == 0 || runs.is_none() {
            let shape = Shape { deployment: 1, ..Shape::of(number as u64 / 8) };
            runs = Some((Run::new(shape), Run::new(Shape { seed: shape.seed + 1_000_000, ..shape })));
        }
        let (run, other) = runs.as_ref().unwrap();
        let mut dice = Dice(number as u64);
        let (what, bundle) = variant(number, run, other, &mut dice);
        let any = number % 3 == 0;
        let key = if number % 41 == 7 { Hash([9; 32]) } else { run.public_key().id() };
        let (mine, theirs) = (ours(&bundle, key, any), other_verifier.judge(&bundle, key, any));
        if mine.0 != theirs.0 {
            let path = std::env::temp_dir().join("disagreement.zip");
            std::fs::write(&path, &bundle).unwrap();
            panic!("{number} {what} {:?}: ours {mine:?}, theirs {theirs:?}; {}", run.shape, path.display());
        }
        answers[usize::from(mine.0)] += 1;
    }
    other_verifier.end();
    answers
}

#[test]
fn both_verifiers_agree_on_ten_thousand_bundles() {
    let Some(python) = python() else { return };
    let count = std::env::var("FUZE_BUNDLES").map_or(10_000, |n| n.parse().unwrap());
    let halves: Vec<[usize; 5]> = std::thread::scope(|scope| {
        let python = &python;
        let half = |first| scope.spawn(move || agree(python, first, count / 2));
        [half(0), half(count / 2)].map(|half| half.join().unwrap()).to_vec()
    });
    let all: Vec<usize> = (0..5).map(|code| halves.iter().map(|half| half[code]).sum()).collect();
    println!("verified {}, failed {}, could not be verified {}", all[0], all[1], all[3]);
    assert_eq!(all.iter().sum::<usize>(), count / 2 * 2);
    // Agreement about nothing but failures would say little.
    assert!(all[0] > count / 50 && all[1] > count / 2 && all[3] > count / 50, "{all:?}");
}

/// The program as an auditor calls it.
#[test]
fn the_program_exits_as_it_says() {
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
        let script = std::fs::canonicalize(workspace("docs/verify.py")).unwrap();
        let output =
            Command::new(&python).arg(script).args(&arguments).current_dir(place.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
    }
}
