//! Starting, resuming and recovering runs. All three end in the same driver.

mod error;
pub(crate) mod expire;
mod settle;

use std::collections::BTreeSet;
use std::sync::Arc;

use fuze_evidence::anchor::Blinding;
use fuze_evidence::chain::{Recorder, Times};
use fuze_evidence::content;
use fuze_evidence::keys::{Person, RunKeys};
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::span::AgentInvoke;
use fuze_evidence::vocab::{InvokeAgentOperation, Refusal, RunStatus, StartOutcome, Suite};
use fuze_evidence::{Common, Hash, Name, Redactor, RunId};
use fuze_policy::Gate;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::agent::{self, Agent, ToolList};
use crate::deployment::Deployment;
use crate::dispatch::Boxed;
use crate::driver::anchor::Anchoring;
use crate::driver::definition::Definition;
use crate::driver::journal::{Home, Journal, Latched, Parts, Step};
use crate::driver::state::{Header, Phase, RunFacts, State};
use crate::driver::subject_key::NewSubjectKey;
use crate::driver::turn::{read_bytes, residency};
use crate::driver::{AnyModel, Driver, Ended, name};
use crate::law::LegalProfile;
use crate::law::residency::{HostedWithin, Residency};
use crate::logic::{Bool, No};
use crate::model::{Message, Model, ModelError, ModelIdentity, ModelRequest, ModelResponse};
use crate::outcome::{Anchored, Outcome, Report, Timeline};
use crate::panics::caught;
use crate::sealed::Sealed;
use crate::store::Stop;
use crate::suspend::Suspended;
use crate::tool::{Answer, AsJson};

pub use error::RunError;
pub use settle::Settled;

/// A run about to start. `S` says whether it has a data subject.
#[must_use = "nothing happens before `.start()`"]
pub struct Run<A: Agent, M, S = NoSubject> {
    deployment: Deployment,
    agent: A,
    deps: Arc<A::Deps>,
    model: M,
    subject: S,
    tenant: String,
    principal: String,
    roles: Vec<String>,
    input: String,
    timeline: bool,
    stop: watch::Sender<Option<Stop>>,
}

/// No data subject.
pub struct NoSubject(());
/// A data subject: how the deployment knows the person. Records hold a random alias instead, another one in each run.
pub struct Subject(String);
impl Sealed for NoSubject {}
impl Sealed for Subject {}

/// Enough for tools that touch personal data, or do not.
#[diagnostic::on_unimplemented(
    message = "this agent touches personal data: the run needs a data subject",
    label = "no subject given",
    note = "GDPR Art. 4(1), 15, 17: call `.subject(…)` before `.start()`, so that the person's data can be found and erased"
)]
pub trait EnoughFor<Personal: Bool>: Sealed + Send + Sync + 'static {
    #[doc(hidden)]
    fn reference(&self) -> Option<&str>;
}
impl<P: Bool> EnoughFor<P> for Subject {
    fn reference(&self) -> Option<&str> {
        Some(&self.0)
    }
}
impl EnoughFor<No> for NoSubject {
    fn reference(&self) -> Option<&str> {
        None
    }
}

/// Stops a run from elsewhere in the process.
#[derive(Clone, Debug)]
pub struct CancelHandle(pub(crate) watch::Sender<Option<Stop>>);

impl CancelHandle {
    /// Stops the run. [`Stop::Operator`] waits for the running tool's grace; [`Stop::Abort`] does not.
    pub fn stop(&self, stop: Stop) {
        self.0.send_modify(|asked| *asked = (*asked).max(Some(stop)));
    }
}

impl Deployment {
    /// A run of `agent`. The model's residency, which whoever configured it states as a type, lies within the agent's.
    pub fn run<A: Agent, M: Model>(&self, agent: A, deps: A::Deps, model: M) -> Run<A, M>
    where
        M::Residency: HostedWithin<A::ModelResidency>,
    {
        const { agent::check::<A>() };
        Run {
            deployment: self.clone(),
            agent,
            deps: Arc::new(deps),
            model,
            subject: NoSubject(()),
            tenant: "default".into(),
            principal: "unnamed".into(),
            roles: Vec::new(),
            input: String::new(),
            timeline: true,
            stop: watch::Sender::new(None),
        }
    }

