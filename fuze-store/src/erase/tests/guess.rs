//! Two candidates for an erased field, every file of the store that it was erased from: an attacker guesses at one half. The attacker looks at
//! every length, every place in every page, how often each octet is in each kind of file and how many files there are; learns on stores whose
//! truth it is told which of these tells best; and guesses by that one.

use std::collections::BTreeMap;

use fuze_evidence::erase::Done;
use fuze_evidence::random::{OsRandom, Random as _};

use super::room::{Erased, candidates, carry_out};
use crate::scan;

/// What the attacker sees of one store, each thing by a name that is the same in every store.
type Seen = BTreeMap<String, f64>;

/// They differ most in length, and in the pages that they need.
const CANDIDATES: [usize; 2] = [0, 2];

async fn seen(truth: usize, what: &str, compacts: bool) -> Seen {
    let erased = Erased::made(&candidates()[CANDIDATES[truth]]).await;
    let eraser = erased.desk.eraser(&erased.store);
    let eraser = if compacts { eraser } else { eraser.compact_later() };
    assert_eq!(carry_out(what, &eraser, &erased.made).await.unwrap(), Done::Erased);
    let (layout, place) = erased.seen().await;
    let mut seen = Seen::new();
    for (n, (name, numbers)) in layout.into_iter().enumerate() {
        for (at, number) in numbers.into_iter().enumerate() {
            seen.insert(format!("{n} {name} {at}"), number as f64);
        }
    }
    let files = scan::walk(&place.path().join("store"));
    seen.insert("files".to_owned(), files.len() as f64);
    for path in files {
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        for octet in std::fs::read(&path).unwrap() {
            *seen.entry(format!("octet {octet} in {kind}")).or_default() += 1.0;
        }
    }
    seen
}

/// The best way to tell the two apart by one thing: the middle between what the two are like, and which of them lies above.
struct Rule {
    name: String,
    middle: f64,
    above: usize,
}

impl Rule {
    fn guess(&self, seen: &Seen) -> usize {
        let value = seen.get(&self.name).copied().unwrap_or_default();
        if value > self.middle { self.above } else { 1 - self.above }
    }

    fn learn(told: &[(usize, Seen)]) -> Self {
        let names: std::collections::BTreeSet<&String> =
            told.iter().flat_map(|(_, seen)| seen.keys()).collect();
        let rules = names.into_iter().map(|name| {
            let mean = |truth: usize| {
                let of = || told.iter().filter(|(told, _)| *told == truth);
                of().map(|(_, seen)| seen.get(name).copied().unwrap_or_default()).sum::<f64>()
                    / of().count() as f64
            };
            let means = [mean(0), mean(1)];
            Self {
                name: name.clone(),
                middle: (means[0] + means[1]) / 2.0,
                above: usize::from(means[1] > means[0]),
            }
        });
        // Among many things some tell by chance, of the stores that were shown. Of those that tell as well the one counts that wavers least.
        let by = |rule: &Self| (rule.right(told), rule.clearness(told));
        let rules = rules.map(|rule| (by(&rule), rule));
        let best = rules.max_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        best.unwrap().1
    }

    /// How far the nearest store lies from the middle, as a share of how far the farthest does.
    fn clearness(&self, told: &[(usize, Seen)]) -> f64 {
        let far = |seen: &Seen| (seen.get(&self.name).copied().unwrap_or_default() - self.middle).abs();
        let (nearest, farthest) = told
            .iter()
            .fold((f64::MAX, 0.0_f64), |(near, most), (_, seen)| (near.min(far(seen)), most.max(far(seen))));
        if farthest > 0.0 { nearest / farthest } else { 0.0 }
    }

    fn right(&self, told: &[(usize, Seen)]) -> usize {
        told.iter().filter(|(truth, seen)| self.guess(seen) == *truth).count()
    }
}

async fn stores(count: usize, what: &str, compacts: bool) -> Vec<(usize, Seen)> {
    let mut stores = Vec::new();
    for number in 0..count {
        let mut coin = [0];
        OsRandom::new().fill(&mut coin).unwrap();
        // Two of which it is known: nobody learns from one kind alone.
        let truth = if number < 2 { number } else { usize::from(coin[0] & 1) };
        stores.push((truth, seen(truth, what, compacts).await));
    }
    stores
}

/// Guesses about stores of which nothing was told are right half of the time, whatever the rule is, if nothing tells. By Hoeffding's
/// inequality they are off by t or more of n once in exp(2t²/n)/2 times: here once in more than 10⁹.
#[tokio::test]
async fn no_file_of_a_store_tells_what_was_erased() {
    const GUESSES: usize = 80;
    const OFF: f64 = 30.0;
    assert!((2.0 * OFF * OFF / GUESSES as f64).exp() / 2.0 > 1e9);
    let rule = Rule::learn(&stores(24, "field", true).await);
    let fresh = stores(GUESSES + 2, "field", true).await.split_off(2);
    let right = rule.right(&fresh) as f64;
    println!("{right} of {GUESSES} right, by `{}`", rule.name);
    assert!((right - GUESSES as f64 / 2.0).abs() < OFF, "{right} of {GUESSES}, by `{}`", rule.name);
}

/// The same attacker where the database is not written anew: it is right each time.
#[tokio::test]
async fn where_room_is_kept_the_same_attacker_wins() {
    let rule = Rule::learn(&stores(8, "field", false).await);
    let fresh = stores(12, "field", false).await;
    assert_eq!(rule.right(&fresh), fresh.len(), "by `{}`", rule.name);
}
