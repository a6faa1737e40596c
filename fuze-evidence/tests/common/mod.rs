//! A small run with everything in it: content, a refusal to a person, a resume, a close.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod desk;
pub(crate) mod scan;
pub(crate) mod values;

use std::path::PathBuf;

use fuze_evidence::chain::{Opened, Times};
use fuze_evidence::content::{self, commit, history};
use fuze_evidence::keys::{FileSigner, MasterKey, MemorySubjectKeys, Person, Signer as _, SubjectKeys as _};
use fuze_evidence::random::{OsRandom, Random, RandomError};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::span::{
    AgentInvoke, AppAttrs, AppKey, AppValue, HumanDecision, ModelGenerate, OversightSuspend, PolicyEvaluate,
    RunResume, ToolExecute,
};
use fuze_evidence::vocab::*;
use fuze_evidence::{
    Common, Hash, Name, Record, Recorder, Redactor, RunId, RunKeys, SealedContent, SignedRoot, Span,
    Timestamp, sha256,
};
use serde_json::{Value, json};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The person whom the runs are about.
pub(crate) fn person(tenant: &Name) -> Person<'_> {
    Person { tenant, reference: "applicant-17@example.org" }
}

/// Nanoseconds after a fixed beginning.
pub(crate) fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(1_795_294_256_000_000_000 + i128::from(nanos)).unwrap()
}

pub(crate) fn times(nanos: u64) -> Times {
    Times { started_at: at(nanos), ended_at: at(nanos + 1) }
}

/// `../shared/<folder>` beside the workspace; prints and gives `None` when it is not there, unless it must be.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("FUZE_REQUIRE_SHARED").is_none_or(|v| v != "1"),
        "{} is not there",
        path.display()
    );
    println!("SKIPPED: {} is not there", path.display());
    None
}

/// Not random at all: for golden files only.
pub(crate) struct Counter(pub(crate) u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        for chunk in out.chunks_mut(32) {
            let block = sha256(&self.0.to_be_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
            self.0 += 1;
        }
        Ok(())
    }
}

/// Keys and a place to write to.
pub(crate) struct Host {
    pub(crate) random: Box<dyn Random>,
    pub(crate) signer: FileSigner,
    pub(crate) master: MasterKey,
    pub(crate) subjects: MemorySubjectKeys,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Box::new(OsRandom::new()))
    }

    pub(crate) fn with(mut random: Box<dyn Random>) -> Self {
        let signer = FileSigner::ephemeral(name("test"), random.as_mut()).unwrap();
        let master = MasterKey::ephemeral(random.as_mut()).unwrap();
        Self { random, signer, master, subjects: MemorySubjectKeys::default() }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.signer.public_key()).unwrap()
    }
}

pub(crate) fn common(subject: Option<Name>) -> Common {
    Common {
        annex_iii: AnnexIii::EmploymentRecruitment,
        art22: Art22::ContractNecessity,
        principal: name("recruiter-7"),
        retention: name("hiring"),
        lawful_basis: Some(LawfulBasis::LegitimateInterests),
        subject,
        tenant: name("acme"),
    }
}

pub(crate) fn start(signer: &FileSigner) -> AgentInvoke {
    AgentInvoke {
        fingerprint: sha256(b"definition"),
        clock: name("system"),
        model: name("scripted"),
        signer: signer.identity(),
        sink: name("memory"),
        store: None,
        key_id: signer.key_id(),
        law_as_of: name("2026-11-01"),
        law_source: name("eu-2026-1744"),
        model_residency: Residency::Eu,
        model_snapshot: name("scripted/1"),
        origin: name("hr.example.eu"),
        oversight_plan: Some(name("oversight.hr.v1")),
        registry_hash: Some(sha256(b"registry")),
        training: Some(name("hr-2026")),
        bundle_hash: sha256(b"bundle"),
        engine: name("fixed"),
        permissive: false,
        purpose: name("employment-screening"),
        retention_content_days: 30,
        retention_decision_days: 184,
        retention_hash_days: 3650,
        outcome: StartOutcome::Started,
        refusal: None,
        suite: Suite::Ed25519Sha256V1,
        agent_name: name("HiringAgent"),
        operation: InvokeAgentOperation::InvokeAgent,
    }
}

