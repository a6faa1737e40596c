//! Secrets, personal identifiers, and data subjects who are erased.

use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, Suspended};
use fuze_agent::{RunError, Secret, Secrets};
use fuze_agent_loop_tests::{Altered, Desk, Evidence, Person, SHORT, World, agent, person};
use fuze_evidence::chain::{Recorder, Times};
use fuze_evidence::random::OsRandom;
use fuze_evidence::record::Entry;
use fuze_evidence::snapshot::{open_snapshot, seal_snapshot};
use fuze_evidence::{RunKeys, Span};
use serde_json::{Value, json};

use super::{run, suspended};

const KEY: &str = "k3y-of/the+house!";
const IBAN: &str = "DE89370400440532013000";
const OTHER_IBAN: &str = "FR1420041010050500013M02606";
const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "anna.maier@example.eu";

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn base64(text: &str) -> String {
    const TABLE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sign = if i <= chunk.len() { TABLE[(n >> (18 - 6 * i)) as usize & 63] } else { b'=' };
            out.push(char::from(sign));
        }
    }
    out
}

/// Uses the key.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none, observes_secrets), effect = read)]
async fn opens(ctx: &Ctx<'_, World>, how: String) -> Result<Value, ToolError> {
    let key = ctx.secret("key")?.expose().to_owned();
    ctx.deps().does("opened");
    match how.as_str() {
        "plain" => Ok(json!({ "said": format!("the key is {key}"), key: [1, "x"] })),
        "base64" => Ok(json!(base64(&key))),
        "basic" => Ok(json!(format!("Basic {}", base64(&format!("anna:{key}"))))),
        "hex" => Ok(json!([hex(&key), hex(&key).to_uppercase()])),
        "error" => Err(ToolError::new(format!("401 for {key}"))),
        "panic" => panic!("no entry with {key}"),
        "missing" => ctx.secret("other").map(|_| json!(1)),
        _ => Ok(json!("fine")),
    }
}

/// Pays.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), needs_approval = always,
)]
async fn transfer(ctx: &Ctx<'_, World>, to: String, note: String) -> Result<String, ToolError> {
    ctx.deps().does(format!("transfer to {to}"));
    Ok(format!("sent to {to} ({note})"))
}

/// Asks a person about an account.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = read, requests_oversight,
)]
async fn doubts(ctx: &Ctx<'_, World>, account: String) -> Result<bool, ToolError> {
    let answer = ctx.request_oversight(format!("Is {account} really theirs?")).await;
    Ok(matches!(answer, OversightAnswer::Approved))
}

agent! { Teller [doubts, transfer] String }
agent! { Keeper [opens] String steps 40 retries 0 tokens 100_000 }
agent! { Bank [transfer] String }

async fn opened(how: &str) -> (Outcome<String>, Evidence, String) {
    let (desk, world) = (Desk::new(), World::new());
    let secrets = Secrets::none().with("key", Secret::new(KEY.into()));
    let deployment = desk.builder(Fixed::new().allow_tool("opens"), &[]).secrets(secrets).build().unwrap();
    let model = Arc::new(ScriptedModel::new().keeping().call("opens", json!({ "how": how })).answer("end"));
    let outcome = run(&deployment, Keeper, &world, model.clone()).await;
    let evidence = desk.evidence(outcome.report().run_id);
    let seen = serde_json::to_string(&model.seen()).unwrap();
    (outcome, evidence, seen)
}

