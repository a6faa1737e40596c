//! A log with a witness, and runs anchored in it.

use std::path::Path;
use std::sync::Arc;

use fuze_audit::{Anchored, KeyAnchor};
use fuze_evidence::anchor::{AnchorLine, Blinding, Prepared};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::sign::SignedRoot;
use fuze_evidence::{Hash, jcs, sha256};
use fuze_log::witness::{Answer, TransportError};
use fuze_log::{
    KeyName, Log, LogOptions, LogReader, Policy, VerifierKey, Witness, WitnessClient, WitnessTransport,
};
use serde_json::Value;

use crate::common::{at, name};
use crate::runs::{Run, random};

/// A log in a directory of its own, with a witness that answers at once.
pub struct World {
    pub log: Log,
    witness: Arc<Witness>,
    dice: u64,
    _place: tempfile::TempDir,
}

struct Direct(Arc<Witness>);

impl WitnessTransport for Direct {
    fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, TransportError> {
        let answer =
            |status, body: String| Answer { status, content_type: String::new(), body: body.into_bytes() };
        Ok(match self.0.add_checkpoint(body) {
            Ok(line) => answer(200, format!("{line}\n")),
            Err(fuze_log::witness::Refusal::Conflict { size }) => {
                Answer { content_type: "text/x.tlog.size".to_owned(), ..answer(409, format!("{size}\n")) }
            }
            Err(refusal) => answer(refusal.status(), refusal.to_string()),
        })
    }
}

impl World {
    /// A log of this name, whose keys come from `seed`, with some leaves of others.
    pub fn new(origin: &str, seed: u64) -> Self {
        let place = tempfile::tempdir().unwrap();
        let signer = |n| Arc::new(FileSigner::ephemeral(name("log"), &mut random(seed * 2 + n)).unwrap());
        let log =
            Log::create(&place.path().join("log"), &name(origin), signer(0), LogOptions::new()).unwrap();
        let witness = KeyName::new("witness.example").unwrap();
        let keys = [log.vkey().clone()];
        let witness = Witness::open(&place.path().join("witness"), witness, signer(1), keys).unwrap();
        let mut world = Self { log, witness: Arc::new(witness), dice: seed << 8, _place: place };
        world.grow(5);
        world
    }

    /// Leaves of others.
    pub fn grow(&mut self, leaves: u64) {
        for n in 0..leaves {
            self.dice += 1;
            let leaf = Prepared::key(sha256(&n.to_be_bytes()), &blinding(self.dice)).unwrap();
            self.log.append(leaf.leaf()).unwrap();
        }
    }

    pub fn vkey(&self) -> VerifierKey {
        self.log.vkey().clone()
    }

    /// What the log publishes.
    pub fn reader(&self) -> &LogReader {
        self.log.reader()
    }

    /// Trusts this log, with its witness or without.
    pub fn policy(&self, witnesses: usize) -> Policy {
        Policy::new(self.vkey(), vec![self.witness.vkey().clone()], witnesses).unwrap()
    }

    /// Puts a run's roots into the log, with leaves of others between and after, and proves them on one checkpoint.
    pub fn anchor(&mut self, run: &Run, cosigned: bool) -> Anchored {
        let roots = signed_roots(run);
        self.dice += 1;
        let open = Prepared::open(&roots[0], at(86_400_000_000_000), &blinding(self.dice)).unwrap();
        let open = self.keep(open);
        self.grow(3);
        let close = run.shape.closed.then(|| {
            let close = Prepared::close(roots.last().unwrap(), &open).unwrap();
            self.keep(close)
        });
        self.grow(4);
        if cosigned {
            let client =
                WitnessClient::new(self.witness.vkey().clone(), Direct(self.witness.clone())).unwrap();
            assert_eq!(self.log.cosign(&[client]).unwrap().cosigned.len(), 1);
        }
        let proof = |line: AnchorLine| {
            let proof = self.log.reader().proof(line.index()).unwrap().to_string();
            (line, proof.into_bytes())
        };
        Anchored {
            log: self.vkey(),
            open: Some(proof(open)),
            close: close.map(proof),
            revocations: Vec::new(),
        }
    }

    /// Puts the last line of a key history into the log, which the witness then sees, and proves it.
    pub fn revoke(&mut self, history: &KeyHistory) -> KeyAnchor {
        self.dice += 1;
        let line = self.keep(Prepared::key(history.head(), &blinding(self.dice)).unwrap());
        self.grow(2);
        let client = WitnessClient::new(self.witness.vkey().clone(), Direct(self.witness.clone())).unwrap();
        assert_eq!(self.log.cosign(&[client]).unwrap().cosigned.len(), 1);
        let proof = self.log.reader().proof(line.index()).unwrap().to_string();
        KeyAnchor { line, proof: proof.into_bytes() }
    }

    fn keep(&self, prepared: Prepared) -> AnchorLine {
        let index = self.log.append(prepared.leaf()).unwrap();
        prepared.anchored(index, self.log.origin().clone(), at(1)).unwrap()
    }
}

fn blinding(dice: u64) -> Blinding {
    Blinding::generate(&mut random(dice)).unwrap()
}

/// A run's signed roots, the close last.
pub fn signed_roots(run: &Run) -> Vec<SignedRoot> {
    let key = run.public_key();
    let mut lines: Vec<Vec<u8>> = run.files.roots.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop();
    let last = run.files.records.trim_ascii_end().rsplit(|&b| b == b'\n').next().unwrap();
    let last: Value = serde_json::from_slice(last).unwrap();
    if let Some(signed) = last["payload"].get("signature") {
        lines.push(jcs::to_vec(signed).unwrap());
    }
    lines.iter().map(|line| SignedRoot::read(line, |_| Some(key)).unwrap()).collect()
}

/// What names a run's whole evidence.
pub fn close_root(run: &Run) -> Hash {
    signed_roots(run).last().unwrap().hash()
}

/// Where a directory is that outlives a test's own: for tools that want files.
pub fn write_all(place: &Path, files: &[(&str, &[u8])]) {
    for (name, octets) in files {
        std::fs::write(place.join(name), octets).unwrap();
    }
}
