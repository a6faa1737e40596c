//! What the proof cases share: honest declarations, written by hand.
//!
//! A case breaks one rule. What is not about that rule comes from here, so that the case shows only what is tried; what
//! is about it stands in the case in full.

pub mod agents;
pub mod tools;

use fuze_agent::Retention;
use fuze_agent::law::art9::LawReference;
use fuze_agent::law::oversight::{Plan, Predicate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The arguments of the honest tools.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Whom or what it is about.
    pub id: String,
}

/// The output of the honest tools and agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What was found.
    pub text: String,
}

/// The dependencies of the honest agents.
pub struct Deps;

/// Dependencies of some other agent.
pub struct OtherDeps;

/// A retention that is long enough for high-risk agents.
pub const HIRING: Retention = Retention::days("hiring", 30, 365, 365);

/// A retention one day too short for high-risk agents.
pub const SHORT: Retention = Retention::days("short", 30, 365, 183);

/// A law that Art. 9(2)(h) can rest on.
pub struct Bdsg;
impl LawReference for Bdsg {
    const CITATION: &'static str = "§ 22(1) no. 1 b BDSG";
}

/// A plan for oversight.
pub struct HrPlan;
impl Plan for HrPlan {
    const ID: &'static str = "oversight.hr.v1";
    const TRAINING: &'static str = "hr-2026";
}

/// A predicate: approval for some calls only.
pub struct OnlyLarge;
impl Predicate<Query> for OnlyLarge {
    fn needs_approval(args: &Query) -> bool {
        args.id.len() > 8
    }
}
