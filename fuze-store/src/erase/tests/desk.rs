//! A deployment with a store, runs in it, and the kinds of erasure.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent::store::{Batch, IssuedToken, Progress, RunState, RunStore as _, SealedProgress};
use fuze_evidence::annex::ErasureReason;
use fuze_evidence::chain::{Opened, Times};
use fuze_evidence::content::{commit, seal};
use fuze_evidence::erase::{Done, EraseError, Order, Registrar, Repeat, Target};
use fuze_evidence::keys::{FileSigner, FileSubjectKeys, MasterKey, Person, SubjectKeys};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::snapshot::seal_snapshot;
use fuze_evidence::span::{AgentInvoke, RunGap};
use fuze_evidence::verify::{ContentCounts, TrustedKeys, verify};
use fuze_evidence::vocab::{
    AnnexIii, Art22, Gap, InvokeAgentOperation, LawfulBasis, Residency, RunStatus, StartOutcome, Suite,
};
use fuze_evidence::{
    Annex, Common, Hash, Name, Recorder, Redactor, RunId, RunKeys, Signer as _, Timestamp, sha256,
};
use serde_json::{Value, json};

use super::super::{Eraser, EraserError};
use crate::{Options, SqliteStore, scan};

pub(super) const NAME: &str = "Zoë O'Hara of Ballinasloe";

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(super) fn at(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(1_795_294_256_000_000_000 + nanos).unwrap()
}

