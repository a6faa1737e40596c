//! Evidence: what is stored is what happened, or the verifier says that it is not.

use std::sync::Arc;

use fuze_agent::RunError;
use fuze_agent::prelude::*;
use fuze_agent::store::{RunState, SealedProgress, Start};
use fuze_agent::suspend::Action;
use fuze_agent_museum::office::{Deps, KEPT, Office, Place, World, office_rules, waiting, work};
use fuze_agent_museum::tamper::Tampered;
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::verify::VerifyError;
use fuze_evidence::{Hash, RunId, jcs, sha256};
use serde_json::{Value, json};

/// A run with a payment that a person approved.
async fn paid(place: &Place) -> RunId {
    let world = World::new();
    let deployment = place.office();
    let calls = [("note", json!({"text": "a|b"})), ("pay", json!({"to": "bakery", "cents": 1}))];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    let run = suspended.run_id();
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world, model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    run
}

fn lines(file: &[u8]) -> Vec<Value> {
    let lines = file.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Records as whoever has the file, but not the key, would write them anew: every hash and every link is right.
fn rewritten(records: &[Value]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut head = Hash::ZERO.to_string();
    for (sequence, record) in records.iter().enumerate() {
        let mut record = record.clone();
        record["sequence"] = json!(sequence);
        record["prevHash"] = json!(head);
        record.as_object_mut().unwrap().remove("hash");
        let hash = sha256(&jcs::to_vec(&record).unwrap()).to_string();
        record["hash"] = json!(hash);
        head = hash;
        file.extend(jcs::to_vec(&record).unwrap());
        file.push(b'\n');
    }
    file
}

/// adk-python PR #5545: whoever could write the session's events could change what had happened. Here a changed record
/// breaks its hash, a record with a right hash breaks the chain, a rewritten chain breaks the signatures at open, suspend
/// and close; and what a resume reads is encrypted and bound to run, record and epoch.
#[tokio::test]
async fn row_11_tampered_events_are_found() {
    let place = Place::new();
    let run = paid(&place).await;
    let files = place.files(run);
    assert!(place.verify_files(&files).unwrap().is_sound());
    let verified = |files: &MemoryRun| place.verify_files(files).is_ok_and(|report| report.is_verified());
    // A bit of every twenty-third octet; the format's own tests flip each.
    for at in (0..files.records.len()).step_by(23) {
        let mut changed = files.clone();
        changed.records[at] ^= 1 << (at % 8);
        assert!(!verified(&changed), "records, octet {at}");
    }
    for at in (0..files.roots.len()).step_by(23) {
        let mut changed = files.clone();
        changed.roots[at] ^= 1 << (at % 8);
        assert!(!verified(&changed), "roots, octet {at}");
    }
    // A record taken out, or two exchanged, and everything written anew.
    let records = lines(&files.records);
    for at in 0..records.len() {
        let mut without = records.clone();
        without.remove(at);
        assert!(
            !verified(&MemoryRun { records: rewritten(&without), ..files.clone() }),
            "without record {at}"
        );
        if at > 0 {
            let mut exchanged = records.clone();
            exchanged.swap(at, at - 1);
            assert!(!verified(&MemoryRun { records: rewritten(&exchanged), ..files.clone() }), "record {at}");
        }
    }
    assert_eq!(rewritten(&records), files.records, "the honest rewriting is the file itself");
}

/// adk-python PR #5545, of what a resume reads: nothing that was changed in the store is resumed, an older snapshot of the
/// same run included.
#[tokio::test]
async fn row_11_a_tampered_store_resumes_nothing() {
    let (place, world) = (Place::new(), World::new());
    let store = Tampered::new(&place.store);
    let deployment = place.builder_on(office_rules(), Arc::new(store.clone())).build().unwrap();
    let calls = [("note", json!({"text": "x"})), ("pay", json!({"to": "bakery", "cents": 1}))];
    let suspended = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await);
    let run = suspended.run_id();
    let foreign = waiting(work(&deployment, &world, ScriptedModel::new().calls(&calls)).await).run_id();
    let before = world.log();
    let pieces = store.pieces();
    let theirs = {
        use fuze_agent::store::RunStore;
        place.store.load(foreign).await.unwrap()
    };
    let last = pieces.iter().filter(|piece| piece.epoch == 1).count() / 2 - 1;
    assert!(last >= 2, "there are older pieces: {last}");

    type Change = Box<dyn FnMut(&mut fuze_agent::store::StoredRun) + Send>;
    let mut changes: Vec<(&str, Change)> = vec![
        ("a bit of the snapshot", Box::new(|run| run.progress[0].bytes[40] ^= 1)),
        ("no snapshot", Box::new(|run| run.progress.clear())),
        ("another sequence", Box::new(|run| run.progress[0].sequence += 1)),
        ("another epoch of the snapshot", Box::new(|run| run.progress[0].epoch += 1)),
        ("no records", Box::new(|run| run.records_after_progress.clear())),
        (
            "the records twice",
            Box::new(|run| {
                let again = run.records_after_progress.clone();
                run.records_after_progress.extend(again);
            }),
        ),
        ("another head", Box::new(|run| run.head.1 = sha256(b"head"))),
        ("no root", Box::new(|run| run.last_root = None)),
        ("another state", Box::new(|run| run.state = RunState::Running)),
    ];
    let snapshot = theirs.progress.clone();
    changes.push(("another run's snapshot", Box::new(move |run| run.progress.clone_from(&snapshot))));
    let keys = theirs.keys.clone();
    changes.push(("another run's keys", Box::new(move |run| run.keys = keys.clone())));
    let root = theirs.last_root.clone();
    changes.push(("another run's root", Box::new(move |run| run.last_root.clone_from(&root))));
    let after = theirs.records_after_progress.clone();
    changes
        .push(("another run's records", Box::new(move |run| run.records_after_progress.clone_from(&after))));
    // Every state that the run had before it suspended, with the records that came after it, in one piece and in many.
    let records = place.store.records(run);
    for upto in 0..last {
        let older: Vec<SealedProgress> = pieces[..=upto].to_vec();
        for older in [older.clone(), older[upto..].to_vec()] {
            let records = records.clone();
            changes.push((
                "an older snapshot",
                Box::new(move |run| {
                    let after = usize::try_from(older[older.len() - 1].sequence).unwrap() + 1;
                    run.progress.clone_from(&older);
                    run.records_after_progress = records[after..].to_vec();
                }),
            ));
        }
    }
    for (what, change) in changes {
        store.on_load(change);
        match deployment.suspended(run).await {
            Err(RunError::Snapshot(_) | RunError::NotSuspended | RunError::Token(_)) => {}
            Err(other) => panic!("{what}: {other}"),
            Ok(suspended) => panic!("{what}: {:?}", suspended.cases()),
        }
        let recovered =
            deployment.recover(Office, world.clone(), ScriptedModel::new().answer("x"), run).go().await;
        assert!(recovered.is_err(), "{what}: {recovered:?}");
        // Changed only after the decisions were verified.
        assert_eq!(world.log(), before, "{what}");
    }
    store.on_load(|_| {});
    // A ledger that says of a call that it had begun: whatever else it says, the call is not run.
    store.on_start(Start::AlreadyStarted);
    let suspended = deployment.suspended(run).await.unwrap();
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "halted", "the ledger contradicts itself");
    assert_eq!(world.log(), before);
}

