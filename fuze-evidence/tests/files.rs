//! Keys and runs on disk: rights, whole or nothing, and what a crash leaves behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{Host, Sample, at, name, person, start, times};
use fuze_evidence::chain::Opened;
use fuze_evidence::keys::{
    FileSigner, FileSubjectKeys, KeyFileError, MasterKeyFile, Signer as _, SubjectKeyError, SubjectKeys as _,
};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sink::{JsonlSink, MemorySink, SinkError, recover};
use fuze_evidence::verify::{Chain, TrustedKeys, VerifyError, verify, verify_files};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Recorder, RunId, RunKeys, Sink, SinkBatch, sha256};

fn create(path: &Path) -> Result<FileSigner, KeyFileError> {
    FileSigner::create(path, name("file"), &mut OsRandom::new())
}

fn load(path: &Path) -> Result<FileSigner, KeyFileError> {
    FileSigner::load(path, name("file"))
}

#[test]
fn a_signing_key_is_made_once_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.key");
    let made = create(&path).unwrap();
    assert_eq!(load(&path).unwrap().public_key(), made.public_key());
    assert!(matches!(create(&path), Err(KeyFileError::Exists { .. })));
    assert_eq!(load(&path).unwrap().key_id(), made.key_id(), "the first key is still there");
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["run.key"], "nothing half-made stays behind");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_key_file_with_other_contents_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.key");
    drop(create(&path).unwrap());
    let good = fs::read_to_string(&path).unwrap();
    for contents in [
        String::new(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}{good}"),
        good.replace("signing", "master"),
        format!("{}\n", &good[..good.len() - 2]),
        format!("fuze-signing-key-v1:{}\n", "A".repeat(43)),
        format!("fuze-signing-key-v1:{}\n", "+".repeat(43)),
        format!("fuze-signing-key-v1:{}\n", "é".repeat(21)),
        "x".repeat(100_000),
    ] {
        fs::write(&path, &contents).unwrap();
        assert!(matches!(load(&path), Err(KeyFileError::Contents { .. })), "{contents:.60}");
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(matches!(load(&path), Err(KeyFileError::Contents { .. })));
    fs::remove_file(&path).unwrap();
    let master = MasterKeyFile::create(&path, &mut OsRandom::new()).unwrap();
    assert_eq!(MasterKeyFile::load(&path).unwrap().id(), master.id());
    assert!(matches!(load(&path), Err(KeyFileError::Contents { .. })), "a master key does not sign");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_use_or_that_is_elsewhere_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.key");
    drop(create(&path).unwrap());
    for mode in [0o640, 0o604, 0o644, 0o660, 0o700] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Rights { mode: found, .. } if found == mode), "{error}");
        assert!(error.to_string().contains("chmod 600"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = directory.path().join("link.key");
    symlink(&path, &link).unwrap();
    assert!(matches!(load(&link), Err(KeyFileError::NotAFile { .. })));
    assert!(matches!(create(&link), Err(KeyFileError::Exists { .. })));
    assert!(matches!(load(directory.path()), Err(KeyFileError::NotAFile { .. })));
    assert!(matches!(load(&directory.path().join("none")), Err(KeyFileError::Io { .. })));
    assert!(matches!(create(&directory.path().join("no/such/run.key")), Err(KeyFileError::Io { .. })));
}

#[test]
fn a_subjects_key_is_kept_apart_and_can_be_gone() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("subjects");
    let subjects = FileSubjectKeys::new(&place);
    let (acme, other) = (name("acme"), name("other"));
    // An alias may look like a path; it never becomes one.
    let (alias, second) = (name("../../etc/x"), name("s-2"));
    assert!(subjects.find(&alias).unwrap().is_none());
    assert_eq!(subjects.aliases(person(&acme)).unwrap(), []);
    subjects.create(&alias, person(&acme)).unwrap();
    subjects.create(&second, person(&acme)).unwrap();
    assert!(subjects.find(&alias).unwrap().is_some());
    assert!(matches!(subjects.create(&alias, person(&acme)), Err(SubjectKeyError::Exists { .. })));
    assert_eq!(subjects.aliases(person(&acme)).unwrap(), [alias.clone(), second.clone()]);
    // The same reference of another tenant is another person.
    assert_eq!(subjects.aliases(person(&other)).unwrap(), []);
    let reopened = FileSubjectKeys::new(&place);
    assert_eq!(reopened.aliases(person(&acme)).unwrap().len(), 2);
    assert_eq!(walk(directory.path()).iter().filter(|path| !path.starts_with(&place)).count(), 0);
    for octets in walk(&place).iter().map(|path| fs::read(path).unwrap()) {
        assert!(!String::from_utf8_lossy(&octets).contains("applicant-17"));
    }
    subjects.erase(&alias).unwrap();
    subjects.erase(&alias).unwrap();
    assert!(subjects.find(&alias).unwrap().is_none());
    assert!(subjects.find(&second).unwrap().is_some());
    assert_eq!(subjects.aliases(person(&acme)).unwrap(), std::slice::from_ref(&second));
    subjects.erase(&second).unwrap();
    // Nothing is left but the secret of an empty index: not even that there was somebody.
    assert_eq!(walk(&place), [place.join("index.key")]);
    assert_eq!(fs::read_dir(place.join("index")).unwrap().count(), 0);
}

