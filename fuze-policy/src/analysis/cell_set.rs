//! Sets of cells: those of a variable that are left, those for which a condition comes out in one way.

/// Places in a list of cells, or of declared tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellSet(Vec<u64>);

impl CellSet {
    pub(super) fn insert(&mut self, at: usize) {
        let word = at / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (at % 64);
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// In order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                (bit < 64).then(|| {
                    word &= word - 1;
                    at * 64 + bit as usize
                })
            })
        })
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.iter().next()
    }
}

impl FromIterator<usize> for CellSet {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut set = Self::default();
        places.into_iter().for_each(|at| set.insert(at));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_what_was_put_in() {
        let set = |places: &[usize]| places.iter().copied().collect::<CellSet>();
        let (low, high, both) = (set(&[0, 63]), set(&[64, 200]), set(&[200, 0, 63, 64]));
        assert_eq!(both.iter().collect::<Vec<_>>(), [0, 63, 64, 200]);
        assert!(!low.meets(&high) && low.meets(&both) && both.meets(&high));
        assert_eq!(both.and(&high).iter().collect::<Vec<_>>(), [64, 200]);
        assert_eq!((set(&[]).first(), high.first()), (None, Some(64)));
    }
}
