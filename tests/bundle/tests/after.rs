//! What happens after a close: erasures explain what is gone, false statements explain nothing, keys have a history.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use fuze_agent_bundle_tests::forge::{repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape, later, signer_of};
use fuze_agent_bundle_tests::tamper::remanifest;
use fuze_audit::verify::verify;
use fuze_audit::{AuditError, BundleReport, ExportError, RunDirectory, Selection, Trust, Verdict};
use fuze_evidence::annex::{Annex, Erased, Erasure, ErasureReason, Event};
use fuze_evidence::erase::{Archive, Done, Order, Registrar, Repeat, Target};
use fuze_evidence::keys::Signer as _;
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::{Hash, Name, RunId, Timestamp};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn judge(bundle: &[u8], trust: &Trust) -> Result<BundleReport, AuditError> {
    verify(Cursor::new(bundle), trust)
}

#[track_caller]
fn failed_in(result: Result<BundleReport, AuditError>, member: &str) {
    match result {
        Err(AuditError::Failed(failure)) => assert!(failure.member.starts_with(member), "{failure}"),
        other => panic!("expected a failure in {member}, found {other:?}"),
    }
}

/// A run in a directory, as a sink leaves it.
struct Place<'r> {
    run: &'r Run,
    id: RunId,
    archive: Archive<'r>,
    _place: tempfile::TempDir,
}

impl<'r> Place<'r> {
    fn new(run: &'r Run) -> Self {
        let place = tempfile::tempdir().unwrap();
        let registrar = Registrar::new(name("hr.example.eu"), Arc::new(signer_of(1))).unwrap();
        let archive = Archive::new(place.path(), registrar);
        let export = run.export(Selection::nothing());
        let (master, subjects) = (export.master_key.unwrap(), export.subject_keys.unwrap());
        let archive = archive.master_key(master).subject_keys(subjects);
        let id = judge(&run.bundle(Selection::nothing()), &run.trust()).unwrap().run.run_id;
        let directory = archive.run_directory(id);
        std::fs::create_dir_all(&directory).unwrap();
        for (file, octets) in [
            ("records.jsonl", &run.files.records),
            ("roots.jsonl", &run.files.roots),
            ("content.jsonl", &run.files.content),
            ("keys.jsonl", &run.files.keys),
        ] {
            std::fs::write(directory.join(file), octets).unwrap();
        }
        Self { run, id, archive, _place: place }
    }

    fn erase(&self, target: &Target) {
        let order = Order { at: later(), by: name("officer-1"), reason: ErasureReason::Request };
        assert_eq!(self.archive.erase(self.id, target, &order).unwrap(), Done::Erased);
    }

    fn annex(&self) -> Vec<u8> {
        std::fs::read(self.archive.annex_path(&name("acme"))).unwrap()
    }

    fn export(&self, selection: Selection, annex: Option<Vec<u8>>) -> Result<Vec<u8>, ExportError> {
        let directory = RunDirectory(self.archive.run_directory(self.id));
        let mut export = self.run.export(selection);
        export.run = &directory;
        export.extras.annex = annex;
        let mut out = Vec::new();
        export.write(Path::new("."), &mut out).map(|()| out)
    }
}

/// The root of the run's first content: the input.
fn input(run: &Run) -> Hash {
    let first = run.files.content.split(|&b| b == b'\n').next().unwrap();
    fuze_evidence::content::ContentLine::read(first).unwrap().root()
}

