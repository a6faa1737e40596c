//! Runs of every shape, as the recorder writes them.

use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding as _};

use fuze_audit::{Anchored, Export, Extras, Opened, Openings, OversightMember, Selection, Trust};
use fuze_evidence::chain::Times;
use fuze_evidence::content::{Commitment, ContentLine, Opening, history};
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{KeyId, PublicKey, sign_object, write_signature};
use fuze_evidence::span::{HumanDecision, ModelGenerate, OversightSuspend, PolicyEvaluate, ToolExecute};
use fuze_evidence::vocab::{Classification, Effect, FinishReason, PolicyDecision, RunStatus};
use fuze_evidence::{Hash, Name, Recorder, Span, Timestamp, jcs, sha256};
use serde_json::{Value, json};

use crate::common::{self, Counter, Host, Sample, name};

/// What a run is like. `Shape::of` makes one from a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub seed: u64,
    /// Whose keys: runs of one deployment have the same.
    pub deployment: u64,
    pub turns: u64,
    pub subject: bool,
    pub waits: bool,
    pub closed: bool,
}

impl Shape {
    pub fn of(seed: u64) -> Self {
        let closed = seed % 17 != 3;
        // A run that has not closed has at least something that can be taken away.
        let turns = if closed { seed % 3 } else { 1 + seed % 2 };
        Self {
            seed,
            deployment: seed % 7,
            turns,
            subject: seed.is_multiple_of(2),
            waits: seed % 5 < 2,
            closed,
        }
    }

    /// With everything in it.
    pub fn full(seed: u64) -> Self {
        Self { seed, deployment: 1, turns: 2, subject: true, waits: true, closed: true }
    }
}

/// A run with the keys that made it.
pub struct Run {
    pub shape: Shape,
    host: Host,
    pub files: fuze_evidence::sink::MemoryRun,
    pub oversight: Vec<OversightMember>,
    pub overseer: PublicKey,
    /// The same person's own key.
    pub overseer_key: FileSigner,
    /// Where its roots stand in a log: goes into its bundles.
    pub anchored: Option<Anchored>,
}

impl Run {
    pub fn new(shape: Shape) -> Self {
        let mut host = Host::with(Box::new(Counter(shape.deployment << 40)));
        host.random = Box::new(Counter((shape.seed + 1) << 20));
        let (mut sample, mut recorder) = Sample::begin_in_store(host, shape.subject);
        let overseer = FileSigner::ephemeral(name("overseer"), sample.host.random.as_mut()).unwrap();
        let mut oversight = Vec::new();
        let input = ContentLine::read(sample.files.content.strip_suffix(b"\n").unwrap()).unwrap();
        let (mut step, mut time, mut told) = (1, 1_000_000, history(Hash::ZERO, input.root()));
        // Milliseconds after the step before, and how long it took, in microseconds.
        let mut next = |step: &mut u64, pause: u64, took: u64| {
            let from = time + pause * 1_000_000;
            time = from + took * 1_000;
            *step += 1;
            (*step - 1, Times { started_at: common::at(from), ended_at: common::at(time) })
        };
        for turn in 0..shape.turns {
            let (said, sealed) = sample.commit(
                json!({"role": "assistant", "text": format!("turn {turn}: <b onclick=x>é€😀\u{7f}\"\\\n")}),
            );
            let (id, at) = next(&mut step, 3, 1_800_000 + 420_000 * turn);
            let span = common::generate(turn as u32, told);
            let record = recorder.append(id, 0, at, &span, Some(&said)).unwrap();
            sample.add(&record, Some(&sealed));

            let arguments = json!({
                "candidate": "17", "grade": turn, "share": 0.1 + turn as f64, "tiny": 1e-7, "none": null, "tags": ["a", {}, []],
                "0~1/x": true,
            });
            let (args, sealed) = sample.commit(arguments.clone());
            let waits = shape.waits && turn == 0;
            let (policy_step, at) = next(&mut step, 1, 180);
            let policy = if waits { asked(args.root()) } else { may_look(args.root()) };
            let record = recorder.append(policy_step, id, at, &policy, Some(&args)).unwrap();
            sample.add(&record, Some(&sealed));
            let mut run = if waits { execute(args.root(), turn) } else { look(args.root(), turn) };
            if !shape.subject {
                run.classification = Classification::Confidential;
            }
            if waits {
                let (resumed, person) = wait(
                    &mut sample,
                    recorder,
                    (&arguments, &args),
                    &overseer,
                    &mut oversight,
                    |pause, took| next(&mut step, pause, took),
                );
                recorder = resumed;
                run.approval_step = Some(person);
                let (again, at) = next(&mut step, 1, 150);
                let record = recorder.append(again, id, at, &approved(args.root()), None).unwrap();
                sample.add(&record, None);
            }
            let (output, sealed) = sample.commit(json!({"ok": true, "turn": turn}));
            told = history(history(told, said.root()), output.root());
            let (id, at) = next(&mut step, 2, 640_000);
            let record = recorder.append(id, policy_step, at, &run.into(), Some(&output)).unwrap();
            sample.add(&record, Some(&sealed));
        }
        if shape.closed {
            let (text, sealed) = sample.commit(json!({"role": "assistant", "text": "that is all"}));
            let (id, at) = next(&mut step, 3, 1_200_000);
            let record = recorder.append(id, 0, at, &answer(shape.turns, told), Some(&text)).unwrap();
            sample.add(&record, Some(&sealed));
            let (id, at) = next(&mut step, 5, 900);
            // GDPR Art. 22(3): without a person the answer is not let out.
            let person = shape.waits && shape.turns > 0;
            let status = if person { RunStatus::Completed } else { RunStatus::OversightMissing };
            let closed = recorder.close(id, 0, at, status, &sample.host.signer).unwrap();
            sample.add(closed.record(), None);
        }
        let (overseer, overseer_key) = (PublicKey::from_bytes(overseer.public_key()).unwrap(), overseer);
        Self {
            shape,
            host: sample.host,
            files: sample.files,
            oversight,
            overseer,
            overseer_key,
            anchored: None,
        }
    }

