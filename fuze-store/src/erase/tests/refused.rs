//! What is not erased, and what is not said.

use std::path::Path;
use std::sync::Arc;

use fuze_agent::store::StoreError;
use fuze_evidence::annex::{AnnexError, Hold, HoldReason, HoldScope};
use fuze_evidence::erase::{Done, EraseError, KeysAlone, Order, Registrar, Repeat, Target};
use fuze_evidence::keys::{FileSigner, Person, SubjectKeys};
use fuze_evidence::random::OsRandom;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Annex, RunId};

use super::super::{Eraser, EraserError};
use super::desk::{CASES, Case, Desk, at, name, order};
use crate::{StoreReader, scan};

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

/// An older database in the place of a newer one has again what was erased since. The annex as a file still says that it was: nobody reads
/// that tenant's runs as if nothing had happened.
#[tokio::test]
async fn a_database_that_was_put_back_is_not_read_as_evidence() {
    let desk = Desk::new();
    let store = desk.open();
    let (first, second) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let other = desk.make_for(&store, true, name("other")).await;
    assert_eq!(Case::Record.carry_out(&desk.eraser(&store), &second).await.unwrap(), Done::Erased);
    store.close().await.unwrap();
    let file = desk.place.path().join("store/fuze.sqlite");
    let before = std::fs::read(&file).unwrap();
    let store = desk.open();
    assert_eq!(Case::Run.carry_out(&desk.eraser(&store), &first).await.unwrap(), Done::Erased);
    store.close().await.unwrap();
    let read = |run| StoreReader::open(desk.place.path().join("store")).unwrap().evidence(run).map(drop);
    read(first.run).unwrap();
    std::fs::write(&file, before).unwrap();
    for run in [first.run, second.run] {
        let refused = read(run);
        assert!(matches!(refused, Err(StoreError::Projection(_))), "{refused:?}");
    }
    read(other.run).unwrap();
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
    let left = eraser.erase_person(person, order()).await.unwrap();
    assert_eq!(left.keys_left, std::slice::from_ref(&orphan), "{left:?}");
    let eraser = eraser.keys_alone(KeysAlone::Erase);
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

/// Whatever became of one run's records, what else there is of the person goes, and that run is named.
#[tokio::test]
async fn a_run_that_cannot_be_read_stops_for_itself_alone() {
    let desk = Desk::new();
    let store = desk.open();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(desk.make(&store, true).await);
    }
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(desk.place.path().join("store").join("fuze.sqlite")).unwrap();
    // The store refuses to be opened without its triggers.
    let triggers: Vec<(String, String)> = file
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'records'")
        .and_then(|mut found| found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .unwrap();
    for (name, _) in &triggers {
        file.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    let harm = "UPDATE records SET line = CAST('{}' AS BLOB)
                WHERE sequence = 0 AND run = (SELECT id FROM runs WHERE run = ?1)";
    assert_eq!(file.execute(harm, [made[1].run.to_string()]).unwrap(), 1);
    for (_, sql) in &triggers {
        file.execute_batch(sql).unwrap();
    }
    drop(file);
    let store = desk.open();
    let tenant = name("acme");
    let person = Person { tenant: &tenant, reference: "17" };
    let erased = desk.eraser(&store).erase_person(person, order()).await.unwrap();
    assert_eq!(erased.runs.len(), 3);
    for (one, harmed) in made.iter().zip([false, true, false]) {
        match &erased.runs[&one.run] {
            Err(error @ EraseError::Line { .. }) if harmed => {
                assert!(error.to_string().contains(&one.run.to_string()), "{error}");
            }
            done => assert!(matches!(done, Ok(Done::Erased)) && !harmed, "{done:?}"),
        }
        assert_eq!(desk.subjects.find(&one.alias).unwrap().is_some(), harmed, "its key stays with it");
    }
    desk.finds_none(&[made[0].secrets.clone(), made[2].secrets.clone()].concat());
    assert_eq!(desk.counts(&store, made[0].run).erased, 16);
}

/// What would stay elsewhere is refused before the transaction, says where it is, and is no evidence either where it leads away.
#[cfg(unix)]
#[tokio::test]
async fn nothing_is_erased_that_would_stay_under_another_name() {
    use std::os::unix::fs::symlink;
    type Harm = fn(&Path, &Path);
    let lead = |path: &Path, to: &Path| {
        std::fs::rename(path, to).unwrap();
        symlink(to, path).unwrap();
    };
    let harms: [(&str, bool, Harm); 5] = [
        ("content.jsonl", true, |run, to| {
            std::fs::rename(run.join("content.jsonl"), to).unwrap();
            symlink(to, run.join("content.jsonl")).unwrap();
        }),
        ("keys.jsonl", true, |run, to| {
            std::fs::rename(run.join("keys.jsonl"), to).unwrap();
            symlink(to, run.join("keys.jsonl")).unwrap();
        }),
        ("content.jsonl", false, |run, to| std::fs::hard_link(run.join("content.jsonl"), to).unwrap()),
        ("keys.jsonl.new", false, |run, to| symlink(to, run.join("keys.jsonl.new")).unwrap()),
        ("runs/", true, |run, to| {
            std::fs::rename(run, to).unwrap();
            symlink(to, run).unwrap();
        }),
    ];
    for (named, leads_away, harm) in harms {
        let desk = Desk::new();
        let store = desk.open();
        let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
        let run = desk.place.path().join("store/runs").join(made.run.to_string());
        harm(&run, &desk.place.path().join("elsewhere"));
        let eraser = desk.eraser(&store);
        for case in CASES {
            let refused = case.carry_out(&eraser, &made).await.unwrap_err().to_string();
            assert!(refused.contains(named) && refused.contains("link"), "{named}: {case:?}: {refused}");
        }
        assert!(eraser.annex(name("acme")).await.unwrap().entries().is_empty(), "nothing was said");
        assert!(desk.subjects.find(&made.alias).unwrap().is_some());
        let reader = StoreReader::open(desk.place.path().join("store")).unwrap();
        assert_eq!(reader.evidence(made.run).is_err(), leads_away, "{named}");
        assert_eq!(Case::Run.carry_out(&eraser, &other).await.unwrap(), Done::Erased, "{named}");
    }
    for second in [false, true] {
        let desk = Desk::new();
        let store = desk.open();
        let made = desk.make(&store, true).await;
        let file = format!("{}.key", fuze_evidence::sha256(made.alias.as_str().as_bytes()));
        let keys = scan::walk(desk.place.path());
        let key = keys.iter().find(|path| path.file_name() == Some(file.as_ref())).unwrap();
        let elsewhere = desk.place.path().join("elsewhere");
        if second {
            std::fs::hard_link(key, &elsewhere).unwrap()
        } else {
            lead(key, &elsewhere)
        }
        let refused = Case::Subject.carry_out(&desk.eraser(&store), &made).await.unwrap_err().to_string();
        assert!(refused.contains(&file) && refused.contains("link"), "{refused}");
        assert!(
            desk.eraser(&store).annex(name("acme")).await.unwrap().entries().is_empty(),
            "nothing was said"
        );
    }
}