#[tokio::test]
async fn a_secret_reaches_neither_model_nor_evidence_in_any_form() {
    let forms =
        [KEY.to_owned(), hex(KEY), hex(KEY).to_uppercase(), base64(KEY), base64(&format!("anna:{KEY}"))];
    for how in ["plain", "base64", "basic", "hex", "error", "panic"] {
        let (outcome, evidence, seen) = opened(how).await;
        assert_eq!(outcome.status(), "completed", "{how}: {outcome:?}");
        for form in &forms {
            for (place, text) in [
                ("files", &evidence.files),
                ("content", &evidence.said()),
                ("history", &seen),
                ("report", &format!("{outcome:?}")),
            ] {
                assert!(!text.contains(form.as_str()), "{how}: `{form}` in the {place}: {text}");
            }
        }
        assert!(seen.contains("[secret]"), "{how}: {seen}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_an_error_of_the_call() {
    let (outcome, evidence, _) = opened("missing").await;
    assert_eq!(outcome.status(), "completed");
    assert_eq!(evidence.executions(), ["opens error"]);
}

struct Case {
    desk: Desk,
    world: World,
    anna: Person,
}

impl Case {
    fn new() -> Self {
        Self { desk: Desk::new(), world: World::new(), anna: person("anna") }
    }

    fn deployment(&self) -> Deployment {
        self.desk.deploy(Fixed::new().allow_tool("transfer"), &[&self.anna])
    }

    async fn waiting(&self) -> Suspended {
        let args = json!({"to": IBAN, "note": format!("{MAIL}, {CARD}")});
        let model = ScriptedModel::new().call("transfer", args).answer("end");
        let run = self.deployment().run(Bank, self.world.clone(), model).tenant("t").principal("p");
        let run = run.subject("customer 4711 Maier").input(format!("Pay {IBAN} for {MAIL}"));
        suspended(run.start().await.unwrap())
    }

    async fn resume_on(
        &self,
        deployment: &Deployment,
        waiting: Suspended,
    ) -> Result<Outcome<String>, RunError> {
        let decision = self.anna.decides(&waiting.cases()[0], &Action::Approve);
        let resumable = waiting.verify(&[decision]).unwrap();
        deployment.resume(Bank, self.world.clone(), ScriptedModel::new().answer("end"), resumable).go().await
    }
}

#[tokio::test]
async fn personal_identifiers_are_in_no_record_and_in_no_content_but_the_tool_gets_them() {
    let case = Case::new();
    let waiting = case.waiting().await;
    // The overseer sees what will run.
    assert_eq!(waiting.cases()[0].arguments()["to"], IBAN);
    let id = waiting.run_id();
    let outcome = case.resume_on(&case.deployment(), waiting).await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(case.world.log(), [format!("transfer to {IBAN}")]);
    let evidence = case.desk.evidence(id);
    for plain in [IBAN, CARD, MAIL] {
        assert!(!evidence.files.contains(plain), "{plain} in a file");
        assert!(!evidence.said().contains(plain), "{plain} in the content: {}", evidence.said());
    }
    for plain in ["customer 4711", "Maier"] {
        assert!(!evidence.files.contains(plain), "{plain} in a file");
    }
    assert!(evidence.said().contains("[iban:"), "{}", evidence.said());
    // The alias is random: another one in each run.
    let again = case.waiting().await;
    let aliases = [evidence, case.desk.evidence(again.run_id())]
        .map(|evidence| evidence.records[0]["common"]["fuze.subject.ref"].as_str().unwrap().to_owned());
    assert_ne!(aliases[0], aliases[1]);
}

#[tokio::test]
async fn a_tools_question_is_content_of_its_record() {
    let case = Case::new();
    let deployment = case.desk.deploy(Fixed::new().allow_classification("personal"), &[&case.anna]);
    let model = || {
        ScriptedModel::new()
            .calls(&[("doubts", json!({"account": IBAN})), ("transfer", json!({"to": IBAN, "note": ""}))])
    };
    let run = deployment.run(Teller, case.world.clone(), model().answer("end")).subject("customer 4711");
    let waiting = suspended(run.start().await.unwrap());
    let id = waiting.run_id();
    // The person sees it as it is; the record commits to it redacted.
    let shown = |case: &fuze_agent::suspend::Case| case.data().question.clone();
    let questions: Vec<_> = waiting.cases().iter().map(shown).collect();
    assert_eq!(questions, [None, Some(format!("Is {IBAN} really theirs?"))]);
    let evidence = case.desk.evidence(id);
    assert_eq!(evidence.count("oversight.suspend"), 2);
    let [asked] = evidence.contents("oversight.suspend")[..] else { panic!("{:?}", evidence.content) };
    let members: Vec<_> = asked.as_object().unwrap().keys().collect();
    assert_eq!(members, ["question"], "what waits for other reasons is the arguments");
    let question = asked["question"].as_str().unwrap();
    assert!(question.starts_with("Is [iban:") && question.ends_with("] really theirs?"), "{question}");
    assert!(!evidence.files.contains(IBAN) && !evidence.said().contains(IBAN));
    // The run goes on over a record that has content.
    let decisions: Vec<_> =
        waiting.cases().iter().map(|shown| case.anna.decides(shown, &Action::Approve)).collect();
    let resumable = waiting.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("end");
    let outcome = deployment.resume(Teller, case.world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(case.desk.evidence(id).contents("oversight.suspend"), [&json!({ "question": question })]);
}

#[tokio::test]
async fn what_is_redacted_is_bound_all_the_same() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let shown = &waiting.cases()[0];
    let root = shown.token().claims().args_hash;
    let recorded = shown.data().recorded.as_ref().unwrap().value(root).unwrap();
    assert!(recorded["to"].as_str().unwrap().starts_with("[iban:"), "{recorded}");
    assert!(!recorded.to_string().contains(OTHER_IBAN));
}

/// Opens the stored snapshot with the keys that a thief of the store and the master key would have, changes it and seals
/// it again.
fn changed(desk: &Desk, from: &'static str, to: &'static str) -> Altered {
    let (master, subjects) = (desk.master(), desk.subjects.clone());
    Altered::new(&desk.store, move |stored| {
        use fuze_evidence::keys::SubjectKeys as _;
        let alias = stored.subject.clone();
        let key = alias.as_ref().and_then(|alias| subjects.find(alias).unwrap());
        let keys = RunKeys::unwrap(&stored.keys, &master, alias.zip(key.as_ref())).unwrap();
        for piece in &mut stored.progress {
            let hash = fuze_evidence::sha256(&piece.bytes);
            let plain = open_snapshot(&piece.bytes, hash, &keys, piece.sequence, piece.epoch).unwrap();
            let text = String::from_utf8(plain.to_vec()).unwrap();
            assert!(text.contains(from));
            let text = text.replace(from, to);
            let sealed =
                seal_snapshot(text.as_bytes(), &keys, piece.sequence, piece.epoch, &mut OsRandom::new());
            piece.bytes = sealed.unwrap().ciphertext;
        }
    })
}

#[tokio::test]
async fn an_account_that_is_exchanged_after_the_approval_is_found_out() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let altered = Arc::new(changed(&case.desk, IBAN, OTHER_IBAN));
    let policy = Fixed::new().allow_tool("transfer");
    let deployment = case.desk.builder_on(altered, policy, &[&case.anna]).build().unwrap();
    let error = case.resume_on(&deployment, waiting).await.unwrap_err();
    assert!(matches!(error, RunError::Snapshot(_)), "{error}");
    assert_eq!(case.world.log(), [""; 0]);
}

/// Exchanges the account in the call that waits, and nothing else, then writes everything that vouches for the snapshot
/// anew: what a thief of the store, of the master key and of the signing key would have.
fn forged(desk: &Desk) -> Altered {
    let (master, subjects, keys) = (desk.master(), desk.subjects.clone(), desk.signer());
    Altered::new(&desk.store, move |stored| {
        use fuze_evidence::keys::SubjectKeys as _;
        let alias = stored.subject.clone();
        let key = alias.as_ref().and_then(|alias| subjects.find(alias).unwrap());
        let run = RunKeys::unwrap(&stored.keys, &master, alias.zip(key.as_ref())).unwrap();
        let [piece] = &mut stored.progress[..] else { panic!("one snapshot") };
        let hash = fuze_evidence::sha256(&piece.bytes);
        let plain = open_snapshot(&piece.bytes, hash, &run, piece.sequence, piece.epoch).unwrap();
        let mut state: Value = serde_json::from_slice(&plain).unwrap();
        let executions = state["header"]["executions"].as_object_mut().unwrap();
        for execution in executions.values_mut() {
            let canonical = execution["decided"]["canonical"].as_str().unwrap().replace(IBAN, OTHER_IBAN);
            execution["decided"]["canonical"] = canonical.into();
            execution["decided"]["root"] = fuze_evidence::sha256(b"another root").to_string().into();
        }
        let chain = serde_json::from_value(state["header"]["chain"].clone()).unwrap();
        let plain = serde_json::to_vec(&state).unwrap();
        let sealed = seal_snapshot(&plain, &run, piece.sequence, piece.epoch, &mut OsRandom::new()).unwrap();
        piece.bytes = sealed.ciphertext;
        let mut recorder = Recorder::resume(chain).unwrap();
        for line in &mut stored.records_after_progress {
            let entry = Entry::read(line).unwrap();
            let Span::OversightSuspend(mut suspend) = entry.span else { panic!("a suspension") };
            suspend.snapshot_hash = sealed.hash;
            let times = Times { started_at: entry.started_at, ended_at: entry.ended_at };
            let record = recorder.append(entry.step_id, 0, times, &suspend.into(), None).unwrap();
            *line = record.bytes().to_vec();
        }
        let at = fuze_evidence::Timestamp::from_system_time(std::time::SystemTime::now()).unwrap();
        stored.last_root = Some(recorder.suspend(at, &*keys).unwrap().bytes().to_vec());
        stored.head = recorder.head();
    })
}

#[tokio::test]
async fn a_token_is_for_the_arguments_that_wait_and_for_no_others() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let id = waiting.run_id();
    let altered = Arc::new(forged(&case.desk));
    let policy = Fixed::new().allow_tool("transfer");
    let deployment = case.desk.builder_on(altered, policy, &[&case.anna]).build().unwrap();
    // The person is shown what the token names; what would run is something else.
    let shown = deployment.suspended(id).await.unwrap();
    assert_eq!(shown.cases()[0].arguments()["to"], IBAN);
    for action in [Action::Approve, Action::Reject, Action::Halt] {
        let shown = deployment.suspended(id).await.unwrap();
        let decision = case.anna.decides(&shown.cases()[0], &action);
        let resumable = shown.verify(&[decision]).unwrap();
        let model = ScriptedModel::new().answer("end");
        let resumed = deployment.resume(Bank, case.world.clone(), model, resumable).go().await;
        let error = resumed.unwrap_err();
        assert!(matches!(error, RunError::Snapshot(_)), "{error}");
        assert!(error.to_string().contains("other arguments than those that wait"), "{error}");
    }
    assert_eq!(case.world.log(), [""; 0]);
    // Nothing was consumed: from the store as it is, the run goes on.
    assert_eq!(case.resume_on(&case.deployment(), waiting).await.unwrap().status(), "completed");
    assert_eq!(case.world.log(), [format!("transfer to {IBAN}")]);
}

