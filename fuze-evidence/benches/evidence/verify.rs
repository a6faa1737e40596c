//! Verifying stored octets, beside SHA-256 over the same octets, and beside parsing and writing them again.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;

use fuze_evidence::verify::{
    ChainHead, Look, Octets, Options, RunFiles, TrustedKeys, check_chain, verify_files_with,
};
use fuze_evidence::vocab::{PolicyDecision, RunStatus};
use fuze_evidence::{Record, sha256};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::{Host, Sample, evaluate, times};
use crate::measure::{Clock, Figures, job};

const RECORDS: u64 = 20_000;

pub(crate) fn measure(figures: &mut Figures) {
    let sample = run(if figures.in_earnest() { RECORDS } else { 50 });
    let records = sample.files.records.as_slice();
    let count = memchr::memchr_iter(b'\n', records).count();
    let on = |threads| Options::new().with_threads(NonZeroUsize::new(threads).unwrap());
    let chain = |look, threads| -> ChainHead {
        check_chain(Octets::Slice(black_box(records)), look, &on(threads)).unwrap()
    };
    let raw = || _ = black_box(Sha256::digest(black_box(records)));
    println!("verifying {count} records, {} octets", records.len());
    assert_eq!(chain(Look::Hashes, 2).records, u64::try_from(count).unwrap());

    let [one, sha] = figures.compare(
        Clock::Cpu,
        [job("the chain, one thread", || chain(Look::Hashes, 1)), job("SHA-256 of the same octets", raw)],
    );
    figures.at_least("chain on one core: speed as a share of SHA-256's", sha, one, 0.9);
    let two = || _ = black_box(chain(Look::Hashes, 2));
    let [both, sha] = figures.compare(
        Clock::Process,
        [job("the chain, two threads, CPU time of both", two), job("SHA-256 of the same octets", raw)],
    );
    // The pieces are dealt out in turn, so each thread has half: what two cores need that nobody else uses.
    figures.at_least("chain on two cores: times as fast as SHA-256 on one", sha, both / 2.0, 1.8);
    figures.compare(
        Clock::Wall,
        [job("the same as time passes, two threads", two), job("SHA-256, one thread", raw)],
    );

    let [strict, again] = figures.compare(
        Clock::Cpu,
        [
            job("the chain and canonical form", || chain(Look::Canonical, 1)),
            job("the chain, parsed and written again", || parse_and_write_again(records)),
        ],
    );
    figures.at_least("strict: times as fast as parsing and writing again", again, strict, 3.0);

    // All that `verify` does, for the figure of a million records.
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let whole = |options: Options| {
        let files = RunFiles { records: Box::new(records), roots: None, content: None };
        assert!(verify_files_with(files, &keys, &options).unwrap().is_verified());
    };
    figures.compare(Clock::Cpu, [job("verify, whole, one thread", || whole(on(1)))]);
    figures.compare(
        Clock::Wall,
        [
            job("verify, whole, two threads", || whole(on(2))),
            job("verify, whole, two threads, with the second reader", || whole(on(2).with_second_reader())),
        ],
    );
}

fn run(records: u64) -> Sample {
    let mut octets = Vec::new();
    let mut sample = write(records, &mut octets);
    sample.files.records = octets;
    sample
}

/// Writes a closed run of so many records and its close; its first record is in the files of what comes back, too.
fn write(records: u64, out: &mut dyn Write) -> Sample {
    let (sample, mut recorder) = Sample::begin_in_store(Host::new(), true);
    out.write_all(&sample.files.records).unwrap();
    let mut line = |record: &Record| {
        out.write_all(record.bytes()).unwrap();
        out.write_all(b"\n").unwrap();
    };
    for step in 1..records {
        let span = evaluate(PolicyDecision::Allow, sha256(&step.to_be_bytes()));
        line(&recorder.append(step, 0, times(step), &span, None).unwrap());
    }
    let closed =
        recorder.close(records, 0, times(records), RunStatus::BudgetExceeded, &sample.host.signer).unwrap();
    line(closed.record());
    sample
}

/// `--write N FILE`: a run of N records for `fuze audit verify FILE --key …`.
pub(crate) fn write_file(records: u64, file: &Path) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    let sample = write(records, &mut out);
    out.flush().unwrap();
    let key = sample.host.public_key().to_bytes().map(|byte| format!("{byte:02x}")).concat();
    println!("fuze audit verify {} --key {key}", file.display());
}

/// What a verifier does that has `serde_json`, `serde_jcs` and `sha2`.
fn parse_and_write_again(records: &[u8]) {
    let mut head = Value::String("0".repeat(64));
    for line in records.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let mut record: Value = serde_json::from_slice(line).unwrap();
        assert!(serde_jcs::to_vec(&record).unwrap() == line);
        let members = record.as_object_mut().unwrap();
        let hash = members.remove("hash").unwrap();
        assert_eq!(members.get("prevHash"), Some(&head));
        let found = sha256(&serde_jcs::to_vec(&record).unwrap());
        assert_eq!(hash.as_str(), Some(found.to_string().as_str()));
        head = hash;
    }
}
