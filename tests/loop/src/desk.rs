//! A deployment whose keys a test also holds, so that it can read back what a run left.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use fuze_agent::deployment::{Clock, DeploymentBuilder};
use fuze_agent::store::RunStore;
use fuze_agent::suspend::OverseerRegistry;
use fuze_agent::testing::MemoryStore;
use fuze_agent::{Deployment, Keys, Policy};
use fuze_evidence::keys::{
    self, FileSigner, MasterKey, MemorySubjectKeys, Signer, SubjectKey, SubjectKeyError, SubjectKeys,
};
use fuze_evidence::random::{OsRandom, Random, RandomError};
use fuze_evidence::replay::replay;
use fuze_evidence::sign::{KeyId, PublicKey, SignError};
use fuze_evidence::verify::{RunFiles, TrustedKeys};
use fuze_evidence::{Name, RunId, Timestamp};

use crate::{Evidence, Person};

/// The same octets each time: the deployment and the test hold the same master key.
struct Seeded(u8);

impl Random for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.fill(self.0);
        Ok(())
    }
}

/// Keys of data subjects that can be erased all at once.
#[derive(Default)]
pub struct Erasable(MemorySubjectKeys, Mutex<BTreeSet<Name>>);

impl Erasable {
    /// How many subjects have a key, erased or not.
    #[must_use]
    pub fn made(&self) -> usize {
        self.1.lock().unwrap().len()
    }

    /// How many of them have it still.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.1.lock().unwrap().iter().filter(|alias| self.0.find(alias).unwrap().is_some()).count()
    }

    /// Erases every subject so far.
    pub fn erase_all(&self) {
        for alias in &*self.1.lock().unwrap() {
            self.0.erase(alias).unwrap();
        }
    }
}

impl SubjectKeys for Erasable {
    fn create(&self, alias: &Name, person: keys::Person<'_>) -> Result<SubjectKey, SubjectKeyError> {
        self.1.lock().unwrap().insert(alias.clone());
        self.0.create(alias, person)
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        self.0.find(alias)
    }

    fn aliases(&self, person: keys::Person<'_>) -> Result<Vec<Name>, SubjectKeyError> {
        self.0.aliases(person)
    }

    fn erase(&self, alias: &Name) -> Result<(), SubjectKeyError> {
        self.0.erase(alias)
    }
}

struct Shared(Arc<FileSigner>);

impl Signer for Shared {
    fn identity(&self) -> Name {
        self.0.identity()
    }
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }
    fn key_id(&self) -> KeyId {
        self.0.key_id()
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.0.sign(message)
    }
}

/// A clock that stands where it is set.
#[derive(Clone)]
pub struct SetClock(Arc<Mutex<Timestamp>>);

impl SetClock {
    /// Stands at the present.
    #[must_use]
    pub fn now_ish() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::from_system_time(SystemTime::now()).unwrap())))
    }

    /// Goes on.
    pub fn advance_seconds(&self, seconds: i128) {
        let mut now = self.0.lock().unwrap();
        let nanos = i128::try_from(now.as_nanos()).unwrap() + seconds * 1_000_000_000;
        *now = Timestamp::from_nanos(nanos).unwrap();
    }
}

#[async_trait]
impl Clock for SetClock {
    fn identity(&self) -> Name {
        Name::new("set").unwrap()
    }
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Where tests run runs.
pub struct Desk {
    /// The store, which can be made to fail.
    pub store: MemoryStore,
    /// Keys of data subjects.
    pub subjects: Arc<Erasable>,
    signer: Arc<FileSigner>,
    seed: u8,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// An empty store and fresh keys.
    #[must_use]
    pub fn new() -> Self {
        Self::of(MemoryStore::new().unwrap())
    }

    /// A store by this clock.
    #[must_use]
    pub fn with_clock(clock: &SetClock) -> Self {
        Self::of(MemoryStore::with_clock(Arc::new(clock.clone())).unwrap())
    }

    fn of(store: MemoryStore) -> Self {
        let signer = FileSigner::ephemeral(Name::new("test").unwrap(), &mut OsRandom::new()).unwrap();
        Self { store, subjects: Arc::default(), signer: Arc::new(signer), seed: 7 }
    }

    /// The deployment's keys.
    #[must_use]
    pub fn keys(&self) -> Keys {
        let signer = Shared(self.signer.clone());
        Keys::new(Arc::new(signer), self.master(), self.subjects.clone())
    }

    /// The key that signs runs, once more.
    #[must_use]
    pub fn signer(&self) -> Arc<FileSigner> {
        self.signer.clone()
    }

    /// The master key, once more.
    #[must_use]
    pub fn master(&self) -> MasterKey {
        MasterKey::ephemeral(&mut Seeded(self.seed)).unwrap()
    }

    /// The raw public key of runs.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    /// A deployment on the desk's store, with these overseers.
    pub fn builder(&self, policy: impl Into<Policy>, people: &[&Person]) -> DeploymentBuilder {
        self.builder_on(Arc::new(self.store.clone()), policy, people)
    }

    /// The same on another store.
    pub fn builder_on(
        &self,
        store: Arc<dyn RunStore>,
        policy: impl Into<Policy>,
        people: &[&Person],
    ) -> DeploymentBuilder {
        let registry = people.iter().fold(OverseerRegistry::new(), |r, p| r.with(p.entry()).unwrap());
        Deployment::with_store("test.example", self.keys(), policy, store).overseers(registry)
    }

    /// The deployment itself.
    pub fn deploy(&self, policy: impl Into<Policy>, people: &[&Person]) -> Deployment {
        self.builder(policy, people).build().unwrap()
    }

    /// What a run left that breaks a rule of the loop, without the keys of its content.
    #[must_use]
    pub fn replayed(&self, run: RunId) -> Vec<String> {
        let files = self.store.files(run);
        let file = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, bytes)| bytes);
        let trusted = TrustedKeys::new().run_key(PublicKey::from_bytes(self.public_key()).unwrap());
        let streams = RunFiles {
            records: Box::new(file("records.jsonl")),
            roots: Some(Box::new(file("roots.jsonl"))),
            content: Some((Box::new(file("content.jsonl")), Box::new(file("keys.jsonl")))),
        };
        let replay = replay(streams, &trusted).unwrap_or_else(|error| panic!("{error}"));
        replay.findings.iter().map(|finding| format!("{finding:?}")).collect()
    }

    /// What a run left, verified.
    #[must_use]
    pub fn evidence(&self, run: RunId) -> Evidence {
        Evidence::read(self, &self.store.files(run))
    }
}
