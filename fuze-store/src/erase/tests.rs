//! Erasure from a store: nothing is left in any file, all that is left verifies, and a crash changes neither.

use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent::store::{Batch, IssuedToken, Progress, RunState, RunStore as _, SealedProgress, StoreError};
use fuze_evidence::annex::{AnnexError, ErasureReason, Hold, HoldReason, HoldScope};
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

use super::files::STEPS_LEFT;
use super::{Eraser, EraserError};
use crate::{Options, SqliteStore, scan};

const NAME: &str = "Zoë O'Hara of Ballinasloe";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn at(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(1_795_294_256_000_000_000 + nanos).unwrap()
}

fn order() -> Order {
    Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

struct Desk {
    place: tempfile::TempDir,
    signer: Arc<FileSigner>,
    master: Arc<MasterKey>,
    subjects: Arc<FileSubjectKeys>,
}

/// A closed run with two contents, progress and a token, and the octets that must not survive it.
struct Made {
    run: RunId,
    alias: Name,
    roots: [Hash; 2],
    /// Cipher text, wrapped keys, sealed progress.
    secrets: Vec<Vec<u8>>,
}

impl Desk {
    fn new() -> Self {
        let (place, random) = (tempfile::tempdir().unwrap(), &mut OsRandom::new());
        let subjects = Arc::new(FileSubjectKeys::new(place.path().join("subjects")));
        let signer = Arc::new(FileSigner::ephemeral(name("test"), random).unwrap());
        Self { place, signer, master: Arc::new(MasterKey::ephemeral(random).unwrap()), subjects }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(self.place.path().join("store"), &Options::default()).unwrap()
    }

    fn eraser<'s>(&self, store: &'s SqliteStore) -> Eraser<'s> {
        let registrar = Registrar::new(name("hr.example.eu"), self.signer.clone()).unwrap();
        Eraser::new(store, registrar).master_key(self.master.clone()).subject_keys(self.subjects.clone())
    }

    /// Verifies tables and files, with the annex as the file has it.
    fn counts(&self, store: &SqliteStore, run: RunId) -> ContentCounts {
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

    async fn make(&self, store: &SqliteStore, closed: bool) -> Made {
        self.make_for(store, closed, name("acme")).await
    }

    async fn make_for(&self, store: &SqliteStore, closed: bool, tenant: Name) -> Made {
        let random = &mut OsRandom::new();
        let run = RunId::generate(at(0), random).unwrap();
        let alias = name(&format!("s-{run}"));
        let key = self.subjects.create(&alias, Person { tenant: &tenant, reference: "17" }).unwrap();
        let keys = RunKeys::generate(run, Some((alias.clone(), &key)), random).unwrap();
        let wrapped = keys.wrap(&self.master, random).unwrap();
        let redactor = Redactor::new(&keys);
        let input =
            commit(redactor.redact(json!({"name": NAME, "case": 17, "notes": "n".repeat(9_000)})), random)
                .unwrap();
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
        let snapshot = seal_snapshot(&vec![7; 20_000], &keys, 0, 1, random).unwrap();
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

    fn find(&self, secrets: &[Vec<u8>]) -> Vec<Option<String>> {
        scan::find_each(self.place.path(), secrets)
    }

    fn finds_none(&self, secrets: &[Vec<u8>]) {
        assert_eq!(self.find(secrets), vec![None; secrets.len()]);
    }
}

/// The cipher texts of a content, and its wrapped keys.
fn ciphers(sealed: &fuze_evidence::SealedContent) -> Vec<Vec<u8>> {
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

fn invoke(signer: &FileSigner) -> AgentInvoke {
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
enum Case {
    Field,
    Record,
    Run,
    Subject,
    All,
}

const CASES: [Case; 5] = [Case::Field, Case::Record, Case::Run, Case::Subject, Case::All];

impl Case {
    async fn carry_out(self, eraser: &Eraser<'_>, made: &Made) -> Result<Done, EraserError> {
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

    fn left(self) -> Option<ContentCounts> {
        let (verified, erased) = match self {
            Self::Field => (9, 7),
            Self::Record => (8, 8),
            Self::Run | Self::Subject => (0, 16),
            Self::All => return None,
        };
        Some(ContentCounts { verified, erased, withheld: 0, missing: 0 })
    }

    /// Which of the secrets go: of a field or record not those of the other content.
    fn gone(self, made: &Made) -> Vec<Vec<u8>> {
        match self {
            Self::Run | Self::Subject | Self::All => made.secrets.clone(),
            // The sealed progress holds all of it.
            Self::Field | Self::Record => vec![made.secrets[made.secrets.len() - 2].clone()],
        }
    }

    async fn is_done(self, desk: &Desk, made: &Made, other: &Made) {
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

/// With the store open and after it was closed: database, -wal, -shm, files of runs, annex, keys.
#[tokio::test]
async fn what_was_erased_is_in_no_file() {
    scan::prove_itself();
    for case in CASES {
        let desk = Desk::new();
        let store = desk.open();
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(desk.make(&store, true).await);
        }
        let (own, other) = (&made[1], &made[2]);
        let both = [own.secrets.clone(), other.secrets.clone()].concat();
        assert!(desk.find(&both).iter().all(Option::is_some), "{case:?}");
        assert_eq!(case.carry_out(&desk.eraser(&store), own).await.unwrap(), Done::Erased);
        let mut gone = case.gone(own);
        if matches!(case, Case::Field | Case::Record) {
            let first = desk_first(own);
            gone.extend(first);
        }
        desk.finds_none(&gone);
        assert!(desk.find(&other.secrets).iter().all(Option::is_some), "{case:?}");
        if case != Case::All {
            assert_eq!(case.carry_out(&desk.eraser(&store), own).await.unwrap(), Done::Already);
        }
        store.close().await.unwrap();
        desk.finds_none(&gone);
        case.is_done(&desk, own, other).await;
    }
}

/// Parts of the long leaf of the first content: some thirty, the first in the list.
fn desk_first(made: &Made) -> Vec<Vec<u8>> {
    let longest = made.secrets.iter().take_while(|part| part.len() == 48);
    longest.take(10).cloned().collect()
}

/// A crash after each step that follows the COMMIT, with another process's eyes in between.
#[tokio::test]
async fn a_crash_after_the_commit_is_finished_later() {
    // After the COMMIT a record and a run take the steps of a field.
    for case in [Case::Field, Case::Subject, Case::All] {
        for step in 0.. {
            let desk = Desk::new();
            let store = desk.open();
            let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
            let set = move |_: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
                STEPS_LEFT.set(Some(step));
                Ok(())
            };
            store.ask(set).await.unwrap();
            let crashed = case.carry_out(&desk.eraser(&store), &made).await;
            store.close().await.unwrap();
            if crashed.is_ok() {
                assert!(step > 5, "{case:?} {step}");
                break;
            }
            let store = desk.open();
            let finished = desk.eraser(&store).recover().await.unwrap();
            assert_eq!(finished, [made.run], "{case:?} {step}");
            assert_eq!(desk.eraser(&store).recover().await.unwrap(), []);
            store.close().await.unwrap();
            case.is_done(&desk, &made, &other).await;
            desk.finds_none(&case.gone(&made));
            let left = scan::walk(desk.place.path());
            assert!(left.iter().all(|path| path.extension().is_none_or(|end| end != "new")), "{left:?}");
        }
    }
}

/// A commit that failed has erased nothing; one that nobody heard of is finished.
#[tokio::test]
async fn an_unclear_commit_erases_all_or_nothing() {
    use crate::database::Fault;
    for fault in [Fault::CommitLost, Fault::CommitUnheard] {
        let desk = Desk::new();
        let store = desk.open();
        let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
        let set = move |keeper: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
            keeper.database.fault = Some(fault);
            Ok(())
        };
        store.ask(set).await.unwrap();
        let unclear = Case::Run.carry_out(&desk.eraser(&store), &made).await;
        assert!(matches!(unclear, Err(EraserError::Store(StoreError::Unclear(_)))), "{unclear:?}");
        let again = Case::Run.carry_out(&desk.eraser(&store), &made).await.unwrap();
        let expected = if matches!(fault, Fault::CommitLost) { Done::Erased } else { Done::Already };
        assert_eq!(again, expected);
        store.close().await.unwrap();
        Case::Run.is_done(&desk, &made, &other).await;
    }
}

#[tokio::test]
async fn holds_open_runs_and_strangers_keep_their_content() {
    let desk = Desk::new();
    let store = desk.open();
    let (made, open) = (desk.make(&store, true).await, desk.make(&store, false).await);
    let eraser = desk.eraser(&store);
    let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::EvidenceFreeze };
    eraser.hold(name("acme"), hold, at(5), name("legal")).await.unwrap();
    for case in CASES {
        let refused = case.carry_out(&eraser, &made).await;
        assert!(
            matches!(refused, Err(EraserError::Erase(EraseError::Annex(AnnexError::Held { line: 0, .. })))),
            "{case:?}: {refused:?}"
        );
    }
    assert_eq!(desk.counts(&store, made.run).verified, 16);
    eraser.release(name("acme"), hold, at(6), name("legal")).await.unwrap();
    let twice = eraser.release(name("acme"), hold, at(7), name("legal")).await;
    assert!(matches!(twice, Err(EraserError::Erase(EraseError::Annex(AnnexError::NothingHeld)))));
    let refused = Case::Run.carry_out(&eraser, &open).await;
    assert!(matches!(refused, Err(EraserError::Erase(EraseError::NotClosed { waiting: false, .. }))));
    let registrar = Registrar::new(name("elsewhere"), desk.signer.clone()).unwrap();
    let refused = Eraser::new(&store, registrar).erase(made.run, Target::Run, order()).await;
    assert!(matches!(refused, Err(EraserError::Erase(EraseError::OtherOrigin { .. }))));
    // The person's closed run goes and the open one answers for itself.
    let tenant = name("acme");
    let person = Person { tenant: &tenant, reference: "17" };
    let erased = eraser.erase_person(person, order()).await.unwrap();
    assert_eq!(erased.runs.len(), 2);
    assert!(matches!(erased.runs[&made.run], Ok(Done::Erased)));
    assert!(matches!(erased.runs[&open.run], Err(EraseError::NotClosed { .. })));
    assert_eq!(desk.subjects.aliases(person).unwrap(), [open.alias]);
    assert_eq!(desk.counts(&store, made.run).erased, 16);
}

/// Somebody who reads keeps the write-ahead log from being cut: the erasure stands, says so, and is finished later.
#[tokio::test]
async fn a_reader_in_the_way_leaves_the_erasure_unfinished() {
    let desk = Desk::new();
    let options = Options::default().busy_timeout(std::time::Duration::from_millis(20));
    let store = SqliteStore::open(desk.place.path().join("store"), &options).unwrap();
    let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let reader = store.evidence(made.run).unwrap();
    let blocked = Case::Run.carry_out(&desk.eraser(&store), &made).await;
    assert!(matches!(blocked, Err(EraserError::Store(StoreError::Locked))), "{blocked:?}");
    drop(reader);
    assert_eq!(desk.eraser(&store).recover().await.unwrap(), [made.run]);
    desk.finds_none(&made.secrets);
    store.close().await.unwrap();
    Case::Run.is_done(&desk, &made, &other).await;
}

/// A file of one tenant that is not what the tables have: the store opens, that tenant is refused before anything goes, and says which
/// file; the other is erased from as ever.
#[tokio::test]
async fn an_annex_that_was_changed_stops_its_own_tenant_alone() {
    type Harm = fn(&Path, &[u8]);
    let harms: [Harm; 4] = [
        |path, octets| std::fs::write(path, [b"x", octets].concat()).unwrap(),
        |path, octets| std::fs::write(path, [octets, b"{}\n"].concat()).unwrap(),
        |path, octets| std::fs::write(path, octets.iter().map(|_| 0).collect::<Vec<u8>>()).unwrap(),
        |path, _| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        },
    ];
    for harm in harms {
        let desk = Desk::new();
        let store = desk.open();
        let (first, second) = (desk.make(&store, true).await, desk.make(&store, true).await);
        let other = desk.make_for(&store, true, name("other")).await;
        assert_eq!(Case::Record.carry_out(&desk.eraser(&store), &first).await.unwrap(), Done::Erased);
        store.close().await.unwrap();
        let path = desk.place.path().join("store/annex").join(fuze_evidence::annex::file_name(&name("acme")));
        let octets = std::fs::read(&path).unwrap();
        harm(&path, &octets);
        let store = desk.open();
        assert!(store.bad_runs().is_empty(), "{:?}", store.bad_runs());
        assert_eq!(store.bad_annexes().keys().collect::<Vec<_>>(), [&name("acme")]);
        let eraser = desk.eraser(&store);
        let named = |error: &EraserError| error.to_string().contains(&*path.to_string_lossy());
        for case in CASES {
            let refused = case.carry_out(&eraser, &second).await.unwrap_err();
            assert!(named(&refused), "{refused}");
        }
        let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
        let refused = eraser.hold(name("acme"), hold, at(5), name("legal")).await.unwrap_err();
        assert!(named(&refused), "{refused}");
        assert_eq!(eraser.annex(name("acme")).await.unwrap().entries().len(), 1, "nothing was said");
        assert!(desk.subjects.find(&second.alias).unwrap().is_some());
        eraser.hold(name("other"), hold, at(5), name("legal")).await.unwrap();
        eraser.release(name("other"), hold, at(6), name("legal")).await.unwrap();
        assert_eq!(Case::Subject.carry_out(&eraser, &other).await.unwrap(), Done::Erased);
        desk.finds_none(&other.secrets);
        // Moved away, it is written again.
        std::fs::rename(&path, path.with_extension("harmed")).unwrap();
        assert_eq!(Case::Run.carry_out(&eraser, &second).await.unwrap(), Done::Erased);
        assert!(std::fs::read(&path).unwrap().starts_with(&octets));
        store.close().await.unwrap();
        assert!(desk.open().bad_annexes().is_empty());
    }
}

/// The file is changed after the COMMIT and before the rest: that erasure stays unfinished, others are begun and finished.
#[tokio::test]
async fn an_erasure_that_is_stuck_holds_up_no_other_tenant() {
    let desk = Desk::new();
    let store = desk.open();
    let (first, second) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let other = desk.make_for(&store, true, name("other")).await;
    assert_eq!(Case::Record.carry_out(&desk.eraser(&store), &first).await.unwrap(), Done::Erased);
    let crash = |_: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
        STEPS_LEFT.set(Some(0));
        Ok(())
    };
    store.ask(crash).await.unwrap();
    assert!(Case::Run.carry_out(&desk.eraser(&store), &second).await.is_err());
    store.close().await.unwrap();
    let path = desk.place.path().join("store/annex").join(fuze_evidence::annex::file_name(&name("acme")));
    std::fs::write(&path, b"something else\n").unwrap();
    let store = desk.open();
    let eraser = desk.eraser(&store);
    assert!(matches!(eraser.recover().await, Err(EraserError::Store(StoreError::Projection(_)))));
    assert_eq!(Case::Run.carry_out(&eraser, &other).await.unwrap(), Done::Erased);
    desk.finds_none(&other.secrets);
    let refused = Case::Run.carry_out(&eraser, &first).await;
    assert!(matches!(refused, Err(EraserError::Store(StoreError::Projection(_)))), "{refused:?}");
    assert!(eraser.compact().await.is_err());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(eraser.recover().await.unwrap(), [second.run]);
    eraser.compact().await.unwrap();
    desk.finds_none(&second.secrets);
    assert_eq!(desk.counts(&store, second.run).erased, 16);
}

