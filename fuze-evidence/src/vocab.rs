//! The closed enumerations of the evidence. Wire names come from one line each; what is not here cannot be written.

/// One line a variant: `Variant = "wire_name"`.
macro_rules! wire_enum {
    ($($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $wire:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* #[doc = concat!("`", $wire, "`")] $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::vocab::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($wire => Ok(Self::$variant),)+
                    _ => Err($crate::vocab::UnknownValue::new(text, &[$($wire),+])),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl $crate::span::attr::AttrValue for $name {
            fn write_value(&self, out: &mut Vec<u8>) -> Result<(), $crate::span::attr::AttrError> {
                out.push(b'"');
                out.extend_from_slice(self.as_str().as_bytes());
                out.push(b'"');
                Ok(())
            }

            fn read_value(value: &serde_json::Value) -> Option<Self> {
                value.as_str()?.parse().ok()
            }
        }
    )+};
}

pub(crate) use wire_enum;

/// A text that is not among an enumeration's wire names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    found: String,
    expected: &'static [&'static str],
}

impl UnknownValue {
    pub(crate) fn new(found: &str, expected: &'static [&'static str]) -> Self {
        Self { found: found.chars().take(64).collect(), expected }
    }
}

impl std::fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not one of `{}`", self.found, self.expected.join("`, `"))
    }
}

impl std::error::Error for UnknownValue {}