pub(crate) fn generate(turn: u32, history_hash: Hash) -> Span {
    Span::ModelGenerate(ModelGenerate {
        attempt: 1,
        error: None,
        finish_reason: FinishReason::ToolCalls,
        history_hash,
        outcome: ModelOutcome::Ok,
        residency: Residency::Eu,
        tool_calls: 1,
        turn,
        operation: ChatOperation::Chat,
        provider: name("scripted"),
        request_model: name("scripted/1"),
    })
}

pub(crate) fn evaluate(decision: PolicyDecision, args_hash: Hash) -> Span {
    Span::PolicyEvaluate(PolicyEvaluate {
        approval_by_law: decision == PolicyDecision::RequiresApproval,
        approval_by_policy: false,
        approval_by_tool: false,
        bundle_hash: sha256(b"bundle"),
        decision,
        engine: name("fixed"),
        engine_error: false,
        error: None,
        reason: PolicyReason::Law,
        rule: Some(name("hiring.allow")),
        args_hash: Some(args_hash),
        call_index: 0,
        known: true,
        tool: Some(name("record_recommendation")),
    })
}

pub(crate) fn execute(args_hash: Hash) -> Span {
    let mut app = AppAttrs::new();
    app.set(AppKey::new("pages").unwrap(), AppValue::Int(-3)).unwrap();
    app.set(AppKey::new("grade").unwrap(), AppValue::Declared(name("good"))).unwrap();
    Span::ToolExecute(ToolExecute {
        app,
        approval_step: Some(4),
        args_hash,
        attempt: 1,
        call_index: 0,
        classification: Classification::Personal,
        effect: Effect::Once,
        exec_id: sha256(b"exec"),
        outcome: ToolOutcome::Ok,
        sandbox_tier: SandboxTier::None,
        operation: ExecuteToolOperation::ExecuteTool,
        tool: name("record_recommendation"),
    })
}

pub(crate) fn suspend(args_hash: Hash, slot: u32, of: u32) -> Span {
    Span::OversightSuspend(OversightSuspend {
        epoch: 1,
        expires_at: at(100_000_000_000_000),
        of,
        reason: SuspendReason::Law,
        slot,
        snapshot_hash: sha256(b"snapshot"),
        token_hash: sha256(b"token"),
        args_hash: Some(args_hash),
        call_index: Some(0),
        tool: Some(name("record_recommendation")),
    })
}

pub(crate) fn decision(args_hash: Hash) -> Span {
    Span::HumanDecision(HumanDecision {
        action: OversightAction::Approve,
        custody: Custody::Server,
        decision_hash: sha256(b"decision"),
        edited: false,
        key_id: sha256(b"overseer key"),
        modified_args_hash: None,
        outcome: DecisionOutcome::Accepted,
        overseer: name("overseer-3"),
        token_hash: sha256(b"token"),
        training: Some(name("hr-2026")),
        args_hash: Some(args_hash),
    })
}

pub(crate) fn resume(segment: u32) -> Span {
    Span::RunResume(RunResume {
        bundle_hash: sha256(b"bundle"),
        cause: ResumeCause::Decision,
        epoch: 2,
        segment,
    })
}

/// A run as its files, and what made it.
pub(crate) struct Sample {
    pub(crate) host: Host,
    pub(crate) run_id: RunId,
    pub(crate) keys: RunKeys,
    pub(crate) files: MemoryRun,
}

pub(crate) fn push(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    out.push(b'\n');
}

impl Sample {
    pub(crate) fn add(&mut self, record: &Record, sealed: Option<&SealedContent>) {
        if let Some(sealed) = sealed {
            push(&mut self.files.content, sealed.content_line());
            push(&mut self.files.keys, sealed.keys_line());
        }
        push(&mut self.files.records, record.bytes());
    }

    pub(crate) fn root(&mut self, root: &SignedRoot) {
        push(&mut self.files.roots, root.bytes());
    }

    pub(crate) fn commit(&mut self, value: Value) -> (content::Commitment, SealedContent) {
        let redactor = Redactor::new(&self.keys);
        let commitment = commit(redactor.redact(value), self.host.random.as_mut()).unwrap();
        let sealed = content::seal(&commitment, &self.keys, self.host.random.as_mut()).unwrap();
        (commitment, sealed)
    }