    pub fn signer(&self) -> &FileSigner {
        &self.host.signer
    }

    pub fn public_key(&self) -> PublicKey {
        self.host.public_key()
    }

    pub fn trust(&self) -> Trust {
        Trust::new().run_key(self.public_key().id())
    }

    /// When bundles are made.
    pub fn exported_at(&self) -> Timestamp {
        common::at(86_400_000_000_000)
    }

    pub fn export(&self, selection: Selection) -> Export<'_> {
        Export {
            run: &self.files,
            run_key: self.public_key(),
            master_key: Some(&self.host.master),
            subject_keys: Some(&self.host.subjects),
            selection,
            extras: Extras {
                oversight: self.oversight.clone(),
                anchored: self.anchored.clone(),
                ..Extras::default()
            },
            maker: &self.host.signer,
            exported_at: self.exported_at(),
        }
    }

    /// A bundle, in memory.
    pub fn bundle(&self, selection: Selection) -> Vec<u8> {
        let mut out = Vec::new();
        self.export(selection).write(Path::new("."), &mut out).unwrap();
        out
    }

    /// What this shape's number chooses to disclose.
    pub fn selection(&self) -> Selection {
        match self.shape.seed % 4 {
            0 => Selection::all(),
            1 => Selection::nothing(),
            2 => Selection::nothing().record(0),
            _ => Selection::nothing().field(0, "/applicant").unwrap(),
        }
    }
}

/// The model's last word: no call.
fn answer(turn: u64, told: Hash) -> Span {
    let Span::ModelGenerate(span) = common::generate(turn as u32, told) else { unreachable!() };
    ModelGenerate { finish_reason: FinishReason::Stop, tool_calls: 0, ..span }.into()
}

/// The tool of a turn runs, asked for by nobody but the model.
fn execute(args: Hash, turn: u64) -> ToolExecute {
    let Span::ToolExecute(span) = common::execute(args) else { unreachable!() };
    ToolExecute { approval_step: None, exec_id: exec_id(turn), ..span }
}

/// The same of the tool that law wants nobody for, because it only reads.
fn look(args: Hash, turn: u64) -> ToolExecute {
    ToolExecute { effect: Effect::Read, tool: name(LOOK), ..execute(args, turn) }
}

const LOOK: &str = "read_dossier";

fn may_look(args: Hash) -> Span {
    let Span::PolicyEvaluate(span) = common::evaluate(PolicyDecision::Allow, args) else { unreachable!() };
    PolicyEvaluate { tool: Some(name(LOOK)), ..span }.into()
}

/// Law wants a person.
fn asked(args: Hash) -> Span {
    common::evaluate(PolicyDecision::RequiresApproval, args)
}

fn exec_id(turn: u64) -> Hash {
    sha256(&turn.to_be_bytes())
}

