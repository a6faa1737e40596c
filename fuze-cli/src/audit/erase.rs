//! `fuze audit erase`: GDPR Art. 17 and the ends of the retention windows; holds and their release.

mod whose;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use fuze_agent::store::{RunState, StoreError};
use fuze_evidence::annex::{AnnexError, ErasureReason, Hold, HoldReason, HoldScope};
use fuze_evidence::erase::{
    Archive, Done, EraseError, GaveUp, KeysAlone, Order, Recovered, Registrar, Repeat, Target,
};
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::keys::{FileSubjectKeys, MasterKey, MasterKeyFile, Person};
use fuze_evidence::verify::VerifyError;
use fuze_evidence::{Hash, Name, RunId, Timestamp};
use fuze_store::{Eraser, EraserError, Options, Query, SqliteStore};
use schemars::JsonSchema;
use serde::Serialize;

use crate::key::now;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::STORE;
use crate::progress::Progress;
use crate::signing;
use crate::text::{BAD, GOOD, UNSURE, plain};
use crate::trust;

/// What to erase is said by exactly one of `--run`, `--subject`, `--expired`, `--hold` and `--release`. An option that an order would
/// not look at is refused with it.
#[derive(Debug, ClapArgs)]
#[command(after_help = signing::HELP)]
pub(crate) struct Args {
    /// A store, or the directory of a JSONL sink (the one with `runs`).
    directory: PathBuf,
    /// The deployment whose evidence it is.
    #[arg(long, value_name = "NAME")]
    origin: Name,
    /// The run's signing key: signs the statement in the annex.
    #[arg(long = "signing-key", value_name = "FILE|PKCS11")]
    signing_key: PathBuf,
    /// A history of the signing keys, if one took another's place.
    #[arg(long, value_name = "FILE")]
    key_history: Option<PathBuf>,
    /// Opens content; needed to find single fields.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// The directory with the keys of data subjects.
    #[arg(long, value_name = "DIR")]
    subject_keys: Option<PathBuf>,
    /// Alias of who orders it.
    #[arg(long, value_name = "NAME")]
    by: Name,

    /// Erase of this run: all of it, or what `--content` and `--field` name; with `--expired`, what its windows have ended for.
    #[arg(long, value_name = "RUN", conflicts_with = "subject")]
    run: Option<RunId>,
    /// The content root to erase, as `fuze audit replay` shows it.
    #[arg(long, value_name = "ROOT", requires = "run", conflicts_with_all = ["subject", "hold", "release"])]
    content: Option<Hash>,
    /// A JSON Pointer into that content; repeat it for several.
    #[arg(long = "field", value_name = "POINTER", requires = "content", conflicts_with_all = ["subject", "expired", "hold", "release"])]
    fields: Vec<String>,
    /// Fields of this content were erased before: erase all the same. The statement then shows how many leaves went this time.
    #[arg(long, requires = "fields", conflicts_with_all = ["subject", "expired", "hold", "release"])]
    again: bool,
    /// Only what the retention windows have ended for: of `--run`, or of every run that is here and has ended.
    #[arg(long, conflicts_with_all = ["content", "reason", "subject"])]
    expired: bool,

    /// Erase all that is there of this person: the deployment's own reference.
    #[arg(long, value_name = "REFERENCE", requires_all = ["tenant", "subject_keys"])]
    subject: Option<String>,
    /// With `--subject`: erase the person's keys, too, under whose aliases no run is here. Only where no other place shares these keys:
    /// what they open there is gone with them, held or not, and nothing there says why.
    #[arg(long, requires = "subject")]
    keys_alone: bool,
    /// The tenant of `--subject`, `--hold` and `--release`. With `--run`: whose it must be. With `--expired`: of whose runs alone.
    #[arg(long, value_name = "NAME")]
    tenant: Option<Name>,
    /// Why it is erased.
    #[arg(long, value_enum, default_value = "request", conflicts_with_all = ["hold", "release"])]
    reason: Reason,

    /// Of runs in files that a crash left without a close: give them up first. The annex then says that there will be no more of
    /// them, and they still verify as not closed. Refused while a process writes them.
    #[arg(long, conflicts_with_all = ["hold", "release"])]
    given_up: bool,

