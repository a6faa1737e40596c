//! The closed vocabulary: one variant for each span, each with typed attributes. There is no field for free text.
//!
//! Each struct's lines say attribute, field and type; writing, strict reading and the schema come from them. The
//! table in `docs/evidence-format.md` section 4 says when an optional attribute is present; [`Span::check`] holds it.

pub mod attr;

pub use attr::{AppAttrs, AppKey, AppValue, AttrError};

use crate::hash::Hash;
use crate::name::Name;
use crate::time::Timestamp;
use crate::vocab::wire_enum;
use crate::vocab::*;
use attr::{Attr, AttrMap, AttrWriter, sorted};

wire_enum! {
    /// Who speaks in a record.
    Role {
        Agent = "agent",
        Guardrail = "guardrail",
        Model = "model",
        Policy = "policy",
        Tool = "tool",
        Oversight = "oversight",
    }
}

macro_rules! spans {
    ($($(#[$meta:meta])* $name:ident = $span:literal, $role:ident {
        $($key:literal $field:ident: $ty:ty,)+
    })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name { $(#[doc = concat!("`", $key, "`")] pub $field: $ty,)+ }

            // INVARIANT: attributes are written in the order of declaration, so that must be the canonical order.
            const _: () = assert!(sorted(&[$($key),+]), "attributes must be declared in canonical order");

            impl $name {
                fn write(&self, out: &mut AttrWriter<'_>) -> Result<(), AttrError> {
                    $(Attr::write(&self.$field, $key, out)?;)+
                    Ok(())
                }

                fn read(map: &mut AttrMap) -> Result<Self, AttrError> {
                    Ok(Self { $($field: Attr::read(map, $key)?,)+ })
                }
            }

            impl From<$name> for Span {
                fn from(attrs: $name) -> Self {
                    Self::$name(attrs)
                }
            }
        )+

        /// What happened, with its attributes.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Span { $(#[doc = concat!("`", $span, "`")] $name($name),)+ }

        impl Span {
            /// Every span's wire name.
            pub const NAMES: &'static [&'static str] = &[$($span),+];

            /// Every attribute of every span: span, attribute.
            pub const ATTRIBUTES: &'static [(&'static str, &'static str)] = &[$($(($span, $key)),+),+];

            /// The wire name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $span),+ }
            }

            /// The role that goes with it.
            #[must_use]
            pub const fn role(&self) -> Role {
                match self { $(Self::$name(_) => Role::$role),+ }
            }

            /// Writes the attributes as a canonical object.
            pub(crate) fn write_attrs(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
                let mut writer = AttrWriter::begin(out);
                match self { $(Self::$name(attrs) => attrs.write(&mut writer)?),+ }
                writer.end();
                Ok(())
            }

            /// Reads them back, refusing what is missing, unknown or of another type.
            pub(crate) fn read_attrs(name: &str, mut map: AttrMap) -> Result<Self, AttrError> {
                let span = match name {
                    $($span => Self::$name($name::read(&mut map)?),)+
                    _ => return Err(AttrError::UnknownSpan { span: name.chars().take(64).collect() }),
                };
                map.finish()?;
                span.check()?;
                Ok(span)
            }
        }
    };
}