/// The policy allows what law wanted a person for.
fn approved(args: Hash) -> Span {
    let Span::PolicyEvaluate(span) = common::evaluate(PolicyDecision::Allow, args) else { unreachable!() };
    PolicyEvaluate { approval_by_law: true, ..span }.into()
}

/// A person is asked, decides, and the run goes on. Returns the step of the decision, too.
fn wait(
    sample: &mut Sample,
    mut recorder: Recorder,
    (arguments, commitment): (&Value, &Commitment),
    overseer: &FileSigner,
    oversight: &mut Vec<OversightMember>,
    mut next: impl FnMut(u64, u64) -> (u64, Times),
) -> (Recorder, u64) {
    let (args, recorded) = (commitment.root(), commitment.disclose());
    let arguments = String::from_utf8(jcs::to_vec(arguments).unwrap()).unwrap();
    let random = sample.host.random.as_mut();
    let mut salt = || {
        let mut octets = [0; 32];
        random.fill(&mut octets).unwrap();
        Base64UrlUnpadded::encode_string(&octets)
    };
    let key_id = sample.host.signer.key_id();
    let Span::OversightSuspend(suspend) = common::suspend(args, 0, 1) else { unreachable!() };
    let Span::HumanDecision(human) = common::decision(args) else { unreachable!() };
    let (count, head) = recorder.head();
    let first = sample.files.records.split(|&octet| octet == b'\n').next().unwrap();
    let Entry { common: run, span: Span::AgentInvoke(invoke), .. } = Entry::read(first).unwrap() else {
        unreachable!()
    };
    let case_salt = salt();
    let mut token_claims = json!({
        "argsHash": args, "art22": run.art22, "bundleHash": invoke.bundle_hash, "callId": exec_id(0), "caseId": sha256(case_salt.as_bytes()),
        "chainHead": head, "expiresAt": suspend.expires_at, "fingerprint": invoke.fingerprint, "issuedAt": common::at(0),
        "keyId": key_id, "model": invoke.model_snapshot, "nonce": salt(), "obligation": {"approvers": 1, "trainings": []}, "of": suspend.of,
        "origin": invoke.origin, "principal": run.principal, "reason": suspend.reason, "registryHash": invoke.registry_hash,
        "runId": sample.run_id, "segment": 0, "sequence": count - 1, "slot": suspend.slot, "subject": run.subject,
        "tenant": run.tenant, "tool": suspend.tool,
    });
    if run.subject.is_none() {
        token_claims.as_object_mut().unwrap().remove("subject");
    }
    let token_claims = Claims(token_claims);
    let signed = sign_token(&token_claims, &sample.host.signer);
    let token = format!("fz1.{}.{}", Base64UrlUnpadded::encode_string(&signed.0), write_signature(&signed.1));
    let token_hash = sha256(&signed.0);
    let case = json!({
        "agent": invoke.agent_name, "arguments": arguments, "purpose": invoke.purpose,
        "classification": if run.subject.is_some() { "personal" } else { "confidential" },
        "recorded": recorded, "salt": case_salt, "template": "fuze/case/v1", "toolDescription": "Recommends somebody.",
    });
    let rationale = Opened {
        json: "\"the dossier holds\"".to_owned(),
        salt: serde_json::from_value(Value::String(salt())).unwrap(),
    };
    let commit = |salt: &Value, text: String| {
        let salt = serde_json::from_value(salt.clone()).unwrap();
        Opening { path: String::new(), value: Value::String(text), salt }.leaf_hash().unwrap()
    };
    let shown = String::from_utf8(jcs::to_vec(&(&token, &case)).unwrap()).unwrap();
    let claims = DecisionClaims(json!({
        "acks": [], "action": human.action, "custody": human.custody, "decidedAt": common::at(1_000_000_000),
        "tokenHash": token_hash, "keyId": overseer.key_id(), "overseer": human.overseer, "training": human.training,
        "caseHash": commit(&case["salt"], shown),
        "rationaleHash": commit(&serde_json::to_value(rationale.salt).unwrap(), rationale.json.clone()),
    }));
    let signed = sign_object(&claims, overseer).unwrap();
    let decision = format!(
        "fzd1.{}.{}",
        Base64UrlUnpadded::encode_string(&signed.bytes),
        write_signature(&signed.signature)
    );

    let (suspended, at) = next(1, 900);
    let span = OversightSuspend { token_hash, ..suspend }.into();
    let record = recorder.append(suspended, 0, at, &span, None).unwrap();
    sample.add(&record, None);
    let root = recorder.suspend(at.ended_at, &sample.host.signer).unwrap();
    sample.root(&root);
    let (person, at) = next(8_040_000, 700);
    let span =
        HumanDecision { decision_hash: signed.hash(), key_id: overseer.key_id(), token_hash, ..human }.into();
    let record = recorder.append(person, suspended, at, &span, None).unwrap();
    sample.add(&record, None);
    let (id, at) = next(0, 400);
    let record = recorder.append(id, 0, at, &common::resume(1), None).unwrap();
    sample.add(&record, None);
    let opened = Openings { rationale: Some(rationale), ..Openings::default() };
    oversight.push(OversightMember { case: Some(case), decision, opened: Some(opened), token });
    (recorder, person)
}