    /// A suspended run, in this process or another.
    ///
    /// # Errors
    /// When the deployment has no store, or the store has no such run waiting.
    pub async fn suspended(&self, run: RunId) -> Result<Suspended, RunError> {
        crate::resume::suspended(self, run).await
    }
}

impl<A: Agent, M, S> Run<A, M, S> {
    /// On whose behalf the run acts: 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Who starts the run, as an alias. May not decide its cases.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = principal.into();
        self
    }

    /// The principal's roles, for the policy. They are a set: policies are asked about them in alphabetical order, each once, because the
    /// order in which they are listed must change nothing (a rule of the first role that allows may be the one that says who approves).
    pub fn roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        let roles: BTreeSet<String> = roles.into_iter().map(Into::into).collect();
        self.roles = roles.into_iter().collect();
        self
    }

    /// What the principal says.
    pub fn input(mut self, input: impl Into<String>) -> Self {
        self.input = input.into();
        self
    }

    /// Whether the outcome has a timeline; it does by default.
    pub fn timeline(mut self, timeline: bool) -> Self {
        self.timeline = timeline;
        self
    }

    /// The data subject: how the deployment knows the person.
    pub fn subject(self, subject: impl Into<String>) -> Run<A, M, Subject> {
        self.about(Subject(subject.into()))
    }

    fn about<T>(self, subject: T) -> Run<A, M, T> {
        let Self {
            deployment,
            agent,
            deps,
            model,
            subject: _,
            tenant,
            principal,
            roles,
            input,
            timeline,
            stop,
        } = self;
        Run { deployment, agent, deps, model, subject, tenant, principal, roles, input, timeline, stop }
    }

    /// Stops the run from elsewhere.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.stop.clone())
    }
}

impl<A: Agent, M: Model, S> Run<A, M, S>
where
    M::Residency: HostedWithin<A::ModelResidency>,
{
    /// Runs until the run ends or waits.
    ///
    /// # Errors
    /// When it could not even be opened: then there is no record of it, and nothing was done. A start that is refused for
    /// a reason of the law or the policy is on record, and comes back as [`Outcome::Stopped`].
    // A boxed future of one named type: an `async fn` would repeat a missing subject at each use of its future.
    pub fn start<'m>(self) -> Boxed<'m, Result<Outcome<A::Output>, RunError>>
    where
        S: EnoughFor<<A::Tools as ToolList>::Personal>,
        M: 'm,
    {
        let subject = self.subject.reference().map(str::to_owned);
        Box::pin(self.about(NoSubject(())).begin(subject))
    }

    async fn begin(self, subject: Option<String>) -> Result<Outcome<A::Output>, RunError> {
        let definition = Definition::of(&self.agent).map_err(RunError::internal)?;
        let model = Erased(self.model);
        match &subject {
            Some(subject) if subject.trim().is_empty() => return Err(RunError::Subject),
            Some(subject) if subject.len() > MAX_SUBJECT_BYTES => {
                return Err(RunError::Name {
                    what: "data subject",
                    // Not the text itself: it is a person's.
                    found: format!("{} bytes", subject.len()),
                    why: format!("expected at most {MAX_SUBJECT_BYTES} bytes"),
                });
            }
            Some(_) | None => {}
        }
        let gate = self.deployment.gate();
        let start = Start {
            deployment: &self.deployment,
            gate: &gate,
            definition: &definition,
            model: &model,
            tenant: &self.tenant,
            principal: &self.principal,
            roles: self.roles,
            subject: subject.as_deref(),
            input: &self.input,
        };
        let Opened { mut journal, state, refusal } = start.open()?;
        let run_id = journal.run_id();
        if let Some((_, why)) = refusal {
            let step = Step { id: 1, parent: Some(0), started_at: journal.now() };
            let mut timeline = Timeline::recording(self.timeline);
            journal.close(step, RunStatus::Error, self.deployment.signer())?;
            timeline.close(step, RunStatus::Error, &journal);
            journal.flush().await?;
            return Ok(Outcome::Stopped {
                status: RunStatus::Error,
                why,
                report: Report { run_id, timeline, anchored: Anchored::Not },
            });
        }
        let history_bytes = state.messages.iter().map(read_bytes).sum();
        let driver = Driver {
            deployment: &self.deployment,
            definition: &definition,
            deps: &self.deps,
            model: &model,
            gate,
            secrets: self.deployment.secrets(),
            journal,
            state,
            stored_messages: 0,
            history_bytes,
            stop: self.stop.subscribe(),
            began: Instant::now(),
            until: None,
            late: 0,
            timeline: Timeline::recording(self.timeline),
        };
        let outcome = finish::<A>(&self.deployment, driver).await;
        drop(self.stop);
        outcome
    }
}

