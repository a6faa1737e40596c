//! A disk that forgets: whatever a power cut leaves of what was not made durable, and every error of every operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::disk::{Disk, DiskFile};
use super::super::{Sink as _, SinkBatch, SinkError, recover};
use super::JsonlSink;
use crate::anchor::{AnchorLine, Blinding, Prepared};
use crate::chain::{Opened, Times};
use crate::keys::{FileSigner, MasterKey, Signer as _};
use crate::random::OsRandom;
use crate::record::Common;
use crate::sign::PublicKey;
use crate::span::{AgentInvoke, OversightSuspend, RunGap};
use crate::verify::{Chain, Report, TrustedKeys, verify};
use crate::vocab::*;
use crate::{Name, Recorder, Redactor, RunId, RunKeys, Timestamp, content, sha256};

/// What was done to the disk, in order.
#[derive(Clone)]
enum Op {
    MakeDirectory,
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    Sync(PathBuf),
    SyncDirectory(PathBuf),
    /// The caller was told that so many batches are durable.
    Told(usize),
}

#[derive(Default)]
struct Log {
    ops: Vec<Op>,
    /// The operation that fails, and how.
    fails: Option<(usize, io::ErrorKind)>,
}

#[derive(Clone, Default)]
struct Forgetful(Arc<Mutex<Log>>);

impl Forgetful {
    /// Notes the operation, or fails it; of a write that fails, half arrives.
    fn note(&self, op: Op) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        match log.fails {
            Some((at, kind)) if at == log.ops.len() => {
                if let Op::Write(path, octets) = op {
                    log.ops.push(Op::Write(path, octets[..octets.len() / 2].to_vec()));
                } else {
                    log.ops.push(Op::Told(usize::MAX));
                }
                Err(kind.into())
            }
            _ => {
                log.ops.push(op);
                Ok(())
            }
        }
    }

    fn told(&self, batches: usize) {
        self.0.lock().unwrap().ops.push(Op::Told(batches));
    }

    fn ops(&self) -> Vec<Op> {
        self.0.lock().unwrap().ops.clone()
    }
}

struct ForgetfulFile(PathBuf, Forgetful);

impl Disk for Forgetful {
    fn make_directories(&self, _: &Path) -> io::Result<()> {
        self.note(Op::MakeDirectory)
    }

    fn make_directory(&self, _: &Path) -> io::Result<()> {
        self.note(Op::MakeDirectory)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.note(Op::Create(path.to_owned()))?;
        Ok(Box::new(ForgetfulFile(path.to_owned(), self.clone())))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.note(Op::SyncDirectory(path.to_owned()))
    }
}

impl DiskFile for ForgetfulFile {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.1.note(Op::Write(self.0.clone(), octets.to_vec()))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.note(Op::Sync(self.0.clone()))
    }
}

