//! Who signs a deployment's annexes, and whose lines it takes up.

use std::sync::Arc;

use crate::annex::{Annex, AnnexError, Event};
use crate::keys::Signer;
use crate::keys::history::{KeyHistory, KeyRole, Standing};
use crate::name::Name;
use crate::sign::{PublicKey, SignatureError};
use crate::time::Timestamp;
use crate::verify::{TrustedKeys, VerifyError};

/// A deployment's name, the signer of its runs, and earlier keys whose lines in an annex it accepts.
#[derive(Clone)]
pub struct Registrar {
    origin: Name,
    signer: Arc<dyn Signer>,
    own: PublicKey,
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
        let own = PublicKey::from_bytes(signer.public_key())?;
        Ok(Self { origin, signer, own, accepted: vec![own], histories: Vec::new() })
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

    /// Whether one of its keys signed `message`, a history's if it was in force at `at`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64], at: Timestamp) -> bool {
        let in_force = |history: &KeyHistory| {
            let ids =
                history.entries().unwrap_or_default().into_iter().filter_map(|entry| entry.subject().ok());
            let keys = ids.filter_map(|id| match history.standing(&id, at) {
                Standing::InForce(key) => Some(key),
                _ => None,
            });
            keys.collect::<Vec<_>>()
        };
        let earlier = self.own_histories().flat_map(in_force);
        self.accepted.iter().copied().chain(earlier).any(|key| key.verify(message, signature).is_ok())
    }

    /// Makes a statement in `annex` and signs it, as [`Annex::append`] does. It is not older than the signer's key: what an earlier key
    /// began, this one may finish, and a clock may have fallen behind a rotation.
    ///
    /// # Errors
    /// As [`Annex::append`].
    pub fn append(
        &self,
        annex: &mut Annex,
        at: Timestamp,
        by: &Name,
        event: Event,
    ) -> Result<Vec<u8>, AnnexError> {
        annex.append(self.time_of(at), by.clone(), event, self.signer())
    }

    fn time_of(&self, at: Timestamp) -> Timestamp {
        let id = self.signer.key_id();
        let from = self.own_histories().find_map(|history| match history.standing(&id, at) {
            Standing::NotYet { from } => Some(from),
            _ => None,
        });
        from.unwrap_or(at)
    }

    fn own_histories(&self) -> impl Iterator<Item = &KeyHistory> {
        let own = |history: &&KeyHistory| history.role() == KeyRole::Run && *history.origin() == self.origin;
        self.histories.iter().filter(own)
    }

    /// The annex of `tenant` from its lines; of none, the one that has not begun. Where the last line is by the signer's own key, which
    /// signs nothing that it has not verified, the signatures before it are not verified once more; whoever audits verifies them all.
    ///
    /// # Errors
    /// When it does not hold, or is another tenant's or deployment's.
    pub fn annex(&self, tenant: &Name, lines: &[u8]) -> Result<Annex, VerifyError> {
        if lines.is_empty() {
            return Ok(Annex::begin(self.origin.clone(), tenant.clone()));
        }
        let trusted = self.accepted.iter().fold(TrustedKeys::new(), |keys, key| keys.run_key(*key));
        let trusted = self.histories.iter().cloned().fold(trusted, TrustedKeys::history);
        Annex::read_own(lines, &trusted, &self.own)?.expect_of(&self.origin, tenant)
    }
}
