//! What the auditor trusts, from outside the evidence: keys by their octets or ids, and what opens content.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use fuze_evidence::keys::history::{KeyHistory, MAX_BYTES};
use fuze_evidence::keys::{FileSubjectKeys, MasterKey, MasterKeyFile};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Hash, Name, RunId};

use crate::outcome::{Problem, Result};

/// Who is trusted. Nothing in the evidence can add to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArgs {
    /// A public key that may sign runs: 64 hexadecimal digits, or a file with them or with a PEM public key.
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// A history of keys that may sign runs; its first key is named with `--root-key`.
    #[arg(long, value_name = "FILE", requires = "root_key")]
    key_history: Option<PathBuf>,
    /// The id of the first key of `--key-history`, known from elsewhere.
    #[arg(long, value_name = "KEYID", requires = "key_history")]
    root_key: Option<Hash>,
    /// The master key that opens content.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// The directory with the keys of data subjects.
    #[arg(long, value_name = "DIR", requires = "master_key")]
    subject_keys: Option<PathBuf>,
}

/// Which run it must be: another run's evidence is intact too.
#[derive(Debug, Args)]
#[command(next_help_heading = "Expected")]
pub(crate) struct ExpectArgs {
    /// The run that it must be.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<RunId>,
    /// The tenant that it must be of.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<Name>,
    /// The deployment that it must be of.
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<Name>,
}

/// The keys, read.
pub(crate) struct Trust {
    keys: Vec<PublicKey>,
    history: Option<KeyHistory>,
    master: Option<MasterKey>,
    subjects: Option<FileSubjectKeys>,
}

impl TrustArgs {
    /// Reads the files that are named.
    pub(crate) fn read(&self) -> Result<Trust> {
        let keys = self.keys.iter().map(|text| public_key(text)).collect::<Result<Vec<_>>>()?;
        let history = match (&self.key_history, self.root_key) {
            (Some(path), Some(root)) => Some(history(path, root)?),
            _ => None,
        };
        if keys.is_empty() && history.is_none() {
            return Err(Problem::cannot(
                "no key is trusted, so nothing can be verified; name the deployment's public key with `--key`, \
                 as you got it from elsewhere than this evidence",
            ));
        }
        let master = self.master_key.as_deref().map(MasterKeyFile::load).transpose().map_err(Problem::io)?;
        let subjects = self.subject_keys.as_ref().map(FileSubjectKeys::new);
        Ok(Trust { keys, history, master, subjects })
    }
}

impl Trust {
    /// What the verifier takes.
    pub(crate) fn keys(&self) -> TrustedKeys<'_> {
        let mut trusted = self.keys.iter().fold(TrustedKeys::new(), |trusted, &key| trusted.run_key(key));
        if let Some(history) = &self.history {
            trusted = trusted.history(history.clone());
        }
        if let Some(master) = &self.master {
            trusted = trusted.master_key(master);
        }
        if let Some(subjects) = &self.subjects {
            trusted = trusted.subject_keys(subjects);
        }
        trusted
    }
}

/// Reads a key history whose first key is `root`.
pub(crate) fn history(path: &Path, root: Hash) -> Result<KeyHistory> {
    KeyHistory::read(&read(path, MAX_BYTES as u64)?, root)
        .map_err(|error| Problem::failed(format_args!("`{}`: {error}", path.display())))
}

/// Reads a file of at most `limit` octets.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let found = fs::metadata(path).map_err(|error| Problem::file(path, error))?;
    if found.len() > limit {
        return Err(Problem::file(
            path,
            format_args!("it has {} octets, expected at most {limit}", found.len()),
        ));
    }
    fs::read(path).map_err(|error| Problem::file(path, error))
}

/// 64 hexadecimal digits, or a file that holds them or a PEM public key.
pub(crate) fn public_key(text: &str) -> Result<PublicKey> {
    let named = |error: &dyn std::fmt::Display| Problem::usage(format_args!("`--key {text}`: {error}"));
    if let Ok(octets) = text.parse::<Hash>() {
        return PublicKey::from_bytes(octets.0).map_err(|error| named(&error));
    }
    let path = Path::new(text);
    let contents = read(path, 4096)?;
    let contents = String::from_utf8(contents).map_err(|_| named(&"the file is no text"))?;
    PublicKey::from_text(&contents).map_err(|error| named(&error))
}