spans! {
    /// A run begins, or is refused: always the first record.
    AgentInvoke = "agent.invoke", Agent {
        "fuze.agent.fingerprint" fingerprint: Hash,
        "fuze.identity.clock" clock: Name,
        "fuze.identity.model" model: Name,
        "fuze.identity.signer" signer: Name,
        "fuze.identity.sink" sink: Name,
        "fuze.identity.store" store: Option<Name>,
        "fuze.key_id" key_id: Hash,
        "fuze.law.as_of" law_as_of: Name,
        "fuze.law.source" law_source: Name,
        "fuze.model.residency" model_residency: Residency,
        "fuze.model.snapshot" model_snapshot: Name,
        "fuze.origin" origin: Name,
        "fuze.oversight.plan" oversight_plan: Option<Name>,
        "fuze.oversight.registry_hash" registry_hash: Option<Hash>,
        "fuze.oversight.training" training: Option<Name>,
        "fuze.policy.bundle_hash" bundle_hash: Hash,
        "fuze.policy.engine" engine: Name,
        "fuze.policy.permissive" permissive: bool,
        "fuze.purpose" purpose: Name,
        "fuze.retention.content_days" retention_content_days: u32,
        "fuze.retention.decision_days" retention_decision_days: u32,
        "fuze.retention.hash_days" retention_hash_days: u32,
        "fuze.run.outcome" outcome: StartOutcome,
        "fuze.run.refusal" refusal: Option<Refusal>,
        "fuze.suite" suite: Suite,
        "gen_ai.agent.name" agent_name: Name,
        "gen_ai.operation.name" operation: InvokeAgentOperation,
    }

    /// A guardrail examined something.
    Guardrail = "guardrail", Guardrail {
        "fuze.guardrail.hard_block" hard_block: bool,
        "fuze.guardrail.name" guardrail: Name,
        "fuze.guardrail.outcome" outcome: GuardrailOutcome,
        "fuze.guardrail.phase" phase: GuardrailPhase,
        "fuze.guardrail.tripped" tripped: bool,
        "fuze.tool.call_index" call_index: Option<u32>,
    }

    /// The model was asked once.
    ModelGenerate = "model.generate", Model {
        "fuze.model.attempt" attempt: u32,
        "fuze.model.error" error: Option<ModelErrorCode>,
        "fuze.model.finish_reason" finish_reason: FinishReason,
        "fuze.model.history_hash" history_hash: Hash,
        "fuze.model.outcome" outcome: ModelOutcome,
        "fuze.model.residency" residency: Residency,
        "fuze.model.tool_calls" tool_calls: u32,
        "fuze.model.turn" turn: u32,
        "gen_ai.operation.name" operation: ChatOperation,
        "gen_ai.provider.name" provider: Name,
        "gen_ai.request.model" request_model: Name,
    }

    /// A call was decided on.
    PolicyEvaluate = "policy.evaluate", Policy {
        "fuze.approval.by_law" approval_by_law: bool,
        "fuze.approval.by_policy" approval_by_policy: bool,
        "fuze.approval.by_tool" approval_by_tool: bool,
        "fuze.policy.bundle_hash" bundle_hash: Hash,
        "fuze.policy.decision" decision: PolicyDecision,
        "fuze.policy.engine" engine: Name,
        "fuze.policy.engine_error" engine_error: bool,
        "fuze.policy.error" error: Option<PolicyErrorCode>,
        "fuze.policy.reason" reason: PolicyReason,
        "fuze.policy.rule" rule: Option<Name>,
        "fuze.tool.args_hash" args_hash: Option<Hash>,
        "fuze.tool.call_index" call_index: u32,
        "fuze.tool.known" known: bool,
        "gen_ai.tool.name" tool: Option<Name>,
    }

    /// A tool ran, or was not allowed to.
    ToolExecute = "tool.execute", Tool {
        "app." app: AppAttrs,
        "fuze.approval.step" approval_step: Option<u64>,
        "fuze.tool.args_hash" args_hash: Hash,
        "fuze.tool.attempt" attempt: u32,
        "fuze.tool.call_index" call_index: u32,
        "fuze.tool.classification" classification: Classification,
        "fuze.tool.effect" effect: Effect,
        "fuze.tool.exec_id" exec_id: Hash,
        "fuze.tool.outcome" outcome: ToolOutcome,
        "fuze.tool.sandbox_tier" sandbox_tier: SandboxTier,
        "gen_ai.operation.name" operation: ExecuteToolOperation,
        "gen_ai.tool.name" tool: Name,
    }

    /// A call waits for a person; one record for each token.
    OversightSuspend = "oversight.suspend", Oversight {
        "fuze.oversight.epoch" epoch: u64,
        "fuze.oversight.expires_at" expires_at: Timestamp,
        "fuze.oversight.of" of: u32,
        "fuze.oversight.reason" reason: SuspendReason,
        "fuze.oversight.slot" slot: u32,
        "fuze.oversight.snapshot_hash" snapshot_hash: Hash,
        "fuze.oversight.token_hash" token_hash: Hash,
        "fuze.tool.args_hash" args_hash: Option<Hash>,
        "fuze.tool.call_index" call_index: Option<u32>,
        "gen_ai.tool.name" tool: Option<Name>,
    }

    /// A person decided, and the decision was verified.
    HumanDecision = "human.oversight.decision", Oversight {
        "fuze.oversight.action" action: OversightAction,
        "fuze.oversight.custody" custody: Custody,
        "fuze.oversight.decision_hash" decision_hash: Hash,
        "fuze.oversight.edited" edited: bool,
        "fuze.oversight.key_id" key_id: Hash,
        "fuze.oversight.modified_args_hash" modified_args_hash: Option<Hash>,
        "fuze.oversight.outcome" outcome: DecisionOutcome,
        "fuze.oversight.overseer" overseer: Name,
        "fuze.oversight.token_hash" token_hash: Hash,
        "fuze.oversight.training" training: Option<Name>,
        "fuze.tool.args_hash" args_hash: Option<Hash>,
    }

    /// A suspended or crashed run goes on.
    RunResume = "run.resume", Agent {
        "fuze.policy.bundle_hash" bundle_hash: Hash,
        "fuze.run.cause" cause: ResumeCause,
        "fuze.run.epoch" epoch: u64,
        "fuze.run.segment" segment: u32,
    }

    /// Someone stopped the run.
    RunCancel = "run.cancel", Agent {
        "fuze.run.cancelled_by" cancelled_by: CancelledBy,
    }

    /// Something was under way when the process ended; how it ended is not known.
    RunGap = "run.gap", Agent {
        "fuze.gap.what" what: Gap,
        "fuze.tool.exec_id" exec_id: Option<Hash>,
    }

    /// The model is not the one that the run began with.
    ModelDrift = "model.drift", Agent {
        "fuze.model.drift_acknowledged" acknowledged: bool,
        "fuze.model.from" from: Name,
        "fuze.model.to" to: Name,
    }

    /// The run ended: always the last record. Written by `Recorder::close` alone.
    RunClose = "run.close", Agent {
        "fuze.run.count" count: u64,
        "fuze.run.missing_oversight" missing_oversight: bool,
        "fuze.run.status" status: RunStatus,
    }
}