/// Drives a segment to its end and gives its result types again.
pub(crate) async fn finish<A: Agent>(
    deployment: &Deployment,
    driver: Driver<'_, A::Deps>,
) -> Result<Outcome<A::Output>, RunError> {
    let run_id = driver.journal.run_id();
    let (ended, driven) = match caught(Box::pin(driver.drive())).await {
        Ok(driven) => driven,
        // Something that the deployment trusts panicked: a store, a sink, a clock, a detector. The run stands where it
        // last became durable, and can be recovered from there.
        Err(panic) => {
            let report = Report { run_id, timeline: Timeline::default(), anchored: Anchored::Not };
            return Ok(Outcome::Halted {
                why: format!("a part of the deployment panicked: {panic}"),
                report,
            });
        }
    };
    let mut report = Report { run_id, timeline: driven.timeline, anchored: driven.opened };
    Ok(match ended {
        Ended::Closed { status: RunStatus::Completed, output: Some(output), anchored, .. } => {
            report.anchored = anchored;
            let output: Answer<A> = serde_json::from_slice(&output).map_err(RunError::internal)?;
            Outcome::Completed { output: output.into_value(), report }
        }
        Ended::Closed { status, why, anchored, .. } => {
            report.anchored = anchored;
            Outcome::Stopped { status, why, report }
        }
        Ended::Latched(Latched(why)) => Outcome::Halted { why, report },
        Ended::Suspended => {
            let suspended = Suspended::of(deployment.clone(), run_id, driven.epoch, driven.state);
            Outcome::Suspended { suspended: suspended.map_err(RunError::internal)?, report }
        }
    })
}

/// A run with its first record, started or refused.
struct Opened {
    journal: Journal,
    state: State,
    refusal: Option<(Refusal, String)>,
}

/// A longer input is refused: 1 MiB. Escaped and encrypted it still fits a line of the evidence (16 MiB).
const MAX_INPUT_BYTES: usize = 1 << 20;

/// A longer reference to a data subject is refused: it is a key to look a person up by, not a file about them.
const MAX_SUBJECT_BYTES: usize = 1024;

/// What a run is opened with.
struct Start<'a, D> {
    deployment: &'a Deployment,
    gate: &'a Gate,
    definition: &'a Definition<D>,
    model: &'a dyn AnyModel,
    tenant: &'a str,
    principal: &'a str,
    roles: Vec<String>,
    subject: Option<&'a str>,
    input: &'a str,
}

