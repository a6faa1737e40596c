//! What records say of a tool's declaration. It does not change while a run lasts: it is the tool's type, the agent's fingerprint covers
//! it, and no loop takes a run up under another fingerprint.

use crate::vocab::{Classification, Effect};

/// One tool, as far as records have said what it is.
pub(super) struct Declared {
    /// Its number among the tools of the run, from 1.
    pub(super) number: u32,
    effect: Option<Effect>,
    classification: Option<Classification>,
    /// Whether law asks for a person before it runs.
    by_law: Option<bool>,
}

impl Declared {
    pub(super) const fn new(number: u32) -> Self {
        Self { number, effect: None, classification: None, by_law: None }
    }

    /// A decision that allows the tool, or asks for people, says whether law asks for them. Whether that is what was said before.
    pub(super) fn decided(&mut self, by_law: bool, is_high_risk: bool) -> bool {
        same(&mut self.by_law, by_law) && self.is_lawful(is_high_risk)
    }

    /// The end of a call says what the tool does and what it handles. Whether that is what was said before.
    pub(super) fn ended(&mut self, effect: Effect, handles: Classification, is_high_risk: bool) -> bool {
        let same = same(&mut self.effect, effect) & same(&mut self.classification, handles);
        same && self.is_lawful(is_high_risk)
    }

    /// Law asks for a person where it must, and nowhere else: that the tool changes nothing is said by both.
    fn is_lawful(&self, is_high_risk: bool) -> bool {
        let asks = self.effect.map(|effect| is_high_risk && effect != Effect::Read);
        asks.zip(self.by_law).is_none_or(|(asks, by_law)| asks == by_law)
    }
}

/// Whether `said` is what is known, or the first that is.
fn same<T: Copy + PartialEq>(known: &mut Option<T>, said: T) -> bool {
    *known.get_or_insert(said) == said
}
