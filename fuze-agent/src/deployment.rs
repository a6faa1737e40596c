//! What many runs share: keys, policy, home of the evidence, overseers, secrets, clock.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuze_evidence::keys::{
    FileSigner, FileSubjectKeys, MasterKey, MasterKeyFile, MemorySubjectKeys, SubjectKeys,
};
use fuze_evidence::random::OsRandom;
use fuze_evidence::redact::Detector;
use fuze_evidence::sink::{MemorySink, Sink};
use fuze_evidence::{Anchor, Hash, Name, Signer, Timestamp};
use fuze_policy::{Gate, Policy};

use crate::driver::journal::Home;
use crate::model::Parameters;
use crate::secret::Secrets;
use crate::store::RunStore;
use crate::suspend::OverseerRegistry;

/// The time. Trusted; its identity stands in a run's first record.
pub trait Clock: Send + Sync {
    /// Its name.
    fn identity(&self) -> Name;
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Debug)]
pub struct SystemClock(Name, Timestamp);

impl SystemClock {
    /// The clock.
    ///
    /// # Errors
    /// None in practice: its name is a constant.
    pub fn new() -> Result<Self, ConfigError> {
        Ok(Self(fixed("system")?, Timestamp::from_nanos(0).map_err(ConfigError::key)?))
    }
}

impl Clock for SystemClock {
    fn identity(&self) -> Name {
        self.0.clone()
    }

    fn now(&self) -> Timestamp {
        // A clock before 1970 is a machine that is not set up: its records say so plainly, with the earliest time there is.
        let now = Timestamp::from_system_time(std::time::SystemTime::now());
        now.unwrap_or(self.1)
    }
}

/// The keys of a deployment. Three kinds, all different: the key that signs runs and tokens, the master key that wraps
/// each run's secret, and one key for each data subject.
pub struct Keys {
    signer: Arc<dyn Signer>,
    master: Arc<MasterKey>,
    subjects: Arc<dyn SubjectKeys>,
}

impl Keys {
    /// Keys from wherever they are kept.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, master: MasterKey, subjects: Arc<dyn SubjectKeys>) -> Self {
        Self { signer, master: Arc::new(master), subjects }
    }

    /// Keys that are nowhere on disk and gone with the process. Nothing that they sealed can be read afterwards.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn ephemeral() -> Result<Self, ConfigError> {
        let mut random = OsRandom::new();
        let signer = FileSigner::ephemeral(fixed("ephemeral")?, &mut random).map_err(ConfigError::key)?;
        let master = MasterKey::ephemeral(&mut random).map_err(ConfigError::key)?;
        Ok(Self::new(Arc::new(signer), master, Arc::new(MemorySubjectKeys::default())))
    }

    /// The keys in a directory: `signing.key`, `master.key` and `subjects/`. What is missing is created, readable by its
    /// owner alone.
    ///
    /// # Errors
    /// When a key cannot be created, is readable by others, or is not a key.
    pub fn in_directory(directory: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let directory = directory.as_ref();
        let mut random = OsRandom::new();
        create_private(directory)?;
        let (signing, master) = (directory.join("signing.key"), directory.join("master.key"));
        let identity = fixed("file")?;
        let signer = match signing.exists() {
            true => FileSigner::load(&signing, identity),
            false => FileSigner::create(&signing, identity, &mut random),
        };
        let master = match master.exists() {
            true => MasterKeyFile::load(&master),
            false => MasterKeyFile::create(&master, &mut random),
        };
        let subjects = FileSubjectKeys::new(directory.join("subjects"));
        Ok(Self::new(
            Arc::new(signer.map_err(ConfigError::key)?),
            master.map_err(ConfigError::key)?,
            Arc::new(subjects),
        ))
    }

    /// The raw public key that verifies this deployment's runs.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }
}

fn create_private(directory: &Path) -> Result<(), ConfigError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| ConfigError::Key(format!("{}: {error}", directory.display())))
}

/// Where runs are run. Cheap to clone.
#[derive(Clone)]
pub struct Deployment(Arc<Inner>);