impl<D> Start<'_, D> {
    /// The first record, started or refused.
    fn open(self) -> Result<Opened, RunError> {
        let Self { deployment, definition, model, .. } = self;
        let clock = deployment.clock();
        let mut random = OsRandom::new();
        let run_id = RunId::generate(clock.now(), &mut random).map_err(RunError::internal)?;
        let subject = match self.subject {
            None => None,
            Some(_) => Some(alias(&mut random)?),
        };
        let common = Common {
            annex_iii: known(definition.annex_iii)?,
            art22: known(definition.art22)?,
            principal: given("principal", self.principal)?,
            retention: given("retention id", definition.retention.id)?,
            lawful_basis: definition.personal.then(|| known(definition.lawful_basis)).transpose()?,
            subject: subject.clone(),
            tenant: given("tenant", self.tenant)?,
        };
        recordable(definition)?;
        let snapshot = snapshot(&model.identity())?;
        let refusal = self.refusal();
        let (invoke, facts) = self.first_record(&common, &snapshot, refusal.as_ref())?;
        // INVARIANT: every name was checked before. A subject's key is kept apart from runs: one that was made for a run
        // that then could not begin would stay behind.
        let subject_key = match subject.as_ref().zip(self.subject) {
            None => None,
            Some((alias, reference)) => {
                let person = Person { tenant: &common.tenant, reference };
                let made = deployment.subjects().create(alias, person).map_err(RunError::internal)?;
                Some((made, NewSubjectKey::new(Arc::clone(deployment.subjects()), alias.clone())))
            }
        };
        let (subject_key, new_key) = subject_key.unzip();
        let with_key = subject.zip(subject_key.as_ref());
        let keys = RunKeys::generate(run_id, with_key, &mut random).map_err(RunError::internal)?;
        let wrapped = keys.wrap(deployment.master(), &mut random).map_err(RunError::internal)?;
        let redactor = redactor(deployment, &keys);
        // An input that is too long for the evidence is refused on record, by its length.
        let input = match self.input.len() > MAX_INPUT_BYTES {
            true => format!("{} bytes", self.input.len()),
            false => self.input.to_owned(),
        };
        let said = json!({ "input": input, "subject": self.subject.unwrap_or_default() });
        let commitment = content::commit(redactor.redact(said), &mut random).map_err(RunError::internal)?;
        let root = commitment.root();
        let at = clock.now();
        let opened =
            Recorder::open(run_id, common, invoke, Some(&commitment), Times::at(at), deployment.signer())
                .map_err(RunError::internal)?;
        let sealed = content::seal(&commitment, &keys, &mut random).map_err(RunError::internal)?;
        let anchoring = match deployment.log() {
            None => None,
            Some(log) => Some(Anchoring {
                log: log.origin().clone(),
                deadline: deployment.close_until(at),
                blinding: Blinding::generate(&mut random).map_err(RunError::internal)?,
            }),
        };
        let parts = Parts {
            recorder: opened.recorder,
            keys,
            redactor,
            random: Box::new(random),
            clock,
            home: deployment.home().clone(),
        };
        let journal = Journal::fresh(parts, wrapped, opened.record, opened.root, sealed, new_key);
        let header = Header {
            run: facts,
            chain: None,
            phase: Phase::Input,
            turn: 0,
            steps: 0,
            retries: 0,
            tokens: 0,
            elapsed_ms: 0,
            next_step: 1,
            segment: 0,
            history: content::history(Hash::ZERO, root),
            human_decided: false,
            turn_step: 0,
            calls: Vec::new(),
            executions: std::collections::BTreeMap::new(),
            waits: Vec::new(),
            anchoring,
        };
        let state = State { header, messages: vec![Message::User { text: self.input.to_owned() }] };
        Ok(Opened { journal, state, refusal })
    }

    /// Why the run may not start.
    fn refusal(&self) -> Option<(Refusal, String)> {
        let definition = self.definition;
        if self.input.len() > MAX_INPUT_BYTES {
            let found = self.input.len();
            let why = format!(
                "the input has {found} bytes, expected at most {MAX_INPUT_BYTES}: let a tool read the rest"
            );
            return Some((Refusal::InputOutOfProfile, why));
        }
        let unknown = self.gate.tools_named().into_iter().find(|named| definition.tool(named).is_none());
        if let Some(named) = unknown {
            let why = format!(
                "a policy rule names the tool `{named}`, which `{}` does not have: mend the name, or say that several \
                 agents share the rules",
                definition.name
            );
            return Some((Refusal::PolicyUnavailable, why));
        }
        if definition.may_suspend() {
            if matches!(self.deployment.home(), Home::Sink(_)) {
                let why =
                    "this agent may have to wait for a person, and a deployment without a store cannot wait";
                return Some((Refusal::StoreMissing, why.into()));
            }
            if self.deployment.registry_hash().is_none() {
                let why = "this agent may have to wait for a person, and the deployment has no overseers";
                return Some((Refusal::RegistryMissing, why.into()));
            }
        }
        None
    }

    fn first_record(
        &self,
        common: &Common,
        snapshot: &Name,
        refusal: Option<&(Refusal, String)>,
    ) -> Result<(AgentInvoke, RunFacts), RunError> {
        let Self { deployment, definition, model, .. } = *self;
        let engine = self.gate.identity();
        let identity = model.identity();
        let (sink, store) = match deployment.home() {
            Home::Sink(sink) => (sink.identity(), None),
            Home::Store(store) => (store.identity(), Some(store.identity())),
        };
        let signer = deployment.signer();
        let retention = &definition.retention;
        let invoke = AgentInvoke {
            fingerprint: definition.fingerprint,
            clock: deployment.clock().identity(),
            model: given("model provider", &identity.provider)?,
            signer: signer.identity(),
            sink,
            store,
            key_id: signer.key_id(),
            law_as_of: given("law", LegalProfile::CURRENT.as_of)?,
            law_source: given("law", LegalProfile::CURRENT.source)?,
            model_residency: residency(model.residency()),
            model_snapshot: snapshot.clone(),
            origin: deployment.origin().clone(),
            oversight_plan: definition.plan.map(|plan| given("oversight plan", plan)).transpose()?,
            registry_hash: deployment.registry_hash(),
            training: definition.training.map(|training| given("training", training)).transpose()?,
            bundle_hash: Hash(engine.bundle_hash),
            engine: name(&engine.name)?,
            permissive: engine.permissive,
            purpose: given("purpose", definition.purpose)?,
            retention_content_days: retention.content_days,
            retention_decision_days: retention.decision_days,
            retention_hash_days: retention.hash_days,
            outcome: if refusal.is_some() { StartOutcome::Refused } else { StartOutcome::Started },
            refusal: refusal.map(|(refusal, _)| *refusal),
            suite: Suite::Ed25519Sha256V1,
            agent_name: given("agent name", definition.name)?,
            operation: InvokeAgentOperation::InvokeAgent,
        };
        let facts = RunFacts {
            common: common.clone(),
            roles: self.roles.clone(),
            origin: deployment.origin().clone(),
            agent: invoke.agent_name.clone(),
            fingerprint: definition.fingerprint,
            registry_hash: deployment.registry_hash(),
            model_snapshot: snapshot.clone(),
        };
        Ok((invoke, facts))
    }
}