/// A key that exists is found by its person, wherever a crash cut its making or its erasing short.
#[test]
fn no_key_stands_outside_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("subjects");
    let subjects = FileSubjectKeys::new(&place);
    let (acme, alias) = (name("acme"), name("s-1"));
    subjects.create(&alias, person(&acme)).unwrap();
    let hash = sha256(alias.as_str().as_bytes());
    let (key, marker) = (place.join(format!("{hash}.key")), place.join(format!("{hash}.index")));
    let octets = fs::read(&key).unwrap();
    // The key went and the rest did not: the alias is still found, and erased again to its end.
    fs::remove_file(&key).unwrap();
    assert_eq!(subjects.aliases(person(&acme)).unwrap(), std::slice::from_ref(&alias));
    subjects.erase(&alias).unwrap();
    assert_eq!(subjects.aliases(person(&acme)).unwrap(), []);
    assert_eq!(walk(&place), [place.join("index.key")]);
    // A marker that was cut short: there is no key yet, and erasing goes on.
    fs::write(&marker, "abc").unwrap();
    subjects.erase(&alias).unwrap();
    assert_eq!(walk(&place), [place.join("index.key")]);
    fs::write(&key, octets).unwrap();
    subjects.erase(&alias).unwrap();
    assert!(!key.exists());
}

/// Every file below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// A run's batches: the first with keys, content and root, the second with the close.
fn batches(host: &mut Host) -> (RunId, [SinkBatch; 2]) {
    let random = host.random.as_mut();
    let run_id = RunId::generate(at(0), random).unwrap();
    let keys = RunKeys::generate(run_id, None, random).unwrap();
    let redactor = fuze_evidence::Redactor::new(&keys);
    let input = fuze_evidence::content::commit(redactor.redact_text("hello"), random).unwrap();
    let mut first = SinkBatch::new(run_id);
    first.keys = Some(keys.wrap(&host.master, random).unwrap());
    first.content.push(fuze_evidence::content::seal(&input, &keys, random).unwrap());
    let mut common = common::common(None);
    common.lawful_basis = None;
    let Opened { recorder, record, root } =
        Recorder::open(run_id, common, start(&host.signer), Some(&input), times(0), &host.signer).unwrap();
    first.records.push(record);
    first.roots.push(root);
    let mut last = SinkBatch::new(run_id);
    last.records
        .push(recorder.close(1, 0, times(1), RunStatus::Completed, &host.signer).unwrap().into_record());
    (run_id, [first, last])
}

#[tokio::test]
async fn a_run_on_disk_verifies_and_is_the_one_in_memory() {
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let (disk, memory) = (JsonlSink::new(directory.path()), MemorySink::new());
    let (run_id, batches) = batches(&mut host);
    for (durable, batch) in [true, false].into_iter().zip(&batches) {
        disk.append(batch, durable).await.unwrap();
        memory.append(batch, durable).await.unwrap();
    }
    let keys = TrustedKeys::new().run_key(host.public_key()).master_key(&host.master);
    let report = verify(&disk.run_directory(run_id), &keys).unwrap();
    assert!(report.is_verified());
    assert_eq!((report.content.verified, report.records), (8, 2));
    let run = memory.run(run_id).unwrap();
    for (file, octets) in [
        ("records.jsonl", &run.records),
        ("content.jsonl", &run.content),
        ("keys.jsonl", &run.keys),
        ("roots.jsonl", &run.roots),
    ] {
        assert_eq!(&fs::read(disk.run_directory(run_id).join(file)).unwrap(), octets, "{file}");
    }
    assert!(verify_files((&run).into(), &keys).unwrap().is_verified());
}

#[tokio::test]
async fn a_run_is_written_once_in_order_and_with_its_keys() {
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(directory.path());
    let (run_id, [first, last]) = batches(&mut host);
    assert!(matches!(sink.append(&last, false).await, Err(SinkError::Keys)));
    assert!(!sink.run_directory(run_id).exists(), "a refused batch leaves nothing behind");
    sink.append(&first, true).await.unwrap();
    assert!(matches!(sink.append(&first, false).await, Err(SinkError::Keys)));
    let other = JsonlSink::new(directory.path());
    assert!(matches!(other.append(&first, false).await, Err(SinkError::Exists { .. })));
    assert!(matches!(recover(&sink.run_directory(run_id)), Err(SinkError::Locked { .. })));
    sink.append(&last, true).await.unwrap();
    assert!(matches!(sink.append(&last, true).await, Err(SinkError::Sequence { expected: 2, found: 1 })));
    sink.finish(run_id);
    assert!(recover(&sink.run_directory(run_id)).unwrap().cut.is_empty());
}