    /// Of a store: do not write its database anew afterwards, which takes as long as copying it while whoever else writes to it waits. Until
    /// `fuze audit compact` does, it shows how long what was erased was.
    #[arg(long, conflicts_with_all = ["hold", "release"])]
    compact_later: bool,

    /// Order that nothing is erased of the tenant, or of `--run` alone.
    #[arg(long, value_enum, value_name = "WHY", requires = "tenant", conflicts_with_all = ["subject", "release", "content", "expired"])]
    hold: Option<Why>,
    /// End such an order.
    #[arg(long, value_enum, value_name = "WHY", requires = "tenant", conflicts_with_all = ["subject", "content", "expired"])]
    release: Option<Why>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    /// GDPR Art. 17(1): the person asked for it.
    Request,
    /// GDPR Art. 17(1)(b): consent was withdrawn.
    ConsentWithdrawn,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Why {
    /// GDPR Art. 17(3)(e): needed for legal claims.
    LegalClaims,
    /// An authority's order, or a serious incident (AI Act Art. 73(6)).
    EvidenceFreeze,
}

impl From<Why> for HoldReason {
    fn from(why: Why) -> Self {
        match why {
            Why::LegalClaims => Self::LegalClaims,
            Why::EvidenceFreeze => Self::EvidenceFreeze,
        }
    }
}

/// What came of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Erased {
    runs: Vec<Outcome>,
    /// Keys of the person that were erased though no run of theirs is here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys_alone: Vec<String>,
    /// Keys of the person under whose aliases no run is here, and which stayed; the exit code is then 3. `--keys-alone` erases them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys_left: Vec<String>,
    /// How many runs of the tenant were looked at for a person of whom the subject keys know none; the exit code is then 3. Either no run
    /// is theirs, or an earlier order erased them all, or the reference is another than the runs were made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    nobody_among: Option<u64>,
    /// `hold` or `release`, if that was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    ordered: Option<&'static str>,
    /// Of a store, when something was erased: whether its database was written anew. Until then it shows how long what was erased was, and
    /// its pages may keep parts of sealed progress and wrapped run keys; `fuze audit compact` takes all of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    compacted: Option<bool>,
}

impl Document for Erased {
    const SCHEMA: &'static str = "fuze.audit.erase/1";
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    run_id: String,
    /// `erased`, `nothing_to_do` or `refused`.
    result: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// What is ordered.
enum Task {
    Erase(RunId, Target),
    Expired(RunId),
    /// Of all tenants, or of one.
    AllExpired(Option<Name>),
    Person(Name, String),
    Hold(Name, Hold),
    Release(Name, Hold),
}

impl Args {
    fn task(&self) -> Result<Task> {
        let hold =
            |why: Why| Hold { scope: self.run.map_or(HoldScope::Tenant, HoldScope::Run), reason: why.into() };
        if self.given_up && self.expired && self.run.is_none() {
            return Err(Problem::usage(
                "`--given-up` gives up the run that `--run` names, or the person's of `--subject`; with `--expired` alone it would give \
                 up none",
            ));
        }
        match (&self.tenant, self.hold, self.release, &self.subject, self.run) {
            (Some(tenant), Some(why), None, ..) => Ok(Task::Hold(tenant.clone(), hold(why))),
            (Some(tenant), None, Some(why), ..) => Ok(Task::Release(tenant.clone(), hold(why))),
            (Some(tenant), None, None, Some(subject), None) => {
                Ok(Task::Person(tenant.clone(), subject.clone()))
            }
            (_, None, None, None, Some(run)) if self.expired => Ok(Task::Expired(run)),
            (tenant, None, None, None, None) if self.expired => Ok(Task::AllExpired(tenant.clone())),
            (_, None, None, None, Some(run)) => Ok(Task::Erase(run, self.target())),
            _ => Err(Problem::usage(
                "say what to erase with `--run`, `--subject` or `--expired`, or order a `--hold` or its `--release`",
            )),
        }
    }

    fn target(&self) -> Target {
        match self.content {
            None => Target::Run,
            Some(root) if self.fields.is_empty() => Target::Record { root },
            Some(root) => Target::Fields {
                root,
                pointers: self.fields.clone(),
                repeat: if self.again { Repeat::ShowCount } else { Repeat::Refuse },
            },
        }
    }

