//! Agents of every kind, and the facts that `define_agent!` makes of them.

use std::time::Duration;

use fuze_agent::agent::ToolsOf;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::law::annex_iii::Point;
use fuze_agent::law::art22::Declaration;
use fuze_agent::law::lawful::Basis;
use fuze_agent::law::oversight::Oversight;
use fuze_agent::law::residency::Residency;
use fuze_agent::logic::{No, Yes};
use fuze_agent::prelude::*;

const HIRING: Retention = Retention::days("hiring", 180, 365, 365);
const INSTRUCTIONS: &str = "Answer briefly.";

pub(crate) struct Deps;

mod tools {
    use super::*;

    /// Fetches an applicant's dossier.
    #[tool(
        classification = personal,
        lawful_bases = [contract, legitimate_interests],
        residency = eu,
        retention = HIRING,
        threat_boundary(egress = none),
        effect = read,
    )]
    pub(crate) async fn lookup_candidate(
        _ctx: &Ctx<'_, Deps>,
        candidate_id: String,
    ) -> Result<String, ToolError> {
        Ok(candidate_id)
    }
}

/// Records a recommendation.
#[tool(
    classification = personal,
    lawful_bases = [legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    needs_approval = always,
)]
fn record_recommendation(candidate_id: String, fit: u8) -> Result<String, ToolError> {
    Ok(format!("{candidate_id}: {fit}"))
}

/// Adds.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

/// Reads a patient's record.
#[tool(
    classification = special_category,
    art9_basis = explicit_consent,
    lawful_bases = [consent],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = eu),
    needs_approval = always,
)]
async fn patient(id: u32) -> Result<String, ToolError> {
    Ok(id.to_string())
}

struct Says(&'static str);

#[async_trait::async_trait]
impl Guardrail for Says {
    fn name(&self) -> &'static str {
        self.0
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::Input
    }
    async fn check(&self, _: &str, _: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        Ok(Verdict::Pass)
    }
}

define_agent! {
    /// Recommends applicants; a human decides.
    pub(crate) HiringAgent {
        purpose: "employment-screening",
        instructions: "Read the dossier, then recommend.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [tools::lookup_candidate, record_recommendation, add],
        deps: Deps, output: String, max_steps: 8, retry_budget: 1, token_budget: 50_000,
    }
}

define_agent! {
    /// Adds.
    ///
    /// And says so.
    Adder {
        name: "adder/v1",
        token_budget: 1_000,
        retry_budget: 0,
        max_steps: 1,
        output: Vec<Option<i64>>,
        deps: (),
        tools: [add],
        retention: Retention::days("adder", 1, 1, 1),
        model_residency: other,
        oversight: none,
        art22: none,
        annex_iii: none,
        lawful_basis: contract,
        instructions: INSTRUCTIONS,
        purpose: "arithmetic",
        max_depth: 0,
        model_time_limit_ms: 2_500,
        run_time_limit_ms: 10_000,
        guardrails: [Says("first"), Says("second")],
    }
}

define_agent! {
    /// Talks.
    Talker {
        purpose: "conversation", instructions: "Talk.", lawful_basis: consent, annex_iii: none, art22: none,
        oversight: human_approval { plan: "oversight.talk.v1", training: "talk-2026" }, model_residency: us,
        retention: HIRING, tools: [], deps: (), output: String, max_steps: 3, retry_budget: 1, token_budget: 9
    }
}

define_agent! {
    /// Reads records of patients, and decides on their consent.
    Clinic {
        purpose: "triage", instructions: "Read.", lawful_basis: consent,
        annex_iii: essential_services::emergency_dispatch, art22: decides(explicit_consent),
        oversight: human_approval { plan: "oversight.clinic.v1", training: "clinic-2026" },
        model_residency: eu, retention: HIRING, tools: [patient], deps: Deps, output: String,
        max_steps: 3, retry_budget: 1, token_budget: 9,
    }
}

type Facts = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>, &'static str);

fn facts<A: Agent>() -> Facts {
    (
        A::LawfulBasis::NAME,
        A::AnnexIii::NAME,
        A::AnnexIii::POINT,
        A::Art22::NAME,
        A::Oversight::PLAN,
        A::ModelResidency::NAME,
    )
}

fn type_names<A: Agent>() -> (&'static str, &'static str, &'static str) {
    (std::any::type_name::<A::Tools>(), std::any::type_name::<A::Deps>(), std::any::type_name::<A::Output>())
}

