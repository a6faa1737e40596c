//! Frames in which two policy sets decide alike, rule for rule and whatever is asked: there is no case in them that has to be looked at.

use std::sync::Arc;

use super::atoms::AtomId;
use super::frames::{Level, Speaks, Spoken};
use super::model::Model;

/// Whether the first two sets have the same rules for a role or a principal, in the same order. `false` where that is not certain. Where
/// they have for each who asks, they decide alike: each case takes the same way through both.
pub(super) fn speak_alike_to(model: &Model<'_>, scopes: &[Arc<str>], spoken: &Spoken<'_>) -> bool {
    let ([one, other], [of_one, of_other]) = (scopes, spoken.as_slice()) else { return false };
    one == other && of_one.iter().zip(of_other).all(|(one, other)| levels(model, one, other))
}

fn levels(model: &Model<'_>, one: &[Level<'_>], other: &[Level<'_>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.scope == other.scope
                && one.consent == other.consent
                && one.rules.len() == other.rules.len()
                && one.rules.iter().zip(&other.rules).all(|(one, other)| speak_alike(model, one, other))
        })
}

/// Atoms have numbers, the same in both sets only where they mean the same in both.
fn speak_alike(model: &Model<'_>, one: &Speaks<'_>, other: &Speaks<'_>) -> bool {
    let tests =
        |speaks: &Speaks<'_>| [speaks.derived, speaks.condition].map(|id| id.map(|id| model.test(id)));
    let says = |speaks: &Speaks<'_>| [speaks.activated, speaks.not_met].map(|id| id.map(|id| model.says(id)));
    // What looks at the derived roles may come out differently in each set.
    let mut of_runtime = false;
    let mut look = |id: AtomId| of_runtime |= model.atom(id).is_none_or(|atom| atom.of_runtime);
    tests(one).into_iter().flatten().flatten().for_each(|test| test.each_atom(&mut look));
    says(one).into_iter().flatten().flatten().for_each(|says| says.each_atom(&mut look));
    !of_runtime
        && (one.effect, one.turned, one.outcome) == (other.effect, other.turned, other.outcome)
        && tests(one) == tests(other)
        && says(one) == says(other)
}
