//! Two candidates for an erased field, everything that is left, every key: an attacker guesses at one half. And wins as soon as the
//! erasure is sabotaged in any of three ways, so that the test can fail.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::tests::common::{Counter, Host, at, common, name, push, start, times};
use super::{Plan, Repeat, RunFacts};
use crate::annex::{Annex, Erased, ErasureReason, Event};
use crate::chain::{Opened, Recorder};
use crate::content::{Commitment, ContentLine, KeyEntry, KeysLine, Opening, Salt, commit, seal};
use crate::hash::{Hash, sha256};
use crate::keys::RunKeys;
use crate::random::Random as _;
use crate::record::RunId;
use crate::redact::Redactor;
use crate::vocab::RunStatus;

/// The attacker learns on so many erasures whose truth it is told, and guesses on so many others.
#[derive(Clone, Copy)]
struct Trials {
    learn: usize,
    guess: usize,
}

/// They differ in content, in length and in the number of leaves (1 and 5, beside the one that stays), inside one bucket of 8.
fn candidates() -> [Value; 2] {
    let long = "a history of illness, in some detail and at some length";
    [json!("none"), json!([long, long, 17, null, {}])]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As this crate erases.
    Honest,
    /// The decoys keep their salts.
    DecoysKept,
    /// The statement lists what was real and no decoys.
    LeavesCounted,
    /// The cipher text goes and the salt stays.
    SaltKept,
}

/// All that is left of a run: its files, the annex, and every key that was ever needed.
struct Remains {
    content: Vec<u8>,
    keys: Vec<u8>,
    records: Vec<u8>,
    run_line: Vec<u8>,
    annex: Vec<u8>,
    run_keys: RunKeys,
}

fn remains(host: &mut Host, value: &Value, manner: Manner) -> Remains {
    let random = host.random.as_mut();
    let run_id = RunId::generate(at(0), random).unwrap();
    let run_keys = RunKeys::generate(run_id, None, random).unwrap();
    let run_line = run_keys.wrap(&host.master, random).unwrap().to_line().unwrap();
    let whole = json!({"case": 17, "health": value});
    let input: Commitment = commit(Redactor::new(&run_keys).redact(whole), random).unwrap();
    let sealed = seal(&input, &run_keys, random).unwrap();
    let signer = &host.signer;
    let Opened { recorder, record, .. } = Recorder::open(
        run_id,
        {
            let mut common = common(None);
            common.lawful_basis = None;
            common
        },
        start(signer),
        Some(&input),
        times(0),
        signer,
    )
    .unwrap();
    let closed = recorder.close(1, 0, times(10), RunStatus::Completed, signer).unwrap();
    let (mut records, lines) = (Vec::new(), [record.bytes().to_vec(), closed.record().bytes().to_vec()]);
    lines.iter().for_each(|line| push(&mut records, line));
    let facts = RunFacts::read(lines.map(Ok)).unwrap();
    let mut annex = Annex::begin(facts.origin.clone(), facts.tenant.clone());
    let pointers = ["/health".to_owned()];
    let both = (sealed.content_line(), sealed.keys_line());
    let reason = ErasureReason::Request;
    let plan = Plan::fields(&facts, &annex, both, &run_keys, &pointers, Repeat::Refuse, reason, random)
        .unwrap()
        .unwrap();
    let mut erasure = plan.erasures()[0].clone();
    let replacement = plan.replace.unwrap();
    let mut keys = replacement.keys;
    if manner != Manner::Honest {
        let (before, after) = (KeysLine::read(sealed.keys_line()).unwrap(), KeysLine::read(&keys).unwrap());
        let leaves = input.disclose().leaves;
        let old = before.entries(leaves.len(), &run_keys).unwrap();
        let new = after.entries(leaves.len(), &run_keys).unwrap();
        let worse: Vec<KeyEntry> =
            old.iter()
                .zip(new)
                .map(|(old, new)| match (manner, old) {
                    (Manner::DecoysKept, KeyEntry::Decoy { .. })
                    | (Manner::SaltKept, KeyEntry::Leaf { .. }) => old.clone(),
                    _ => new,
                })
                .collect();
        keys = after.reseal(&worse, &run_keys, random).unwrap();
        if let (Manner::LeavesCounted, Erased::Field { leaves: listed, .. }) = (manner, &mut erasure.what) {
            let decoys: BTreeSet<Hash> = leaves
                .iter()
                .zip(&old)
                .filter(|(_, entry)| matches!(entry, KeyEntry::Decoy { .. }))
                .map(|(leaf, _)| leaf.hash().unwrap())
                .collect();
            listed.retain(|leaf| !decoys.contains(leaf));
        }
    }
    let line = annex.append(at(1_000), name("dpo-1"), Event::Erased(erasure), signer).unwrap();
    Remains { content: replacement.content, keys, records, run_line, annex: line, run_keys }
}

