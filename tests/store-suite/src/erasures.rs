//! Runs whose content goes, each way that there is, and who orders it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use fuze_agent::store::Batch;
use fuze_audit::{Export, Extras, RunDirectory, Selection, Trust, Verdict};
use fuze_evidence::annex::ErasureReason;
use fuze_evidence::erase::{Done, EraseError, Order, Registrar, Repeat, Target};
use fuze_evidence::keys::{FileSigner, MasterKey, MasterKeyFile, Person, SubjectKeys as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::{Hash, Name, RunId, Signer as _, Timestamp};
use fuze_store::{Eraser, EraserError, SqliteStore, SqliteSubjectKeys};
use serde_json::json;

use crate::{Sample, Wrong};

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// One field of a content.
    Field,
    /// A content.
    Record,
    /// All content of a run.
    Run,
    /// All content of a run, and the key of the person whom it is about.
    Subject,
    /// The same of all runs about the person.
    Person,
}

impl What {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Field, "field"),
        (Self::Record, "record"),
        (Self::Run, "run"),
        (Self::Subject, "subject"),
        (Self::Person, "person"),
    ];

    /// Whether a subject's key goes.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Subject | Self::Person)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(what, _)| what == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl FromStr for What {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let what = Self::ALL.iter().find(|(_, name)| *name == text).map(|(what, _)| *what);
        what.ok_or_else(|| Wrong::new(format!("`{text}` is nothing that goes")))
    }
}

/// Whose runs these are and who erases from them: keys that outlive a process.
pub struct Office {
    signer: Arc<FileSigner>,
    master: Arc<MasterKey>,
    subjects: Arc<SqliteSubjectKeys>,
    aside: PathBuf,
}

/// Where the store at `store` has the keys of its data subjects.
#[must_use]
pub fn subjects(store: &Path) -> PathBuf {
    store.with_file_name("subjects")
}

/// Who is in the runs of the office.
const PERSON: &str = "17";

fn name(text: &str) -> Result<Name, Wrong> {
    Ok(Name::new(text)?)
}

impl Office {
    /// Keys in `aside`, which are made if they are not there, and those of data subjects beside the store.
    ///
    /// # Errors
    /// When they cannot be made or read.
    pub fn open(aside: &Path, store: &Path) -> Result<Self, Wrong> {
        let (key, master) = (aside.join("run.key"), aside.join("master.key"));
        let random = &mut OsRandom::new();
        let (signer, master) = if master.exists() {
            (FileSigner::load(&key, name("office")?)?, MasterKeyFile::load(&master)?)
        } else {
            fs::create_dir_all(aside)?;
            (FileSigner::create(&key, name("office")?, random)?, MasterKeyFile::create(&master, random)?)
        };
        let subjects = Arc::new(SqliteSubjectKeys::open(subjects(store))?);
        Ok(Self { signer: Arc::new(signer), master: Arc::new(master), subjects, aside: aside.to_owned() })
    }

    /// Who signs.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    /// The keys of data subjects.
    #[must_use]
    pub fn subjects(&self) -> Arc<SqliteSubjectKeys> {
        Arc::clone(&self.subjects)
    }

    /// A run that can be erased from: of one content, in which `name` is one of two fields.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock, or the alias is taken.
    pub fn begin(&self, alias: Option<&Name>) -> Result<(Sample, Batch), Wrong> {
        let tenant = name("tenant")?;
        let person = Person { tenant: &tenant, reference: PERSON };
        let key = alias.map(|alias| self.subjects.create(alias, person)).transpose()?;
        let input = json!({"case": 17, "name": "Zoë O'Hara of Ballinasloe"});
        let subject = alias.cloned().zip(key.as_ref());
        Sample::begin_with(Arc::clone(&self.signer), Arc::clone(&self.master), subject, input)
    }

    /// Orders erasures from `store`.
    ///
    /// # Errors
    /// None in practice.
    pub fn eraser<'s>(&self, store: &'s SqliteStore) -> Result<Eraser<'s>, Wrong> {
        let signer: Arc<FileSigner> = Arc::clone(&self.signer);
        let eraser = Eraser::new(store, Registrar::new(name("suite")?, signer)?);
        Ok(eraser.master_key(Arc::clone(&self.master)).subject_keys(self.subjects()))
    }

    /// Erases `what` of `run`, whose first content has this root. Done twice, it is done.
    ///
    /// # Errors
    /// When it may not be or fails.
    pub async fn order(
        &self,
        eraser: &Eraser<'_>,
        run: RunId,
        what: What,
        root: Hash,
    ) -> Result<Done, Wrong> {
        let at = Timestamp::from_system_time(SystemTime::now())?;
        let order = Order { at, by: name("officer")?, reason: ErasureReason::Request };
        let target = match what {
            What::Field => {
                Target::Fields { root, pointers: vec!["/name".to_owned()], repeat: Repeat::Refuse }
            }
            What::Record => Target::Record { root },
            What::Run => Target::Run,
            What::Subject => Target::Subject,
            What::Person => {
                let tenant = name("tenant")?;
                let person = Person { tenant: &tenant, reference: PERSON };
                let erased = eraser.erase_person(person, order).await?;
                let mut done = Done::Already;
                for (_, one) in erased.runs {
                    if one? == Done::Erased {
                        done = Done::Erased;
                    }
                }
                return Ok(done);
            }
        };
        match eraser.erase(run, target, order).await {
            // Of a field nobody can tell any more whether it was there: who ordered it looks whether it is gone.
            Err(EraserError::Erase(EraseError::NothingLeft { .. })) if what == What::Field => {
                Ok(Done::Already)
            }
            done => Ok(done?),
        }
    }

    fn bundle(&self, run: RunId) -> PathBuf {
        self.aside.join(format!("{run}.zip"))
    }

    /// Gives a closed run to a stranger, with all that it holds.
    ///
    /// # Errors
    /// When it does not verify.
    pub fn issue(&self, store: &SqliteStore, run: RunId) -> Result<(), Wrong> {
        let export = Export {
            run: &RunDirectory(store.run_directory(run)),
            run_key: PublicKey::from_bytes(self.public_key())?,
            master_key: Some(&self.master),
            subject_keys: Some(&*self.subjects),
            selection: Selection::all(),
            extras: Extras::default(),
            maker: &*self.signer,
            exported_at: Timestamp::from_system_time(SystemTime::now())?,
        };
        drop(export.to_path(&self.bundle(run))?);
        Ok(())
    }

    /// What was given to a stranger verifies, and is of the very run that the store has now.
    ///
    /// # Errors
    /// When it does not, or of another.
    pub fn is_still_good(&self, store: &SqliteStore, run: RunId) -> Result<(), Wrong> {
        let key = PublicKey::from_bytes(self.public_key())?;
        let records = fs::read(store.run_directory(run).join("records.jsonl"))?;
        let last = records.trim_ascii_end().rsplit(|&octet| octet == b'\n').next().unwrap_or_default();
        let close = Entry::read(last)?.close_root(|_| Some(key))?;
        let close = close.ok_or_else(|| Wrong::new("no close"))?;
        let trust = Trust::new().run_key(key.id()).known_root(close.hash());
        let report = fuze_audit::verify::verify(fs::File::open(self.bundle(run))?, &trust)?;
        match report.verdict() {
            Verdict::Verified if report.run.content.withheld == 0 => Ok(()),
            other => Err(Wrong::new(format!("{other:?} {:?}", report.run.content))),
        }
    }
}
