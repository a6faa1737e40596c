//! The pipeline from a requested call to its output, and the erased form of a tool that the driver holds.
//!
//! The canonical bytes are the call: arguments are parsed, written canonically, decided on, and parsed afresh from those
//! bytes for the tool. Records, limits and the ledger are the driver's.

use std::any::TypeId;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fuze_evidence::jcs::{self, ReadErrorKind};
use fuze_policy::{
    Approver, Call, Conditions, Decided, Denied, EngineError, Gate, Obligation, Opening, Permit, Request,
    RequiredBy, RuleId,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ToolError;
use crate::boundary::Egress;
use crate::ctx::{Scope, ToolCtx};
use crate::effect::Effect;
use crate::law::Retention;
use crate::law::data::Classification;
use crate::law::oversight::Approval;
use crate::law::residency::Residency;
use crate::logic::Bool;
use crate::sealed::Internal;
use crate::tool::{Arguments, AsJson, Output, ServedBy, Tool};

tokio::task_local! {
    /// Set while a tool runs, so that nothing but the pipeline runs another from inside it.
    static INSIDE: ();
}

/// Runs a tool's future as what it is: inside a dispatch.
pub(crate) async fn inside<F: Future>(work: F) -> F::Output {
    INSIDE.scope((), work).await
}

/// The same for work on the blocking pool, which is another task.
pub(crate) fn inside_blocking<O>(work: impl FnOnce() -> O) -> O {
    INSIDE.sync_scope((), work)
}

/// Whether a tool is running on this task.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(|()| ()).is_ok()
}

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One call of the tool `T`, as the canonical bytes that the gate saw and the record commits to. No public constructor.
pub struct ToolCall<T: Tool> {
    canonical: Vec<u8>,
    tool: PhantomData<fn() -> T>,
}

impl<T: Tool> Call for ToolCall<T> {
    type Args = T::Args;
    type Error = ToolError;

    fn open(self, _: Opening) -> Result<T::Args, ToolError> {
        let refused = |why: String| ToolError::not_applied(format!("the decided arguments {why}"));
        let args: Arguments<T> = serde_json::from_slice(&self.canonical)
            .map_err(|error| refused(format!("do not parse again: {error}")))?;
        // What the tool gets is what was decided on, also where the program changed while a person thought it over.
        match jcs::to_vec(&args) {
            Ok(again) if again == self.canonical => Ok(args.into_value()),
            Ok(_) | Err(_) => Err(refused("parse to something else".into())),
        }
    }
}

/// A tool without its types.
#[doc(hidden)]
pub trait Dispatch<D>: Send + Sync {
    fn facts(&self, _: Internal) -> ToolFacts;

    fn schemas(&self, _: Internal) -> Schemas;

    /// Text to canonical bytes: parsed as JSON inside the profile, as the tool's arguments, and written canonically; the
    /// bytes parse to arguments that write to the same bytes again.
    fn canonical(&self, arguments: &[u8], _: Internal) -> Result<Vec<u8>, ArgumentsError>;

    /// Whether canonical bytes are an output of this tool, for what a person states.
    fn check_output(&self, canonical: &[u8], _: Internal) -> Result<(), String>;

    /// Asks the gate about canonical bytes.
    fn decide<'c, 'q>(&'c self, ask: Ask<'q>, _: Internal) -> Boxed<'q, Result<Ruling<'c, D>, EngineError>>
    where
        'c: 'q;
}

/// A permitted call, with its permit inside.
#[doc(hidden)]
pub trait Ready<'c, D>: Send {
    /// Runs it: canonical output, or why not.
    fn run(
        self: Box<Self>,
        deps: &'c Arc<D>,
        scope: &'c Scope,
        _: Internal,
    ) -> Boxed<'c, Result<Vec<u8>, ToolFailure>>;
}

/// What the gate is asked.
#[doc(hidden)]
pub struct Ask<'c> {
    pub(crate) gate: &'c Gate,
    pub(crate) request: Request<'c>,
    /// What the law demands for this agent and this tool.
    pub(crate) law: Option<Obligation>,
    /// Who approved exactly these bytes, by verified decisions.
    pub(crate) approved: Vec<Approver>,
}

/// What the gate answered.
#[doc(hidden)]
pub enum Ruling<'c, D> {
    Permitted { ready: Box<dyn Ready<'c, D> + 'c>, rule: RuleId, approved_for: Option<RequiredBy> },
    Waiting { obligation: Obligation, required_by: RequiredBy, rule: RuleId },
    Denied(Denied),
}

/// Why a tool gave no usable output.
#[doc(hidden)]
pub enum ToolFailure {
    /// It says so.
    Failed(ToolError),
    /// It returned something outside the profile.
    OutputInvalid(String),
}

/// Why arguments are refused. Nothing was decided, nothing ran.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentsError {
    /// They are not JSON, or do not fit the tool.
    Invalid(String),
    /// They are JSON, but outside the profile of the canonical form.
    OutOfProfile(String),
    /// What they parse to does not write to the same bytes again.
    Unstable,
}

