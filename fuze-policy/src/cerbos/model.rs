//! Policies as typed values, each part with its place in the file. Conditions are still text here.
//!
//! What a policy imports, and what it means among others, is not looked at: see [`PolicySet`](super::PolicySet).

mod condition;
pub(crate) mod fields;
mod policy;
mod read;
mod rules;

pub use condition::{Condition, Match, Output};
pub use policy::{
    Body, Constants, DerivedRolesPolicy, Effect, ExportConstants, ExportVariables, Named, Policy,
    PrincipalPolicy, ResourcePolicy, RoleDefinition, RolePolicy, SchemaRef, Schemas, ScopePermissions,
    Variables,
};
pub use rules::{ActionRule, PrincipalRule, ResourceRule, RoleRule};

use read::policy;

use super::files::Source;
use super::problem::{Collector, Problems};
use super::yaml::{self, Limits};

impl Policy {
    /// Reads the policy of a file; `None` if the file holds nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it by itself.
    pub fn read(source: &Source) -> Result<Option<Self>, Problems> {
        let mut out = Collector::default();
        let read = Self::read_into(source, &mut out);
        out.into_result(read)
    }

    pub(super) fn read_into(source: &Source, out: &mut Collector) -> Option<Self> {
        let documents = match yaml::read(&source.path, &source.text, Limits::default()) {
            Ok(documents) => documents,
            Err(problem) => {
                out.push(problem);
                return None;
            }
        };
        if let Some(second) = documents.get(1) {
            out.add(
                &source.path,
                second.at,
                "a file holds one policy: put this document into a file of its own",
            );
            return None;
        }
        policy(&source.path, documents.first()?, out)
    }
}