    /// A run that is open, with its first record.
    pub(crate) fn begin(host: Host) -> (Self, Recorder) {
        Self::begin_as(host, |_| {}, |_| {})
    }

    pub(crate) fn begin_as(
        host: Host,
        change_common: impl FnOnce(&mut Common),
        change_start: impl FnOnce(&mut AgentInvoke),
    ) -> (Self, Recorder) {
        Self::begin_whole(host, true, change_common, change_start)
    }

    /// A run that has all that law asks for, with a data subject or without.
    pub(crate) fn begin_in_store(host: Host, subject: bool) -> (Self, Recorder) {
        Self::begin_whole(host, subject, |_| {}, |start| start.store = Some(name("memory")))
    }

    fn begin_whole(
        mut host: Host,
        with_subject: bool,
        change_common: impl FnOnce(&mut Common),
        change_start: impl FnOnce(&mut AgentInvoke),
    ) -> (Self, Recorder) {
        let run_id = RunId::generate(at(0), host.random.as_mut()).unwrap();
        let alias = name("subject-1f8a");
        let subject_key = host.subjects.create(&alias, person(&name("acme"))).unwrap();
        let keys = RunKeys::generate(
            run_id,
            with_subject.then(|| (alias.clone(), &subject_key)),
            host.random.as_mut(),
        )
        .unwrap();
        let mut files = MemoryRun::default();
        push(&mut files.keys, &keys.wrap(&host.master, host.random.as_mut()).unwrap().to_line().unwrap());
        let mut sample = Self { host, run_id, keys, files };
        let (input, sealed) = sample.commit(json!({"applicant": "17", "task": "recommend"}));
        let mut common = common(with_subject.then_some(alias));
        change_common(&mut common);
        let mut start = start(&sample.host.signer);
        change_start(&mut start);
        let Opened { recorder, record, root } =
            Recorder::open(run_id, common, start, Some(&input), times(0), &sample.host.signer).unwrap();
        sample.add(&record, Some(&sealed));
        sample.root(&root);
        (sample, recorder)
    }

    /// A whole run: model, policy, two slots suspended, resumed, executed, closed.
    pub(crate) fn closed() -> Self {
        Self::closed_on(Host::new())
    }

    pub(crate) fn closed_on(host: Host) -> Self {
        let (mut sample, mut recorder) = Self::begin(host);
        let (answer, sealed) = sample.commit(json!({"role": "assistant", "text": "I will record it."}));
        let hash = history(Hash::ZERO, answer.root());
        let record = recorder.append(1, 0, times(10), &generate(0, hash), Some(&answer)).unwrap();
        sample.add(&record, Some(&sealed));

        let (args, sealed) = sample.commit(json!({"candidate": "17", "grade": 2, "mail": "a.b@example.org"}));
        let policy = evaluate(PolicyDecision::RequiresApproval, args.root());
        let record = recorder.append(2, 1, times(20), &policy, Some(&args)).unwrap();
        sample.add(&record, Some(&sealed));
        for (step, slot) in [(3, 0), (4, 1)] {
            let record = recorder.append(step, 2, times(30), &suspend(args.root(), slot, 2), None).unwrap();
            sample.add(&record, None);
        }
        let root = recorder.suspend(at(40), &sample.host.signer).unwrap();
        sample.root(&root);

        let state = serde_json::to_value(recorder.state()).unwrap();
        let mut recorder = Recorder::resume(serde_json::from_value(state).unwrap()).unwrap();
        let record = recorder.append(5, 0, times(50), &resume(1), None).unwrap();
        sample.add(&record, None);
        for step in [6, 7] {
            let record = recorder.append(step, 3, times(60), &decision(args.root()), None).unwrap();
            sample.add(&record, None);
        }
        let (output, sealed) = sample.commit(json!({"ok": true}));
        let record = recorder.append(8, 6, times(70), &execute(args.root()), Some(&output)).unwrap();
        sample.add(&record, Some(&sealed));
        let closed = recorder.close(9, 0, times(80), RunStatus::Completed, &sample.host.signer).unwrap();
        sample.add(closed.record(), None);
        sample
    }
}
