//! A pattern as a position automaton, run on all positions at once: as many steps as the text has characters.

use super::parse::Part;

/// Words of a [`Set`].
const WORDS: usize = 4;
/// Positions a pattern can have, the end included.
const MOST: usize = WORDS * 64;

/// A set of positions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Set([u64; WORDS]);

impl Set {
    const END: Self = Self([1, 0, 0, 0]);

    fn with(mut self, position: usize) -> Self {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
        self
    }

    fn union(mut self, other: &Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a |= b;
        }
        self
    }

    fn has_end(&self) -> bool {
        self.0.first().is_some_and(|word| word & 1 != 0)
    }

    fn positions(&self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(i, word)| {
            let mut word = word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                (bit < 64).then(|| {
                    word &= word - 1;
                    i * 64 + bit as usize
                })
            })
        })
    }
}

/// What a position reads.
enum Reads {
    /// The end of the pattern: nothing more.
    Nothing,
    Char(char),
    NoSeparator,
    Anything,
    OneOf {
        chars: Vec<char>,
        not: bool,
    },
    Range {
        low: char,
        high: char,
        not: bool,
    },
}

impl Reads {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Nothing => false,
            Self::Char(wanted) => *wanted == c,
            Self::NoSeparator => c != ':',
            Self::Anything => true,
            Self::OneOf { chars, not } => chars.contains(&c) != *not,
            Self::Range { low, high, not } => (*low..=*high).contains(&c) != *not,
        }
    }
}

/// A compiled pattern.
pub(super) struct Machine {
    /// What each position reads, and where it can go on; position 0 is the end.
    positions: Vec<(Reads, Set)>,
    start: Set,
}

impl Machine {
    pub(super) fn new(parts: &[Part]) -> Result<Self, String> {
        let mut machine = Self { positions: vec![(Reads::Nothing, Set::default())], start: Set::default() };
        machine.start = machine.sequence(parts, Set::END);
        if machine.positions.len() > MOST {
            return Err(format!("a pattern can have {} characters at most", MOST - 1));
        }
        Ok(machine)
    }

    /// Adds the parts, after which comes what is in `after`; gives where they begin.
    fn sequence(&mut self, parts: &[Part], after: Set) -> Set {
        parts.iter().rev().fold(after, |after, part| self.part(part, after))
    }

    fn part(&mut self, part: &Part, after: Set) -> Set {
        let (reads, repeats) = match part {
            Part::Char(c) => (Reads::Char(*c), false),
            Part::One => (Reads::NoSeparator, false),
            Part::Any => (Reads::NoSeparator, true),
            Part::Anything => (Reads::Anything, true),
            Part::OneOf { chars, not } => (Reads::OneOf { chars: chars.clone(), not: *not }, false),
            Part::Range { low, high, not } => (Reads::Range { low: *low, high: *high, not: *not }, false),
            Part::Either(either) => {
                let begins = either.iter().map(|parts| self.sequence(parts, after));
                return begins.fold(Set::default(), |all, begin| all.union(&begin));
            }
        };
        let here = self.positions.len();
        if repeats {
            let again = after.with(here);
            self.positions.push((reads, again));
            again
        } else {
            self.positions.push((reads, after));
            Set::default().with(here)
        }
    }

    /// How many positions there are.
    pub(super) fn positions(&self) -> usize {
        self.positions.len()
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let mut at = self.start;
        for c in text.chars() {
            at = self.step(at, c);
            if at == Set::default() {
                return false;
            }
        }
        Self::is_end(at)
    }

    /// Where a text begins.
    pub(super) fn start(&self) -> Set {
        self.start
    }

    /// Where it goes on after a character.
    pub(super) fn step(&self, at: Set, c: char) -> Set {
        let mut next = Set::default();
        for position in at.positions() {
            if let Some((reads, follow)) = self.positions.get(position)
                && reads.accepts(c)
            {
                next = next.union(follow);
            }
        }
        next
    }

    /// Whether it may end there.
    pub(super) fn is_end(at: Set) -> bool {
        at.has_end()
    }

    /// Characters on both sides of which another position may read.
    pub(super) fn edges(&self) -> impl Iterator<Item = char> {
        self.positions.iter().flat_map(|(reads, _)| match reads {
            Reads::Nothing | Reads::Anything => Vec::new(),
            Reads::Char(c) => vec![*c],
            Reads::NoSeparator => vec![':'],
            Reads::OneOf { chars, .. } => chars.clone(),
            Reads::Range { low, high, .. } => vec![*low, *high],
        })
    }
}
