//! What the auditor trusts, from outside the evidence: keys by their octets or ids, and what opens content.

use std::path::{Path, PathBuf};

use clap::Args;
use fuze_evidence::files::read_regular;
use fuze_evidence::keys::history::{KeyHistory, KeyRole, MAX_BYTES, Standing};
use fuze_evidence::keys::{FileSubjectKeys, MasterKey, MasterKeyFile};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Report, TrustedKeys};
use fuze_evidence::{Annex, Hash, Name, RunId, Timestamp};
use fuze_log::Policy;

use crate::anchors::Believed;
use crate::outcome::{Problem, Result};
use crate::place::Place;

/// Who is trusted. Nothing in the evidence can add to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArgs {
    /// A public key that may sign runs: 64 hexadecimal digits, or a file with them or with a PEM public key. Of a bundle, which brings
    /// the keys themselves, the key's id does as well.
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// Of a bundle: a public key, or its id, that may make bundles of runs that others sign; repeat it for several. Runs that it signs
    /// are not believed for that.
    #[arg(long = "exporter", value_name = "KEY|FILE")]
    exporters: Vec<String>,
    /// Of a bundle: believe its records, roots and disclosed content whoever made it. Its report and policy then prove nothing.
    #[arg(long, conflicts_with = "exporters")]
    any_exporter: bool,
    /// A history of keys that may sign runs of its deployment; its first key is named with `--root-key`. About a key that it knows it
    /// decides, whether that is named with `--key` or not.
    #[arg(long, value_name = "FILE", requires = "root_key")]
    key_history: Option<PathBuf>,
    /// The id of the first key of the history, known from elsewhere: of `--key-history`, or of the one that a bundle brings.
    #[arg(long, value_name = "KEYID")]
    root_key: Option<Hash>,
    /// The master key that opens content.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// The directory with the keys of data subjects.
    #[arg(long, value_name = "DIR", requires = "master_key")]
    subject_keys: Option<PathBuf>,
}

/// Whose runs count as evidence of what is in a log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct RunKeyArgs {
    /// A public key that signs runs: 64 hexadecimal digits, or a file with them or with a PEM public key; of a bundle its id does as
    /// well. Repeat it for several.
    #[arg(long = "key", value_name = "KEY|FILE", requires = "accounted_by")]
    keys: Vec<String>,
}

impl RunKeyArgs {
    pub(crate) fn read(&self) -> Result<NamedKeys> {
        NamedKeys::read("--key", &self.keys)
    }
}

/// Keys as they were named. 64 digits may be a key or a key's id, which is a hash of it: nobody can make a key whose id is another
/// key's octets, so they may stand for both.
#[derive(Debug, Default)]
pub(crate) struct NamedKeys {
    keys: Vec<PublicKey>,
    digits: Vec<Hash>,
}

impl NamedKeys {
    fn read(option: &str, texts: &[String]) -> Result<Self> {
        let mut named = Self::default();
        for text in texts {
            match text.parse::<Hash>() {
                Ok(digits) => {
                    named.keys.extend(PublicKey::from_bytes(digits.0).ok());
                    named.digits.push(digits);
                }
                Err(_) => named.keys.push(public_key(option, text)?),
            }
        }
        Ok(named)
    }

    /// The keys themselves.
    pub(crate) fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// What vouches for a key that the evidence brings.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Hash> {
        self.keys.iter().map(PublicKey::id).chain(self.digits.iter().copied())
    }

    /// Refuses what can be nothing but an id: only a bundle brings the key that it is of.
    pub(crate) fn check_keys(&self, option: &str) -> Result<()> {
        let no_key = |digits: &&Hash| PublicKey::from_bytes(digits.0).is_err();
        match self.digits.iter().find(no_key) {
            None => Ok(()),
            Some(digits) => Err(no_key_but_an_id(option, &digits.to_string())),
        }
    }

    /// Whether `id` was named as a key, which it is not.
    pub(crate) fn names_id(&self, id: &Hash) -> bool {
        self.digits.contains(id)
    }
}

/// Who gives a key's id where a key is needed is told what to give.
pub(crate) fn no_key_but_an_id(option: &str, text: &str) -> Problem {
    Problem::usage(format_args!(
        "`{option} {text}`: a key's id, which is the SHA-256 of the key, or nothing; no Ed25519 public key. Only a bundle brings the key itself: \
         here give the key, as `fuze key show` prints it beside its id (`public key`), or a file with it"
    ))
}

/// Which log is believed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// The log's verifier key (`name+hash+base64`, as c2sp.org/signed-note has it), or a file with it.
    #[arg(long, value_name = "VKEY|FILE")]
    log_key: Option<String>,
    /// A witness's verifier key, or a file with it; repeat it for several.
    #[arg(long = "witness", value_name = "VKEY|FILE", requires = "log_key")]
    witnesses: Vec<String>,
    /// How many of the witnesses must have cosigned; all of them unless told.
    #[arg(long, value_name = "N", requires = "log_key")]
    witness_threshold: Option<usize>,
}