/// It is not corrupt, and asking for it makes no files.
#[tokio::test]
async fn a_run_that_was_erased_says_so_when_it_is_loaded() {
    for case in [Case::Run, Case::Subject, Case::All] {
        let desk = Desk::new();
        let store = desk.open();
        let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
        assert!(store.load(made.run).await.is_ok());
        assert_eq!(case.carry_out(&desk.eraser(&store), &made).await.unwrap(), Done::Erased);
        let refused = store.load(made.run).await;
        assert_eq!(refused.map(drop), Err(StoreError::Erased), "{case:?}");
        assert_eq!(store.run_directory(made.run).exists(), case != Case::All);
        assert!(store.load(other.run).await.is_ok());
        store.close().await.unwrap();
        case.is_done(&desk, &made, &other).await;
    }
}

/// The key that signs was replaced: whoever has the history of keys goes on with the annex, whoever has not is refused. A clock that
/// stands before the rotation makes no line that is older than its key.
#[tokio::test]
async fn the_next_key_goes_on_with_the_annex_by_the_history_of_keys() {
    use fuze_evidence::keys::history::{KeyHistory, KeyRole};
    let desk = Desk::new();
    let store = desk.open();
    let (first, second) = (desk.make(&store, true).await, desk.make(&store, true).await);
    assert_eq!(Case::Record.carry_out(&desk.eraser(&store), &first).await.unwrap(), Done::Erased);
    let origin = name("hr.example.eu");
    let next = Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap());
    let mut history = KeyHistory::introduce(origin.clone(), KeyRole::Run, at(0), &*desk.signer).unwrap();
    history.rotate(at(5_000), &*desk.signer, &*next).unwrap();
    let eraser = |registrar: Registrar| {
        Eraser::new(&store, registrar).master_key(desk.master.clone()).subject_keys(desk.subjects.clone())
    };
    let without = || Registrar::new(origin.clone(), next.clone()).unwrap();
    for case in CASES {
        let refused = case.carry_out(&eraser(without()), &second).await;
        assert!(matches!(refused, Err(EraserError::Erase(EraseError::AnnexBroken(_)))), "{refused:?}");
    }
    let with = eraser(without().history(history.clone()));
    assert_eq!(Case::Subject.carry_out(&with, &second).await.unwrap(), Done::Erased);
    let annex = with.annex(name("acme")).await.unwrap();
    let times: Vec<_> = annex.entries().iter().map(|entry| entry.at).collect();
    assert_eq!(times, [at(1_000), at(5_000)]);
    assert_eq!(Case::Run.carry_out(&with, &first).await.unwrap(), Done::Erased);
    // The first key's own Eraser, which knows of no other, does not go on.
    let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
    let refused = desk.eraser(&store).hold(name("acme"), hold, at(9_000), name("legal")).await;
    assert!(matches!(refused, Err(EraserError::Erase(EraseError::AnnexBroken(_)))), "{refused:?}");
    // An auditor who has the history alone.
    let path = store.directory().join("annex").join(fuze_evidence::annex::file_name(&name("acme")));
    let octets = std::fs::read(path).unwrap();
    let annex = Annex::read(&octets, &TrustedKeys::new().history(history.clone())).unwrap();
    let keys = TrustedKeys::new().history(history).annex(&annex);
    for made in [&first, &second] {
        let report = store.verify(made.run, &keys).unwrap().report;
        assert!(report.is_verified() && report.content.erased == 16, "{report:?}");
    }
}

