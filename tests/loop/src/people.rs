//! Overseers with keys of their own.

use std::collections::BTreeSet;
use std::time::SystemTime;

use fuze_agent::suspend::{Ack, Action, Case, Overseer, OverseerSigner, SignedDecision};
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::vocab::Custody;
use fuze_evidence::{Name, Timestamp};

/// Someone who decides.
pub struct Person {
    /// The alias in the registry.
    pub alias: Name,
    key: FileSigner,
    trainings: BTreeSet<String>,
}

/// Someone with the training `test-2026`.
#[must_use]
pub fn person(alias: &str) -> Person {
    let key = FileSigner::ephemeral(Name::new("overseer").unwrap(), &mut OsRandom::new()).unwrap();
    Person { alias: Name::new(alias).unwrap(), key, trainings: BTreeSet::from(["test-2026".to_owned()]) }
}

impl Person {
    /// The same without any training.
    #[must_use]
    pub fn untrained(mut self) -> Self {
        self.trainings.clear();
        self
    }

    /// The line in the registry.
    #[must_use]
    pub fn entry(&self) -> Overseer {
        Overseer {
            alias: self.alias.clone(),
            public_key: PublicKey::from_bytes(self.key.public_key()).unwrap(),
            trainings: self.trainings.clone(),
        }
    }

    /// Decides now.
    #[must_use]
    pub fn decides(&self, case: &Case, action: &Action) -> SignedDecision {
        self.decides_at(case, action, Timestamp::from_system_time(SystemTime::now()).unwrap(), vec![])
    }

    /// Decides at some time, having seen some changes.
    #[must_use]
    pub fn decides_at(&self, case: &Case, action: &Action, at: Timestamp, acks: Vec<Ack>) -> SignedDecision {
        self.decides_as(&self.alias, case, action, at, acks)
    }

    /// Decides under an alias that may be somebody else's.
    #[must_use]
    pub fn decides_as(
        &self,
        alias: &Name,
        case: &Case,
        action: &Action,
        at: Timestamp,
        acks: Vec<Ack>,
    ) -> SignedDecision {
        let training = self.trainings.first().map(|training| Name::new(training).unwrap());
        self.signs(alias, training, case, action, at, acks)
    }

    /// Decides now, and does not say on which training.
    #[must_use]
    pub fn decides_without_training(&self, case: &Case, action: &Action) -> SignedDecision {
        let now = Timestamp::from_system_time(SystemTime::now()).unwrap();
        self.signs(&self.alias, None, case, action, now, vec![])
    }

    fn signs(
        &self,
        alias: &Name,
        training: Option<Name>,
        case: &Case,
        action: &Action,
        at: Timestamp,
        acks: Vec<Ack>,
    ) -> SignedDecision {
        let (alias, custody) = (alias.clone(), Custody::Server);
        let signer = OverseerSigner { alias, training, signer: &self.key, custody };
        SignedDecision::sign(case, action, "seen", &signer, at, acks).unwrap()
    }
}
