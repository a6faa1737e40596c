//! Ten thousand bundles, good and tampered.

use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{CLASSES, Dice, Packing, lines, remanifest, tampered};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::keys::Signer as _;
use fuze_evidence::sign::read_signature;
use fuze_evidence::{Hash, jcs};
use serde_json::{Value, json};

use crate::judges::{Other, ours};

/// The members that `verify.py` looks at.
fn evidence(name: &str) -> bool {
    matches!(name, "records.jsonl" | "roots/roots.jsonl" | "keys/run.hex") || name.starts_with("content/")
}

fn anchor(name: &str) -> bool {
    name.starts_with("anchors/")
}

/// The same evidence, with its anchors if a log `is_named`, and around it all that a bundle needs, made anew by whoever has the run's key.
fn rewrapped(members: &Members, run: &Run, is_named: bool) -> Vec<u8> {
    let values = |name: &str| -> Vec<Value> {
        let octets = members.get(name).map_or(&[][..], Vec::as_slice);
        lines(octets).iter().map(|line| serde_json::from_slice(line).unwrap_or_default()).collect()
    };
    let (roots, records) = (values("roots/roots.jsonl"), values("records.jsonl"));
    let mut made = unpack(&run.bundle(Selection::nothing()));
    let taken = |name: &str| evidence(name) || (is_named && anchor(name));
    let again = |name: &str| {
        evidence(name) || anchor(name) || name.starts_with("roots/") || name.starts_with("oversight/")
    };
    made.retain(|name, _| !again(name));
    made.extend(members.clone().into_iter().filter(|(name, _)| taken(name)));
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
/// must answer one thing alone, how many there were, how many of them are refused, and of how many the place in a named log was looked at
/// and holds.
fn agree(python: &std::path::Path, first: usize, count: usize) -> ([usize; 5], [usize; 3]) {
    let mut other_verifier = Other::start(python);
    let (mut answers, mut exact, mut refused, mut included) = ([0; 5], 0, 0, 0);
    let mut world = World::new("log.example", first as u64 + 1);
    let mut runs: Option<(Run, Run)> = None;
    for number in first..first + count {
        if number % 8 == 0 || runs.is_none() {
            let shape = Shape { deployment: 1, ..Shape::of(number as u64 / 8) };
            let other = Shape { seed: shape.seed + 1_000_000, ..shape };
            let [run, other] = [shape, other].map(|shape| {
                let mut run = Run::new(shape);
                // One in four stands in a log, and every second reader of it names that.
                run.anchored = (number / 8 % 4 == 1).then(|| world.anchor(&run, false));
                run
            });
            runs = Some((run, other));
        }
        let (run, other) = runs.as_ref().unwrap();
        let mut dice = Dice(number as u64);
        let (what, bundle, is_zip) = variant(number, run, other, &mut dice);
        let any = number % 3 == 0;
        let vouched = number % 41 != 7;
        let key = if vouched { run.public_key().id() } else { Hash([9; 32]) };
        let log = (run.anchored.is_some() && number % 2 == 0).then(|| world.policy(0));
        let log = log.as_ref();
        let mine = ours(&bundle, key, any, log);
        let mut trust = json!({"run_keys": [key], "any_exporter": any});
        if log.is_some() {
            trust["log"] = json!(world.vkey().to_string());
        }
        let [whole, about_evidence] = other_verifier.judge_with(&bundle, &trust);
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
            // A bundle that brings another log's key, or none that is one, is of another log to it.
            let its_log = format!("{}\n", world.vkey()).into_bytes();
            let of_log = log.is_none() || members.get("anchors/log.vkey") == Some(&its_log);
            (ours(&rewrapped(&members, run, log.is_some()), key, true, log), vouched && named && of_log)
        } else {
            (ours(&run.bundle(run.selection()), key, true, log), false)
        };
        let good = about_evidence.0 == alone.0 || (!fixed && matches!(about_evidence.0, 1 | 3));
        if !good {
            disagree("verify.py", &alone, &about_evidence);
        }
        exact += usize::from(fixed);
        refused += usize::from(fixed && alone.0 == 1);
        included += usize::from(fixed && alone.0 == 0 && log.is_some());
        answers[usize::from(mine.0)] += 1;
    }
    other_verifier.end();
    (answers, [exact, refused, included])
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
    let [exact, refused, included] = [0, 1, 2].map(|n| halves.iter().map(|half| half.1[n]).sum::<usize>());
    println!("verified {}, failed {}, could not be verified {}", all[0], all[1], all[3]);
    println!("evidence alone: {exact}, of which failed {refused}, included in a log {included}");
    assert_eq!(all.iter().sum::<usize>(), count / 2 * 2);
    // Agreement about nothing but failures would say little, and so would agreement about none.
    assert!(all[0] > count / 50 && all[1] > count / 2 && all[3] > count / 50, "{all:?}");
    assert!(
        exact > count * 4 / 5 && refused > count / 3 && included > count / 100,
        "{exact} {refused} {included}"
    );
}