#[tokio::test]
async fn what_is_stored_cannot_be_cut_swapped_or_rolled_back() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let id = waiting.run_id();
    type Change = fn(&mut fuze_agent::store::StoredRun);
    let changes: [(&str, Change); 8] = [
        ("flipped", |run| run.progress[0].bytes[40] ^= 1),
        ("cut", |run| run.progress[0].bytes.truncate(60)),
        ("none", |run| run.progress.clear()),
        ("another sequence", |run| run.progress[0].sequence += 1),
        ("another epoch", |run| run.progress[0].epoch += 1),
        ("a record less", |run| drop(run.records_after_progress.pop())),
        ("another head", |run| run.head.0 += 1),
        ("no root", |run| run.last_root = None),
    ];
    for (what, change) in changes {
        let altered = Arc::new(Altered::new(&case.desk.store, change));
        let policy = Fixed::new().allow_tool("transfer");
        let deployment = case.desk.builder_on(altered, policy, &[&case.anna]).build().unwrap();
        let error = deployment.suspended(id).await.expect_err(what);
        assert!(matches!(error, RunError::Snapshot(_)), "{what}: {error}");
    }
    let outcome = case.resume_on(&case.deployment(), waiting).await.unwrap();
    assert_eq!(outcome.status(), "completed");
}