impl std::fmt::Display for ArgumentsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(why) => write!(f, "they do not fit: {why}"),
            Self::OutOfProfile(why) => write!(f, "they cannot be recorded: {why}"),
            Self::Unstable => f.write_str("they change when they are written and read again"),
        }
    }
}

/// A tool's declaration as data.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct ToolFacts {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) type_id: TypeId,
    pub(crate) classification: &'static str,
    pub(crate) art9: Option<&'static str>,
    pub(crate) law: Option<&'static str>,
    pub(crate) lawful_bases: &'static [&'static str],
    pub(crate) residency: &'static str,
    pub(crate) egress: &'static str,
    pub(crate) hosts: &'static [&'static str],
    pub(crate) file_system: &'static str,
    pub(crate) secrets: bool,
    pub(crate) effect: &'static str,
    pub(crate) is_once: bool,
    pub(crate) is_read: bool,
    pub(crate) always_approval: bool,
    pub(crate) may_suspend: bool,
    pub(crate) code: &'static str,
    pub(crate) retention: Retention,
    pub(crate) time_limit: Duration,
    pub(crate) grace: Duration,
}

/// The JSON Schemas of a tool.
#[doc(hidden)]
pub struct Schemas {
    pub(crate) arguments: Value,
    pub(crate) output: Value,
}

impl<D: Send + Sync + 'static, T: Tool + ServedBy<D>> Dispatch<D> for T {
    fn facts(&self, _: Internal) -> ToolFacts {
        type Always<T> = <<T as Tool>::Approval as Approval<<T as Tool>::Args>>::Always;
        ToolFacts {
            name: T::NAME,
            description: T::DESCRIPTION,
            type_id: TypeId::of::<T>(),
            classification: T::Data::NAME,
            art9: T::Data::ART9,
            law: T::Data::LAW,
            lawful_bases: T::Data::BASES,
            residency: <<T::Data as Classification>::Residency as Residency>::NAME,
            egress: T::Egress::NAME,
            hosts: T::Egress::HOSTS,
            file_system: T::FILE_SYSTEM.name(),
            secrets: T::Secrets::VALUE,
            effect: T::Effect::NAME,
            is_once: <T::Effect as Effect>::IsOnce::VALUE,
            is_read: <T::Effect as Effect>::IsRead::VALUE,
            always_approval: Always::<T>::VALUE,
            may_suspend: crate::tool::MaySuspend::<T>::VALUE,
            code: T::CODE,
            retention: T::RETENTION,
            time_limit: T::TIME_LIMIT,
            grace: T::GRACE,
        }
    }

    fn schemas(&self, _: Internal) -> Schemas {
        Schemas {
            arguments: schemars::schema_for!(Arguments<T>).to_value(),
            output: schemars::schema_for!(Output<T>).to_value(),
        }
    }

    fn canonical(&self, arguments: &[u8], _: Internal) -> Result<Vec<u8>, ArgumentsError> {
        let inside = jcs::parse(arguments).map_err(|error| match is_syntax(error.kind) {
            true => ArgumentsError::Invalid(error.to_string()),
            false => ArgumentsError::OutOfProfile(error.to_string()),
        })?;
        let listed = inside.is_array();
        let args: Arguments<T> =
            serde_json::from_value(inside).map_err(|error| ArgumentsError::Invalid(error.to_string()))?;
        let canonical =
            jcs::to_vec(&args).map_err(|error| ArgumentsError::OutOfProfile(error.to_string()))?;
        // Fields by their order alone: serde would take them, the schema does not.
        if listed && !canonical.starts_with(b"[") {
            return Err(ArgumentsError::Invalid("expected an object, found a list".into()));
        }
        if let Some(why) = too_large(&canonical) {
            return Err(ArgumentsError::OutOfProfile(why));
        }
        match is_stable::<Arguments<T>>(&canonical) {
            true => Ok(canonical),
            false => Err(ArgumentsError::Unstable),
        }
    }

    fn check_output(&self, canonical: &[u8], _: Internal) -> Result<(), String> {
        if let Some(why) = too_large(canonical) {
            return Err(why);
        }
        match is_stable::<Output<T>>(canonical) {
            true => Ok(()),
            false => Err("it does not parse as the tool's output and write to the same again".into()),
        }
    }

    fn decide<'c, 'q>(&'c self, ask: Ask<'q>, _: Internal) -> Boxed<'q, Result<Ruling<'c, D>, EngineError>>
    where
        'c: 'q,
    {
        Box::pin(async move {
            let Ask { gate, request, law, approved } = ask;
            let canonical = request.call.args.to_vec();
            let args: Arguments<T> = serde_json::from_slice(&canonical).map_err(|error| {
                EngineError::Evaluation(format!("the arguments do not parse again: {error}"))
            })?;
            let tool = T::Approval::needed(&args.into_value()).then(Obligation::default);
            let call = ToolCall::<T> { canonical, tool: PhantomData };
            Ok(match gate.decide(call, &request, Conditions { tool, law, approved }).await? {
                Decided::Permitted { permit, rule, approved_for } => Ruling::Permitted {
                    ready: Box::new(Permitted { tool: self, permit }),
                    rule,
                    approved_for,
                },
                Decided::Waiting(w) => {
                    Ruling::Waiting { obligation: w.obligation, required_by: w.required_by, rule: w.rule }
                }
                Decided::Denied(denied) => Ruling::Denied(denied),
            })
        })
    }
}