impl LogArgs {
    /// What is believed about checkpoints, if a log was named.
    pub(crate) fn policy(&self) -> Result<Option<Policy>> {
        let Some(log) = &self.log_key else { return Ok(None) };
        let vkey = |text: &String| -> Result<String> {
            if text.contains('+') {
                return Ok(text.clone());
            }
            let path = Path::new(text);
            let contents = String::from_utf8(read(path, 4096)?)
                .map_err(|_| Problem::file(path, "the file is no text"))?;
            Ok(contents.trim().to_owned())
        };
        let witnesses = self.witnesses.iter().map(vkey).collect::<Result<Vec<_>>>()?;
        let threshold = self.witness_threshold.unwrap_or(witnesses.len());
        Policy::from_vkeys(&vkey(log)?, witnesses.iter().map(String::as_str), threshold)
            .map(Some)
            .map_err(|error| Problem::usage(format_args!("`--log-key` and `--witness`: {error}")))
    }
}

/// Which run it must be: another run's evidence is intact too.
#[derive(Debug, Default, Args)]
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

impl ExpectArgs {
    /// What of a run is another than was asked for: which, what was asked for, and what it is.
    pub(crate) fn differs(&self, run: &Report) -> Option<(&'static str, String, String)> {
        let other =
            |what, expected: String, found: String| (expected != found).then_some((what, expected, found));
        let asked = |what, asked: Option<String>, found: String| other(what, asked?, found);
        asked("run", self.run.map(|run| run.to_string()), run.run_id.to_string())
            .or_else(|| asked("tenant", self.tenant.as_ref().map(Name::to_string), run.tenant.to_string()))
            .or_else(|| {
                asked("deployment", self.origin.as_ref().map(Name::to_string), run.origin.to_string())
            })
    }

    /// Whether a run that verified is the one that was asked for.
    pub(crate) fn check(&self, run: &Report) -> Result<()> {
        match self.differs(run) {
            None => Ok(()),
            Some((what, expected, found)) => Err(Problem::failed(format_args!(
                "this is another {what} than was asked for: expected {expected}, found {found}"
            ))),
        }
    }
}

/// The keys, read.
pub(crate) struct Trust {
    keys: NamedKeys,
    exporters: NamedKeys,
    any_exporter: bool,
    history: Option<KeyHistory>,
    root: Option<Hash>,
    master: Option<MasterKey>,
    subjects: Option<FileSubjectKeys>,
}

impl TrustArgs {
    /// Reads the files that are named.
    pub(crate) fn read(&self) -> Result<Trust> {
        let keys = NamedKeys::read("--key", &self.keys)?;
        let exporters = NamedKeys::read("--exporter", &self.exporters)?;
        let history = match (&self.key_history, self.root_key) {
            (Some(path), Some(root)) => Some(history(path, root)?),
            _ => None,
        };
        if self.keys.is_empty() && self.root_key.is_none() {
            return Err(Problem::cannot(
                "no key is trusted, so nothing can be verified; name the deployment's public key with `--key`, \
                 as you got it from elsewhere than this evidence",
            ));
        }
        let master = self.master_key.as_deref().map(MasterKeyFile::load).transpose().map_err(Problem::io)?;
        let subjects =
            self.subject_keys.as_ref().map(FileSubjectKeys::open).transpose().map_err(Problem::io)?;
        let (any_exporter, root) = (self.any_exporter, self.root_key);
        Ok(Trust { keys, exporters, any_exporter, history, root, master, subjects })
    }
}

impl Trust {
    /// The same, with what the tenant's annex explains and what the auditor expects.
    pub(crate) fn keys_with<'k>(&'k self, annex: Option<&'k Annex>, expect: &ExpectArgs) -> TrustedKeys<'k> {
        let mut trusted = self.keys();
        if let Some(annex) = annex {
            trusted = trusted.annex(annex);
        }
        if let Some(run) = expect.run {
            trusted = trusted.expect_run(run);
        }
        if let Some(tenant) = expect.tenant.clone() {
            trusted = trusted.expect_tenant(tenant);
        }
        if let Some(origin) = expect.origin.clone() {
            trusted = trusted.expect_origin(origin);
        }
        trusted
    }

    /// For bundles, which bring the keys themselves.
    pub(crate) fn for_bundles(&self, believed: &Believed) -> fuze_audit::Trust {
        let trust = self.keys.ids().fold(fuze_audit::Trust::new(), fuze_audit::Trust::run_key);
        let trust = self.exporters.ids().fold(trust, fuze_audit::Trust::exporter);
        let trust = if self.any_exporter { trust.any_exporter() } else { trust };
        let trust = self.root.into_iter().fold(trust, fuze_audit::Trust::first_key);
        let trust = self.history.iter().cloned().fold(trust, fuze_audit::Trust::history);
        let trust = believed.policy.iter().cloned().fold(trust, fuze_audit::Trust::log);
        believed.revocations.iter().cloned().fold(trust, fuze_audit::Trust::revocation)
    }

