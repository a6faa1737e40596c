//! Makes a bundle from a run's files. What does not verify is not exported, and what was not asked for is not disclosed.

mod error;
mod fresh;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, Seek as _, Write};
use std::iter::Peekable;
use std::path::Path;

use fuze_evidence::content::{ContentLine, KeysLine};
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::keys::{KeyError, MasterKey, Signer, SubjectKeys, WrappedRunKeys};
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{KeyId, PublicKey};
use fuze_evidence::verify::{RunFiles, TrustedKeys, verify_files};
use fuze_evidence::{Annex, RunKeys, Timestamp};
use fuze_log::Policy;

use self::fresh::Fresh;
use crate::anchored::{Anchored, RunRoots};
use crate::disclose::{self, Selection};
use crate::manifest::{Predicate, Statement, Subject};
use crate::oversight::OversightMember;
use crate::report::{self, Made, Outline};
use crate::source::{RunFile, RunSource};
use crate::verify::{BundleReport, Trust, inspect};
use crate::zip::Spool;
use crate::{dsse, member, readme, spki};

pub use error::ExportError;

/// What else may go into a bundle, as octets.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// The agent's definition, as it was fingerprinted.
    pub definition: Option<Vec<u8>>,
    /// The policy bundle.
    pub policy: Option<Vec<u8>>,
    /// Decisions of people, as far as they are disclosed.
    pub oversight: Vec<OversightMember>,
    /// Where the run's roots stand in a log.
    pub anchored: Option<Anchored>,
    /// The tenant's annex, whole.
    pub annex: Option<Vec<u8>>,
    /// The history of the keys that sign runs, and the id of the key that it begins with.
    pub history: Option<(Vec<u8>, KeyId)>,
}

/// What to export, with what, and in whose name.
pub struct Export<'e> {
    /// The run's files.
    pub run: &'e dyn RunSource,
    /// The key that signed the run.
    pub run_key: PublicKey,
    /// Opens content; not needed where nothing is disclosed.
    pub master_key: Option<&'e MasterKey>,
    /// Opens content of runs with a data subject.
    pub subject_keys: Option<&'e dyn SubjectKeys>,
    /// Which content to disclose.
    pub selection: Selection,
    /// What else goes in.
    pub extras: Extras,
    /// Signs the manifest: the run's key, or that of whoever exports.
    pub maker: &'e dyn Signer,
    /// What the manifest says about when.
    pub exported_at: Timestamp,
}

impl std::fmt::Debug for Export<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Export({}, {:?})", self.run_key.id(), self.selection)
    }
}