struct Permitted<'c, T: Tool> {
    tool: &'c T,
    permit: Permit<'c, ToolCall<T>>,
}

impl<'c, D: Send + Sync + 'static, T: Tool + ServedBy<D>> Ready<'c, D> for Permitted<'c, T> {
    fn run(
        self: Box<Self>,
        deps: &'c Arc<D>,
        scope: &'c Scope,
        key: Internal,
    ) -> Boxed<'c, Result<Vec<u8>, ToolFailure>> {
        Box::pin(async move {
            let ctx = ToolCtx::new(<T as ServedBy<D>>::lend(deps, key), scope);
            let output = inside(self.tool.run(self.permit, ctx)).await.map_err(ToolFailure::Failed)?;
            let canonical = jcs::to_vec(Output::<T>::of(&output))
                .map_err(|error| ToolFailure::OutputInvalid(error.to_string()))?;
            if let Some(why) = too_large(&canonical) {
                return Err(ToolFailure::OutputInvalid(why));
            }
            match is_stable::<Output<T>>(&canonical) {
                true => Ok(canonical),
                false => Err(ToolFailure::OutputInvalid("it does not parse to what was written".into())),
            }
        })
    }
}

/// Whether a text is no JSON at all, rather than JSON outside the profile.
pub(crate) const fn is_syntax(kind: ReadErrorKind) -> bool {
    !matches!(
        kind,
        ReadErrorKind::DuplicateKey
            | ReadErrorKind::LoneSurrogate
            | ReadErrorKind::IntegerRange
            | ReadErrorKind::FloatRange
            | ReadErrorKind::Depth
    )
}

/// Arguments and outputs have at most 1 MiB.
const MAX_BYTES: usize = 1 << 20;
/// And at most this many values: each is a leaf of the evidence.
const MAX_VALUES: usize = 1 << 15;
/// And the paths of those values are this long together, at most.
const MAX_PATH_BYTES: usize = 8 << 20;
/// And nest less deep than the canonical form allows, because the evidence puts them into an object of its own.
const MAX_DEPTH: usize = jcs::MAX_DEPTH - 1;

/// Why arguments or an output, though canonical, are too much for the evidence. Without this a model or a tool could stop
/// a run by what it cannot record.
fn too_large(canonical: &[u8]) -> Option<String> {
    if canonical.len() > MAX_BYTES {
        return Some(format!("{} bytes, expected at most {MAX_BYTES}", canonical.len()));
    }
    let (mut values, mut depth, mut deepest) = (1usize, 0usize, 0usize);
    let mut text = false;
    let mut escaped = false;
    for byte in canonical {
        match (text, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => text = !text,
            (true, _) => {}
            (false, b',') => values += 1,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    if values > MAX_VALUES {
        return Some(format!("{values} values, expected at most {MAX_VALUES}"));
    }
    if deepest > MAX_DEPTH {
        return Some(format!("nested {deepest} deep, expected at most {MAX_DEPTH}"));
    }
    // Few bytes cannot make long paths: n bytes at most n²/4.
    if canonical.len() <= 1024 {
        return None;
    }
    let value = serde_json::from_slice(canonical).unwrap_or(Value::Null);
    let paths = path_bytes(&value, 0);
    (paths > MAX_PATH_BYTES).then(|| {
        format!("the paths of its values have {paths} bytes together, expected at most {MAX_PATH_BYTES}: shorten the keys")
    })
}

/// How long the JSON Pointers of all leaves are together: each leaf is committed to with its own, so long keys over many
/// values would grow without any relation to the size of the text.
fn path_bytes(value: &Value, above: usize) -> usize {
    match value {
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .fold(0, |sum: usize, item| sum.saturating_add(path_bytes(item, above.saturating_add(6)))),
        Value::Object(members) if !members.is_empty() => {
            members.iter().fold(0, |sum: usize, (key, member)| {
                // Escaping (RFC 6901 section 3) may double a key.
                let below = above.saturating_add(key.len().saturating_mul(2)).saturating_add(1);
                sum.saturating_add(path_bytes(member, below))
            })
        }
        _ => above,
    }
}

/// Whether canonical bytes parse to a value that writes to the same bytes again.
fn is_stable<V: DeserializeOwned + serde::Serialize>(canonical: &[u8]) -> bool {
    serde_json::from_slice::<V>(canonical)
        .is_ok_and(|value| jcs::to_vec(&value).is_ok_and(|again| again == canonical))
}