/// A run's batches, and after which of them how many records there are.
struct Story {
    run_id: RunId,
    batches: Vec<(SinkBatch, bool)>,
    records: Vec<u64>,
    key: PublicKey,
    master: MasterKey,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn times(nanos: i128) -> Times {
    Times::at(Timestamp::from_nanos(1_795_294_256_000_000_000 + nanos).unwrap())
}

/// Opened with content, went on twice (once without being made durable), suspended, resumed, closed.
fn story() -> Story {
    let mut random = OsRandom::new();
    let signer = FileSigner::ephemeral(name("test"), &mut random).unwrap();
    let master = MasterKey::ephemeral(&mut random).unwrap();
    let run_id = RunId::generate(times(0).started_at, &mut random).unwrap();
    let keys = RunKeys::generate(run_id, None, &mut random).unwrap();
    let common = Common {
        annex_iii: AnnexIii::None,
        art22: Art22::None,
        principal: name("p"),
        retention: name("r"),
        lawful_basis: None,
        subject: None,
        tenant: name("t"),
    };
    let start = AgentInvoke {
        fingerprint: sha256(b"definition"),
        clock: name("test"),
        model: name("test"),
        signer: name("test"),
        sink: name("jsonl"),
        store: None,
        key_id: signer.key_id(),
        law_as_of: name("l"),
        law_source: name("l"),
        model_residency: Residency::Eu,
        model_snapshot: name("m"),
        origin: name("o"),
        oversight_plan: None,
        registry_hash: None,
        training: None,
        bundle_hash: sha256(b"bundle"),
        engine: name("fixed"),
        permissive: false,
        purpose: name("p"),
        retention_content_days: 1,
        retention_decision_days: 1,
        retention_hash_days: 1,
        outcome: StartOutcome::Started,
        refusal: None,
        suite: Suite::Ed25519Sha256V1,
        agent_name: name("a"),
        operation: InvokeAgentOperation::InvokeAgent,
    };
    let said = |text: &str, random: &mut OsRandom| {
        let commitment = content::commit(Redactor::new(&keys).redact_text(text), random).unwrap();
        let sealed = content::seal(&commitment, &keys, random).unwrap();
        (commitment, sealed)
    };
    let (input, sealed) = said("hello", &mut random);
    let Opened { mut recorder, record, root } =
        Recorder::open(run_id, common, start, Some(&input), times(0), &signer).unwrap();
    let mut batches = Vec::new();
    let first = SinkBatch {
        run_id,
        keys: Some(keys.wrap(&master, &mut random).unwrap()),
        content: vec![sealed],
        records: vec![record],
        roots: vec![root.clone()],
        anchors: vec![],
    };
    batches.push((first, true));
    let blinding = Blinding::generate(&mut random).unwrap();
    let anchored =
        |prepared: Prepared, index| prepared.anchored(index, name("log"), times(1).started_at).unwrap();
    let opened = anchored(Prepared::open(&root, times(1000).started_at, &blinding).unwrap(), 0);
    recorder.anchored(&opened).unwrap();
    batches.push((SinkBatch { anchors: vec![opened.clone()], ..SinkBatch::new(run_id) }, true));
    let gap = RunGap { what: Gap::Process, exec_id: None }.into();
    for (step, durable) in [(1, true), (2, false), (3, true)] {
        let (commitment, sealed) = said("went on", &mut random);
        let record = recorder.append(step, 0, times(i128::from(step)), &gap, Some(&commitment)).unwrap();
        let batch = SinkBatch { content: vec![sealed], records: vec![record], ..SinkBatch::new(run_id) };
        batches.push((batch, durable));
    }
    let suspend = OversightSuspend {
        epoch: 1,
        expires_at: times(100).started_at,
        of: 1,
        reason: SuspendReason::Law,
        slot: 0,
        snapshot_hash: sha256(b"snapshot"),
        token_hash: sha256(b"token"),
        args_hash: None,
        call_index: None,
        tool: None,
    };
    let record = recorder.append(4, 0, times(4), &suspend.into(), None).unwrap();
    let root = recorder.suspend(times(4).started_at, &signer).unwrap();
    // Not durable: the close must not outlive this root.
    let batch = SinkBatch { records: vec![record], roots: vec![root], ..SinkBatch::new(run_id) };
    batches.push((batch, false));
    let closed = recorder.close(5, 0, times(5), RunStatus::Completed, &signer).unwrap();
    let line = anchored(Prepared::close(closed.root(), &opened).unwrap(), 1);
    batches.push((SinkBatch { records: vec![closed.into_record()], ..SinkBatch::new(run_id) }, true));
    batches.push((SinkBatch { anchors: vec![line], ..SinkBatch::new(run_id) }, true));
    let records = vec![1, 1, 2, 3, 4, 5, 6, 6];
    let key = PublicKey::from_bytes(signer.public_key()).unwrap();
    Story { run_id, batches, records, key, master }
}

const PLACE: &str = "/place";

/// Hands the story to a sink on a forgetful disk. How many batches are durable, and how the last one ended.
async fn tell(story: &Story, disk: &Forgetful) -> Result<(), SinkError> {
    let sink = JsonlSink::on(PLACE.into(), Arc::new(disk.clone()));
    for (number, (batch, durable)) in story.batches.iter().enumerate() {
        if let Err(error) = sink.append(batch, *durable).await {
            // Nothing more is taken: neither the same again nor what would follow.
            assert!(sink.append(batch, *durable).await.is_err());
            if let Some((next, durable)) = story.batches.get(number + 1) {
                let after = sink.append(next, *durable).await;
                assert!(matches!(after, Err(SinkError::Stopped)), "{after:?}");
            }
            return Err(error);
        }
        if *durable {
            disk.told(number + 1);
        }
    }
    Ok(())
}

/// What may be left of one file: `None` that it is not there.
fn remains(ops: &[Op], path: &Path) -> BTreeSet<Option<Vec<u8>>> {
    let mut durable = Vec::new();
    let mut loose: Vec<&[u8]> = Vec::new();
    let (mut there, mut named) = (false, false);
    for op in ops {
        match op {
            Op::Create(created) if created == path => there = true,
            Op::Write(written, octets) if written == path => loose.push(octets),
            Op::Sync(synced) if synced == path => {
                loose.drain(..).for_each(|octets| durable.extend_from_slice(octets))
            }
            Op::SyncDirectory(synced) if Some(synced.as_path()) == path.parent() => named = there,
            _ => {}
        }
    }
    let mut left = BTreeSet::new();
    if !named {
        left.insert(None);
    }
    if !there {
        return left;
    }
    // Each write that is not durable: not there, torn, there as zeros because only the length arrived, or there.
    let mut states = vec![durable];
    for (at, octets) in loose.iter().enumerate() {
        let mut next = Vec::new();
        for state in states {
            let last = at + 1 == loose.len();
            next.push([state.as_slice(), octets].concat());
            next.push([state.as_slice(), &vec![0; octets.len()]].concat());
            if last {
                next.push([state.as_slice(), &octets[..octets.len() / 2]].concat());
                next.push([state.as_slice(), &octets[..octets.len() - 1]].concat());
                next.push(state);
            } else {
                // What follows has not arrived either.
                left.insert(Some(state));
            }
        }
        states = next;
    }
    left.extend(states.into_iter().map(Some));
    left
}

/// Every combination of what may be left of each file.
fn power_cuts(ops: &[Op], run: &Path) -> Vec<BTreeMap<&'static str, Vec<u8>>> {
    let mut states = vec![BTreeMap::new()];
    for name in [super::RECORDS, super::CONTENT, super::KEYS, super::ROOTS, super::ANCHORS] {
        let remains = remains(ops, &run.join(name));
        states = states
            .into_iter()
            .flat_map(|state| {
                remains.iter().map(move |left| {
                    let mut state = state.clone();
                    if let Some(octets) = left {
                        state.insert(name, octets.clone());
                    }
                    state
                })
            })
            .collect();
    }
    states
}

