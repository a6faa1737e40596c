//! Proofs.

use super::{Policies, Proof, Property, Reason};

pub(super) fn prove(_policies: &Policies<'_>, property: &Property) -> Proof {
    Proof::Unknown { property: property.clone(), reason: Reason::TooManyCases { limit: 0 } }
}

pub(super) fn diff(_old: &Policies<'_>, _new: &Policies<'_>) -> Proof {
    Proof::Unknown { property: Property::AllowsNothingNew, reason: Reason::TooManyCases { limit: 0 } }
}