/// agent-governance-toolkit#176 and its EU checklist: the hash of an entry was never computed, and the verifier of the chain
/// always said yes. Here the verifier reads each record strictly, writes it again, and computes every hash itself.
#[tokio::test]
async fn row_15_the_verifier_computes_every_hash() {
    let place = Place::new();
    let run = paid(&place).await;
    let files = place.files(run);
    let records = lines(&files.records);
    for at in 0..records.len() {
        // What was recorded is changed; the old hash stays.
        let mut lied = records.clone();
        lied[at]["payload"]["common"]["fuze.principal.id"] = json!("somebody-else");
        let mut file = Vec::new();
        for record in &lied {
            file.extend(jcs::to_vec(record).unwrap());
            file.push(b'\n');
        }
        let failed = place.verify_files(&MemoryRun { records: file, ..files.clone() }).unwrap_err();
        let VerifyError::Failed(failure) = failed else { panic!("{failed}") };
        assert_eq!(failure.line, u64::try_from(at).unwrap());
    }
}

/// agent-governance-toolkit `audit.rs`: the hash ran over `a|b|c`, so that a `|` in a field made another entry with the same
/// hash. Here canonical JSON is hashed, in which each value stands in its quotes under its name; and text does not stand in
/// a record at all.
#[tokio::test]
async fn row_16_a_separator_in_a_field_forges_nothing() {
    let place = Place::new();
    let run = paid(&place).await;
    let text = String::from_utf8(place.files(run).records).unwrap();
    assert!(!text.contains('|'), "the note's text is content");
    let hash = |payload: Value| {
        sha256(&jcs::to_vec(&json!({"payload": payload, "prevHash": Hash::ZERO, "sequence": 0})).unwrap())
    };
    let pairs = [
        (json!({"a": "x|y", "b": "z"}), json!({"a": "x", "b": "y|z"})),
        (json!({"a": "x\",\"b\":\"y"}), json!({"a": "x", "b": "y"})),
        (json!({"a": ["x", "y"]}), json!({"a": ["x\",\"y"]})),
        (json!({"a": "1"}), json!({"a": 1})),
        (json!({"a": ""}), json!({})),
    ];
    for (one, other) in pairs {
        assert_ne!(hash(one.clone()), hash(other.clone()), "{one} {other}");
    }
    for name in ["a|b", "a b", "a\nb", "a\"b", ""] {
        assert!(fuze_evidence::Name::new(name).is_err(), "{name:?}");
    }
}