struct Inner {
    origin: Name,
    keys: Keys,
    gate: Gate,
    home: Home,
    clock: Arc<dyn Clock>,
    overseers: OverseerRegistry,
    registry_hash: Option<Hash>,
    secrets: Arc<Secrets>,
    parameters: Parameters,
    detectors: Vec<Arc<dyn Detector>>,
    approval_deadline: Duration,
    log: Option<Arc<dyn Anchor>>,
    close_within: Duration,
}

/// Says what a deployment is made of.
#[must_use = "a deployment is there once it is built"]
pub struct DeploymentBuilder {
    origin: String,
    keys: Keys,
    policy: Policy,
    home: Home,
    clock: Option<Arc<dyn Clock>>,
    overseers: OverseerRegistry,
    secrets: Secrets,
    parameters: Parameters,
    detectors: Vec<Arc<dyn Detector>>,
    approval_deadline: Duration,
    log: Option<Arc<dyn Anchor>>,
    close_within: Duration,
}

impl Deployment {
    /// A deployment whose runs live in a store: they can wait for people, and be recovered after a crash.
    ///
    /// `origin` names it in every run and token: 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`, such as
    /// `hr.acme.example`.
    pub fn with_store(
        origin: impl Into<String>,
        keys: Keys,
        policy: impl Into<Policy>,
        store: Arc<dyn RunStore>,
    ) -> DeploymentBuilder {
        DeploymentBuilder::new(origin.into(), keys, policy.into(), Home::Store(store))
    }

    /// A deployment that only records: a run that would have to wait for a person is refused.
    pub fn with_sink(
        origin: impl Into<String>,
        keys: Keys,
        policy: impl Into<Policy>,
        sink: Arc<dyn Sink>,
    ) -> DeploymentBuilder {
        DeploymentBuilder::new(origin.into(), keys, policy.into(), Home::Sink(sink))
    }

    /// A deployment that keeps nothing: ephemeral keys, records in memory. For a first look and for tests.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn in_memory(policy: impl Into<Policy>) -> Result<Self, ConfigError> {
        Self::with_sink("local", Keys::ephemeral()?, policy, Arc::new(MemorySink::new())).build()
    }

    /// The raw public key that verifies this deployment's runs.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.keys.public_key()
    }

    pub(crate) fn origin(&self) -> &Name {
        &self.0.origin
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        &*self.0.keys.signer
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.0.keys.master
    }

    pub(crate) fn subjects(&self) -> &Arc<dyn SubjectKeys> {
        &self.0.keys.subjects
    }

    /// The gate as it is now, for one segment of a run: what is recorded about it and what it decides are of the same rules.
    pub(crate) fn gate(&self) -> Gate {
        self.0.gate.pinned()
    }

    pub(crate) fn home(&self) -> &Home {
        &self.0.home
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    pub(crate) fn overseers(&self) -> &OverseerRegistry {
        &self.0.overseers
    }

    pub(crate) fn registry_hash(&self) -> Option<Hash> {
        self.0.registry_hash
    }

    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.0.secrets)
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.0.parameters
    }

    pub(crate) fn detectors(&self) -> &[Arc<dyn Detector>] {
        &self.0.detectors
    }

    pub(crate) fn approval_deadline(&self) -> Duration {
        self.0.approval_deadline
    }

    pub(crate) fn log(&self) -> Option<&dyn Anchor> {
        self.0.log.as_deref()
    }

    /// Until when a run that begins `at` is to be closed.
    pub(crate) fn close_until(&self, at: Timestamp) -> Timestamp {
        at.plus(self.0.close_within).unwrap_or(Timestamp::MAX)
    }
}

impl DeploymentBuilder {
    fn new(origin: String, keys: Keys, policy: Policy, home: Home) -> Self {
        Self {
            origin,
            keys,
            policy,
            home,
            clock: None,
            overseers: OverseerRegistry::new(),
            secrets: Secrets::none(),
            parameters: Parameters::default(),
            detectors: Vec::new(),
            approval_deadline: Duration::from_secs(3 * 24 * 3600),
            log: None,
            close_within: Duration::from_secs(30 * 24 * 3600),
        }
    }

    /// Who may decide.
    pub fn overseers(mut self, overseers: OverseerRegistry) -> Self {
        self.overseers = overseers;
        self
    }

    /// What tools that declare it may read.
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Sampling parameters of every model request.
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Another detector of what must not be recorded in plain.
    pub fn detector(mut self, detector: Arc<dyn Detector>) -> Self {
        self.detectors.push(detector);
        self
    }