/// Nothing goes from the tables without a statement, and the annex only grows: whoever writes.
#[tokio::test]
async fn the_tables_themselves_refuse() {
    let desk = Desk::new();
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::LegalClaims };
    desk.eraser(&store).hold(name("acme"), hold, at(5), name("legal")).await.unwrap();
    store.close().await.unwrap();
    let refuses = |sql: &str| {
        let file: &Path = &desk.place.path().join("store").join("fuze.sqlite");
        rusqlite::Connection::open(file).unwrap().execute(sql, []).is_err()
    };
    for sql in [
        "DELETE FROM contents",
        "UPDATE contents SET content = x'00'",
        "DELETE FROM records",
        "DELETE FROM tokens",
        "DELETE FROM effects WHERE 1",
        "UPDATE runs SET keys = x''",
        "DELETE FROM annex",
        "UPDATE annex SET line = x''",
    ] {
        // A table without rows has nothing to refuse.
        assert!(refuses(sql) || sql.contains("effects"), "{sql}");
    }
}

/// How many rows of content there are, their octets, and those that are blank.
async fn content_rows(store: &SqliteStore) -> (i64, i64, i64) {
    let count = |keeper: &mut crate::keeper::Keeper| {
        keeper.database.snapshot(|connection| {
            let sql =
                "SELECT count(*), sum(length(content) + length(keys)), sum(substr(content, 1, 1) = x'20')
                       FROM contents";
            connection
                .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .map_err(crate::error::sql)
        })
    };
    store.ask::<_, StoreError>(count).await.unwrap()
}