fn told(ops: &[Op]) -> usize {
    let told = ops.iter().rev().find_map(|op| match op {
        Op::Told(batches) if *batches != usize::MAX => Some(*batches),
        _ => None,
    });
    told.unwrap_or(0)
}

/// What recovery makes of one state.
fn survives(story: &Story, told: usize, state: &BTreeMap<&'static str, Vec<u8>>) -> Option<Report> {
    // In memory where there is such a place: thousands of states are written, and none needs to last.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let run = place.path().join(story.run_id.to_string());
    std::fs::create_dir(&run).unwrap();
    for (name, octets) in state {
        std::fs::write(run.join(name), octets).unwrap();
    }
    let sizes: BTreeMap<_, _> = state.iter().map(|(name, octets)| (*name, octets.len())).collect();
    let recovered = recover(&run).unwrap_or_else(|error| panic!("told {told}, {sizes:?}: {error}"));
    if let Some(aside) = recovered.unbegun {
        assert_eq!(told, 0, "a run that had begun was put aside: {sizes:?}");
        assert!(!run.exists());
        for (name, octets) in state {
            assert_eq!(&std::fs::read(aside.join(name)).unwrap(), octets, "put aside as it was");
        }
        return None;
    }
    let again = recover(&run).unwrap();
    assert!(again.cut.is_empty() && again.unbegun.is_none(), "recovered once is recovered");
    let keys = TrustedKeys::new().run_key(story.key).master_key(&story.master);
    let report = verify(&run, &keys).unwrap_or_else(|error| panic!("told {told}, {sizes:?}: {error}"));
    let due = told.checked_sub(1).map_or(0, |last| story.records[last]);
    assert!(report.records >= due, "{} of {due} records: {sizes:?}", report.records);
    assert!(report.missing.iter().all(|missing| missing.sequence >= due), "{sizes:?}: {report:?}");
    let kept = std::fs::read(run.join(super::ANCHORS)).unwrap_or_default();
    let due = story.batches[..told].iter().flat_map(|(batch, _)| &batch.anchors);
    let kept = AnchorLine::read_all(&kept).unwrap();
    assert!(due.zip(1..).all(|(line, number)| kept.get(number - 1) == Some(line)), "{sizes:?}: {kept:?}");
    Some(report)
}

#[tokio::test]
async fn whatever_a_power_cut_leaves_is_recovered_and_nothing_acknowledged_is_lost() {
    let story = story();
    let disk = Forgetful::default();
    tell(&story, &disk).await.unwrap();
    let ops = disk.ops();
    let run = super::run_directory(Path::new(PLACE), story.run_id);
    let mut seen = BTreeSet::new();
    let (mut unbegun, mut open, mut closed) = (0, 0, 0);
    for after in 0..=ops.len() {
        let before = &ops[..after];
        for state in power_cuts(before, &run) {
            if !seen.insert((told(before), state.clone())) {
                continue;
            }
            match survives(&story, told(before), &state).map(|report| report.chain) {
                None => unbegun += 1,
                Some(Chain::NotClosed) => open += 1,
                Some(Chain::Closed(_)) => closed += 1,
            }
        }
    }
    // All three were met: a test that only ever saw one would show nothing.
    assert!(unbegun > 10 && open > 30 && closed > 0, "{unbegun} {open} {closed}");
    assert_eq!(told(&ops), story.batches.len());
}

