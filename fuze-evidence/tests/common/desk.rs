//! A deployment in a directory: runs in files, keys of data subjects beside them, and what was given out before an erasure.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use fuze_evidence::chain::Opened;
use fuze_evidence::content::{Disclosure, Proof, commit, inclusion_proof, seal, verify_inclusion};
use fuze_evidence::erase::{Archive, Registrar};
use fuze_evidence::keys::{FileSigner, FileSubjectKeys, MasterKey, Signer as _, SubjectKeys as _};
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Report, TrustedKeys, VerifyError, verify};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Annex, Common, Hash, Name, Recorder, Redactor, RunId, RunKeys};
use serde_json::Value;

use super::{at, common, decision, execute, generate, name, person, push, start, times};

pub(crate) struct Desk {
    pub(crate) place: tempfile::TempDir,
    pub(crate) signer: Arc<FileSigner>,
    pub(crate) master: MasterKey,
    pub(crate) subjects: FileSubjectKeys,
    pub(crate) tenant: Name,
}

/// A content of a run as it was, with all that opens it.
pub(crate) struct Given {
    pub(crate) root: Hash,
    pub(crate) disclosure: Disclosure,
    pub(crate) proofs: Vec<(Hash, Proof)>,
    pub(crate) content_line: Vec<u8>,
    pub(crate) keys_line: Vec<u8>,
}

impl Given {
    /// What was given out before an erasure is as good as it was.
    pub(crate) fn still_holds(&self) {
        assert!(self.disclosure.fields(self.root).is_ok());
        let size = u64::try_from(self.proofs.len()).unwrap();
        for (index, (leaf, proof)) in (0..).zip(&self.proofs) {
            assert!(verify_inclusion(self.root, *leaf, index, size, proof));
        }
    }
}

pub(crate) struct Made {
    pub(crate) run: RunId,
    pub(crate) alias: Option<Name>,
    pub(crate) contents: Vec<Given>,
    /// The run's own line of `keys.jsonl`.
    pub(crate) run_line: Vec<u8>,
}