impl Export<'_> {
    /// Writes the bundle to a new file, whole or not at all, and verifies what was written. Where the system has files without a name
    /// (Linux), nothing of it is left when this is cut off; elsewhere a file `.tmp…` beside it, which holds what was disclosed.
    ///
    /// # Errors
    /// When the run does not verify, something to be disclosed cannot be, or a file is there already.
    pub fn to_path(&self, path: &Path) -> Result<BundleReport, ExportError> {
        let io = |source| ExportError::Io { path: path.to_owned(), source };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let fresh = Fresh::new_in(directory).map_err(io)?;
        let mut file = fresh.file();
        self.write(directory, file)?;
        file.rewind().map_err(io)?;
        let report = crate::verify::verify(file, &self.trust())?;
        file.sync_all().map_err(io)?;
        fresh.put(path).and_then(|()| File::open(directory)?.sync_all()).map_err(io)?;
        Ok(report)
    }

    /// Writes the bundle. What does not fit into memory on the way goes to a nameless file in `scratch`.
    ///
    /// # Errors
    /// As [`Export::to_path`]; then what was written is no bundle.
    pub fn write(&self, scratch: &Path, out: impl Write) -> Result<(), ExportError> {
        let mut spool = Spool::new(scratch);
        self.add_run(&mut spool)?;
        self.add_content(&mut spool)?;
        self.add_extras(&mut spool)?;
        let mut outline = Outline::default();
        let inspected =
            inspect(&mut spool, &self.trust(), &mut |entry, disclosed| outline.add(entry, disclosed))?;
        let predicate = Predicate {
            close_root: inspected.close_root,
            exported_at: self.exported_at,
            format: Predicate::FORMAT,
            origin: inspected.run.origin.clone(),
            run_id: inspected.run.run_id,
            tenant: inspected.run.tenant.clone(),
            withheld: inspected.run.content.withheld,
        };
        let made = Made { exported_at: self.exported_at, maker: self.maker.key_id() };
        let page = report::html(&outline, &inspected, &made);
        spool.add(member::REPORT, page.as_bytes())?;
        let maker = self.maker_key()?;
        let text = readme::text(&inspected, &maker);
        spool.add(member::README, text.as_bytes())?;
        let subject = spool.digests().map(|(name, hash)| Subject::new(name, hash)).collect();
        let statement = fuze_evidence::jcs::to_vec(&Statement::new(predicate, subject))?;
        spool.add(member::MANIFEST, dsse::seal(&statement, self.maker)?.as_slice())?;
        spool.finish(out)?;
        Ok(())
    }

    fn maker_key(&self) -> Result<PublicKey, ExportError> {
        PublicKey::from_bytes(self.maker.public_key()).map_err(ExportError::Maker)
    }

    /// Whose signatures count: the run's key as it was given, or as the history has it.
    fn trusted(&self) -> Result<TrustedKeys<'_>, ExportError> {
        let Some((octets, first)) = &self.extras.history else {
            return Ok(TrustedKeys::new().run_key(self.run_key));
        };
        let history = KeyHistory::read(octets, *first)?;
        let mut stood = Vec::new();
        if let Some((anchored, policy)) = self.revocations() {
            let key = |id: &KeyId, _| (*id == self.run_key.id()).then_some(self.run_key);
            // A run that does not verify is refused in the words of verification.
            if let Ok(roots) = RunRoots::read(self.run, key) {
                stood = anchored.roots_before_revocation(&roots, &history, &policy);
            }
        }
        let trusted = TrustedKeys::new().history(history);
        Ok(stood.into_iter().fold(trusted, TrustedKeys::stood_before_revocation))
    }

    /// Where revocations stand in the run's log, if that was told.
    fn revocations(&self) -> Option<(&Anchored, Policy)> {
        let anchored = self.extras.anchored.as_ref().filter(|anchored| !anchored.revocations.is_empty())?;
        Some((anchored, Policy::new(anchored.log.clone(), Vec::new(), 0).ok()?))
    }

    /// What the bundle itself is verified with before it is handed on.
    fn trust(&self) -> Trust {
        let trust = Trust::new().run_key(self.run_key.id()).exporter(self.maker.key_id());
        let trust = self.extras.history.iter().fold(trust, |trust, (_, first)| trust.run_key(*first));
        let Some((anchored, policy)) = self.revocations() else { return trust };
        anchored.revocations.iter().cloned().fold(trust.log(policy), Trust::revocation)
    }

    fn open(&self, file: RunFile) -> Result<Box<dyn BufRead + '_>, ExportError> {
        self.run.open(file).map_err(|source| ExportError::Io { path: file.name().into(), source })
    }

    /// Verifies the run with all that is known of it, and takes its chain, roots and keys.
    fn add_run(&self, spool: &mut Spool) -> Result<(), ExportError> {
        let mut keys = self.trusted()?;
        let annex = self.extras.annex.as_deref().map(|octets| Annex::read(octets, &keys)).transpose()?;
        if let Some(annex) = &annex {
            keys = keys.annex(annex);
        }
        if let Some(master) = self.master_key {
            keys = keys.master_key(master);
        }
        if let Some(subjects) = self.subject_keys {
            keys = keys.subject_keys(subjects);
        }
        let files = RunFiles {
            records: self.open(RunFile::Records)?,
            roots: Some(self.open(RunFile::Roots)?),
            content: Some((self.open(RunFile::Content)?, self.open(RunFile::Keys)?)),
        };
        let report = verify_files(files, &keys)?;
        if let Some(missing) = report.missing.first() {
            return Err(ExportError::Missing { sequence: missing.sequence });
        }
        spool.add(member::RECORDS, self.open(RunFile::Records)?)?;
        spool.add(member::ROOTS, self.open(RunFile::Roots)?)?;
        spool.add(member::RUN_HEX, spki::hex(&self.run_key).as_slice())?;
        spool.add(member::RUN_PEM, spki::pem(&self.run_key).as_slice())?;
        let maker = self.maker_key()?;
        if maker != self.run_key {
            spool.add(member::EXPORT_HEX, spki::hex(&maker).as_slice())?;
            spool.add(member::EXPORT_PEM, spki::pem(&maker).as_slice())?;
        }
        Ok(())
    }

    /// One member for each content, and the copies of signed roots, in one walk over the records.
    fn add_content(&self, spool: &mut Spool) -> Result<(), ExportError> {
        let mut content = self.open(RunFile::Content)?.split(b'\n').peekable();
        let mut keys = self.open(RunFile::Keys)?.split(b'\n').peekable();
        // Of an erased run the first line is gone too.
        let first = keys.next_if(|line| line.as_ref().is_ok_and(|line| KeysLine::read(line).is_err()));
        let run_keys = self.run_keys(first)?;
        let io = |file: RunFile| move |source| ExportError::Io { path: file.name().into(), source };
        let mut named: BTreeSet<u64> = self.selection.named().collect();
        for line in self.open(RunFile::Records)?.split(b'\n') {
            let line = line.map_err(io(RunFile::Records))?;
            let entry = Entry::read(&line).map_err(|e| ExportError::Changed(e.to_string()))?;
            if let fuze_evidence::Span::RunClose(_) = entry.span {
                let signed = crate::verify::signed_close(&line)?;
                add_root(spool, &signed, member::CLOSE_JSON, member::CLOSE_SIG)?;
            }
            let Some(reference) = entry.content else { continue };
            named.remove(&entry.sequence);
            let of_root =
                |line: &[u8]| ContentLine::read(line).is_ok_and(|line| line.root() == reference.root);
            let content = next_if(&mut content, of_root).map_err(io(RunFile::Content))?;
            let of_root = |line: &[u8]| KeysLine::read(line).is_ok_and(|line| line.root() == reference.root);
            let keys = next_if(&mut keys, of_root).map_err(io(RunFile::Keys))?;
            // Gone, and explained: the run verified with the annex.
            let (Some(content), Some(keys)) = (content, keys) else {
                if self.selection.names(entry.sequence) {
                    return Err(ExportError::NoKey { sequence: entry.sequence });
                }
                continue;
            };
            let disclosure = self.disclose(entry.sequence, &content, &keys, run_keys.as_ref())?;
            let name = member::content(disclosure.root);
            spool.add(&name, disclose::write(disclosure)?.as_slice())?;
        }
        if let Some(&sequence) = named.first() {
            return Err(ExportError::NoContent { sequence });
        }
        for (n, line) in (0..).zip(self.open(RunFile::Roots)?.split(b'\n')) {
            let line = line.map_err(io(RunFile::Roots))?;
            add_root(spool, &line, &member::root_json(n), &member::root_sig(n))?;
        }
        Ok(())
    }

    fn run_keys(&self, first: Option<io::Result<Vec<u8>>>) -> Result<Option<RunKeys>, ExportError> {
        let (Some(master), Some(first)) = (self.master_key, first) else { return Ok(None) };
        let changed = || ExportError::Changed("the records are gone".to_owned());
        let line = first.map_err(|source| ExportError::Io { path: RunFile::Keys.name().into(), source })?;
        let wrapped = WrappedRunKeys::from_line(&line)?;
        let first = self.open(RunFile::Records)?.split(b'\n').next().ok_or_else(changed)?;
        let first =
            first.map_err(|source| ExportError::Io { path: RunFile::Records.name().into(), source })?;
        let entry = Entry::read(&first).map_err(|e| ExportError::Changed(e.to_string()))?;
        let subject = match (entry.common.subject, self.subject_keys) {
            (Some(alias), Some(subjects)) => match subjects.find(&alias)? {
                Some(key) => Some((alias, key)),
                None => return Ok(None),
            },
            (Some(_), None) => return Ok(None),
            (None, _) => None,
        };
        let borrowed = subject.as_ref().map(|(alias, key)| (alias.clone(), key));
        match RunKeys::unwrap(&wrapped, master, borrowed) {
            Ok(keys) => Ok(Some(keys)),
            Err(KeyError::OtherMaster { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn disclose(
        &self,
        sequence: u64,
        content: &[u8],
        keys: &[u8],
        run_keys: Option<&RunKeys>,
    ) -> Result<fuze_evidence::content::Disclosure, ExportError> {
        let line = ContentLine::read(content)?;
        if !self.selection.wants(sequence) {
            return Ok(disclose::hashes_only(&line));
        }
        let run_keys = run_keys.ok_or(ExportError::NoKey { sequence })?;
        let whole = line.open(&KeysLine::read(keys)?, run_keys)?;
        self.selection
            .choose(sequence, whole, line.hashes())
            .map_err(|unmatched| ExportError::NoField { sequence, pointer: unmatched.pointer })
    }

    fn add_extras(&self, spool: &mut Spool) -> Result<(), ExportError> {
        if let Some(definition) = &self.extras.definition {
            spool.add(member::DEFINITION, definition.as_slice())?;
        }
        if let Some(annex) = &self.extras.annex {
            spool.add(member::ANNEX, annex.as_slice())?;
        }
        if let Some((history, _)) = &self.extras.history {
            spool.add(member::KEY_HISTORY, history.as_slice())?;
        }
        if let Some(policy) = &self.extras.policy {
            spool.add(member::POLICY, policy.as_slice())?;
        }
        if let Some(anchored) = &self.extras.anchored {
            let mut lines = Vec::new();
            for (name, anchor) in
                [(member::ANCHOR_OPEN, &anchored.open), (member::ANCHOR_CLOSE, &anchored.close)]
            {
                let Some((line, proof)) = anchor else { continue };
                lines.extend_from_slice(line.bytes());
                lines.push(b'\n');
                spool.add(name, proof.as_slice())?;
            }
            spool.add(member::ANCHORS, lines.as_slice())?;
            spool.add(member::LOG_KEY, format!("{}\n", anchored.log).as_bytes())?;
        }
        for (n, decision) in (0..).zip(&self.extras.oversight) {
            spool.add(&member::oversight(n), decision.write()?.as_slice())?;
        }
        Ok(())
    }
}

/// The next line, if it is the one that is looked for.
fn next_if(
    lines: &mut Peekable<impl Iterator<Item = io::Result<Vec<u8>>>>,
    wanted: impl Fn(&[u8]) -> bool,
) -> io::Result<Option<Vec<u8>>> {
    lines.next_if(|line| line.as_ref().map_or(true, |line| wanted(line))).transpose()
}

fn add_root(spool: &mut Spool, signed: &[u8], json: &str, sig: &str) -> Result<(), ExportError> {
    let (octets, signature) = crate::verify::signed_parts(signed)
        .ok_or_else(|| ExportError::Changed("a signed root is not in its form".to_owned()))?;
    spool.add(json, octets.as_slice())?;
    spool.add(sig, signature.as_slice())?;
    Ok(())
}
