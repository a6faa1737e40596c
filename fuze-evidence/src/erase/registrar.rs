//! Who signs a deployment's annexes, and whose lines it takes up.

use std::sync::Arc;

use crate::annex::Annex;
use crate::keys::Signer;
use crate::keys::history::KeyHistory;
use crate::name::Name;
use crate::sign::{PublicKey, SignatureError};
use crate::verify::{TrustedKeys, VerifyError};

/// A deployment's name, the signer of its runs, and earlier keys whose lines in an annex it accepts.
#[derive(Clone)]
pub struct Registrar {
    origin: Name,
    signer: Arc<dyn Signer>,
    accepted: Vec<PublicKey>,
    histories: Vec<KeyHistory>,
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registrar({})", self.origin)
    }
}

impl Registrar {
    /// For the deployment `origin`, whose runs `signer` signs.
    ///
    /// # Errors
    /// When the signer's public key is none.
    pub fn new(origin: Name, signer: Arc<dyn Signer>) -> Result<Self, SignatureError> {
        let accepted = vec![PublicKey::from_bytes(signer.public_key())?];
        Ok(Self { origin, signer, accepted, histories: Vec::new() })
    }

    /// Lines signed by `key`, which was in force before, are accepted too.
    #[must_use]
    pub fn accept(mut self, key: PublicKey) -> Self {
        self.accepted.push(key);
        self
    }

    /// Lines by a key that was in force at their time are accepted too.
    #[must_use]
    pub fn history(mut self, history: KeyHistory) -> Self {
        self.histories.push(history);
        self
    }

    /// The deployment.
    #[must_use]
    pub const fn origin(&self) -> &Name {
        &self.origin
    }

    /// The signer.
    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// The keys whose lines it accepts.
    pub(super) fn keys(&self) -> &[PublicKey] {
        &self.accepted
    }

    /// The annex of `tenant` from its lines; of none, the one that has not begun.
    ///
    /// # Errors
    /// When it does not hold, or is another tenant's or deployment's.
    pub fn annex(&self, tenant: &Name, lines: &[u8]) -> Result<Annex, VerifyError> {
        if lines.is_empty() {
            return Ok(Annex::begin(self.origin.clone(), tenant.clone()));
        }
        let trusted = self.accepted.iter().fold(TrustedKeys::new(), |keys, key| keys.run_key(*key));
        let trusted = self.histories.iter().cloned().fold(trusted, TrustedKeys::history);
        Annex::read(lines, &trusted)?.expect_of(&self.origin, tenant)
    }
}