#[tokio::test]
async fn a_snapshot_of_a_later_version_is_refused_by_its_number() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let altered = Arc::new(changed(&case.desk, "{\"v\":1,", "{\"v\":9,"));
    let deployment = case.desk.builder_on(altered, Fixed::new().allow_tool("transfer"), &[&case.anna]);
    let error = deployment.build().unwrap().suspended(waiting.run_id()).await.unwrap_err();
    assert!(matches!(error, RunError::SnapshotVersion { found: 9, known: 1 }), "{error}");
}

#[tokio::test]
async fn a_run_of_a_subject_who_was_erased_cannot_go_on_and_says_why() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let id = waiting.run_id();
    case.desk.subjects.erase_all();
    let error = case.resume_on(&case.deployment(), waiting).await.unwrap_err();
    assert!(error.to_string().contains("was erased"), "{error}");
    let error = case.deployment().suspended(id).await.unwrap_err();
    assert!(error.to_string().contains("was erased"), "{error}");
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let case = Case::new();
    let waiting = case.waiting().await;
    let keys = Keys::ephemeral().unwrap();
    let policy = Fixed::new().allow_tool("transfer");
    let registry = fuze_agent::suspend::OverseerRegistry::new().with(case.anna.entry()).unwrap();
    let deployment = Deployment::with_store("test.example", keys, policy, Arc::new(case.desk.store.clone()));
    let deployment = deployment.overseers(registry).build().unwrap();
    assert!(deployment.suspended(waiting.run_id()).await.is_err());
}

