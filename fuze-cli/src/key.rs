//! `fuze key`: make keys, let one take the place of another, and look at them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Subcommand, ValueEnum};
use fuze_evidence::files::{open_regular, refuse_link};
use fuze_evidence::keys::history::{KeyEvent, KeyHistory, KeyRole};
use fuze_evidence::keys::{MasterKeyFile, Signer};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::{Hash, Name, Timestamp};
use fuze_log::{Algorithm, KeyName, VerifierKey};
use schemars::JsonSchema;
use serde::Serialize;

use crate::moment::moment;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::{BAD, FAINT, GOOD, Table};
use crate::{signing, trust};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new key: a file readable by its owner only, or a key inside a device. A key that is there is never replaced.
    #[command(after_help = signing::HELP)]
    New {
        /// What it is for.
        #[arg(long, value_enum)]
        role: Role,
        /// Where to put it.
        #[arg(long, value_name = "FILE|PKCS11")]
        out: PathBuf,
        /// Begin a history with it, in this file.
        #[arg(long, value_name = "FILE", requires = "origin")]
        history: Option<PathBuf>,
        /// The deployment or the log that the history is of.
        #[arg(long, value_name = "NAME", requires = "history")]
        origin: Option<Name>,
    },
    /// Let a new key take the place of the one in force, or revoke one that was; both are lines of the history.
    #[command(after_help = signing::HELP)]
    Rotate {
        /// The history.
        #[arg(long, value_name = "FILE")]
        history: PathBuf,
        /// The key in force.
        #[arg(long = "key", value_name = "FILE|PKCS11")]
        current: PathBuf,
        /// Make the new key here.
        #[arg(long, value_name = "FILE|PKCS11", required_unless_present = "revoke")]
        out: Option<PathBuf>,
        /// Revoke this key instead, one that was in force before.
        #[arg(long, value_name = "KEYID", conflicts_with = "out")]
        revoke: Option<Hash>,
        /// Since when somebody else may have had the revoked key (RFC 3339).
        #[arg(long, value_name = "TIME", value_parser = moment, requires = "revoke", conflicts_with = "out")]
        compromised_since: Option<Timestamp>,
    },
    /// Show the public side of a signing key, a public key or a history.
    #[command(after_help = signing::HELP)]
    Show {
        /// A signing key, a file with a public key (hexadecimal or PEM), or a history.
        path: PathBuf,
        /// The name of a log that it signs: prints its verifier key (c2sp.org/signed-note), which `--log-key` takes.
        #[arg(long, value_name = "NAME")]
        log_name: Option<String>,
        /// The name of a witness whose key it is: prints its verifier key (c2sp.org/tlog-cosignature), which `--witness` takes and no log has.
        #[arg(long, value_name = "NAME", conflicts_with = "log_name")]
        witness_name: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Signs the roots and the annex of runs.
    Run,
    /// Signs the checkpoints of a log.
    Log,
    /// Signs an overseer's decisions.
    Overseer,
    /// Opens content. Has no public side.
    Master,
}

impl Role {
    fn signing(self) -> Option<KeyRole> {
        match self {
            Self::Run => Some(KeyRole::Run),
            Self::Log => Some(KeyRole::Log),
            Self::Overseer => Some(KeyRole::Overseer),
            Self::Master => None,
        }
    }
}

/// A key that was made, or took another's place.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    /// What it is for.
    role: String,
    /// Its id: the SHA-256 of the raw public key; of a master key, its public name.
    key_id: String,
    /// The raw public key in hexadecimal. Absent for a master key.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// The key file, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The history's last line, as the hash that a log's leaf commits to.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_head: Option<String>,
}

impl Document for Made {
    const SCHEMA: &'static str = "fuze.key.made/1";
}

/// The public side of a key, or a history.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// The key; of a history, the one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// The raw public key in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// The verifier key of the log that it signs, where the log's name was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    verifier_key: Option<String>,
    /// The lines of a history. Its first key counts only for who knows its id from elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<Line>,
}