    fn order(&self, at: Timestamp) -> Order {
        let reason = match self.reason {
            Reason::Request => ErasureReason::Request,
            Reason::ConsentWithdrawn => ErasureReason::ConsentWithdrawn,
        };
        Order { at, by: self.by.clone(), reason }
    }

    fn keys_alone(&self) -> KeysAlone {
        if self.keys_alone { KeysAlone::Erase } else { KeysAlone::Keep }
    }

    fn registrar(&self) -> Result<Registrar> {
        let signer = signing::open(&self.signing_key)?;
        let registrar = Registrar::new(self.origin.clone(), signer.into()).map_err(Problem::io)?;
        let Some(path) = &self.key_history else { return Ok(registrar) };
        // The operator's own: whoever orders an erasure holds the key in force.
        let bytes = trust::read(path, fuze_evidence::keys::history::MAX_BYTES as u64)?;
        let root = KeyHistory::first_key(&bytes).map_err(Problem::failed)?;
        let history = trust::history(path, root)?;
        if *history.origin() != self.origin {
            return Err(Problem::usage(format_args!(
                "`{}`: it is the history of the keys of `{}`, and `--origin` says `{}`; name the history of that deployment",
                path.display(),
                history.origin(),
                self.origin
            )));
        }
        Ok(registrar.history(history))
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let task = args.task()?;
    let in_a_store = args.directory.join(STORE).exists();
    if args.compact_later && !in_a_store {
        return Err(Problem::usage(
            "`--compact-later` is for a store, whose database is written anew; files have nothing to compact",
        ));
    }
    if let (Task::Erase(run, _) | Task::Expired(run), Some(tenant)) = (&task, &args.tenant) {
        whose::check(&args.directory, *run, tenant)?;
    }
    let person = match &task {
        Task::Person(tenant, _) => Some(tenant.clone()),
        _ => None,
    };
    let order = args.order(now()?);
    let master = args.master_key.as_deref().map(MasterKeyFile::load).transpose().map_err(Problem::io)?;
    let subjects = args.subject_keys.as_ref().map(FileSubjectKeys::open).transpose().map_err(Problem::io)?;
    // Finding a person's runs and wiping what they left reads the whole store.
    let progress = Progress::busy("erasing");
    let mut erased = if in_a_store {
        in_store(args, task, order, master, subjects, output)?
    } else {
        in_files(args, task, order, master.as_ref(), subjects.as_ref(), output)?
    };
    drop(progress);
    if let Some(tenant) = person.filter(|_| erased.runs.is_empty() && erased.keys_alone.is_empty()) {
        let among = whose::looked_at(&args.directory, &tenant)?;
        erased.nobody_among = erased.keys_left.is_empty().then_some(among);
    }
    output.data(&erased, || text(&erased))?;
    let refused = erased.runs.iter().any(|run| run.result == "refused");
    Ok(match erased.nobody_among {
        _ if refused => Ended::Failed,
        // Whether there ever was anything of the person cannot be said.
        Some(_) => Ended::Cannot,
        // Nor whether what these keys open is anywhere.
        None if !erased.keys_left.is_empty() => Ended::Cannot,
        None => Ended::Well,
    })
}

fn outcome(run: RunId, done: std::result::Result<Done, EraseError>) -> Outcome {
    let (result, message) = match done {
        Ok(Done::Erased) => ("erased", None),
        Ok(_) => ("nothing_to_do", None),
        Err(error) => ("refused", Some(error.to_string())),
    };
    Outcome { run_id: run.to_string(), result, message }
}

fn one(run: RunId, done: Done) -> Erased {
    Erased { runs: vec![outcome(run, Ok(done))], ..several() }
}

const fn several() -> Erased {
    Erased {
        runs: Vec::new(),
        keys_alone: Vec::new(),
        keys_left: Vec::new(),
        nobody_among: None,
        ordered: None,
        compacted: None,
    }
}

impl Erased {
    /// Whether a run is the tenant's, if one was named. Of whom nothing says whose it is, that is told.
    fn is_about(&mut self, args: &Args, run: RunId, tenant: Option<&Name>) -> bool {
        let Some(tenant) = tenant else { return true };
        match whose::of(&args.directory, run) {
            Ok(found) => found == *tenant,
            Err(why) => {
                let message = Some(why.to_string());
                self.runs.push(Outcome { run_id: run.to_string(), result: "refused", message });
                false
            }
        }
    }