/// The redactor of a run: built-in detectors, the deployment's, and its secrets.
pub(crate) fn redactor(deployment: &Deployment, keys: &RunKeys) -> Redactor {
    let secrets = deployment.secrets();
    let values: Vec<&[u8]> = secrets.values().collect();
    let redactor = Redactor::new(keys).with_secrets(&values);
    deployment
        .detectors()
        .iter()
        .fold(redactor, |redactor, detector| redactor.with_detector(Arc::clone(detector)))
}

/// A data subject's alias: random, for one run.
fn alias(random: &mut dyn Random) -> Result<Name, RunError> {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes).map_err(RunError::internal)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Name::new(format!("s-{hex}")).map_err(RunError::internal)
}

fn known<T: std::str::FromStr>(wire: &str) -> Result<T, RunError> {
    wire.parse().map_err(|_| RunError::Internal(format!("`{wire}` is not in the vocabulary of the evidence")))
}

fn given(what: &'static str, text: &str) -> Result<Name, RunError> {
    Name::new(text).map_err(|error| RunError::Name { what, found: text.to_owned(), why: error.to_string() })
}

/// A model's snapshot, once all its names are known to fit in a record.
pub(crate) fn snapshot(model: &ModelIdentity) -> Result<Name, RunError> {
    given("model provider", &model.provider)?;
    given("model", &model.model)?;
    given("model snapshot", &model.snapshot)
}

/// Names of guardrails stand in records only later; those of tools and agents were checked as constants.
fn recordable<D>(definition: &Definition<D>) -> Result<(), RunError> {
    for guardrail in definition.guardrails.all() {
        given("guardrail", guardrail.name())?;
    }
    Ok(())
}

/// A model with its types erased.
pub(crate) struct Erased<M>(pub(crate) M);

impl<M: Model> AnyModel for Erased<M> {
    fn identity(&self) -> ModelIdentity {
        self.0.identity()
    }

    fn residency(&self) -> &'static str {
        <M::Residency as Residency>::NAME
    }

    fn generate<'a>(&'a self, request: ModelRequest<'a>) -> Boxed<'a, Result<ModelResponse, ModelError>> {
        self.0.generate(request)
    }
}