pub(super) fn order() -> Order {
    Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

pub(super) struct Desk {
    pub(super) place: tempfile::TempDir,
    pub(super) signer: Arc<FileSigner>,
    pub(super) master: Arc<MasterKey>,
    pub(super) subjects: Arc<FileSubjectKeys>,
}

/// A closed run with two contents, progress and a token, and the octets that must not survive it.
pub(super) struct Made {
    pub(super) run: RunId,
    pub(super) alias: Name,
    pub(super) roots: [Hash; 2],
    /// Cipher text, wrapped keys, sealed progress.
    pub(super) secrets: Vec<Vec<u8>>,
}

impl Desk {
    pub(super) fn new() -> Self {
        // In memory, if there is such a place: these tests sync thousands of times and lose no power.
        let memory = std::path::Path::new("/dev/shm");
        let place = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        let random = &mut OsRandom::new();
        let subjects = Arc::new(FileSubjectKeys::new(place.path().join("subjects")));
        let signer = Arc::new(FileSigner::ephemeral(name("test"), random).unwrap());
        Self { place, signer, master: Arc::new(MasterKey::ephemeral(random).unwrap()), subjects }
    }

    pub(super) fn open(&self) -> SqliteStore {
        SqliteStore::open(self.place.path().join("store"), &Options::default()).unwrap()
    }

    pub(super) fn eraser<'s>(&self, store: &'s SqliteStore) -> Eraser<'s> {
        let registrar = Registrar::new(name("hr.example.eu"), self.signer.clone()).unwrap();
        Eraser::new(store, registrar).master_key(self.master.clone()).subject_keys(self.subjects.clone())
    }

    /// Verifies tables and files, with the annex as the file has it.
    pub(super) fn counts(&self, store: &SqliteStore, run: RunId) -> ContentCounts {
        let key = PublicKey::from_bytes(self.signer.public_key()).unwrap();
        let keys = || TrustedKeys::new().run_key(key).master_key(&self.master).subject_keys(&*self.subjects);
        let annex = store.directory().join("annex").join(fuze_evidence::annex::file_name(&name("acme")));
        let annex = std::fs::read(annex).ok().map(|octets| Annex::read(&octets, &keys()).unwrap());
        let keys = annex.iter().fold(keys(), TrustedKeys::annex);
        let report = store.verify(run, &keys).unwrap().report;
        assert!(report.is_verified(), "{report:?}");
        assert_eq!(verify(&store.run_directory(run), &keys).unwrap(), report);
        report.content
    }

    pub(super) async fn make(&self, store: &SqliteStore, closed: bool) -> Made {
        self.make_for(store, closed, name("acme")).await
    }

    pub(super) async fn make_for(&self, store: &SqliteStore, closed: bool, tenant: Name) -> Made {
        let input = json!({"name": NAME, "case": 17, "notes": "n".repeat(9_000)});
        self.make_of(store, closed, tenant, input).await
    }

    /// A run with this input, which its progress holds too.
    pub(super) async fn make_of(
        &self,
        store: &SqliteStore,
        closed: bool,
        tenant: Name,
        input: Value,
    ) -> Made {
        let snapshot = [vec![7; 11_000], serde_json::to_vec(&input).unwrap()].concat();
        let random = &mut OsRandom::new();
        let run = RunId::generate(at(0), random).unwrap();
        let alias = name(&format!("s-{run}"));
        let key = self.subjects.create(&alias, Person { tenant: &tenant, reference: "17" }).unwrap();
        let keys = RunKeys::generate(run, Some((alias.clone(), &key)), random).unwrap();
        let wrapped = keys.wrap(&self.master, random).unwrap();
        let redactor = Redactor::new(&keys);
        let input = commit(redactor.redact(input), random).unwrap();
        let answer = commit(redactor.redact(json!({"text": "an answer"})), random).unwrap();
        let sealed = [seal(&input, &keys, random).unwrap(), seal(&answer, &keys, random).unwrap()];
        let common = Common {
            annex_iii: AnnexIii::None,
            art22: Art22::None,
            principal: name("p"),
            retention: name("r"),
            lawful_basis: Some(LawfulBasis::Contract),
            subject: Some(alias.clone()),
            tenant,
        };
        let signer = &*self.signer;
        let times = |nanos| Times { started_at: at(nanos), ended_at: at(nanos + 1) };
        let Opened { mut recorder, record, root } =
            Recorder::open(run, common, invoke(signer), Some(&input), times(0), signer).unwrap();
        let mut secrets: Vec<Vec<u8>> = sealed.iter().flat_map(ciphers).collect();
        let line: Value = serde_json::from_slice(&wrapped.to_line().unwrap()).unwrap();
        secrets.push(Base64UrlUnpadded::decode_vec(line["wrapped"].as_str().unwrap()).unwrap());
        let snapshot = seal_snapshot(&snapshot, &keys, 0, 1, random).unwrap();
        secrets.push(snapshot.ciphertext[..64].to_vec());
        let [first, second] = sealed;
        let batch = Batch {
            records: vec![record],
            contents: vec![first],
            keys: Some(wrapped),
            subject: Some(alias.clone()),
            roots: vec![root],
            progress: Some(Progress::Append(SealedProgress {
                sequence: 0,
                epoch: 1,
                bytes: snapshot.ciphertext,
            })),
            ..Batch::default()
        };
        let fence = store.create(run, batch).await.unwrap();
        let gap = RunGap { what: Gap::Process, exec_id: None }.into();
        let record = recorder.append(1, 0, times(10), &gap, Some(&answer)).unwrap();
        let batch = Batch { records: vec![record], contents: vec![second], ..Batch::default() };
        store.commit(fence, batch).await.unwrap();
        if closed {
            let token =
                IssuedToken { token_hash: sha256(run.as_bytes()), expires_at_unix_ms: u64::MAX >> 12 };
            let batch = Batch { tokens: vec![token], state: RunState::Suspended, ..Batch::default() };
            store.commit(fence, batch).await.unwrap();
            secrets.push(token.token_hash.0.to_vec());
            let record = recorder.close(2, 0, times(20), RunStatus::Completed, signer).unwrap().into_record();
            let batch = Batch { records: vec![record], state: RunState::Closed, ..Batch::default() };
            store.commit(fence, batch).await.unwrap();
        }
        Made { run, alias, roots: [input.root(), answer.root()], secrets }
    }

    pub(super) fn find(&self, secrets: &[Vec<u8>]) -> Vec<Option<String>> {
        scan::find_each(self.place.path(), secrets)
    }

    pub(super) fn finds_none(&self, secrets: &[Vec<u8>]) {
        assert_eq!(self.find(secrets), vec![None; secrets.len()]);
    }
}

