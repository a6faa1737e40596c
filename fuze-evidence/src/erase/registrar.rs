//! Who signs a deployment's annexes, for which tenants, and whose lines it takes up.
//!
//! A line that no auditor accepts cannot be taken back: the annex only grows. So whoever may make one is asked before it is made.

use std::sync::Arc;

use super::{EraseError, RunFacts};
use crate::annex::{Annex, AnnexError, Event};
use crate::keys::Signer;
use crate::keys::history::{KeyHistory, Standing};
use crate::name::Name;
use crate::sign::{KeyId, PublicKey, SignatureError};
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

    /// Whether the run is this deployment's.
    ///
    /// # Errors
    /// [`EraseError::OtherOrigin`] if it is another's.
    pub fn check_origin(&self, facts: &RunFacts) -> Result<(), EraseError> {
        if facts.origin == self.origin {
            return Ok(());
        }
        Err(EraseError::OtherOrigin { given: self.origin.clone(), found: facts.origin.clone() })
    }

    /// Whether a line of this registrar in `annex` would be heard: made at `at`, about `run` if it is about one. The tenant and the
    /// deployment must be those of a run that is here, and the signer the one of such a run or, where a history of keys knows that one,
    /// the key in force. Of a tenant whose runs have all gone the lines of its annex say who that was.
    ///
    /// `here` are the runs of the tenant, the newest first; their first records are enough. No more of them are asked for than are needed.
    ///
    /// # Errors
    /// [`EraseError::OtherOrigin`], [`EraseError::UnknownTenant`], [`EraseError::OtherSigner`], [`EraseError::SignerRetired`]; and
    /// what `here` could not be read for.
    pub fn check_heard<E: From<EraseError>>(
        &self,
        annex: &Annex,
        at: Timestamp,
        run: Option<&RunFacts>,
        here: impl IntoIterator<Item = Result<RunFacts, E>>,
    ) -> Result<(), E> {
        let at = self.time_in(annex, at);
        let mut refused = None;
        if let Some(run) = run {
            self.check_origin(run)?;
            match self.check_signer(run.key_id, annex.tenant(), at) {
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(error),
            }
        }
        for facts in here {
            let facts = facts?;
            if facts.tenant != *annex.tenant() {
                continue;
            }
            let checked =
                self.check_origin(&facts).and_then(|()| self.check_signer(facts.key_id, annex.tenant(), at));
            match checked {
                Ok(()) => return Ok(()),
                // The first one says most: it is about the run itself, or the newest.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some(error) = refused {
            return Err(error.into());
        }
        let mut last = None;
        for entry in annex.entries().iter().rev() {
            if last != Some(entry.key_id) {
                match self.check_signer(entry.key_id, annex.tenant(), at) {
                    Ok(()) => return Ok(()),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            last = Some(entry.key_id);
        }
        let unknown = || EraseError::UnknownTenant { tenant: annex.tenant().clone() };
        Err(refused.unwrap_or_else(unknown).into())
    }

    /// Whether the signer is `key`, or a history that knows `key` has it in force at `at`; and none has it as one that was.
    fn check_signer(&self, key: KeyId, tenant: &Name, at: Timestamp) -> Result<(), EraseError> {
        let given = self.signer.key_id();
        let mut follows = given == key;
        for history in &self.histories {
            if let Some(why) = history.refuses_runs(&self.origin) {
                if history.knows(&given) {
                    return Err(EraseError::SignerRetired { given, why, current: None });
                }
                continue;
            }
            let retired = |why: String| EraseError::SignerRetired {
                given,
                why,
                current: history.current().map(|key| key.id()),
            };
            match history.standing(&given, at) {
                Standing::InForce(_) => follows |= history.standing(&key, at) != Standing::Unknown,
                Standing::Unknown => {}
                Standing::NotYet { from } => return Err(retired(format!("is in force only from {from} on"))),
                Standing::RotatedOut { at } => {
                    return Err(retired(format!("was in force until {at} only")));
                }
                Standing::Revoked { at, .. } => return Err(retired(format!("was revoked at {at}"))),
            }
        }
        if follows {
            return Ok(());
        }
        Err(EraseError::OtherSigner { tenant: tenant.clone(), given, expected: key })
    }

    /// Whether what the key `by` began may be finished by the signer, with a line in `annex` made at `at`.
    pub(super) fn check_finishes(&self, by: KeyId, annex: &Annex, at: Timestamp) -> Result<(), EraseError> {
        self.check_signer(by, annex.tenant(), self.time_in(annex, at))
    }

    /// Which of its keys signed `message`, a history's if it was in force at `at`.
    pub(super) fn who_signed(&self, message: &[u8], signature: &[u8; 64], at: Timestamp) -> Option<KeyId> {
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
        let mut keys = self.accepted.iter().copied().chain(earlier);
        keys.find(|key| key.verify(message, signature).is_ok()).map(|key| key.id())
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

    /// The time that a line made at `at` would have in `annex`.
    fn time_in(&self, annex: &Annex, at: Timestamp) -> Timestamp {
        let at = self.time_of(at);
        annex.entries().last().map_or(at, |last| last.at.max(at))
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
        self.histories.iter().filter(|history| history.is_of_runs(&self.origin))
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
