//! Who may decide: aliases, public keys and trainings of the overseers (AI Act Art. 26(2)).
//!
//! The registry's hash stands in a run's first record and in each token, so that a decision by someone who was added
//! later, or whose training was, does not count for a run that began before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fuze_evidence::sign::{KeyId, PublicKey};
use fuze_evidence::{Hash, Name, jcs, sha256};
use serde::Serialize;

/// The overseers of a deployment.
#[derive(Clone, Debug, Default)]
pub struct OverseerRegistry(BTreeMap<Name, Overseer>);

/// One overseer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overseer {
    /// The alias that stands in records. Not a name that tells who it is.
    pub alias: Name,
    /// The Ed25519 public key.
    pub public_key: PublicKey,
    /// Trainings held.
    pub trainings: BTreeSet<String>,
}

/// An overseer cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryError {
    /// The alias is taken.
    AliasTaken(Name),
    /// The key is another overseer's: two persons, two keys.
    KeyTaken {
        /// Whose it is.
        by: Name,
    },
}

impl OverseerRegistry {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an overseer.
    ///
    /// # Errors
    /// When the alias or the key is there already.
    pub fn with(mut self, overseer: Overseer) -> Result<Self, RegistryError> {
        if self.0.contains_key(&overseer.alias) {
            return Err(RegistryError::AliasTaken(overseer.alias));
        }
        if let Some(other) = self.0.values().find(|other| other.public_key == overseer.public_key) {
            return Err(RegistryError::KeyTaken { by: other.alias.clone() });
        }
        self.0.insert(overseer.alias.clone(), overseer);
        Ok(self)
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// SHA-256 of its canonical form.
    ///
    /// # Errors
    /// When it cannot be written canonically.
    pub fn hash(&self) -> Result<Hash, jcs::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            alias: &'a Name,
            #[serde(rename = "keyId")]
            key_id: KeyId,
            trainings: &'a BTreeSet<String>,
        }
        let lines: Vec<Line<'_>> = self
            .0
            .values()
            .map(|o| Line { alias: &o.alias, key_id: o.public_key.id(), trainings: &o.trainings })
            .collect();
        Ok(sha256(&jcs::to_vec(&("fuze/registry/v1", lines))?))
    }

    pub(crate) fn find(&self, alias: &Name) -> Option<&Overseer> {
        self.0.get(alias)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Overseer> {
        self.0.values()
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AliasTaken(alias) => write!(f, "the registry has an overseer `{alias}` already"),
            Self::KeyTaken { by } => {
                write!(f, "this key is the overseer `{by}`'s: each person has a key of their own")
            }
        }
    }
}

impl std::error::Error for RegistryError {}