fn sign_token(claims: &Claims, signer: &FileSigner) -> (Vec<u8>, [u8; 64]) {
    let signed = sign_object(claims, signer).unwrap();
    (signed.bytes, signed.signature)
}

macro_rules! signed_value {
    ($name:ident, $domain:literal) => {
        /// Members that are signed; only those that a bundle looks at.
        struct $name(Value);

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Value::deserialize(deserializer).map(Self)
            }
        }

        impl fuze_evidence::sign::SignedObject for $name {
            const DOMAIN: &'static str = $domain;
        }
    };
}

signed_value!(Claims, "fuze/resume/v1");
signed_value!(DecisionClaims, "fuze/decision/v1");

/// A source of octets that is the same on every machine.
pub fn random(seed: u64) -> impl fuze_evidence::random::Random {
    Counter(u64::MAX / 2 + (seed << 10))
}

/// The key that signs the runs of a deployment, once more.
pub fn signer_of(deployment: u64) -> FileSigner {
    FileSigner::ephemeral(name("test"), &mut Counter(deployment << 40)).unwrap()
}

/// The moment in which all runs began.
pub fn beginning() -> Timestamp {
    common::at(0)
}

/// A moment after all runs have closed.
pub fn later() -> Timestamp {
    common::at(90_000_000_000_000)
}

/// The history of the deployment's key: it was in force, another took its place, and it was revoked, of late.
pub struct Keys {
    pub history: KeyHistory,
    /// Before the revocation.
    pub older: KeyHistory,
    pub first: KeyId,
}

impl Keys {
    pub fn new(compromised_since: Option<Timestamp>) -> Self {
        let (key, next) = (signer_of(1), signer_of(6));
        let origin = Name::new("hr.example.eu").unwrap();
        let mut history = KeyHistory::introduce(origin, KeyRole::Run, beginning(), &key).unwrap();
        history.rotate(later(), &key, &next).unwrap();
        let older = history.clone();
        history.revoke(later(), key.key_id(), compromised_since, &next).unwrap();
        Self { history, older, first: key.key_id() }
    }
}

/// An annex in which the run was contested, held, and let go again, by the key that came next; and another run's line.
pub fn annex_of(run: &Run, keys: &Keys) -> Vec<u8> {
    use fuze_evidence::annex::{Annex, Contest, Event, Hold, HoldReason, HoldScope};
    let report =
        fuze_audit::verify::verify(std::io::Cursor::new(run.bundle(Selection::nothing())), &run.trust());
    let run_id = report.unwrap().run.run_id;
    let other = fuze_evidence::RunId::generate(later(), &mut random(5)).unwrap();
    let input = ContentLine::read(run.files.content.split(|&b| b == b'\n').next().unwrap());
    let contest = Contest { run_id, root: Some(input.unwrap().root()), statement: sha256(b"statement") };
    let hold = |scope, reason| Hold { scope, reason };
    let mut annex = Annex::begin(keys.history.origin().clone(), name("acme"));
    let events = [
        Event::Contested(contest),
        Event::Hold(hold(HoldScope::Run(run_id), HoldReason::LegalClaims)),
        Event::Hold(hold(HoldScope::Run(other), HoldReason::LegalClaims)),
        Event::Hold(hold(HoldScope::Tenant, HoldReason::EvidenceFreeze)),
        Event::Release(hold(HoldScope::Run(run_id), HoldReason::LegalClaims)),
    ];
    let next = signer_of(6);
    let mut octets = Vec::new();
    for event in events {
        octets.extend(annex.append(later(), name("officer-1"), event, &next).unwrap());
        octets.push(b'\n');
    }
    octets
}