fn names<A, B>() -> (&'static str, &'static str) {
    (std::any::type_name::<A>(), std::any::type_name::<B>())
}

#[test]
fn an_agent_has_the_facts_of_the_law() {
    assert_eq!(
        facts::<HiringAgent>(),
        (
            "legitimate_interests",
            "employment.recruitment",
            "4a",
            "contract_necessity",
            Some("oversight.hr.v1"),
            "eu"
        )
    );
    assert_eq!(facts::<Adder>(), ("contract", "none", "none", "none", None, "other"));
    assert_eq!(facts::<Talker>(), ("consent", "none", "none", "none", Some("oversight.talk.v1"), "us"));
    assert_eq!(
        facts::<Clinic>(),
        (
            "consent",
            "essential_services.emergency_dispatch",
            "5d",
            "explicit_consent",
            Some("oversight.clinic.v1"),
            "eu"
        )
    );
    assert_eq!(<HiringAgent as Agent>::Oversight::TRAINING, Some("hr-2026"));
}

#[test]
fn texts_are_as_declared() {
    assert_eq!((HiringAgent::NAME, Adder::NAME), ("HiringAgent", "adder/v1"));
    assert_eq!(HiringAgent::DESCRIPTION, "Recommends applicants; a human decides.");
    assert_eq!(Adder::DESCRIPTION, "Adds.\n\nAnd says so.");
    assert_eq!((HiringAgent::PURPOSE, Adder::PURPOSE), ("employment-screening", "arithmetic"));
    assert_eq!(HiringAgent::INSTRUCTIONS, "Read the dossier, then recommend.");
    assert_eq!(Adder::INSTRUCTIONS, INSTRUCTIONS);
}

#[test]
fn limits_and_retention_are_as_declared() {
    assert_eq!(HiringAgent::LIMITS, Limits::new(8, 1, 50_000));
    assert_eq!(
        Adder::LIMITS,
        Limits {
            max_steps: 1,
            retry_budget: 0,
            token_budget: 1_000,
            max_depth: 0,
            model_time_limit: Duration::from_millis(2_500),
            run_time_limit: Duration::from_secs(10),
        }
    );
    assert_eq!(HiringAgent::RETENTION, HIRING);
    assert_eq!(Adder::RETENTION, Retention::days("adder", 1, 1, 1));
}

#[test]
fn the_types_are_the_authors() {
    let (tools, deps, output) = type_names::<HiringAgent>();
    assert_eq!((tools, deps), names::<ToolsOf<HiringAgent, Yes, Yes>, Deps>());
    assert_eq!(output, std::any::type_name::<String>());
    let (tools, deps, output) = type_names::<Adder>();
    assert_eq!((tools, deps), names::<ToolsOf<Adder, No, No>, ()>());
    assert_eq!(output, std::any::type_name::<Vec<Option<i64>>>());
    assert_eq!(type_names::<Clinic>().0, names::<ToolsOf<Clinic, Yes, Yes>, ()>().0);
    assert_eq!(type_names::<Talker>().0, "()");
}

#[test]
fn a_public_agent_has_private_tools_and_is_used_elsewhere() {
    #[allow(unreachable_pub, reason = "as of a crate's own interface")]
    mod firm {
        use fuze_agent::prelude::*;

        pub struct Deps;

        #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        struct Dossier {
            text: String,
        }

        /// Reads.
        #[tool(
            classification = personal, lawful_bases = [contract], residency = eu, retention = super::HIRING,
            threat_boundary(egress = none), effect = read,
        )]
        async fn lookup(_: &Ctx<'_, Deps>, of: Dossier) -> Result<Dossier, ToolError> {
            Ok(of)
        }

        define_agent! {
            /// Reads.
            pub Reader {
                purpose: "reading",
                instructions: "Read.",
                lawful_basis: contract,
                annex_iii: none,
                art22: none,
                oversight: none,
                model_residency: eu,
                retention: super::HIRING,
                tools: [lookup],
                deps: Deps, output: String, max_steps: 8, retry_budget: 1, token_budget: 50_000,
            }
        }
    }
    let tools: <firm::Reader as Agent>::Tools = firm::Reader.tools();
    let _: ToolsOf<firm::Reader, Yes, No> = tools;
}

#[test]
fn an_agent_is_a_plain_value() {
    fn plain<A: Agent + Copy + std::fmt::Debug>(agent: A) -> String {
        format!("{agent:?}")
    }
    assert_eq!(plain(Talker), "Talker");
    assert_eq!(plain(Clinic), "Clinic");
    let _guardrails = Adder.guardrails();
}
