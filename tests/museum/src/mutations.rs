//! Mutated tokens and decisions: what an attacker could make of everything that travels, with keys that are not the right
//! ones, and with the right ones used for something else.
//!
//! One seed gives one sequence of mutants, so that a mutant that was accepted can be made again.

mod rig;
mod signed;

use std::collections::BTreeMap;

pub use rig::{Attack, Rig};
pub use signed::{Parts, sign_raw};

/// A small generator of pseudo-random numbers (SplitMix64): the same seed, the same mutants.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// One of these words.
    pub fn word<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Whether one of `n` chances came.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What became of the mutants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mutants by kind: all of them refused.
    pub refused: BTreeMap<&'static str, u64>,
    /// How often the unchanged decisions were accepted in between.
    pub controls: u64,
}

impl Tally {
    /// How many mutants there were.
    #[must_use]
    pub fn mutants(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for (kind, count) in &other.refused {
            *self.refused.entry(kind).or_default() += count;
        }
        self.controls += other.controls;
        self
    }
}

/// Tries `count` mutants from `seed`, and the unchanged decisions after each thousand.
///
/// # Errors
/// The first mutant that was accepted, or a control that was not, in words.
pub async fn run(seed: u64, count: u64) -> Result<Tally, String> {
    let mut rig = Rig::new().await;
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    for nth in 0..count {
        if nth % 1000 == 0 {
            rig.control().await.map_err(|why| format!("seed {seed}, before mutant {nth}: {why}"))?;
            tally.controls += 1;
        }
        let attack = rig.mutant(&mut rng);
        let kind = attack.kind;
        if let Err(accepted) = rig.refuses(attack) {
            return Err(format!("seed {seed}, mutant {nth}, {kind}: {accepted}"));
        }
        *tally.refused.entry(kind).or_default() += 1;
    }
    rig.control().await?;
    tally.controls += 1;
    Ok(tally)
}
