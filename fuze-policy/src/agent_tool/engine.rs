//! The engine: a policy set that decides about tools.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::cel::{self, Map, Timestamp};
use crate::cerbos::{
    self, ActionEffect, CheckInput, CheckOutput, CheckParams, Effect, Files, OutputEntry, PolicySet, Problem,
    Source,
};
use crate::lower::{Answer, Table};
use crate::{Decision, Engine, EngineError, EngineIdentity, Obligation, Request, RuleId, Verdict};

use super::manifest::{FILE, Manifest};
use super::{
    INVOKE, INVOKE_AUTO, KIND, obligation, question, rule_id, shared, truthless, unasked, unreadable,
    widening,
};

/// The engine's name in evidence. A change of what a policy means changes it.
const NAME: &str = "cerbos/1";

/// Cerbos policies, decided in the process, strictly.
///
/// ```
/// use fuze_policy::agent_tool::Cerbos;
///
/// let engine = Cerbos::load(std::path::Path::new("guide/payment"))?;
/// # Ok::<(), fuze_policy::agent_tool::LoadError>(())
/// ```
#[derive(Debug)]
pub struct Cerbos {
    set: PolicySet,
    table: Table,
    globals: Arc<Map>,
    hash: [u8; 32],
}

/// Why a policy set is not accepted: everything that is wrong with it, in the order of files and lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(Vec<Problem>);

impl LoadError {
    /// What is wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// One problem with a file as a whole.
    pub(crate) fn about(file: &str, message: String) -> Self {
        let place = cerbos::Place { file: file.into(), at: cerbos::Position::START };
        Self(vec![Problem { place, message }])
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

impl From<cerbos::Problems> for LoadError {
    fn from(problems: cerbos::Problems) -> Self {
        Self(problems.all().to_vec())
    }
}

impl Cerbos {
    /// Loads a directory of policies, with its manifest if it has one.
    ///
    /// # Errors
    /// Everything that is wrong with the policies, or that widens a decision and is not allowed by the manifest.
    pub fn load(directory: &Path) -> Result<Self, LoadError> {
        let (files, manifest) = read(directory)?;
        Self::new(&files, manifest.as_ref())
    }

    /// Loads policies that are in memory.
    ///
    /// # Errors
    /// See [`Cerbos::load`].
    pub fn new(files: &Files, manifest: Option<&Source>) -> Result<Self, LoadError> {
        let read = manifest.map(Manifest::read).transpose()?.unwrap_or_default();
        let set = PolicySet::load(&files.policies)?;
        let mut refused = unasked::find(&set);
        refused.extend(shared::find(&set));
        refused.extend(read.judge(&widening::find(&set)));
        let globals = globals(&read);
        refused.extend(unreadable::find(&set, &globals));
        refused.extend(truthless::find(&set));
        if !refused.is_empty() {
            return Err(LoadError(refused));
        }
        let table = Table::new(&set, &globals);
        Ok(Self { table, set, globals, hash: hash(files, manifest) })
    }

    /// The policies.
    #[must_use]
    pub fn set(&self) -> &PolicySet {
        &self.set
    }

    /// SHA-256 over the engine's version and each file's path and bytes, in the order of the paths.
    #[must_use]
    pub fn bundle_hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The scope in which a tenant is decided: its own if it has a policy for tools, else the root.
    #[must_use]
    pub fn scope_of<'t>(&self, tenant: &'t str) -> &'t str {
        if self.table.has_scope(tenant) { tenant } else { "" }
    }

    /// How the interpreter decides.
    #[must_use]
    pub fn params(&self) -> CheckParams {
        CheckParams { globals: Arc::clone(&self.globals), ..CheckParams::at(now()) }
    }

    /// Decides by the interpreter, whatever the flat form says.
    ///
    /// # Errors
    /// See [`Engine::decide`].
    pub fn decide_interpreted(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        let input = question(request, self.scope_of(request.run.tenant))?;
        let output = cerbos::check(&self.set, &input, &self.params())
            .map_err(|error| EngineError::Evaluation(error.to_string()))?;
        verdict(&input, &output)
    }

    /// Decides by the flat form alone; `None` where it leaves the decision to the interpreter.
    #[must_use]
    pub fn decide_lowered(&self, request: &Request<'_>) -> Option<Verdict> {
        decide_lowered(&self.table, request)
    }

