//! Policies as typed values, each part with its place in the file. Conditions are still text here.

mod condition;
mod fields;
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

pub(crate) use fields::{Fields, list_of, text_of};
pub(crate) use read::policy;
