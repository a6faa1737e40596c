//! What a decision in the flat form may cost.

use super::value::Stop;

/// Bytes that one piece of [`Work`] compares, and that it looks over for a key.
pub(super) const COMPARED: usize = 32;
pub(super) const LOOKED_OVER: usize = 64;

/// What a decision may still repeat or look over in the flat form: nodes, and as much as a node costs. Where it is spent the interpreter
/// decides, which has a budget of its own: policies and arguments that make one of them slow are errors there.
#[derive(Debug)]
pub(super) struct Work(u32);

impl Work {
    /// Well below a millisecond.
    const OF_A_DECISION: Self = Self(50_000);

    pub(super) fn new() -> Self {
        Self::OF_A_DECISION
    }

    #[inline]
    pub(super) fn take(&mut self, pieces: usize) -> Result<(), Stop> {
        let left = u32::try_from(pieces).ok().and_then(|pieces| self.0.checked_sub(pieces));
        self.0 = left.ok_or(Stop::Leave)?;
        Ok(())
    }
}