    /// Refuses what would not be looked at in any of `places`: whoever named it believes that it was.
    pub(crate) fn check_used(&self, places: &[&Place], believed: &Believed) -> Result<()> {
        let any = |wanted: fn(&Place) -> bool| places.iter().any(|place| wanted(place));
        if self.master.is_some() && !any(|place| matches!(place, Place::Run(_) | Place::Stored { .. })) {
            return Err(Problem::usage(
                "`--master-key` opens nothing of a bundle, which holds what was disclosed and no more, and nothing of records alone; \
                 name the run's directory or its store",
            ));
        }
        if any(|place| !matches!(place, Place::Bundle(_))) {
            self.keys.check_keys("--key")?;
        }
        let bundles = any(|place| matches!(place, Place::Bundle(_)));
        if !bundles && (self.any_exporter || self.exporters.ids().next().is_some()) {
            return Err(Problem::usage(
                "`--exporter` and `--any-exporter` say who may have made a bundle, and this is none; leave them out",
            ));
        }
        if self.history.is_some() || bundles {
            return Ok(());
        }
        if self.root.is_some() {
            return Err(Problem::usage(
                "`--root-key` names the first key of a history, and only a bundle brings one; name its file with `--key-history`",
            ));
        }
        if !believed.revocations.is_empty() {
            return Err(Problem::usage(
                "`--key-anchors` says where lines of a key history are in the log, and only a bundle brings one; name its file with \
                 `--key-history`",
            ));
        }
        Ok(())
    }

    /// The same of bundles that verified, whose own histories begin with `first`: of each its key, or none.
    pub(crate) fn check_root(&self, first: &[Option<Hash>]) -> Result<()> {
        match self.root.filter(|root| self.history.is_none() && !first.contains(&Some(*root))) {
            None => Ok(()),
            Some(root) => Err(Problem::usage(format_args!(
                "`--root-key` names {root}, and the bundle brings no history that begins with it; the run holds by what else was named, \
                 so leave it out, or name the file of the history with `--key-history`"
            ))),
        }
    }

    /// The history of keys, if one was given.
    pub(crate) const fn history(&self) -> Option<&KeyHistory> {
        self.history.as_ref()
    }

    /// The key `id`, if it may sign at `at`, revoked since or not.
    pub(crate) fn find(&self, id: &Hash, at: Timestamp) -> Option<PublicKey> {
        let standing = self.history.as_ref().map(|history| history.standing(id, at));
        match standing {
            Some(Standing::InForce(key) | Standing::Revoked { key, .. }) => Some(key),
            Some(Standing::NotYet { .. } | Standing::RotatedOut { .. }) => None,
            Some(Standing::Unknown) | None => self.keys.keys().iter().find(|key| key.id() == *id).copied(),
        }
    }

    /// What the verifier takes.
    pub(crate) fn keys(&self) -> TrustedKeys<'_> {
        let keys = self.keys.keys();
        let mut trusted = keys.iter().fold(TrustedKeys::new(), |trusted, &key| trusted.run_key(key));
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
    let history = KeyHistory::read(&read(path, MAX_BYTES as u64)?, root)
        .map_err(|error| Problem::failed(format_args!("`{}`: {error}", path.display())))?;
    if history.role() == KeyRole::Run {
        return Ok(history);
    }
    Err(Problem::usage(format_args!(
        "`{}`: it is a history of keys for the role `{}`, and runs are signed by keys of the role `{}`; name their history",
        path.display(),
        history.role(),
        KeyRole::Run
    )))
}

/// Reads a regular file of at most `limit` octets, however many it says that it has.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_regular(path, limit).map_err(|error| Problem::file(path, error))
}

/// 64 hexadecimal digits, or a file that holds them or a PEM public key; `option` is how it was given.
pub(crate) fn public_key(option: &str, text: &str) -> Result<PublicKey> {
    let named = |error: &dyn std::fmt::Display| Problem::usage(format_args!("`{option} {text}`: {error}"));
    if let Ok(octets) = text.parse::<Hash>() {
        return PublicKey::from_bytes(octets.0).map_err(|_| no_key_but_an_id(option, text));
    }
    let path = Path::new(text);
    if !path.exists() {
        return Err(Problem::file(
            path,
            format_args!(
                "expected 64 hexadecimal digits of a public key, or a file with them or with a PEM public key, for `{option}`; \
                 found neither"
            ),
        ));
    }
    let contents = read(path, 4096)?;
    let contents = String::from_utf8(contents).map_err(|_| named(&"the file is no text"))?;
    PublicKey::from_text(&contents).map_err(|error| named(&error))
}
