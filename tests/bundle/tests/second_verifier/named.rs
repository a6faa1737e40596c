//! Witnesses and overseers whom the reader names.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::verify::verify;
use fuze_audit::{Selection, Trust};
use fuze_evidence::sign::{read_signature, write_signature};
use fuze_evidence::{Hash, jcs};
use serde_json::{Value, json};

use crate::judges::{Other, answer};

/// Witnesses and overseers whom the reader names: all three say the same of what these signed, did not sign, or did not sign like this.
#[test]
fn the_verifiers_agree_on_witnesses_and_overseers() {
    use fuze_agent_bundle_tests::logs::World;
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let (mut world, mut stranger) = (World::new("log.example", 1), World::new("log.example", 2));
    let (run, mut answers) = (Run::new(Shape::full(1)), [0; 5]);
    let vkey = |world: &World| (world.vkey().to_string(), world.policy(1).witnesses()[0].to_string());
    let (log, witness) = vkey(&world);
    for (cosigned, closed) in [(true, true), (false, true), (true, false)] {
        let run = Run::new(Shape { closed, ..Shape::full(1) });
        let mut export = run.export(Selection::all());
        export.extras.anchored = Some(world.anchor(&run, cosigned));
        let mut whole = Vec::new();
        export.write(".".as_ref(), &mut whole).unwrap();
        let members = unpack(&whole);
        let mut bundles = vec![whole];
        let proof = if closed { "anchors/close.tlog-proof" } else { "anchors/open.tlog-proof" };
        let text = String::from_utf8(members[proof].clone()).unwrap();
        for mark in text.lines().filter(|line| line.starts_with('\u{2014}')) {
            // Each signature of the checkpoint changed, or gone.
            let last = mark.chars().rev().nth(4).unwrap();
            let other = if last == 'A' { 'B' } else { 'A' };
            let at = mark.len() - 5;
            let changed = format!("{}{other}{}", &mark[..at], &mark[at + 1..]);
            for text in [text.replace(mark, &changed), text.replace(&format!("{mark}\n"), "")] {
                let mut members = members.clone();
                members.insert(proof.to_owned(), text.into_bytes());
                bundles.push(repack(&members, run.signer()));
            }
        }
        let name = members.keys().find(|name| name.starts_with("oversight/")).unwrap().clone();
        let mut decision: Value = serde_json::from_slice(&members[&name]).unwrap();
        let text = decision["decision"].as_str().unwrap().to_owned();
        let (claims, signature) = text.rsplit_once('.').unwrap();
        let mut octets = read_signature(signature).unwrap();
        octets[40] ^= 1;
        decision["decision"] = json!(format!("{claims}.{}", write_signature(&octets)));
        let mut forged = members.clone();
        forged.insert(name, jcs::to_vec(&decision).unwrap());
        bundles.push(repack(&forged, run.signer()));
        for bundle in &bundles {
            for (number, log_of, witnesses, overseer) in [
                (0, None, 0, false),
                (1, Some(&world), 0, false),
                (2, Some(&world), 1, false),
                (3, Some(&stranger), 1, false),
                (4, None, 0, true),
                (5, Some(&world), 1, true),
            ] {
                let mut trust = Trust::new().run_key(run.public_key().id());
                let mut header = json!({"run_keys": [run.public_key().id()], "any_exporter": false});
                if let Some(world) = log_of {
                    let named = world.policy(1).witnesses()[..witnesses].to_vec();
                    trust = trust.log(fuze_log::Policy::new(world.vkey(), named, witnesses).unwrap());
                    let (log, witness) = vkey(world);
                    header["log"] = json!(log);
                    header["witnesses"] = json!(vec![witness; witnesses]);
                }
                if overseer {
                    trust = trust.overseer(run.overseer);
                    header["overseers"] = json!([Hash(run.overseer.to_bytes())]);
                }
                let mine = answer(verify(Cursor::new(bundle), &trust));
                let [theirs, _] = other_verifier.judge_with(bundle, &header);
                assert_eq!(
                    mine.0, theirs.0,
                    "{number} {cosigned} {closed}: ours {mine:?}, theirs {theirs:?}"
                );
                answers[usize::from(mine.0)] += 1;
            }
        }
    }
    stranger.grow(1);
    assert!(answers[0] > 10 && answers[1] > 10 && answers[3] > 10, "{answers:?}");
    // What is no witness's key is no trust.
    let whole = run.bundle(Selection::all());
    let header = json!({"run_keys": [run.public_key().id()], "any_exporter": false, "log": log, "witnesses": [witness]});
    assert_eq!(other_verifier.judge_with(&whole, &header)[0].0, 3);
    other_verifier.end();
}