    /// The flat form as bytes, of the same policies the same: what a [`Bundle`](crate::build::Bundle) has in it.
    #[must_use]
    pub fn flat_form(&self) -> Vec<u8> {
        self.table.to_bytes(&self.hash)
    }
}

pub(crate) fn decide_lowered(table: &Table, request: &Request<'_>) -> Option<Verdict> {
    let [invoke, auto] = table.decide(request)?;
    Some(lowered(&invoke, &auto))
}

impl Engine for Cerbos {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: NAME.to_owned(), bundle_hash: self.hash, permissive: false }
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        match self.decide_lowered(request) {
            Some(verdict) => Ok(verdict),
            None => self.decide_interpreted(request),
        }
    }
}

fn lowered(invoke: &Answer<'_>, auto: &Answer<'_>) -> Verdict {
    let asked = invoke.obligations.iter().chain(auto.obligations.iter()).cloned();
    combine((invoke.effect, || invoke.rule.clone()), (auto.effect, || auto.rule.clone()), asked)
}

/// What a Cerbos answer about a call means.
///
/// # Errors
/// When the answer rests on a condition that failed, or a rule said what cannot be read: that is no decision.
pub fn verdict(input: &CheckInput, output: &CheckOutput) -> Result<Verdict, EngineError> {
    let effect = |action: &str| {
        let found = output.action(action).ok_or_else(|| {
            EngineError::Malformed(format!("nothing was said about `{action}` on `{}`", input.resource.id))
        })?;
        if found.rests_on_failure {
            let errors: Vec<String> = output
                .evaluation_errors
                .iter()
                .map(|e| format!("`{}`: {}", e.expression, e.message))
                .collect();
            return Err(EngineError::Evaluation(format!("{}: {}", rule(found), errors.join("; "))));
        }
        Ok(found)
    };
    let (invoke, auto) = (effect(INVOKE)?, effect(INVOKE_AUTO)?);
    let asked = output.outputs.iter().map(said).collect::<Result<Vec<_>, _>>()?;
    Ok(combine(
        (invoke.effect, || rule_id(rule(invoke))),
        (auto.effect, || rule_id(rule(auto))),
        asked.into_iter().flatten(),
    ))
}

fn said(output: &OutputEntry) -> Result<Option<Obligation>, EngineError> {
    let fail = |why: &dyn fmt::Display| {
        Err(EngineError::Evaluation(format!("the output of {}: {why}", output.source)))
    };
    match &output.value {
        Ok(value) => obligation::read(value).or_else(|error| fail(&error)),
        Err(error) => fail(error),
    }
}

fn rule(effect: &ActionEffect) -> &str {
    effect.rule.as_deref().unwrap_or(&effect.policy)
}

fn combine(
    (invoke, invoke_rule): (Effect, impl FnOnce() -> RuleId),
    (auto, auto_rule): (Effect, impl FnOnce() -> RuleId),
    asked: impl Iterator<Item = Obligation>,
) -> Verdict {
    match (invoke, auto) {
        (Effect::Deny, Effect::Allow | Effect::Deny) => Verdict::new(Decision::Deny, invoke_rule()),
        // The tool or the law may demand the approval that the policy does not: then it is as the policy says.
        (Effect::Allow, Effect::Allow) => {
            let mut asked = asked.peekable();
            let approval =
                asked.peek().is_some().then(|| strictest(asked).unwrap_or_else(Obligation::of_nobody));
            Verdict::new(Decision::Allow, auto_rule()).approval(approval)
        }
        // Nobody is left who could approve: that is a denial.
        (Effect::Allow, Effect::Deny) => {
            let decision = strictest(asked).map_or(Decision::Deny, Decision::RequiresApproval);
            Verdict::new(decision, invoke_rule())
        }
    }
}

/// What several rules say of an approval, together; `None` if nobody is left who could approve.
fn strictest(mut asked: impl Iterator<Item = Obligation>) -> Option<Obligation> {
    asked.try_fold(Obligation::default(), Obligation::strictest)
}

/// As in a server's configuration, whole numbers are whole here, and doubles in requests alone.
fn globals(manifest: &Manifest) -> Arc<Map> {
    Arc::new(manifest.globals.iter().map(|(name, value)| (name.as_str(), whole(value))).collect())
}

