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

    pub(super) fn remove(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    pub(super) fn or(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    pub(super) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
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
        assert_eq!(low.clone().or(&high), both);
        assert_eq!(low.clone().or(&high).without(&low).iter().collect::<Vec<_>>(), [64, 200]);
        assert_eq!((both.len(), high.clone().without(&both).len()), (4, 0));
        let mut fewer = both.clone();
        [0, 64, 999].into_iter().for_each(|at| fewer.remove(at));
        assert_eq!(fewer.iter().collect::<Vec<_>>(), [63, 200]);
    }
}