impl Span {
    /// Holds the rules between attributes of one span; the writer and the verifier call it alike.
    ///
    /// # Errors
    /// With the attribute that contradicts another.
    pub fn check(&self) -> Result<(), AttrError> {
        let rule = |holds: bool, attribute: &'static str, expected: &'static str| {
            if holds { Ok(()) } else { Err(AttrError::Contradiction { attribute, expected }) }
        };
        match self {
            Self::AgentInvoke(a) => rule(
                a.refusal.is_some() == (a.outcome == StartOutcome::Refused),
                "fuze.run.refusal",
                "present exactly if the outcome is `refused`",
            ),
            Self::Guardrail(a) => {
                rule(
                    a.tripped == (a.outcome == GuardrailOutcome::Tripped),
                    "fuze.guardrail.tripped",
                    "true exactly if the outcome is `tripped`",
                )?;
                rule(
                    a.call_index.is_none() || a.phase == GuardrailPhase::ToolResult,
                    "fuze.tool.call_index",
                    "only in the phase `tool_result`",
                )
            }
            Self::ModelGenerate(a) => {
                rule(
                    a.error.is_some() == (a.outcome == ModelOutcome::Error),
                    "fuze.model.error",
                    "present exactly if the outcome is `error`",
                )?;
                rule(a.attempt > 0, "fuze.model.attempt", "at least 1")
            }
            Self::PolicyEvaluate(a) => {
                let error = a.decision == PolicyDecision::Error;
                rule(
                    a.engine_error == error,
                    "fuze.policy.engine_error",
                    "true exactly if the decision is `error`",
                )?;
                rule(
                    a.error.is_some() == error,
                    "fuze.policy.error",
                    "present exactly if the decision is `error`",
                )?;
                rule(a.tool.is_some() == a.known, "gen_ai.tool.name", "present exactly if the tool is known")
            }
            Self::ToolExecute(a) => rule(a.attempt > 0, "fuze.tool.attempt", "at least 1"),
            Self::OversightSuspend(a) => {
                rule(a.slot < a.of, "fuze.oversight.slot", "smaller than `fuze.oversight.of`")
            }
            Self::HumanDecision(a) => {
                let modified = a.action == OversightAction::Modify;
                rule(
                    a.edited == modified,
                    "fuze.oversight.edited",
                    "true exactly if the action is `modify`",
                )?;
                rule(
                    a.modified_args_hash.is_some() == modified,
                    "fuze.oversight.modified_args_hash",
                    "present exactly if the action is `modify`",
                )
            }
            Self::RunGap(a) => rule(
                a.exec_id.is_none() || a.what == Gap::Tool,
                "fuze.tool.exec_id",
                "only for a gap in a `tool`",
            ),
            Self::RunClose(a) => rule(
                a.missing_oversight == (a.status == RunStatus::OversightMissing),
                "fuze.run.missing_oversight",
                "true exactly if the status is `oversight_missing`",
            ),
            Self::RunResume(_) | Self::RunCancel(_) | Self::ModelDrift(_) => Ok(()),
        }
    }
}
