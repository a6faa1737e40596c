//! What suites are run against.

#[cfg(feature = "cerbos-schema")]
use std::sync::Arc;

use crate::cerbos::{CheckParams, PolicySet, Problems, Source};
#[cfg(feature = "cerbos-schema")]
use crate::cerbos::{Enforced, Enforcement, Schemas};

/// A policy set, with the schemas that its policies name.
#[derive(Clone, Debug)]
pub struct Against<'s> {
    pub(super) set: &'s PolicySet,
    #[cfg(feature = "cerbos-schema")]
    schemas: Arc<Schemas>,
}

impl<'s> Against<'s> {
    /// A set with the files of its directory of schemas.
    ///
    /// # Errors
    /// Schemas that are not there, are no schemas, or would have to be fetched; none without the feature `cerbos-schema`.
    #[cfg_attr(not(feature = "cerbos-schema"), expect(unused_variables, reason = "there are no schemas"))]
    pub fn new(set: &'s PolicySet, schemas: &[Source]) -> Result<Self, Problems> {
        Ok(Self {
            set,
            #[cfg(feature = "cerbos-schema")]
            schemas: Arc::new(Schemas::load(set, schemas)?),
        })
    }

    /// Rejects what does not follow its schema, as `cerbos compile` does.
    #[cfg(feature = "cerbos-schema")]
    pub(super) fn enforce(&self, params: &mut CheckParams) {
        let schemas = Arc::clone(&self.schemas);
        params.schemas = Some(Enforced { schemas, enforcement: Enforcement::Reject });
    }

    #[cfg(not(feature = "cerbos-schema"))]
    #[expect(clippy::unused_self, reason = "there are no schemas")]
    pub(super) fn enforce(&self, _: &mut CheckParams) {}
}

/// A set without schemas: what a policy of it names one for is denied, as nobody can say that it follows.
impl<'s> From<&'s PolicySet> for Against<'s> {
    fn from(set: &'s PolicySet) -> Self {
        Self {
            set,
            #[cfg(feature = "cerbos-schema")]
            schemas: Arc::default(),
        }
    }
}

impl<'s> From<&Against<'s>> for Against<'s> {
    fn from(against: &Against<'s>) -> Self {
        against.clone()
    }
}