    /// Of many runs those are told of which something is to be told.
    fn note(&mut self, run: RunId, done: std::result::Result<Done, EraseError>) {
        match done {
            Ok(Done::Already) | Err(EraseError::NotClosed { .. }) => {}
            done => self.runs.push(outcome(run, done)),
        }
    }
}

fn ordered(what: &'static str) -> Erased {
    Erased { ordered: Some(what), ..several() }
}

fn in_files(
    args: &Args,
    task: Task,
    order: Order,
    master: Option<&MasterKey>,
    subjects: Option<&FileSubjectKeys>,
    output: &Output,
) -> Result<Erased> {
    if !args.directory.join("runs").is_dir() {
        return Err(Problem::file(&args.directory, "expected a store, or a directory with `runs`"));
    }
    let mut archive = Archive::new(&args.directory, args.registrar()?);
    if let Some(master) = master {
        archive = archive.master_key(master);
    }
    if let Some(subjects) = subjects {
        archive = archive.subject_keys(subjects);
    }
    archive = archive.keys_alone(args.keys_alone());
    // What a crash cut off is finished before anything new is begun.
    let recovered = archive.recover().unwrap_or_else(|error| {
        // It may be another tenant's; this order says so itself if it is not.
        tell_unfinished(&error, output);
        Recovered::default()
    });
    for (path, why) in &recovered.strays {
        output.say(&format!("`{}` is left alone: {why}", path.display()));
    }
    tell_finished(&recovered.finished, output);
    for (path, octets) in &recovered.cut {
        output.say(&format!(
            "`{}`: {octets} octets of a line that a crash cut off are removed",
            path.display()
        ));
    }
    let failed = |error: EraseError| problem(&args.directory, &error);
    match task {
        Task::Erase(run, target) => {
            if args.given_up {
                give_up(&archive, run, &order, output).map_err(failed)?;
            }
            Ok(one(run, archive.erase(run, &target, &order).map_err(failed)?))
        }
        Task::Expired(run) => {
            if args.given_up {
                give_up(&archive, run, &order, output).map_err(failed)?;
            }
            Ok(one(run, archive.retain(run, order.at).map_err(failed)?))
        }
        Task::AllExpired(tenant) => {
            let mut all = several();
            for run in archive.runs().map_err(failed)? {
                if all.is_about(args, run, tenant.as_ref()) {
                    all.note(run, archive.retain(run, order.at));
                }
            }
            if tenant.is_some() {
                // What never began is nobody's yet.
                return Ok(all);
            }
            for run in archive.retain_unbegun(order.at).map_err(failed)? {
                all.note(run, Ok(Done::Erased));
            }
            Ok(all)
        }
        Task::Person(tenant, reference) => {
            let person = Person { tenant: &tenant, reference: &reference };
            let mut erased = archive.erase_person(person, &order).map_err(failed)?;
            for (&run, done) in erased.runs.iter_mut().filter(|_| args.given_up) {
                if matches!(done, Err(EraseError::NotClosed { stored: false, .. })) {
                    *done = give_up(&archive, run, &order, output)
                        .and_then(|()| archive.erase(run, &Target::Subject, &order));
                }
            }
            let mut all = of_person(erased.runs, &erased.keys_alone, &erased.keys_left);
            erased.unbegun.into_iter().for_each(|run| all.note(run, Ok(Done::Erased)));
            Ok(all)
        }
        Task::Hold(tenant, hold) => {
            archive.hold(&tenant, hold, order.at, &order.by).map_err(failed)?;
            Ok(ordered("hold"))
        }
        Task::Release(tenant, hold) => {
            archive.release(&tenant, hold, order.at, &order.by).map_err(failed)?;
            Ok(ordered("release"))
        }
    }
}

/// A run that has closed needs no giving up.
fn give_up(
    archive: &Archive<'_>,
    run: RunId,
    order: &Order,
    output: &Output,
) -> std::result::Result<(), EraseError> {
    match archive.give_up(run, order.at, &order.by) {
        Ok(GaveUp::Run { already, cut }) => {
            for (path, octets) in &cut {
                output
                    .say(&format!("`{}`: {octets} octets that a crash had torn are cut off", path.display()));
            }
            if !already {
                output.say(&format!("{run}: given up; it will never close"));
            }
            Ok(())
        }
        Ok(GaveUp::Unbegun(path)) => {
            output.say(&format!("{run}: it had never begun, and lies in `{}` now", path.display()));
            Ok(())
        }
        Err(EraseError::Closed(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn of_person(
    runs: std::collections::BTreeMap<RunId, std::result::Result<Done, EraseError>>,
    keys_alone: &[Name],
    keys_left: &[Name],
) -> Erased {
    let texts = |names: &[Name]| names.iter().map(ToString::to_string).collect();
    Erased {
        runs: runs.into_iter().map(|(run, done)| outcome(run, done)).collect(),
        keys_alone: texts(keys_alone),
        keys_left: texts(keys_left),
        ..several()
    }
}

fn in_store(
    args: &Args,
    task: Task,
    order: Order,
    master: Option<MasterKey>,
    subjects: Option<FileSubjectKeys>,
    output: &Output,
) -> Result<Erased> {
    if args.given_up {
        return Err(Problem::usage(
            "`--given-up` is for runs in files; a store's deployment ends its runs itself (`Deployment::abandon`)",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Problem::io)?;
    let store = SqliteStore::open(&args.directory, &Options::default()).map_err(Problem::io)?;
    let mut eraser = Eraser::new(&store, args.registrar()?).keys_alone(args.keys_alone());
    // Of many runs once, at the end.
    let all = matches!(task, Task::AllExpired(_));
    if args.compact_later || all {
        eraser = eraser.compact_later();
    }
    if let Some(master) = master {
        eraser = eraser.master_key(Arc::new(master));
    }
    if let Some(subjects) = subjects {
        eraser = eraser.subject_keys(Arc::new(subjects));
    }
    let failed = |error: EraserError| of_eraser(&args.directory, error);
    let mut erased = runtime.block_on(async {
        match eraser.recover().await {
            Ok(finished) => tell_finished(&finished, output),
            Err(error) => {
                tell_unfinished(&failed(error), output);
            }
        }
        match task {
            Task::Erase(run, target) => Ok(one(run, eraser.erase(run, target, order).await.map_err(failed)?)),
            Task::Expired(run) => Ok(one(run, eraser.retain(run, order.at).await.map_err(failed)?)),
            Task::AllExpired(tenant) => {
                let (mut all, mut query) =
                    (several(), Query::new().state(RunState::Closed).limit(Query::MAX_PAGE));
                loop {
                    let page = store.query(query.clone()).await.map_err(Problem::io)?;
                    for run in page.runs {
                        if !all.is_about(args, run.run, tenant.as_ref()) {
                            continue;
                        }
                        match eraser.retain(run.run, order.at).await {
                            Ok(done) => all.note(run.run, Ok(done)),
                            Err(EraserError::Erase(error)) => all.note(run.run, Err(error)),
                            Err(error) => return Err(failed(error)),
                        }
                    }
                    match page.next {
                        Some(next) => query = query.after(next),
                        None => return Ok(all),
                    }
                }
            }
            Task::Person(tenant, reference) => {
                let person = Person { tenant: &tenant, reference: &reference };
                let erased = eraser.erase_person(person, order).await.map_err(failed)?;
                Ok(of_person(erased.runs, &erased.keys_alone, &erased.keys_left))
            }
            Task::Hold(tenant, hold) => {
                eraser.hold(tenant, hold, order.at, order.by).await.map_err(failed)?;
                Ok(ordered("hold"))
            }
            Task::Release(tenant, hold) => {
                eraser.release(tenant, hold, order.at, order.by).await.map_err(failed)?;
                Ok(ordered("release"))
            }
        }
    })?;
    if erased.runs.iter().any(|run| run.result == "erased") {
        if all && !args.compact_later {
            runtime.block_on(eraser.compact()).map_err(failed)?;
        }
        erased.compacted = Some(!args.compact_later);
    }
    runtime.block_on(store.close()).map_err(Problem::io)?;
    Ok(erased)
}

/// What another order began is no part of this one, but it is said. Whether a crash cut it off, or a process is still at it, is not known.
fn tell_finished(runs: &[RunId], output: &Output) {
    for run in runs {
        output.say(&format!("{run}: an erasure that another order began is now complete"));
    }
}

fn tell_unfinished(why: &dyn std::fmt::Display, output: &Output) {
    output.say(&format!("an erasure that another order began is not complete yet: {why}"));
}

/// What stopped a store's eraser, and what to do about it: an order is given again, and no run is to be recovered.
fn of_eraser(path: &Path, error: EraserError) -> Problem {
    let path_shown = path.display();
    match error {
        EraserError::Erase(error) => problem(path, &error),
        EraserError::Store(StoreError::Full) => Problem::io(format_args!(
            "`{path_shown}`: there is no room left on the disk, so that the erasure is not complete; free some and give the same order again"
        )),
        EraserError::NotCompacted(StoreError::Full) => Problem::io(format_args!(
            "`{path_shown}`: what was to be erased is gone, but there is no room to write the database anew, which needs as much again as it \
             has; until then it shows how long that was. Free some, then call `fuze audit compact {path_shown}`"
        )),
        other => Problem::io(other),
    }
}

fn problem(path: &Path, error: &EraseError) -> Problem {
    match error {
        EraseError::Io { .. } | EraseError::Locked { .. } => Problem::io(error),
        EraseError::Annex(AnnexError::Held { .. }) => Problem::failed(error),
        EraseError::KeysNeeded => Problem::usage(
            "fields are found only with the master key, and with the data subject's if the run has one: give `--master-key` and \
             `--subject-keys`, or erase the record (`--content` without `--field`)",
        ),
        EraseError::NothingLeft { .. } | EraseError::AnnexBroken(VerifyError::Cannot { .. }) => {
            Problem::cannot(format_args!("`{}`: {error}", path.display()))
        }
        other => Problem::failed(format_args!("`{}`: {other}", path.display())),
    }
}

fn text(erased: &Erased) -> String {
    let mut text = String::new();
    for run in &erased.runs {
        let style = if run.result == "refused" { BAD } else { GOOD };
        text += &format!("{}  {style}{}{style:#}", run.run_id, run.result.replace('_', " "));
        text += &run.message.as_ref().map_or_else(|| "\n".to_owned(), |why| format!(": {}\n", plain(why)));
    }
    for alias in &erased.keys_alone {
        text += &format!("the key of {alias} is erased; no run of that alias is here\n");
    }
    for alias in &erased.keys_left {
        text += &format!(
            "{UNSURE}the key of {alias} stays{UNSURE:#}: no run of that alias is here. If it is in another place that shares these keys, erase \
             it there; if it is nowhere, give `--keys-alone`\n"
        );
    }
    match erased.ordered {
        Some(what) => text + &format!("the {what} stands in the annex\n"),
        None if erased.nobody_among.is_some() => {
            format!(
                "{UNSURE}nothing was erased{UNSURE:#}: no run of this person is known among the {} of the tenant that are here. Either none is \
                 theirs, or an earlier order erased them, or the reference is not the one that the deployment gives\n",
                erased.nobody_among.unwrap_or_default()
            )
        }
        None if erased.runs.is_empty() && erased.keys_alone.is_empty() => {
            text + if erased.keys_left.is_empty() {
                "nothing was to be erased\n"
            } else {
                "nothing was erased\n"
            }
        }
        None => {
            if erased.compacted == Some(false) {
                text += "Until `fuze audit compact` writes the database anew it shows how long what was erased was, and its pages may \
                         keep parts of what was sealed.\n";
            }
            text + "Copies elsewhere (backups, exports, what a person wrote down) are not reached by this.\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_to_whoever_erases() {
        for (error, mend) in [
            (EraserError::Store(StoreError::Full), "give the same order again"),
            (EraserError::NotCompacted(StoreError::Full), "`fuze audit compact /s`"),
        ] {
            let said = of_eraser(Path::new("/s"), error);
            assert_eq!(said.ended(), Ended::Io);
            let said = said.to_string();
            assert!(said.contains(mend) && !said.contains("recover the run"), "{said}");
        }
    }
}