impl Document for Shown {
    const SCHEMA: &'static str = "fuze.key.show/1";
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Line {
    at: String,
    event: String,
    role: String,
    origin: String,
    key_id: String,
    signed_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    compromised_since: Option<String>,
}

pub(crate) fn run(command: Command, output: &Output) -> Result {
    match command {
        Command::New { role, out, history, origin } => {
            make(role, &out, history.as_deref().zip(origin), output)
        }
        Command::Rotate { history, current, out, revoke, compromised_since } => {
            let change = match (out, revoke) {
                (_, Some(key)) => Change::Revoke(key, compromised_since),
                (Some(path), None) => Change::To(path),
                (None, None) => return Err(Problem::usage("name the new key's file with `--out`")),
            };
            rotate(&history, &current, &change, output)
        }
        Command::Show { path, log_name, witness_name } => {
            let log = log_name.map(|name| ("--log-name", name, Algorithm::Ed25519));
            show(
                &path,
                log.or(witness_name.map(|name| ("--witness-name", name, Algorithm::Cosignature))),
                output,
            )
        }
    }
}

/// The system's clock.
pub(crate) fn now() -> Result<Timestamp> {
    Timestamp::from_system_time(SystemTime::now())
        .map_err(|error| Problem::io(format_args!("the system's clock: {error}")))
}

fn make(role: Role, out: &Path, history: Option<(&Path, Name)>, output: &Output) -> Result {
    let Some(role) = role.signing() else {
        if history.is_some() {
            return Err(Problem::usage("a master key has no public side, so no history either"));
        }
        let key = MasterKeyFile::create(out, &mut OsRandom::new()).map_err(Problem::io)?;
        let made = Made {
            role: "master".to_owned(),
            key_id: key.id().to_string(),
            public_key: None,
            path: Some(out.display().to_string()),
            history_head: None,
        };
        return told(&made, output);
    };
    if let Some((path, _)) = &history {
        refuse_link(path).map_err(|error| Problem::file(path, error))?;
        if path.exists() {
            return Err(Problem::file(path, "there is a history already; `fuze key rotate` adds to it"));
        }
    }
    let signer = signing::create(out)?;
    let head = match history {
        None => None,
        Some((path, origin)) => {
            let history =
                KeyHistory::introduce(origin, role, now()?, signer.as_ref()).map_err(Problem::io)?;
            put(path, &history.to_bytes(), false)?;
            Some(history.head())
        }
    };
    told(&signed(role, signer.as_ref(), Some(out), head), output)
}

fn signed(role: KeyRole, signer: &dyn Signer, path: Option<&Path>, head: Option<Hash>) -> Made {
    Made {
        role: role.to_string(),
        key_id: signer.key_id().to_string(),
        public_key: Some(Hash(signer.public_key()).to_string()),
        path: path.map(|path| path.display().to_string()),
        history_head: head.map(|head| head.to_string()),
    }
}

fn told(made: &Made, output: &Output) -> Result {
    output.data(made, || {
        Table::default()
            .row("role", &made.role)
            .row("key id", &made.key_id)
            .row_if("public key", made.public_key.as_ref())
            .row_if("key file", made.path.as_ref())
            .row_if("history", made.history_head.as_ref())
            .into_text()
    })?;
    Ok(Ended::Well)
}

enum Change {
    To(PathBuf),
    Revoke(Hash, Option<Timestamp>),
}

fn rotate(path: &Path, current: &Path, change: &Change, output: &Output) -> Result {
    // Where it really is: a link to it stays one.
    let path = &fs::canonicalize(path).map_err(|error| Problem::file(path, error))?;
    // Held until the end: two rotations at once would lose one.
    let _turn = take_turn(path)?;
    let bytes = trust::read(path, fuze_evidence::keys::history::MAX_BYTES as u64)?;
    let old = signing::open(current)?;
    let mut history = own_history(path, &bytes)?;
    let role = history.role();
    let made = match change {
        Change::To(out) => {
            let new = signing::create(out).map_err(|error| taken(out, &history).unwrap_or(error))?;
            let rotated = history
                .rotate(now()?, old.as_ref(), new.as_ref())
                .map_err(|error| Problem::failed(format_args!("`{}`: {error}", path.display())))
                .and_then(|()| put(path, &history.to_bytes(), true));
            if let Err(error) = rotated {
                // The key has signed nothing; keeping its file would only make somebody use it. Unless the history stands there and only
                // its durability is in doubt.
                let whole = history.to_bytes();
                let stands = whole != bytes && fs::read(path).is_ok_and(|now| now == whole);
                if !stands && !signing::is_in_device(out) {
                    drop(fs::remove_file(out));
                }
                return Err(error);
            }
            signed(role, new.as_ref(), Some(out), Some(history.head()))
        }
        Change::Revoke(key, since) => {
            history
                .revoke(now()?, *key, *since, old.as_ref())
                .map_err(|error| Problem::failed(format_args!("`{}`: {error}", path.display())))?;
            put(path, &history.to_bytes(), true)?;
            signed(role, old.as_ref(), None, Some(history.head()))
        }
    };
    output.say("Give the history to your auditors, and its last line to the log (`fuze log add`).");
    told(&made, output)
}

/// What lies where the new key is to be made, if something does.
fn taken(out: &Path, history: &KeyHistory) -> Option<Problem> {
    if signing::is_in_device(out) || !out.exists() {
        return None;
    }
    let id = signing::open(out).ok()?.key_id();
    let entries = history.entries().unwrap_or_default();
    Some(if entries.iter().any(|entry| entry.subject().is_ok_and(|subject| subject == id)) {
        Problem::file(
            out,
            format_args!(
                "it holds the key {id}, which is in the history already; choose another path for the new one"
            ),
        )
    } else {
        Problem::file(
            out,
            format_args!(
                "it holds the signing key {id}, which the history does not have: a rotation that was cut off leaves its new key so, and \
                 it has signed nothing. If nothing else uses it, delete it and rotate again; else choose another path"
            ),
        )
    })
}

/// The operator's own history: its first key is taken from the file itself, since the operator holds the key in force.
pub(crate) fn own_history(path: &Path, bytes: &[u8]) -> Result<KeyHistory> {
    let failed =
        |error: &dyn std::fmt::Display| Problem::failed(format_args!("`{}`: {error}", path.display()));
    let root = KeyHistory::first_key(bytes).map_err(|error| failed(&error))?;
    KeyHistory::read(bytes, root).map_err(|error| failed(&error))
}

/// The history, held against other rotations.
fn take_turn(path: &Path) -> Result<File> {
    let busy = |why: &dyn std::fmt::Display| {
        Problem::file(path, format_args!("another process changes it: {why}; try again when it has ended"))
    };
    let file = open_regular(path).map_err(|error| Problem::file(path, error))?;
    file.try_lock().map_err(|error| busy(&error))?;
    // Whoever held it until now has put another file in its place.
    let (held, found) = (file.metadata(), fs::metadata(path));
    match (held, found) {
        (Ok(held), Ok(found)) if is_same(&held, &found) => Ok(file),
        _ => Err(busy(&"it was replaced just now")),
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Writes a history beside its place, makes it durable and puts it there: a crash leaves the one before or the one after, and never a part.
fn put(path: &Path, bytes: &[u8], there: bool) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let io = |error: std::io::Error| Problem::file(&new, error);
    // What a crash left of an earlier one is written over, once nobody else has it. Nothing else is: a link leads elsewhere, and a pipe
    // nowhere.
    match fs::symlink_metadata(&new) {
        Ok(found) if !found.is_file() => {
            return Err(Problem::file(
                &new,
                "it is no regular file, and a history is written there first; move it away",
            ));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        Ok(_) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&new).map_err(io)?;
    file.try_lock()
        .map_err(|error| Problem::file(&new, format_args!("another process writes it: {error}")))?;
    if path.exists() != there {
        return Err(Problem::file(path, "another process has changed it meanwhile; try again"));
    }
    file.set_len(0).and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all()).map_err(io)?;
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::rename(&new, path)
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(|error| Problem::file(path, error))
}

fn show(path: &Path, verifier: Option<(&str, String, Algorithm)>, output: &Output) -> Result {
    let (key, history) = read_public(path)?;
    let verifier_key = |(option, name, algorithm): (&str, String, Algorithm)| {
        let wrong =
            |error: &dyn std::fmt::Display| Problem::usage(format_args!("`{option} {name}`: {error}"));
        let key = key.ok_or_else(|| wrong(&"the history has no key in force"))?;
        let name = KeyName::new(name.as_str()).map_err(|error| wrong(&error))?;
        Ok::<_, Problem>(VerifierKey::new(name, algorithm, key).to_string())
    };
    let shown = Shown {
        key_id: key.map(|key| key.id().to_string()),
        public_key: key.map(|key| Hash(key.to_bytes()).to_string()),
        verifier_key: verifier.map(verifier_key).transpose()?,
        history,
    };
    output.data(&shown, || shown_text(&shown))?;
    Ok(Ended::Well)
}

/// The public key of what lies at `path`, and the lines if that is a history.
fn read_public(path: &Path) -> Result<(Option<PublicKey>, Vec<Line>)> {
    let of_signer = || -> Result<_> {
        let signer = signing::open(path)?;
        let key = PublicKey::from_bytes(signer.public_key()).map_err(|error| Problem::file(path, error))?;
        Ok((Some(key), Vec::new()))
    };
    if signing::is_in_device(path) {
        return of_signer();
    }
    let bytes = trust::read(path, fuze_evidence::keys::history::MAX_BYTES as u64)?;
    let text = String::from_utf8_lossy(&bytes);
    if let Ok(public) = PublicKey::from_text(&text) {
        return Ok((Some(public), Vec::new()));
    }
    if text.starts_with("fuze-signing-key") {
        return of_signer();
    }
    if !text.starts_with('{') {
        return Err(Problem::file(
            path,
            "expected a signing key of `fuze key new`, a public key (64 hexadecimal digits, or PEM), or a history of keys; found none of them",
        ));
    }
    let history = own_history(path, &bytes)?;
    let entries = history.entries().map_err(Problem::failed)?;
    let lines = entries.iter().map(|entry| {
        Ok(Line {
            at: entry.at.to_string(),
            event: entry.event.to_string(),
            role: entry.role.to_string(),
            origin: entry.origin.to_string(),
            key_id: entry.subject().map_err(Problem::failed)?.to_string(),
            signed_by: entry.key_id.to_string(),
            compromised_since: entry.compromised_since.map(|at| at.to_string()),
        })
    });
    Ok((history.current(), lines.collect::<Result<Vec<_>>>()?))
}

fn shown_text(shown: &Shown) -> String {
    let mut text = Table::default()
        .row_if("key id", shown.key_id.as_ref())
        .row_if("public key", shown.public_key.as_ref())
        .row_if("verifier key", shown.verifier_key.as_ref())
        .into_text();
    for line in &shown.history {
        let style = if line.event == KeyEvent::Revoked.as_str() { BAD } else { GOOD };
        let since = line.compromised_since.as_ref();
        let since = since.map(|at| format!("  in other hands since {at}")).unwrap_or_default();
        text += &format!(
            "  {}  {style}{:10}{style:#}  {}{since}  {FAINT}signed by {}{FAINT:#}\n",
            line.at, line.event, line.key_id, line.signed_by
        );
    }
    text
}