wire_enum! {
    /// The cryptographic suite of a run.
    Suite { Ed25519Sha256V1 = "fuze-ed25519-sha256-v1", }

    /// Why processing is lawful: GDPR Art. 6(1).
    LawfulBasis {
        /// Art. 6(1)(a):
        Consent = "consent",
        /// Art. 6(1)(b):
        Contract = "contract",
        /// Art. 6(1)(c):
        LegalObligation = "legal_obligation",
        /// Art. 6(1)(d):
        VitalInterests = "vital_interests",
        /// Art. 6(1)(e):
        PublicTask = "public_task",
        /// Art. 6(1)(f):
        LegitimateInterests = "legitimate_interests",
    }

    /// Ground of a solely automated decision: GDPR Art. 22(2), or that there is none.
    Art22 {
        /// No such decision:
        None = "none",
        /// Art. 22(2)(a):
        ContractNecessity = "contract_necessity",
        /// Art. 22(2)(b):
        AuthorisedByLaw = "authorised_by_law",
        /// Art. 22(2)(c):
        ExplicitConsent = "explicit_consent",
    }

    /// A point of Annex III of the AI Act, or none.
    AnnexIii {
        /// Not high-risk by Annex III:
        None = "none",
        /// Point 1(a):
        BiometricsRemoteIdentification = "biometrics.remote_identification",
        /// Point 1(b):
        BiometricsSensitiveCategorisation = "biometrics.sensitive_categorisation",
        /// Point 1(c):
        BiometricsEmotionRecognition = "biometrics.emotion_recognition",
        /// Point 2:
        CriticalInfrastructureSafetyComponent = "critical_infrastructure.safety_component",
        /// Point 3(a):
        EducationAdmission = "education.admission",
        /// Point 3(b):
        EducationLearningOutcomes = "education.learning_outcomes",
        /// Point 3(c):
        EducationLevelAssessment = "education.level_assessment",
        /// Point 3(d):
        EducationTestMonitoring = "education.test_monitoring",
        /// Point 4(a):
        EmploymentRecruitment = "employment.recruitment",
        /// Point 4(b):
        EmploymentWorkRelationshipDecisions = "employment.work_relationship_decisions",
        /// Point 5(a):
        EssentialServicesPublicBenefits = "essential_services.public_benefits",
        /// Point 5(b):
        EssentialServicesCreditworthiness = "essential_services.creditworthiness",
        /// Point 5(c):
        EssentialServicesLifeHealthInsurance = "essential_services.life_health_insurance",
        /// Point 5(d):
        EssentialServicesEmergencyDispatch = "essential_services.emergency_dispatch",
        /// Point 6(a):
        LawEnforcementVictimRisk = "law_enforcement.victim_risk",
        /// Point 6(b):
        LawEnforcementPolygraph = "law_enforcement.polygraph",
        /// Point 6(c):
        LawEnforcementEvidenceReliability = "law_enforcement.evidence_reliability",
        /// Point 6(d):
        LawEnforcementOffendingRisk = "law_enforcement.offending_risk",
        /// Point 6(e):
        LawEnforcementProfiling = "law_enforcement.profiling",
        /// Point 7(a):
        MigrationPolygraph = "migration.polygraph",
        /// Point 7(b):
        MigrationEntryRisk = "migration.entry_risk",
        /// Point 7(c):
        MigrationApplicationExamination = "migration.application_examination",
        /// Point 7(d):
        MigrationPersonDetection = "migration.person_detection",
        /// Point 8(a):
        JusticeDemocracyJudicialAssistance = "justice_democracy.judicial_assistance",
        /// Point 8(b):
        JusticeDemocracyElectionInfluence = "justice_democracy.election_influence",
    }

    /// Where data or a model is.
    Residency { Eu = "eu", Eea = "eea", Adequate = "adequate", Us = "us", Other = "other", }

    /// What a tool touches.
    Classification {
        /// Anyone may know it:
        Public = "public",
        /// Business data without persons:
        Confidential = "confidential",
        /// GDPR Art. 4(1):
        Personal = "personal",
        /// GDPR Art. 9(1):
        SpecialCategory = "special_category",
    }

    /// What running a tool again would do.
    Effect {
        /// Nothing:
        Read = "read",
        /// Nothing more than once, with the same key:
        Idempotent = "idempotent",
        /// Something again; never re-run:
        Once = "once",
    }

    /// How a run began.
    StartOutcome { Started = "started", Refused = "refused", }

    /// Why a run was not started.
    Refusal {
        SubjectMissing = "subject_missing",
        StoreMissing = "store_missing",
        OversightMissing = "oversight_missing",
        RegistryMissing = "registry_missing",
        PolicyUnavailable = "policy_unavailable",
        ModelResidency = "model_residency",
        RetentionTooShort = "retention_too_short",
        LimitsInvalid = "limits_invalid",
        ToolsAmbiguous = "tools_ambiguous",
        InputOutOfProfile = "input_out_of_profile",
        TenantMismatch = "tenant_mismatch",
        KeyUnusable = "key_unusable",
    }

    /// Where a guardrail stands.
    GuardrailPhase { Input = "input", ToolResult = "tool_result", Output = "output", }

    /// What a guardrail found.
    GuardrailOutcome { Passed = "passed", Tripped = "tripped", Error = "error", }

    /// Whether the model answered.
    ModelOutcome { Ok = "ok", Error = "error", }

    /// Why the model stopped.
    FinishReason {
        Stop = "stop",
        ToolCalls = "tool_calls",
        Length = "length",
        ContentFilter = "content_filter",
        /// It gave none, or did not answer:
        None = "none",
    }

    /// What went wrong with a model request.
    ModelErrorCode {
        Timeout = "timeout",
        RateLimited = "rate_limited",
        Unavailable = "unavailable",
        Unauthorised = "unauthorised",
        Refused = "refused",
        Malformed = "malformed",
        Empty = "empty",
        Cancelled = "cancelled",
        Transport = "transport",
        Budget = "budget",
    }

    /// What the gate said.
    PolicyDecision {
        Allow = "allow",
        RequiresApproval = "requires_approval",
        Deny = "deny",
        Error = "error",
    }

    /// What went wrong in a policy engine.
    PolicyErrorCode {
        Evaluation = "evaluation",
        Timeout = "timeout",
        Transport = "transport",
        BundleMismatch = "bundle_mismatch",
        Internal = "internal",
    }

    /// Who or what decided.
    PolicyReason {
        Engine = "engine",
        Law = "law",
        Tool = "tool",
        UnknownTool = "unknown_tool",
        NotInAgent = "not_in_agent",
        ArgumentsInvalid = "arguments_invalid",
        ArgumentsOutOfProfile = "arguments_out_of_profile",
        ArgumentsUnstable = "arguments_unstable",
        DepthLimit = "depth_limit",
        StepLimit = "step_limit",
        NestedInOnce = "nested_in_once",
        /// The run had already stopped:
        Halted = "halted",
    }

    /// How the execution of a tool ended.
    ToolOutcome {
        Ok = "ok",
        Error = "error",
        NotApplied = "not_applied",
        OutputInvalid = "output_invalid",
        Panicked = "panicked",
        Timeout = "timeout",
        Cancelled = "cancelled",
        CancellationTruncated = "cancellation_truncated",
        InDoubt = "in_doubt",
        DoneByStatement = "done_by_statement",
        NotDoneByStatement = "not_done_by_statement",
        Rejected = "rejected",
        NotRun = "not_run",
    }

    /// How far a tool was shut in.
    SandboxTier { None = "none", }

    /// Why a call waits for a person.
    SuspendReason {
        Policy = "policy",
        Tool = "tool",
        Law = "law",
        Requested = "requested",
        InDoubt = "in_doubt",
    }

    /// What an overseer decided.
    OversightAction {
        Approve = "approve",
        Modify = "modify",
        Reject = "reject",
        Halt = "halt",
        Done = "done",
        NotDone = "not_done",
        Withdraw = "withdraw",
        Escalate = "escalate",
    }

    /// Who kept the overseer's key.
    Custody { Server = "server", Offline = "offline", }

    /// What became of a decision.
    DecisionOutcome { Accepted = "accepted", Voided = "voided", }

    /// Why a run went on.
    ResumeCause { Decision = "decision", Recovery = "recovery", }

    /// Who or what stopped a run.
    CancelledBy {
        Operator = "operator",
        Abort = "abort",
        /// The data subject was erased while it waited (GDPR Art. 17):
        SubjectErased = "subject_erased",
        /// Nobody decided in time, and silence is a denial:
        Expired = "expired",
    }

    /// What was under way and has no known end.
    Gap { ModelRequest = "model_request", Tool = "tool", Process = "process", }

    /// How a run ended.
    RunStatus {
        Completed = "completed",
        InDoubt = "in_doubt",
        PolicyDenied = "policy_denied",
        Tripwire = "tripwire",
        BudgetExceeded = "budget_exceeded",
        Cancelled = "cancelled",
        /// An Art. 22 decision without a person; never completed:
        OversightMissing = "oversight_missing",
        Halted = "halted",
        Error = "error",
    }

    /// The fixed operation of `agent.invoke`.
    InvokeAgentOperation { InvokeAgent = "invoke_agent", }

    /// The fixed operation of `model.generate`.
    ChatOperation { Chat = "chat", }

    /// The fixed operation of `tool.execute`.
    ExecuteToolOperation { ExecuteTool = "execute_tool", }
}