#[tokio::test]
async fn a_torn_line_is_an_error_until_it_is_recovered() {
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(directory.path());
    let (run_id, [first, last]) = batches(&mut host);
    sink.append(&first, true).await.unwrap();
    sink.append(&last, true).await.unwrap();
    sink.finish(run_id);
    let run = sink.run_directory(run_id);
    let path = run.join("records.jsonl");
    let whole = fs::read(&path).unwrap();
    let first_line = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
    let keys = TrustedKeys::new().run_key(host.public_key()).master_key(&host.master);
    for cut in [first_line + 1, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(verify(&run, &keys), Err(VerifyError::Failed { .. })));
        let recovered = recover(&run).unwrap();
        assert_eq!(recovered.cut, [(path.clone(), u64::try_from(cut - first_line).unwrap())]);
        assert_eq!(fs::read(&path).unwrap(), whole[..first_line]);
        assert_eq!(verify(&run, &keys).unwrap().chain, Chain::NotClosed);
    }
    fs::write(&path, b"no line feed at all").unwrap();
    // Not one record: nobody can have been told that the run had begun. It is put aside as it is, and said.
    let aside = recover(&run).unwrap().unbegun.unwrap();
    assert_eq!(aside, run.with_extension("unbegun"));
    assert_eq!(fs::read(aside.join("records.jsonl")).unwrap(), b"no line feed at all");
    assert!(!run.exists());
}

/// A crash between record 0 and its open root.
#[tokio::test]
async fn a_run_without_its_open_root_is_put_aside() {
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(directory.path());
    let (run_id, [first, _]) = batches(&mut host);
    sink.append(&first, true).await.unwrap();
    sink.finish(run_id);
    let run = sink.run_directory(run_id);
    fs::write(run.join("roots.jsonl"), b"").unwrap();
    let keys = TrustedKeys::new().run_key(host.public_key());
    let failed = verify(&run, &keys).unwrap_err().to_string();
    assert!(failed.contains("recovery puts aside"), "{failed}");
    let recovered = recover(&run).unwrap();
    assert!(recovered.cut.is_empty());
    assert!(recovered.unbegun.unwrap().join("records.jsonl").exists());
    assert!(matches!(recover(&run), Err(SinkError::Io { .. })), "there is no such run any more");
}

/// A file system that takes nothing: the batch fails, and so does everything after it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sink_that_cannot_write_says_so() {
    let mut host = Host::new();
    let sink = JsonlSink::new("/proc/self/no-such-place");
    let (_, [first, _]) = batches(&mut host);
    assert!(matches!(sink.append(&first, true).await, Err(SinkError::Io { .. })));
    let file = tempfile::NamedTempFile::new().unwrap();
    let sink = JsonlSink::new(file.path());
    assert!(matches!(sink.append(&first, true).await, Err(SinkError::Io { .. })));
}

#[test]
fn a_missing_run_is_an_error_of_reading() {
    let sample = Sample::closed();
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    assert!(matches!(verify(Path::new("/no/such/run"), &keys), Err(VerifyError::Io { .. })));
}

/// What a log took later is added once, whole, and only while nobody writes the run.
#[test]
fn an_anchor_is_kept_after_the_files_were_let_go() {
    use fuze_evidence::anchor::{Blinding, Prepared};
    use fuze_evidence::sink::keep_anchor;
    let place = tempfile::tempdir().unwrap();
    let (sample, _) = Sample::begin(Host::new());
    let root = sample.files.roots.split(|&octet| octet == b'\n').next().unwrap();
    let key = sample.host.public_key();
    let root = fuze_evidence::sign::SignedRoot::read(root, |_| Some(key)).unwrap();
    let line = |index| {
        let blinding = Blinding::generate(&mut OsRandom::new()).unwrap();
        Prepared::open(&root, at(9), &blinding).unwrap().anchored(index, name("log"), at(8)).unwrap()
    };
    let (first, second) = (line(0), line(1));
    let path = place.path().join("anchors.jsonl");
    keep_anchor(place.path(), &first).unwrap();
    keep_anchor(place.path(), &first).unwrap();
    keep_anchor(place.path(), &second).unwrap();
    let both = [first.bytes(), b"\n", second.bytes(), b"\n"].concat();
    assert_eq!(fs::read(&path).unwrap(), both);
    let held = fs::OpenOptions::new().append(true).open(&path).unwrap();
    held.try_lock().unwrap();
    assert!(matches!(keep_anchor(place.path(), &line(2)), Err(SinkError::Locked { .. })));
    drop(held);
    fs::write(&path, [&both, &b"{\"at\""[..]].concat()).unwrap();
    assert!(matches!(keep_anchor(place.path(), &line(2)), Err(SinkError::Damaged { line: 2, .. })));
    assert!(matches!(keep_anchor(&place.path().join("nowhere"), &first), Err(SinkError::Io { .. })));
}
