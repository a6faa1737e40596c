//! Which steps were recorded. Steps are counted, so nearly all lie below one mark; only the few above it are kept singly.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A set of step ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// Every step below it was recorded.
    floor: u64,
    above: BTreeSet<u64>,
}

impl Steps {
    pub(crate) const fn new() -> Self {
        Self { floor: 0, above: BTreeSet::new() }
    }

    pub(crate) fn contains(&self, step: u64) -> bool {
        step < self.floor || self.above.contains(&step)
    }

    pub(crate) fn insert(&mut self, step: u64) {
        if step != self.floor {
            if step > self.floor {
                self.above.insert(step);
            }
            return;
        }
        self.floor += 1;
        while self.above.remove(&self.floor) {
            self.floor += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec(0_u64..40, 0..80)) {
            let mut model = BTreeSet::new();
            let mut set = Steps::new();
            for step in steps {
                prop_assert_eq!(set.contains(step), model.contains(&step));
                set.insert(step);
                model.insert(step);
                prop_assert!(set.contains(step));
            }
            for step in 0..41 {
                prop_assert_eq!(set.contains(step), model.contains(&step));
            }
        }
    }
}