fn whole(value: &Json) -> cel::Value {
    match value {
        Json::Number(number) => match number.as_f64() {
            // Below 2⁵³ nothing is lost.
            Some(number) if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
                cel::Value::Int(number as i64)
            }
            _ => cel::Value::from(value.clone()),
        },
        Json::Array(items) => cel::Value::List(items.iter().map(whole).collect()),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str(), whole(value)));
            cel::Value::Map(Arc::new(members.collect()))
        }
        other => cel::Value::from(other.clone()),
    }
}

/// What of a directory makes a policy set, and its manifest if it has one: what [`Cerbos::new`] takes.
///
/// # Errors
/// What cannot be read, or changes while it is read.
pub fn read(directory: &Path) -> Result<(Files, Option<Source>), LoadError> {
    settled(|| read_once(directory))
}

/// Readings after which a directory that is another each time is given up.
const MOST_READINGS: usize = 4;

/// A reading that the next one confirms. A directory that is exchanged, also by a rename, while it is read may be read half and half:
/// without the file that denies.
fn settled(
    mut read: impl FnMut() -> Result<(Files, Option<Source>), LoadError>,
) -> Result<(Files, Option<Source>), LoadError> {
    let mut before: Option<[u8; 32]> = None;
    for _ in 0..MOST_READINGS {
        let (files, manifest) = read()?;
        let found = hash(&files, manifest.as_ref());
        if before == Some(found) {
            return Ok((files, manifest));
        }
        before = Some(found);
    }
    let why = "the directory changes while it is read: put the new policies beside it, and exchange the two at once";
    Err(LoadError::about(".", why.to_owned()))
}

fn read_once(directory: &Path) -> Result<(Files, Option<Source>), LoadError> {
    let files = cerbos::read_directory(directory)?;
    let path = directory.join(FILE);
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => match cerbos::read_file(&path) {
            Ok(text) => Ok((files, Some(Source::new(FILE, &text)))),
            Err(why) => Err(LoadError::about(FILE, why)),
        },
        Ok(_) => Err(LoadError::about(FILE, "it is no file: put the manifest itself here".to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((files, None)),
        Err(error) => Err(LoadError::about(FILE, format!("it cannot be read: {error}"))),
    }
}

/// See [`Cerbos::bundle_hash`].
pub(crate) fn hash(files: &Files, manifest: Option<&Source>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // Lengths first, so that no two lists of files give the same bytes.
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(NAME.as_bytes());
    part(KIND.as_bytes());
    let schemas = files.schemas.iter().map(|source| (format!("{}/{}", cerbos::SCHEMAS, source.path), source));
    let rest = files.policies.iter().chain(manifest).map(|source| (source.path.as_ref().to_owned(), source));
    let mut all: Vec<(String, &Source)> = rest.chain(schemas).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, source) in all {
        part(path.as_bytes());
        part(source.text.as_bytes());
    }
    hash.finalize().into()
}

/// One point in time for a whole request. A clock that is set before 1970 is told as it is.
fn now() -> Timestamp {
    let (seconds, nanoseconds) = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        Err(before) => (i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds), 0),
    };
    Timestamp { seconds, nanoseconds, offset_seconds: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> Result<(Files, Option<Source>), LoadError> {
        Ok((Files { policies: vec![Source::new("a.yaml", text)], ..Files::default() }, None))
    }

    #[test]
    fn a_reading_counts_once_the_next_is_the_same() {
        let mut texts = ["old", "half", "new", "new", "never read"].into_iter();
        let (files, _) = settled(|| reading(texts.next().unwrap())).unwrap();
        assert_eq!(files.policies[0].text, "new");
        assert_eq!(texts.next(), Some("never read"));
        let mut count = 0;
        let error = settled(|| {
            count += 1;
            reading(&count.to_string())
        });
        assert!(error.unwrap_err().to_string().contains("changes while it is read"));
        assert_eq!(count, MOST_READINGS);
    }

    #[test]
    fn a_manifest_that_comes_or_goes_is_a_change() {
        let mut manifests = [None, Some(Source::new(FILE, "format: 1")), None, None].into_iter();
        let found = settled(|| Ok((Files::default(), manifests.next().unwrap()))).unwrap();
        assert!(found.1.is_none() && manifests.next().is_none());
    }
}