/// The cipher texts of a content, and its wrapped keys.
pub(super) fn ciphers(sealed: &fuze_evidence::SealedContent) -> Vec<Vec<u8>> {
    let content: Value = serde_json::from_slice(sealed.content_line()).unwrap();
    let keys: Value = serde_json::from_slice(sealed.keys_line()).unwrap();
    let leaves = content["leaves"].as_array().unwrap().iter().filter_map(|leaf| leaf["data"].as_str());
    let texts = leaves.chain([keys["wrapped"].as_str().unwrap()]);
    // Of long ones each part of 48 octets: a page may keep a part.
    texts
        .flat_map(|text| {
            let octets = Base64UrlUnpadded::decode_vec(text).unwrap();
            octets
                .chunks(48)
                .filter(|part| part.len() >= 8)
                .step_by(7)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect()
}

pub(super) fn invoke(signer: &FileSigner) -> AgentInvoke {
    AgentInvoke {
        fingerprint: sha256(b"definition"),
        clock: name("system"),
        model: name("scripted"),
        signer: signer.identity(),
        sink: name("none"),
        store: Some(name("sqlite")),
        key_id: signer.key_id(),
        law_as_of: name("2026-11-01"),
        law_source: name("test"),
        model_residency: Residency::Eu,
        model_snapshot: name("scripted/1"),
        origin: name("hr.example.eu"),
        oversight_plan: None,
        registry_hash: None,
        training: None,
        bundle_hash: sha256(b"bundle"),
        engine: name("fixed"),
        permissive: false,
        purpose: name("test"),
        retention_content_days: 30,
        retention_decision_days: 200,
        retention_hash_days: 400,
        outcome: StartOutcome::Started,
        refusal: None,
        suite: Suite::Ed25519Sha256V1,
        agent_name: name("sample"),
        operation: InvokeAgentOperation::InvokeAgent,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Field,
    Record,
    Run,
    Subject,
    All,
}

pub(super) const CASES: [Case; 5] = [Case::Field, Case::Record, Case::Run, Case::Subject, Case::All];

impl Case {
    pub(super) async fn carry_out(self, eraser: &Eraser<'_>, made: &Made) -> Result<Done, EraserError> {
        let root = made.roots[0];
        let target = match self {
            Self::Field => Target::Fields {
                root,
                pointers: vec!["/name".into(), "/notes".into()],
                repeat: Repeat::Refuse,
            },
            Self::Record => Target::Record { root },
            Self::Run => Target::Run,
            Self::Subject => Target::Subject,
            Self::All => return eraser.retain(made.run, at(21).plus_days(400).unwrap()).await,
        };
        eraser.erase(made.run, target, order()).await
    }

    pub(super) fn left(self) -> Option<ContentCounts> {
        let (verified, erased) = match self {
            Self::Field => (9, 7),
            Self::Record => (8, 8),
            Self::Run | Self::Subject => (0, 16),
            Self::All => return None,
        };
        Some(ContentCounts { verified, erased, withheld: 0, missing: 0 })
    }

    /// Which of the secrets go: of a field or record not those of the other content.
    pub(super) fn gone(self, made: &Made) -> Vec<Vec<u8>> {
        match self {
            Self::Run | Self::Subject | Self::All => made.secrets.clone(),
            // The sealed progress holds all of it.
            Self::Field | Self::Record => vec![made.secrets[made.secrets.len() - 2].clone()],
        }
    }

    pub(super) async fn is_done(self, desk: &Desk, made: &Made, other: &Made) {
        let store = desk.open();
        assert!(store.bad_runs().is_empty(), "{:?}", store.bad_runs());
        match self.left() {
            Some(left) => assert_eq!(desk.counts(&store, made.run), left, "{self:?}"),
            None => {
                assert!(!store.run_directory(made.run).exists());
                let refused = desk.eraser(&store).erase(made.run, Target::Run, order()).await;
                assert!(matches!(refused, Err(EraserError::Erase(EraseError::UnknownRun(_)))));
            }
        }
        assert_eq!(desk.counts(&store, other.run).verified, 16);
        let annex = desk.eraser(&store).annex(name("acme")).await.unwrap();
        assert_eq!(annex.of_run(made.run).count(), 1, "{self:?}");
        let key = desk.subjects.find(&made.alias).unwrap();
        assert_eq!(key.is_none(), matches!(self, Self::Subject | Self::All), "{self:?}");
        store.close().await.unwrap();
    }
}

/// Parts of the long leaf of the first content: some thirty, the first in the list.
pub(super) fn desk_first(made: &Made) -> Vec<Vec<u8>> {
    let longest = made.secrets.iter().take_while(|part| part.len() == 48);
    longest.take(10).cloned().collect()
}