#[tokio::test]
async fn each_operation_that_fails_stops_the_run_and_loses_nothing() {
    let story = story();
    let disk = Forgetful::default();
    tell(&story, &disk).await.unwrap();
    let whole = disk.ops();
    let run = super::run_directory(Path::new(PLACE), story.run_id);
    let mut failed = 0;
    let mut seen = BTreeSet::new();
    for (at, op) in whole.iter().enumerate() {
        if matches!(op, Op::Told(_)) {
            continue;
        }
        let kinds: &[io::ErrorKind] = match op {
            Op::Write(..) => &[io::ErrorKind::StorageFull, io::ErrorKind::Other],
            _ => &[io::ErrorKind::Other],
        };
        for &kind in kinds {
            let disk = Forgetful::default();
            disk.0.lock().unwrap().fails = Some((at, kind));
            let error = tell(&story, &disk).await.unwrap_err();
            assert!(matches!(&error, SinkError::Io { source, .. } if source.kind() == kind), "{error}");
            failed += 1;
            // The process goes on, or the power goes too: what was acknowledged before is there.
            let ops = disk.ops();
            for state in power_cuts(&ops, &run) {
                if seen.insert((told(&ops), state.clone())) {
                    survives(&story, told(&ops), &state);
                }
            }
        }
    }
    assert!(failed > 30, "{failed}");
}

/// A sink that acknowledged before its content was durable would be found: the test is able to fail.
#[tokio::test]
async fn a_write_that_is_only_claimed_to_be_durable_is_found() {
    let story = story();
    let disk = Forgetful::default();
    tell(&story, &disk).await.unwrap();
    let run = super::run_directory(Path::new(PLACE), story.run_id);
    let records = run.join(super::RECORDS);
    let lying: Vec<Op> =
        disk.ops().into_iter().filter(|op| !matches!(op, Op::Sync(path) if *path == records)).collect();
    let lost = power_cuts(&lying, &run).into_iter().any(|state| {
        let lines = state.get(super::RECORDS).map_or(0, |file| file.iter().filter(|&&b| b == b'\n').count());
        lines < story.batches.len()
    });
    assert!(lost);
}

#[tokio::test]
async fn damage_that_no_crash_explains_is_left_alone() {
    let story = story();
    let place = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(place.path().join("deep/er"));
    for (batch, durable) in &story.batches {
        sink.append(batch, *durable).await.unwrap();
    }
    let run = sink.run_directory(story.run_id);
    drop(sink);
    let path = |name: &str| run.join(name);
    let good: BTreeMap<&str, Vec<u8>> =
        [super::RECORDS, super::CONTENT, super::KEYS, super::ROOTS, super::ANCHORS]
            .into_iter()
            .map(|name| (name, std::fs::read(path(name)).unwrap()))
            .collect();
    let lines = |name: &str, keep: usize| -> Vec<u8> {
        good[name].split_inclusive(|&b| b == b'\n').take(keep).flatten().copied().collect()
    };
    let mut changed = good[super::RECORDS].clone();
    changed[700] ^= 1;
    for (what, name, octets) in [
        ("a changed record of a closed run", super::RECORDS, changed),
        ("records that a suspend root covers", super::RECORDS, lines(super::RECORDS, 3)),
        ("no roots at all", super::ROOTS, vec![]),
        ("something after the close", super::RECORDS, [&good[super::RECORDS][..], b"{}\n"].concat()),
        (
            "damaged content that was signed for",
            super::CONTENT,
            [&lines(super::CONTENT, 1)[..], b"xx\n"].concat(),
        ),
    ] {
        std::fs::write(path(name), &octets).unwrap();
        let refused = recover(&run);
        assert!(matches!(refused, Err(SinkError::Damaged { .. })), "{what}: {refused:?}");
        assert_eq!(std::fs::read(path(name)).unwrap(), octets, "{what}: it was changed");
        std::fs::write(path(name), &good[name]).unwrap();
    }
    assert!(recover(&run).unwrap().cut.is_empty());
    #[cfg(unix)]
    for directory in [&run, run.parent().unwrap(), &place.path().join("deep/er"), &place.path().join("deep")]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(directory).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", directory.display());
    }
}