/// What a run is made of: the input, what the model said, what a person decided.
pub(crate) struct Says<'v> {
    pub(crate) input: &'v Value,
    pub(crate) answers: &'v [Value],
    pub(crate) decisions: &'v [Value],
    pub(crate) subject: bool,
    pub(crate) closed: bool,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let random = &mut OsRandom::new();
        let place = tempfile::tempdir().unwrap();
        let signer = Arc::new(FileSigner::ephemeral(name("test"), random).unwrap());
        let master = MasterKey::ephemeral(random).unwrap();
        let subjects = FileSubjectKeys::new(place.path().join("subjects"));
        Self { place, signer, master, subjects, tenant: name("acme") }
    }

    pub(crate) fn registrar(&self) -> Registrar {
        Registrar::new(name("hr.example.eu"), self.signer.clone()).unwrap()
    }

    pub(crate) fn archive(&self) -> Archive<'_> {
        Archive::new(self.place.path(), self.registrar())
            .master_key(&self.master)
            .subject_keys(&self.subjects)
    }

    pub(crate) fn trusted(&self) -> TrustedKeys<'_> {
        let key = PublicKey::from_bytes(self.signer.public_key()).unwrap();
        TrustedKeys::new().run_key(key).master_key(&self.master).subject_keys(&self.subjects)
    }

    pub(crate) fn run_directory(&self, run: RunId) -> PathBuf {
        self.place.path().join("runs").join(run.to_string())
    }

    pub(crate) fn annex(&self) -> Annex {
        let octets = fs::read(self.archive().annex_path(&self.tenant)).unwrap();
        Annex::read(&octets, &self.trusted()).unwrap()
    }

    /// Verifies with the annex, if there is one.
    pub(crate) fn verify(&self, run: RunId) -> Result<Report, VerifyError> {
        let octets = fs::read(self.archive().annex_path(&self.tenant)).unwrap_or_default();
        if octets.is_empty() {
            return verify(&self.run_directory(run), &self.trusted());
        }
        let annex = Annex::read(&octets, &self.trusted())?;
        verify(&self.run_directory(run), &self.trusted().annex(&annex))
    }

    pub(crate) fn make(&self, says: &Says<'_>) -> Made {
        self.make_with(says, &mut OsRandom::new())
    }

    pub(crate) fn make_with(&self, says: &Says<'_>, random: &mut dyn Random) -> Made {
        let run = RunId::generate(at(0), random).unwrap();
        let mut alias_octets = [0u8; 8];
        random.fill(&mut alias_octets).unwrap();
        let alias = name(&format!("s-{:016x}", u64::from_be_bytes(alias_octets)));
        let key = says.subject.then(|| self.subjects.create(&alias, person(&self.tenant)).unwrap());
        let alias = says.subject.then_some(alias);
        let keys = RunKeys::generate(run, alias.clone().zip(key.as_ref()), random).unwrap();
        let run_line = keys.wrap(&self.master, random).unwrap().to_line().unwrap();
        let (mut content, mut key_lines, mut records, mut roots) = (vec![], vec![], vec![], vec![]);
        push(&mut key_lines, &run_line);
        let mut contents = Vec::new();
        let mut put = |value: &Value, random: &mut dyn Random| {
            let commitment = commit(Redactor::new(&keys).redact(value.clone()), random).unwrap();
            let sealed = seal(&commitment, &keys, random).unwrap();
            push(&mut content, sealed.content_line());
            push(&mut key_lines, sealed.keys_line());
            let disclosure = commitment.disclose();
            let leaves: Vec<Hash> = disclosure.leaves.iter().map(|leaf| leaf.hash().unwrap()).collect();
            let proof = |(at, leaf): (usize, &Hash)| (*leaf, inclusion_proof(&leaves, at).unwrap());
            contents.push(Given {
                root: commitment.root(),
                proofs: leaves.iter().enumerate().map(proof).collect(),
                disclosure,
                content_line: sealed.content_line().to_vec(),
                keys_line: sealed.keys_line().to_vec(),
            });
            commitment
        };
        let input = put(says.input, random);
        let signer = &*self.signer;
        let common = Common { tenant: self.tenant.clone(), ..common(alias.clone()) };
        let Opened { mut recorder, record, root } =
            Recorder::open(run, common, start(signer), Some(&input), times(0), signer).unwrap();
        push(&mut records, record.bytes());
        push(&mut roots, root.bytes());
        let mut step = 1;
        for value in says.answers {
            let commitment = put(value, random);
            let span = generate(u32::try_from(step).unwrap(), Hash::ZERO);
            let record = recorder.append(step, 0, times(step * 10), &span, Some(&commitment)).unwrap();
            push(&mut records, record.bytes());
            step += 1;
        }
        for value in says.decisions {
            let commitment = put(value, random);
            let span = decision(input.root());
            let record = recorder.append(step, 0, times(step * 10), &span, Some(&commitment)).unwrap();
            push(&mut records, record.bytes());
            step += 1;
        }
        if says.closed {
            let closed = recorder.close(step, 0, times(step * 10), RunStatus::Completed, signer).unwrap();
            push(&mut records, closed.record().bytes());
        } else {
            let record = recorder.append(step, 0, times(step * 10), &execute(input.root()), None).unwrap();
            push(&mut records, record.bytes());
        }
        let directory = self.run_directory(run);
        fs::create_dir_all(&directory).unwrap();
        for (file, octets) in [
            ("records.jsonl", records),
            ("roots.jsonl", roots),
            ("content.jsonl", content),
            ("keys.jsonl", key_lines),
        ] {
            fs::write(directory.join(file), octets).unwrap();
        }
        Made { run, alias, contents, run_line }
    }
}
