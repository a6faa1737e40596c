//! Properties and what came of proving them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use super::outcome::people;
use crate::cel::{Timestamp, Value};
use crate::cerbos::{CheckInput, Place};

/// What is to be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Property {
    /// No tool of a classification is ever allowed without approval.
    NeverAuto {
        /// Such as `special_category`.
        classification: String,
    },
    /// No ALLOW for a run of a tenant rests on a policy of a scope that is neither the tenant's own nor the root; and no argument that
    /// names another tenant unlocks what the tenant's own name would not. An argument names a tenant if a condition compares it with
    /// `P.attr.tenant`, with a scope of the set, or if its name has `tenant` in it; a list or a mapping, if it has such a name in it. What
    /// sees all arguments, or computes which it looks at, may look at one that names a tenant.
    NothingCrossesTenants,
    /// Each rule about tools is reached by some request and holds for it: of a role policy's rule, its role may do by it what it names.
    NoRuleIsDead,
    /// Each approval of a tool of a classification asks so many people at least. That there is one is [`Property::NeverAuto`].
    AtLeastApprovers {
        /// Such as `special_category`.
        classification: String,
        /// How many.
        people: u8,
    },
    /// Set against an older one, a policy set allows nothing more, and asks for no less where a person has to approve: what
    /// [`diff`](super::diff) proves.
    AllowsNothingNew,
}

impl Property {
    /// [`Property::NeverAuto`].
    #[must_use]
    pub fn never_auto(classification: &str) -> Self {
        Self::NeverAuto { classification: classification.to_owned() }
    }

    /// [`Property::AtLeastApprovers`].
    #[must_use]
    pub fn at_least_approvers(classification: &str, people: u8) -> Self {
        Self::AtLeastApprovers { classification: classification.to_owned(), people }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverAuto { classification } => {
                write!(f, "no `{classification}` tool is ever allowed without approval")
            }
            Self::NothingCrossesTenants => f.write_str("nothing crosses tenants"),
            Self::NoRuleIsDead => f.write_str("no rule is dead"),
            Self::AtLeastApprovers { classification, people: least } => {
                write!(f, "every approval of a `{classification}` tool asks {} at least", people(*least))
            }
            Self::AllowsNothingNew => {
                f.write_str("nothing is allowed that was denied, and no approval asks for less than it did")
            }
        }
    }
}

/// What came of a proof.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a property that nobody looked at is not proven"]
pub enum Proof {
    /// It holds, for every request.
    Proven {
        /// What does.
        property: Property,
        /// Cases that were looked at.
        cases: u64,
    },
    /// It does not hold.
    Counterexample(Box<Counterexample>),
    /// It is not known whether it holds.
    Unknown {
        /// What.
        property: Property,
        /// Why.
        reason: Reason,
    },
}