/// When a row goes or becomes smaller, SQLite moves its neighbours, and of what it moved a copy may stay behind and outlive its
/// erasure. So content is overwritten where it stands.
#[tokio::test]
async fn content_is_overwritten_where_it_stands() {
    for case in CASES {
        let desk = Desk::new();
        let store = desk.open();
        let mut made = Vec::new();
        for _ in 0..6 {
            made.push(desk.make(&store, true).await);
        }
        let (rows, octets, blank) = content_rows(&store).await;
        assert_eq!((rows, blank), (12, 0));
        let eraser = desk.eraser(&store);
        let mut gone = Vec::new();
        for one in [&made[4], &made[0], &made[2]] {
            assert_eq!(case.carry_out(&eraser, one).await.unwrap(), Done::Erased);
            gone.extend(case.gone(one));
            if matches!(case, Case::Field | Case::Record) {
                gone.extend(desk_first(one));
            }
        }
        let blanks = match case {
            Case::Field => 0,
            Case::Record => 3,
            Case::Run | Case::Subject | Case::All => 6,
        };
        assert_eq!(content_rows(&store).await, (rows, octets, blanks), "{case:?}");
        desk.finds_none(&gone);
        // All pages anew, and without the blanks.
        eraser.compact().await.unwrap();
        let (left, _, blank) = content_rows(&store).await;
        assert_eq!((left, blank), (rows - blanks, 0), "{case:?}");
        desk.finds_none(&gone);
        store.close().await.unwrap();
        case.is_done(&desk, &made[4], &made[1]).await;
    }
}