    /// How long silence is not yet a denial, where the policy does not say: three days by default.
    pub fn approval_deadline(mut self, deadline: Duration) -> Self {
        self.approval_deadline = deadline;
        self
    }

    /// The transparency log that holds each run's open and close root. A run whose open root it does not take does nothing and ends as
    /// `halted`; a close that it does not take is tried again by [`Deployment::settle_anchors`].
    pub fn log(mut self, log: Arc<dyn Anchor>) -> Self {
        self.log = Some(log);
        self
    }

    /// How long after its beginning a run should be closed at the latest, waiting for people included: what the log says in public, and
    /// monitors report the run if it is not. 30 days by default.
    pub fn close_within(mut self, duration: Duration) -> Self {
        self.close_within = duration;
        self
    }

    /// Another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] with what does not fit.
    pub fn build(self) -> Result<Deployment, ConfigError> {
        let origin = Name::new(&self.origin)
            .map_err(|error| ConfigError::Origin { found: self.origin.clone(), why: error.to_string() })?;
        let engine = self.policy.identity().name;
        Name::new(&engine).map_err(|error| ConfigError::Engine { found: engine, why: error.to_string() })?;
        if self.approval_deadline.as_secs() == 0 {
            return Err(ConfigError::Deadline);
        }
        if self.close_within.is_zero() {
            return Err(ConfigError::CloseWithin);
        }
        if let Some(log) = &self.log {
            let key = log.public_key();
            let overseers = || self.overseers.all().any(|overseer| overseer.public_key.to_bytes() == key);
            if key == self.keys.public_key() || overseers() {
                return Err(ConfigError::LogKey);
            }
        }
        if self.overseers.all().any(|overseer| overseer.public_key.to_bytes() == self.keys.public_key()) {
            return Err(ConfigError::SharedKey);
        }
        let registry_hash = match self.overseers.is_empty() {
            true => None,
            false => Some(self.overseers.hash().map_err(|error| ConfigError::Key(error.to_string()))?),
        };
        let clock = match self.clock {
            Some(clock) => clock,
            None => Arc::new(SystemClock::new()?),
        };
        Ok(Deployment(Arc::new(Inner {
            origin,
            keys: self.keys,
            gate: Gate::new(self.policy),
            home: self.home,
            clock,
            overseers: self.overseers,
            registry_hash,
            secrets: Arc::new(self.secrets),
            parameters: self.parameters,
            detectors: self.detectors,
            approval_deadline: self.approval_deadline,
            log: self.log,
            close_within: self.close_within,
        })))
    }
}

fn fixed(name: &str) -> Result<Name, ConfigError> {
    Name::new(name).map_err(|error| ConfigError::Key(error.to_string()))
}

/// What does not fit in a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The origin cannot be recorded.
    Origin {
        /// What was given.
        found: String,
        /// Why.
        why: String,
    },
    /// The policy engine's name cannot be recorded.
    Engine {
        /// What it is.
        found: String,
        /// Why.
        why: String,
    },
    /// A key cannot be used.
    Key(String),
    /// An overseer has the deployment's own key.
    SharedKey,
    /// The approval deadline is zero.
    Deadline,
    /// Runs are to be closed as they begin.
    CloseWithin,
    /// The log has the deployment's own key, or an overseer's.
    LogKey,
}

impl ConfigError {
    fn key(error: impl fmt::Display) -> Self {
        Self::Key(error.to_string())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin { found, why } => write!(f, "the origin `{found}` cannot be recorded: {why}"),
            Self::Engine { found, why } => {
                write!(f, "the policy engine's name `{found}` cannot be recorded: {why}")
            }
            Self::Key(why) => write!(f, "a key cannot be used: {why}"),
            Self::SharedKey => f.write_str(
                "an overseer has the deployment's own key: who runs and who decides need different keys",
            ),
            Self::CloseWithin => {
                f.write_str("runs that must be closed as they begin are all late: give them time to close")
            }
            Self::LogKey => f.write_str(
                "the log signs with the deployment's own key or an overseer's: runs, logs and overseers need different keys",
            ),
            Self::Deadline => {
                f.write_str("an approval deadline of zero denies everything at once: give people time")
            }
        }
    }
}

impl std::error::Error for ConfigError {}
