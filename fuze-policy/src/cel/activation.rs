//! What an expression can see: the request, variables, constants, globals, derived roles and the time.

use std::sync::Arc;

use super::map::Map;
use super::value::{Timestamp, Value};

/// Who asks: `P`, `request.principal`.
#[derive(Clone, Debug, Default)]
pub struct Principal {
    /// `P.id`.
    pub id: Arc<str>,
    /// `P.roles`.
    pub roles: Arc<[Value]>,
    /// `P.attr`.
    pub attr: Arc<Map>,
    /// `P.policyVersion`.
    pub policy_version: Arc<str>,
    /// `P.scope`.
    pub scope: Arc<str>,
}

/// What is asked about: `R`, `request.resource`.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// `R.kind`.
    pub kind: Arc<str>,
    /// `R.id`.
    pub id: Arc<str>,
    /// `R.attr`.
    pub attr: Arc<Map>,
    /// `R.policyVersion`.
    pub policy_version: Arc<str>,
    /// `R.scope`.
    pub scope: Arc<str>,
}

/// Verified data beside the request: `request.auxData`.
#[derive(Clone, Debug, Default)]
pub struct AuxData {
    /// `request.auxData.jwt`, the claims of the token.
    pub jwt: Arc<Map>,
    /// `request.auxData.jwts`: by the token's name a map whose `claims` are a map.
    pub jwts: Arc<Map>,
}

/// `runtime.effectiveDerivedRoles`.
#[derive(Clone, Debug)]
pub enum DerivedRoles {
    /// The names, sorted.
    Known(Arc<[Value]>),
    /// Strict mode: the conditions of these roles failed, so that each look at the runtime is an error.
    Failed(Arc<[Arc<str>]>),
}

/// What an expression can see.
#[derive(Clone, Debug)]
pub struct Activation {
    /// `P`, `request.principal`.
    pub principal: Principal,
    /// `R`, `request.resource`.
    pub resource: Resource,
    /// `request.auxData`.
    pub aux_data: Option<AuxData>,
    /// `C`, `constants`.
    pub constants: Arc<Map>,
    /// `V`, `variables`: those evaluated so far and without error, each passed through [`Value::into_variable`].
    pub variables: Arc<Map>,
    /// `G`, `globals`.
    pub globals: Arc<Map>,
    /// `runtime.effectiveDerivedRoles`.
    pub derived_roles: DerivedRoles,
    /// `now()`, one for the whole request. Without one, to ask for it is [an error that nothing absorbs](super::EvalError::NoTime).
    pub now: Option<Timestamp>,
}

impl Activation {
    /// An activation without auxiliary data, variables, constants, globals and derived roles.
    #[must_use]
    pub fn new(principal: Principal, resource: Resource, now: Timestamp) -> Self {
        Activation { now: Some(now), ..Activation::timeless(principal, resource) }
    }

    /// The same without a time.
    #[must_use]
    pub fn timeless(principal: Principal, resource: Resource) -> Self {
        Activation {
            principal,
            resource,
            aux_data: None,
            constants: Arc::default(),
            variables: Arc::default(),
            globals: Arc::default(),
            derived_roles: DerivedRoles::Known(Arc::default()),
            now: None,
        }
    }
}