impl Proof {
    /// Whether the property holds.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        matches!(self, Self::Proven { .. })
    }

    /// The counterexample.
    #[must_use]
    pub fn counterexample(&self) -> Option<&Counterexample> {
        match self {
            Self::Counterexample(found) => Some(found),
            Self::Proven { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// Why a property does not hold. Where a request shows it, the real evaluation has confirmed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// What does not hold.
    pub property: Property,
    /// The request; none for a rule that no request reaches.
    pub request: Option<CheckInput>,
    /// Seconds and nanoseconds of [`Counterexample::at`].
    pub(super) seconds: Option<(i64, u32)>,
    /// The rule: the policy's key, `#` and its name.
    pub rule: Arc<str>,
    /// Where the rule stands; none if a decision was made by no rule.
    pub place: Option<Place>,
    /// What is wrong, in a sentence.
    pub explanation: String,
}

impl Counterexample {
    /// The request as JSON, with the members of a test suite.
    #[must_use]
    pub fn request_json(&self) -> Option<Json> {
        self.request.as_ref().map(shown)
    }

    /// When it has to be asked; none if that makes no difference.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.seconds?;
        Timestamp::new(seconds, nanoseconds, 0)
    }

    /// The same as CEL writes it.
    #[must_use]
    pub fn time(&self) -> Option<String> {
        let json = Value::Timestamp(self.at()?).to_json().ok()?;
        json.as_str().map(str::to_owned)
    }
}

/// Why it is not known whether a property holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// There are more cases than are looked at.
    TooManyCases {
        /// How many are.
        limit: u64,
    },
    /// Roles, tenants and principals with policies of their own have more combinations than are looked at.
    TooManyRoles {
        /// Roles that rules tell apart.
        roles: usize,
        /// Tenants, with the root.
        tenants: usize,
        /// Principals that have policies.
        principals: usize,
        /// How many combinations are looked at.
        limit: usize,
    },
    /// The conditions are too large to be looked through for each case.
    TooMuchWork {
        /// How many steps are taken.
        limit: u64,
    },
    /// It depends on an expression that cannot be enumerated, and no request was found that settles it.
    Opaque {
        /// The expression, as written.
        expression: String,
        /// Where a condition with it stands.
        place: Place,
    },
    /// Patterns of roles are too many to know which roles they tell apart, or conditions look for too many roles.
    RolePatterns {
        /// The patterns.
        patterns: Vec<String>,
    },
    /// The enumeration and the real evaluation differ: a defect of this program, not of the policies.
    Disagreement {
        /// For this request.
        request: Box<CheckInput>,
    },
}

impl Reason {
    /// Whether it was not looked to the end, because there is too much to look at.
    pub(super) fn is_of_budget(&self) -> bool {
        match self {
            Self::TooManyCases { .. }
            | Self::TooManyRoles { .. }
            | Self::TooMuchWork { .. }
            | Self::RolePatterns { .. } => true,
            Self::Opaque { .. } | Self::Disagreement { .. } => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyCases { limit } => write!(
                f,
                "there are more than {limit} cases; begin conditions with what excludes most, such as `R.attr.tool_name`"
            ),
            Self::TooManyRoles { roles, tenants, principals, limit } => write!(
                f,
                "rules tell {roles} roles apart, in {tenants} tenants (the root is one) and for {principals} principals with policies of \
                 their own: these have more than {limit} combinations; let rules that say the same name their roles together"
            ),
            Self::TooMuchWork { limit } => write!(
                f,
                "to look through the rules and conditions for each case takes more than {limit} steps; let variables be shorter that are \
                 put together of others, let fewer rules speak to one role and action, or look at more cases: their number allows so many \
                 steps more"
            ),
            Self::Opaque { expression, place } => {
                write!(f, "{place}: it depends on `{expression}`, which can come out either way")
            }
            Self::RolePatterns { patterns } => {
                write!(
                    f,
                    "the roles {} are too many to try each way to have them; name fewer, or write patterns out",
                    patterns.join(", ")
                )
            }
            Self::Disagreement { request } => write!(
                f,
                "the proof and the evaluation differ, which is a defect of this program, for the request {}",
                shown(request)
            ),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven { property, cases } => write!(f, "proven: {property} ({cases} cases)"),
            Self::Counterexample(found) => found.fmt(f),
            Self::Unknown { property, reason } => write!(f, "not proven: {property}: {reason}"),
        }
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "it does not hold that {}: {}", self.property, self.explanation)?;
        if let Some(request) = &self.request {
            write!(f, "; for example {}", shown(request))?;
        }
        match self.time() {
            Some(time) => write!(f, " at {time}"),
            None => Ok(()),
        }
    }
}

/// A request, as a test suite would write it.
fn shown(request: &CheckInput) -> Json {
    let (principal, resource) = (&request.principal, &request.resource);
    let roles: Vec<&str> = principal.roles.iter().map(|role| &**role).collect();
    serde_json::json!({
        "principal": {"id": principal.id, "roles": roles, "attr": principal.attr},
        "resource": {"kind": resource.kind, "id": resource.id, "scope": resource.scope, "attr": resource.attr},
    })
}