#[test]
fn what_was_erased_is_explained_and_the_rest_still_verifies() {
    let run = Run::new(Shape::full(1));
    let before = run.bundle(Selection::all());
    let all = judge(&before, &run.trust()).unwrap().run.content.verified;
    let fields =
        |root| Target::Fields { root, pointers: vec!["/applicant".to_owned()], repeat: Repeat::Refuse };
    for (target, gone) in
        [(fields(input(&run)), 7), (Target::Record { root: input(&run) }, 8), (Target::Run, all)]
    {
        let place = Place::new(&run);
        place.erase(&target);
        let selection = if target == Target::Run { Selection::nothing() } else { Selection::all() };
        let bundle = place.export(selection, Some(place.annex())).unwrap();
        let report = judge(&bundle, &run.trust()).unwrap();
        assert_eq!(report.verdict(), Verdict::Verified);
        assert_eq!(
            (report.run.content.erased, report.run.content.verified),
            (gone, all - gone),
            "{target:?}"
        );
        let canary = b"\"path\":\"/applicant\"";
        assert!(!bundle.windows(canary.len()).any(|window| window == canary), "{target:?}");
        // What was handed out before stays good.
        assert!(judge(&before, &run.trust()).is_ok());
        // Without the annex it is a field withheld, or content that is missing.
        let without = place.export(Selection::nothing(), None);
        assert!(matches!(without, Err(ExportError::Missing { .. } | ExportError::Run(_))), "{without:?}");
    }
}

#[test]
fn a_false_statement_of_erasure_is_refused() {
    let run = Run::new(Shape::full(1));
    for target in [
        Target::Fields { root: input(&run), pointers: vec!["/applicant".to_owned()], repeat: Repeat::Refuse },
        Target::Record { root: input(&run) },
        Target::Run,
    ] {
        let place = Place::new(&run);
        place.erase(&target);
        // The statement is well signed; what it says is gone is here.
        let mut members = unpack(&run.bundle(Selection::all()));
        members.insert("annex/annex.jsonl".to_owned(), place.annex());
        failed_in(judge(&repack(&members, run.signer()), &run.trust()), "content/");
    }
}

#[test]
fn a_statement_about_what_never_was_is_refused() {
    let run = Run::new(Shape::full(1));
    let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
    let nothing = erased(Place::new(&run).id, Hash([7; 32]));
    let mut line = annex.append(later(), name("officer-1"), nothing, run.signer()).unwrap();
    line.push(b'\n');
    let mut members = unpack(&run.bundle(Selection::all()));
    members.insert("annex/annex.jsonl".to_owned(), line);
    failed_in(judge(&repack(&members, run.signer()), &run.trust()), "annex/annex.jsonl");
}

/// A retention window that has not ended yet takes nothing, an order is not older than what it is about, and of what is gone as a whole
/// there is no bundle.
#[test]
fn a_statement_before_its_time_is_refused() {
    let run = Run::new(Shape::full(1));
    let place = Place::new(&run);
    place.erase(&Target::Run);
    let good = unpack(&place.export(Selection::nothing(), Some(place.annex())).unwrap());
    let with = |at: Timestamp, by: &str, reason, what| {
        let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
        let event = Event::Erased(Erasure { run_id: place.id, reason, what });
        let mut line = annex.append(at, name(by), event, run.signer()).unwrap();
        line.push(b'\n');
        let mut members = good.clone();
        members.insert("annex/annex.jsonl".to_owned(), line);
        judge(&repack(&members, run.signer()), &run.trust())
    };
    let (day, early) = (later(), Timestamp::from_nanos(0).unwrap());
    let year = day.plus_days(365).unwrap();
    for reason in [ErasureReason::ContentWindow, ErasureReason::DecisionWindow] {
        failed_in(with(day, "retention", reason, Erased::Run), "annex/annex.jsonl");
        assert!(with(year, "retention", reason, Erased::Run).is_ok(), "{reason}");
    }
    failed_in(with(early, "officer-1", ErasureReason::Request, Erased::Run), "annex/annex.jsonl");
    assert!(with(day, "officer-1", ErasureReason::Request, Erased::Run).is_ok());
    let whole = Erased::Directory { close_root: Hash([7; 32]) };
    assert!(with(year, "retention", ErasureReason::HashWindow, whole).is_err());
}