/// Every channel that the attacker sees, each as one octet: whatever is larger is taken modulo, so that it can be learnt.
fn channels(remains: &Remains, candidates: &[Value; 2]) -> Vec<u8> {
    let small = |length: usize| u8::try_from(length % 251).unwrap();
    let size = |octets: &[u8]| small(octets.len());
    let content: Value = serde_json::from_slice(&remains.content).unwrap();
    let keys: Value = serde_json::from_slice(&remains.keys).unwrap();
    let annex: Value = serde_json::from_slice(&remains.annex).unwrap();
    let leaves = content["leaves"].as_array().unwrap();
    let listed = annex["entry"]["leaves"].as_array().unwrap();
    let mut seen = vec![
        size(&remains.content),
        size(&remains.keys),
        size(&remains.records),
        size(&remains.run_line),
        size(&remains.annex),
        small(leaves.len()),
        small(listed.len()),
        size(keys["wrapped"].as_str().unwrap().as_bytes()),
    ];
    // What is left of each place: cipher text and how long, and whether the statement names it.
    let there = |leaf: &Value| leaf.get("data").map_or(0, |data| size(data.as_str().unwrap().as_bytes()));
    let lengths: Vec<u8> = leaves.iter().map(there).collect();
    seen.push(u8::try_from(lengths.iter().filter(|&&length| length > 0).count()).unwrap());
    seen.push(lengths.iter().fold(0, |sum, &length| sum ^ length));
    seen.push(u8::try_from(lengths.iter().position(|&length| length > 0).unwrap_or(99)).unwrap());
    seen.extend(lengths);
    // Hashes, root and nonce: the order of the leaves is that of their hashes.
    for hash in leaves.iter().map(|leaf| leaf["hash"].as_str().unwrap()).chain([
        content["root"].as_str().unwrap(),
        keys["nonce"].as_str().unwrap(),
        annex["signature"].as_str().unwrap(),
    ]) {
        seen.extend([hash.as_bytes()[0], sha256(hash.as_bytes()).0[0] & 1]);
    }
    // Times.
    let records = String::from_utf8(remains.records.clone()).unwrap();
    let times: String =
        records.split('"').filter(|part| part.starts_with("20") && part.ends_with('Z')).collect();
    seen.push(sha256(times.as_bytes()).0[0]);
    seen.push(sha256(annex["entry"]["at"].to_string().as_bytes()).0[0]);
    // With the keys: what kind each entry is, and whether a salt that is left opens a leaf of a candidate.
    let line = ContentLine::read(&remains.content).unwrap();
    let entries = KeysLine::read(&remains.keys).unwrap().entries(leaves.len(), &remains.run_keys).unwrap();
    let hashes: BTreeSet<Hash> = line.states().map(|(hash, _)| hash).collect();
    let (mut kinds, mut salts) = ([0u8; 3], vec![Salt([0; 32])]);
    for entry in &entries {
        match entry {
            KeyEntry::Erased => kinds[0] += 1,
            KeyEntry::Leaf { salt, .. } => {
                kinds[1] += 1;
                salts.push(*salt);
            }
            KeyEntry::Decoy { salt } => {
                kinds[2] += 1;
                salts.push(*salt);
            }
        }
    }
    seen.extend(kinds);
    for candidate in candidates {
        let leaves: Vec<(String, Value)> = match candidate {
            Value::Array(items) => {
                let path = |at| format!("/health/{at}");
                items.iter().enumerate().map(|(at, item)| (path(at), item.clone())).collect()
            }
            scalar => vec![("/health".to_owned(), scalar.clone())],
        };
        let opens = |salt: &Salt| {
            leaves.iter().any(|(path, value)| {
                let opening = Opening { path: path.clone(), value: value.clone(), salt: *salt };
                hashes.contains(&opening.leaf_hash().unwrap())
            })
        };
        seen.push(u8::from(salts.iter().any(opens)));
    }
    seen
}

/// How often the attacker is right: it learns for each channel what each value means, and guesses by the channel that did best.
fn right_guesses(manner: Manner, seed: u64, trials: Trials) -> usize {
    let candidates = candidates();
    let mut host = Host::with(Box::new(Counter(seed)));
    let mut coin = Counter(seed ^ 0xffff_0000);
    let mut trial = || {
        let mut octet = [0u8; 1];
        coin.fill(&mut octet).unwrap();
        let truth = usize::from(octet[0] & 1);
        (truth, channels(&remains(&mut host, &candidates[truth], manner), &candidates))
    };
    let learnt: Vec<(usize, Vec<u8>)> = (0..trials.learn).map(|_| trial()).collect();
    let mut best: (usize, usize, HashMap<u8, [usize; 2]>) = (0, 0, HashMap::new());
    for channel in 0..learnt[0].1.len() {
        let mut votes: HashMap<u8, [usize; 2]> = HashMap::new();
        for (truth, seen) in &learnt {
            votes.entry(seen[channel]).or_default()[*truth] += 1;
        }
        let right = votes.values().map(|[a, b]| a.max(b)).sum();
        // A value seen once teaches nothing: channels of many values would look best and be worth nothing.
        if right > best.0 && votes.len() < trials.learn / 20 {
            best = (right, channel, votes);
        }
    }
    let (_, channel, votes) = best;
    let guess = |seen: &[u8]| votes.get(&seen[channel]).map_or(0, |[a, b]| usize::from(b > a));
    (0..trials.guess).map(|_| trial()).filter(|(truth, seen)| guess(seen) == *truth).count()
}

/// Binomial with one half: five standard deviations are 5·√n/2, which chance exceeds once in 1.7 million.
#[test]
fn what_is_left_says_nothing_about_what_was_there() {
    let trials = Trials { learn: 1_000, guess: 2_500 };
    let (count, bound) = (2_500.0_f64, 5.0 * 2_500.0_f64.sqrt() / 2.0);
    let right = right_guesses(Manner::Honest, 1 << 32, trials);
    println!("{right} of {} right, expected {} ± {bound}", trials.guess, count / 2.0);
    let off = (f64::from(u32::try_from(right).unwrap()) - count / 2.0).abs();
    assert!(off <= bound, "{right} of {}", trials.guess);
}

#[test]
fn the_same_attacker_wins_against_a_sabotaged_erasure() {
    let trials = Trials { learn: 200, guess: 300 };
    for manner in [Manner::DecoysKept, Manner::LeavesCounted, Manner::SaltKept] {
        assert_eq!(right_guesses(manner, 3 << 32, trials), trials.guess, "{manner:?}");
    }
}
