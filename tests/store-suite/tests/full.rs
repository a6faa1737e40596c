//! A file may grow no further: writes end in their midst, each file system call by itself, as on a full disk.
//!
//! The holder runs under a limit of the size of files (`ulimit -f`, no rights needed; the signal is ignored, so that `write` says it). What
//! it had acknowledged is there, the rest can be recovered from, and without the limit everything goes on.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

mod told;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::{Recovered, recover};
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::{Name, sha256};
use fuze_log::{Log, LogOptions, Policy};

/// What a holder says that may write files of so many blocks of 512 octets, and whether that was enough.
fn limited(blocks: usize, arguments: &[&str], place: &Path) -> (String, bool) {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(blocks.to_string())
        .arg(env!("CARGO_BIN_EXE_holder"))
        .args(arguments)
        .current_dir(place)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code <= 1), "{blocks}: {:?} {complaint}", output.status);
    assert!(!complaint.contains("panicked") && !complaint.contains("went on"), "{blocks}: {complaint}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

#[tokio::test]
async fn a_store_keeps_what_it_acknowledged() {
    let (mut failed, mut begun) = (0, 0);
    // From no room for the tables to nearly enough for the story.
    for blocks in [1, 8, 60, 250, 275, 290].into_iter().chain((300..1_150).step_by(37)) {
        let place = tempfile::tempdir().expect("a directory");
        let (said, enough) = limited(blocks, &["erasing", "store", "aside"], place.path());
        let told = told::read(&said);
        let seen = told::holds(&place.path().join("store"), &place.path().join("aside"), &told).await;
        begun += seen.unwrap_or_else(|error| panic!("{blocks}: {error}")).runs;
        failed += usize::from(!enough);
    }
    println!("{failed} stories ended early, {begun} runs");
    assert!(failed > 15 && begun > 10, "{failed} {begun}");
}

#[test]
fn a_sink_keeps_what_it_acknowledged() {
    let (mut failed, mut cut) = (0, 0);
    for blocks in 0..16 {
        let place = tempfile::tempdir().expect("a directory");
        let (said, enough) = limited(blocks, &["sink", "files"], place.path());
        failed += usize::from(!enough);
        let told = told::read(&said);
        let (run, told) = told.first_key_value().expect("a run");
        let directory = place.path().join("files/runs").join(run.to_string());
        let recovered = if directory.exists() { Some(recover(&directory)) } else { None };
        let recovered = recovered.transpose().unwrap_or_else(|error| panic!("{blocks}: {error}"));
        let begun = recovered.as_ref().is_some_and(|recovered| recovered.unbegun.is_none());
        assert!(begun || told.records() == 0, "{blocks}: {recovered:?}");
        let Some(Recovered { cut: ends, unbegun: None, .. }) = recovered else { continue };
        cut += usize::from(!ends.is_empty());
        let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(told.key()).expect("a key"));
        let report = verify(&directory, &keys).unwrap_or_else(|error| panic!("{blocks}: {error}"));
        assert_eq!(report.chain, Chain::NotClosed, "{blocks}");
        assert!(report.records >= told.records() && report.content.missing == 0, "{blocks}: {report:?}");
    }
    println!("{failed} ended early, {cut} had something to cut off");
    assert!(failed > 5 && cut > 2, "{failed} {cut}");
}

#[test]
fn a_log_keeps_what_it_acknowledged() {
    let (mut failed, mut leaves) = (0, 0);
    for blocks in (0..64).step_by(7).chain((70..1_000).step_by(93)) {
        let place = tempfile::tempdir().expect("a directory");
        let name = Name::new("log").expect("a name");
        let signer =
            FileSigner::create(&place.path().join("key"), name, &mut OsRandom::new()).expect("a key");
        let signer = Arc::new(signer);
        let (said, enough) = limited(blocks, &["log", "log", "key"], place.path());
        failed += usize::from(!enough);
        let directory = place.path().join("log");
        let log = match Log::open(&directory, signer.clone(), LogOptions::new()) {
            Ok(log) => log,
            Err(_) if !said.contains("made") => {
                let name = Name::new("log.example").expect("a name");
                Log::create(&directory, &name, signer, LogOptions::new())
                    .unwrap_or_else(|error| panic!("{blocks}: {error}"))
            }
            Err(error) => panic!("{blocks}: {error}"),
        };
        let policy = Policy::from_vkeys(&log.vkey().to_string(), [], 0).expect("a policy");
        let mut found = Vec::new();
        let audited = log.reader().audit(&policy, |_, octets| found.push(sha256(octets).to_string()));
        audited.unwrap_or_else(|error| panic!("{blocks}: {error}"));
        for line in said.lines().filter_map(|line| line.strip_prefix("leaf ")) {
            let (index, hash) = line.split_once(' ').expect("two words");
            let index: usize = index.parse().expect("a number");
            assert_eq!(found.get(index).map(String::as_str), Some(hash), "{blocks}: leaf {index}");
            leaves += 1;
        }
    }
    println!("{failed} ended early, {leaves} leaves looked up");
    assert!(failed > 10 && leaves > 10, "{failed} {leaves}");
}