#[test]
fn an_annex_of_others_explains_nothing() {
    let run = Run::new(Shape::full(1));
    let place = Place::new(&run);
    place.erase(&Target::Record { root: input(&run) });
    let good = unpack(&place.export(Selection::nothing(), Some(place.annex())).unwrap());
    let with = |annex: Vec<u8>| {
        let mut members = good.clone();
        members.insert("annex/annex.jsonl".to_owned(), annex);
        judge(&repack(&members, run.signer()), &run.trust())
    };
    let stranger = signer_of(5);
    for (tenant, origin) in [("other", "hr.example.eu"), ("acme", "elsewhere")] {
        let mut annex = Annex::begin(name(origin), name(tenant));
        let event = erased(place.id, input(&run));
        let mut line = annex.append(later(), name("officer-1"), event, run.signer()).unwrap();
        line.push(b'\n');
        failed_in(with(line), "annex/annex.jsonl");
    }
    let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
    let mut line = annex.append(later(), name("x"), erased(place.id, input(&run)), &stranger).unwrap();
    line.push(b'\n');
    assert!(matches!(with(line), Err(AuditError::Cannot { .. })));
    let mut changed = place.annex();
    let at = changed.windows(9).position(|window| window == b"officer-1").unwrap();
    changed[at] = b'O';
    failed_in(with(changed), "annex/annex.jsonl");
    failed_in(with(Vec::new()), "annex/annex.jsonl");
    let mut members = good.clone();
    members.remove("annex/annex.jsonl");
    remanifest(&mut members, run.signer());
    failed_in(judge(&repack(&members, run.signer()), &run.trust()), "content/");
}

fn erased(run_id: RunId, root: Hash) -> Event {
    Event::Erased(Erasure { run_id, reason: ErasureReason::Request, what: Erased::Record { root } })
}

#[test]
fn a_run_under_a_later_key_is_trusted_by_the_history_alone() {
    let run = Run::new(Shape::full(1));
    let (first, now) = (signer_of(4), signer_of(1));
    let early = fuze_evidence::Timestamp::from_nanos(1_700_000_000_000_000_000).unwrap();
    let mut history = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, early, &first).unwrap();
    history.rotate(early, &first, &now).unwrap();
    let bundle = |history: &KeyHistory| {
        let mut export = run.export(Selection::all());
        export.extras.history = Some((history.to_bytes(), first.key_id()));
        let mut out = Vec::new();
        export.write(Path::new("."), &mut out).map(|()| out)
    };
    let whole = bundle(&history).unwrap();
    let trust = Trust::new().run_key(first.key_id());
    assert_eq!(judge(&whole, &trust).unwrap().verdict(), Verdict::Verified);
    // The history begins with a key that nobody vouched for.
    assert!(matches!(judge(&whole, &Trust::new().run_key(Hash([3; 32]))), Err(AuditError::Cannot { .. })));
    // A history that is broken, or that does not know the key.
    let mut members = unpack(&whole);
    let mut broken = history.to_bytes();
    let at = broken.len() / 2;
    broken[at] ^= 1;
    members.insert("keys/run.history.jsonl".to_owned(), broken);
    failed_in(judge(&repack(&members, run.signer()), &trust), "keys/run.history.jsonl");
    let alone = KeyHistory::introduce(name("hr.example.eu"), KeyRole::Run, early, &first).unwrap();
    assert!(bundle(&alone).is_err());
    // Revoked since: whoever has it can backdate, so that without a log nothing can be said.
    let third = signer_of(6);
    history.rotate(later(), &now, &third).unwrap();
    history.revoke(later(), now.key_id(), None, &third).unwrap();
    let mut members = unpack(&whole);
    members.insert("keys/run.history.jsonl".to_owned(), history.to_bytes());
    assert!(matches!(judge(&repack(&members, run.signer()), &trust), Err(AuditError::Cannot { .. })));
}