/// Nothing is in the file that no row has, whatever was moved about before: here as if a page had kept it.
#[tokio::test]
async fn compacting_leaves_nothing_in_unused_octets() {
    let desk = Desk::new();
    let store = desk.open();
    let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let careless = |keeper: &mut crate::keeper::Keeper| {
        let run = |connection: &rusqlite::Connection| {
            connection.execute("DELETE FROM progress", []).map(drop).map_err(crate::error::sql)
        };
        keeper.database.fresh().and_then(|connection| {
            connection.pragma_update(None, "secure_delete", "OFF").map_err(crate::error::sql)?;
            run(&connection)
        })
    };
    store.ask::<_, StoreError>(careless).await.unwrap();
    let progress = [made.secrets[made.secrets.len() - 2].clone()];
    assert!(desk.find(&progress)[0].is_some());
    desk.eraser(&store).compact().await.unwrap();
    desk.finds_none(&progress);
    assert_eq!(desk.counts(&store, made.run).verified, 16);
    assert_eq!(desk.counts(&store, other.run).verified, 16);
}

/// What is ordered for a run is heard in its own tenant's annex, and by a clock that fell behind the close.
#[tokio::test]
async fn orders_that_would_be_untrue_or_unheard() {
    let desk = Desk::new();
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let eraser = desk.eraser(&store);
    let hold = |run| Hold { scope: HoldScope::Run(run), reason: HoldReason::LegalClaims };
    let refused = eraser.hold(name("other"), hold(made.run), at(5), name("legal")).await;
    assert!(
        matches!(&refused, Err(EraserError::Erase(EraseError::OtherTenant { found })) if *found == name("acme")),
        "{refused:?}"
    );
    let stranger = RunId::generate(at(0), &mut OsRandom::new()).unwrap();
    let refused = eraser.hold(name("acme"), hold(stranger), at(5), name("legal")).await;
    assert!(matches!(refused, Err(EraserError::Erase(EraseError::UnknownRun(_)))), "{refused:?}");
    // A frozen tenant keeps the keys of runs that are elsewhere.
    let (tenant, orphan) = (name("acme"), name("s-orphan"));
    let person = Person { tenant: &tenant, reference: "17" };
    desk.subjects.create(&orphan, person).unwrap();
    let freeze = Hold { scope: HoldScope::Tenant, reason: HoldReason::EvidenceFreeze };
    eraser.hold(tenant.clone(), freeze, at(6), name("legal")).await.unwrap();
    let refused = eraser.erase_person(person, order()).await;
    assert!(
        matches!(refused, Err(EraserError::Erase(EraseError::Annex(AnnexError::Held { line: 0, .. })))),
        "{refused:?}"
    );
    assert!(desk.subjects.find(&orphan).unwrap().is_some());
    eraser.release(tenant.clone(), freeze, at(7), name("legal")).await.unwrap();
    let early = Order { at: at(-1_000), ..order() };
    assert_eq!(eraser.erase(made.run, Target::Run, early).await.unwrap(), Done::Erased);
    assert_eq!(desk.counts(&store, made.run).erased, 16);
    assert_eq!(eraser.annex(tenant.clone()).await.unwrap().entries()[2].at, at(21));
    let fields = Target::Fields { root: made.roots[0], pointers: vec![], repeat: Repeat::Refuse };
    let other = desk.make(&store, true).await;
    let nothing = Target::Fields { root: other.roots[0], pointers: vec![], repeat: Repeat::Refuse };
    let refused = eraser.erase(other.run, nothing, order()).await;
    assert!(matches!(refused, Err(EraserError::Erase(EraseError::NothingNamed))), "{refused:?}");
    assert_eq!(eraser.erase(made.run, fields, order()).await.unwrap(), Done::Already);
}