/// Fuze TS and the Python SDK: `verifyChain([])` was true, a chain that was cut off verified, and forged entries without a
/// signature were accepted. Here nothing verifies as closed but a chain that ends in a close signed by a key that the
/// verifier was told to trust.
#[tokio::test]
async fn row_32_empty_truncated_and_unsigned_chains_do_not_verify() {
    let place = Place::new();
    let run = paid(&place).await;
    let files = place.files(run);
    let records = lines(&files.records);
    let of = |records: Vec<u8>| MemoryRun { records, ..files.clone() };
    assert!(place.verify_files(&MemoryRun::default()).is_err());
    for empty in ["", "\n", "[]\n", "{}\n", "null\n"] {
        assert!(place.verify_files(&of(empty.into())).is_err(), "{empty:?}");
    }
    // Cut off after each record, and in the midst of each.
    for upto in 0..records.len() {
        let cut = of(rewritten(&records[..upto]));
        assert!(!place.verify_files(&cut).is_ok_and(|report| report.is_verified()), "{upto} records");
    }
    for at in (0..files.records.len()).step_by(497) {
        let cut = of(files.records[..at].to_vec());
        assert!(!place.verify_files(&cut).is_ok_and(|report| report.is_verified()), "{at} octets");
    }
    // Somebody without the key appends, and closes anew with the old signature or none.
    let mut longer = records.clone();
    longer.insert(records.len() - 1, records[1].clone());
    assert!(place.verify_files(&of(rewritten(&longer))).is_err());
    let mut unsigned = records.clone();
    let last = unsigned.last_mut().unwrap();
    last["payload"].as_object_mut().unwrap().remove("signature");
    assert!(place.verify_files(&of(rewritten(&unsigned))).is_err());
    // A whole run, honestly signed, by a key that nobody vouched for.
    let other = Place::new();
    let theirs = other.files(paid(&other).await);
    assert!(other.verify_files(&theirs).unwrap().is_sound());
    assert!(place.verify_files(&theirs).is_err());
}

/// Looks up a subscriber.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = KEPT,
    threat_boundary(egress = none), effect = read,
)]
async fn subscriber(ctx: &Ctx<'_, Deps>, phone: String) -> Result<String, ToolError> {
    ctx.deps().did("subscriber");
    Ok(format!("{phone} is in arrears"))
}

define_agent! {
    /// Looks up subscribers.
    Hotline {
        purpose: "hotline",
        instructions: "Look up.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [subscriber],
        deps: Deps,
        output: String,
        max_steps: 4,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

/// Fuze TS: content stood in the records as a plain hash, and a phone number behind it falls in minutes. Here every leaf has
/// a random salt of its own that is kept apart and goes with an erasure: the same number leaves other hashes each time, and
/// none that can be computed from the number.
#[tokio::test]
async fn row_33_a_phone_number_cannot_be_guessed_from_its_hash() {
    let (place, world) = (Place::new(), World::new());
    let deployment = place.deployment(Fixed::new().allow_tool("subscriber"));
    let phone = "+49 30 5550123";
    let mut runs = Vec::new();
    for _ in 0..2 {
        let model = ScriptedModel::new().call("subscriber", json!({"phone": phone})).answer("done");
        let run = deployment.run(Hotline, world.clone(), model).tenant("acme").principal("clerk-1");
        let outcome = run.subject(phone).input(format!("Is {phone} in arrears?")).start().await.unwrap();
        assert_eq!(outcome.status(), "completed");
        runs.push(outcome.report().run_id);
    }
    let hashes = |run: RunId| -> Vec<String> {
        let text = String::from_utf8(place.files(run).records).unwrap();
        let words =
            text.split('"').filter(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()));
        words.map(str::to_owned).collect()
    };
    let (one, two) = (hashes(runs[0]), hashes(runs[1]));
    // What is the same in both is about the deployment, never about content.
    let content = |run: RunId| -> Vec<String> {
        let roots = place
            .records(run)
            .into_iter()
            .filter_map(|r| r["payload"]["content"]["root"].as_str().map(str::to_owned));
        let args = place
            .spans(run, "tool.execute")
            .into_iter()
            .map(|a| a["fuze.tool.args_hash"].as_str().unwrap().to_owned());
        roots.chain(args).collect()
    };
    assert!(content(runs[0]).len() >= 4);
    assert!(!content(runs[0]).iter().any(|root| two.contains(root)));
    // Whoever knows every number that there is computes what could be computed from one.
    for last in 0..10_000 {
        let number = format!("+49 30 555{last:04}");
        let args = format!("{{\"phone\":\"{number}\"}}");
        let leaf = jcs::to_vec(&json!(["fuze/leaf/v1", "", "/phone", number])).unwrap();
        let prefixed = [&[0u8][..], &leaf].concat();
        for guess in [number.as_bytes(), args.as_bytes(), &leaf, &prefixed] {
            let guess = sha256(guess).to_string();
            assert!(!one.contains(&guess), "{number}");
        }
    }
    for run in runs {
        let files = place.files(run);
        for file in [&files.records, &files.roots, &files.content, &files.keys] {
            let text = String::from_utf8_lossy(file);
            assert!(!text.contains("5550123"), "a file holds the number in plain");
        }
        // Without the keys the content is withheld, and the chain verifies all the same.
        assert!(place.verify(run).unwrap().is_sound());
    }
}