/// A store that refuses the run, a sink that fails, a run that is dropped before it is anywhere, an input that is refused before: in no
/// case is a key of the person left for a run that there is not. Where nobody knows whether the run stands, the key does.
#[tokio::test]
async fn a_subjects_key_does_not_outlive_a_run_that_never_began() {
    use fuze_agent::store::StoreError;
    use fuze_agent_loop_tests::Fragile;
    use fuze_evidence::sink::JsonlSink;
    let teller = |deployment: &Deployment| {
        let run = deployment.run(Teller, World::new(), ScriptedModel::new().answer("end"));
        run.tenant("t").principal("p").subject("customer 4711").input("go")
    };
    let (desk, anna) = (Desk::new(), person("anna"));
    let deployment = desk.deploy(Fixed::new(), &[&anna]);
    desk.store.fail_from(1, StoreError::Full);
    let outcome = teller(&deployment).start().await.unwrap();
    assert!(matches!(&outcome, Outcome::Halted { why, .. } if why.contains("no room")), "{outcome:?}");
    assert_eq!((desk.subjects.made(), desk.subjects.kept(), desk.store.runs().len()), (1, 0, 0));
    desk.store.mend();
    let outcome = teller(&deployment).start().await.unwrap();
    assert_eq!((outcome.status(), desk.subjects.kept()), ("completed", 1));
    // The run stands and nobody heard of it: it can still be opened, recovered and erased.
    let deployment = desk.builder_on(Fragile::unheard(&desk.store), Fixed::new(), &[&anna]).build().unwrap();
    assert!(matches!(teller(&deployment).start().await.unwrap(), Outcome::Halted { .. }));
    assert_eq!((desk.subjects.made(), desk.subjects.kept(), desk.store.runs().len()), (3, 2, 2));
    // A later failure is not the key's: the run is there.
    desk.store.fail_from(2, StoreError::Full);
    assert!(matches!(
        teller(&desk.deploy(Fixed::new(), &[&anna])).start().await.unwrap(),
        Outcome::Halted { .. }
    ));
    assert_eq!((desk.subjects.made(), desk.subjects.kept(), desk.store.runs().len()), (4, 3, 3));
    desk.store.mend();
    // A name that cannot be recorded is found before a key is made, and a run that was never started makes none.
    assert!(teller(&desk.deploy(Fixed::new(), &[&anna])).tenant("no name").start().await.is_err());
    drop(teller(&desk.deploy(Fixed::new(), &[&anna])).start());
    assert_eq!(desk.subjects.made(), 4);
    // Files: a directory that cannot be made.
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("runs"), b"").unwrap();
    let files = Desk::new();
    let sink = Arc::new(JsonlSink::new(place.path()));
    let deployment = Deployment::with_sink("test.example", files.keys(), Fixed::new(), sink).build().unwrap();
    // Without a store it is refused, and that cannot be put on record either.
    assert!(teller(&deployment).start().await.is_err());
    assert_eq!((files.subjects.made(), files.subjects.kept()), (1, 0));
}
