//! Declarations as Rust, as a person would write them by hand: one module each.

use std::fmt::Write as _;

use crate::table::{AgentFacts, Class, Condition, Decides, Does, Place, Sends, Stops, ToolFacts};

/// What every generated file begins with.
pub(crate) const PRELUDE: &str = "\
#![allow(dead_code, unused_imports)]
pub use fuze_agent::boundary::{Anywhere, FileSystem, HostList, Hosts, NoEgress, ToEea, ToEu};
pub use fuze_agent::effect::{Idempotent, Once, Read};
pub use fuze_agent::law::data::{Confidential, Personal, Public, SpecialCategory};
pub use fuze_agent::law::oversight::{Always, HumanApproval, Never, NoOversight, When};
pub use fuze_agent::law::{annex_iii, art9, art22, lawful, residency};
pub use fuze_agent::logic::{No, Yes};
pub use fuze_agent::tool::NoDeps;
pub use fuze_agent::{Agent, Limits, Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
pub use fuze_agent_proof::{Answer, Bdsg, HrPlan, OnlyLarge, Query};
pub struct Api;
impl HostList for Api {
    const HOSTS: &'static [&'static str] = &[\"api.example.com\"];
}
";

/// A module that declares the tool and the agent. `checked`: with the constant that checks their constants.
pub(crate) fn module(name: &str, tool: &ToolFacts, agent: &AgentFacts, checked: bool) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format!("mod {name} {{ use super::*;"));
    line("pub struct T; impl Tool for T { type Args = Query; type Output = Answer; type Secrets = No; type Needs = NoDeps;".into());
    line(format!("type Data = {};", data(tool)));
    line(format!("type Egress = {};", egress(tool.sends)));
    line(format!("type Effect = {};", effect(tool.does)));
    line(format!("type Approval = {};", approval(tool.stops)));
    line(format!("type RequestsOversight = {};", if tool.asks_midway { "Yes" } else { "No" }));
    line("const NAME: &'static str = \"t\"; const DESCRIPTION: &'static str = \"t\"; const CODE: &'static str = \"t\";".into());
    line("const RETENTION: Retention = Retention::days(\"t\", 30, 30, 30); const FILE_SYSTEM: FileSystem = FileSystem::None;".into());
    line("async fn run<'c>(&'c self, _: Permit<'c, ToolCall<Self>>, _: ToolCtx<'c, Self>) -> Result<Answer, ToolError> {".into());
    line("Err(ToolError::new(\"t\")) } }".into());
    line("pub struct A; impl Agent for A { type Deps = (); type Output = Answer;".into());
    line(format!("type LawfulBasis = {};", lawful_basis(agent.basis)));
    line(format!("type AnnexIii = {};", point(agent.point)));
    line(format!("type Art22 = {};", art22(agent.decides)));
    line(format!(
        "type Oversight = {};",
        if agent.has_plan { "HumanApproval<HrPlan>" } else { "NoOversight" }
    ));
    line(format!("type ModelResidency = {};", place(agent.model)));
    line("type Tools = (T,); fn tools(&self) -> (T,) { (T,) }".into());
    line("const NAME: &'static str = \"a\"; const DESCRIPTION: &'static str = \"a\"; const PURPOSE: &'static str = \"a\";".into());
    line("const INSTRUCTIONS: &'static str = \"a\"; const LIMITS: Limits = Limits::new(1, 1, 1);".into());
    line(format!("const RETENTION: Retention = Retention::days(\"a\", 30, 30, {}); }}", agent.decision_days));
    if checked {
        line("const _: () = fuze_agent::agent::check::<A>();".into());
    }
    line("}".into());
    text
}

/// The class with whatever is stated for it, in the order basis, bases, residency; what is left out before something
/// stated is written as unstated.
fn data(tool: &ToolFacts) -> String {
    let bases: Vec<String> = tool.bases.iter().map(|basis| format!("{},", lawful_basis(*basis))).collect();
    let set = (!bases.is_empty()).then(|| format!("({})", bases.concat()));
    let condition = tool.condition.map(condition);
    let residency = tool.residency.map(place);
    let or_unstated = |stated: Option<String>, unstated: &str| stated.unwrap_or_else(|| unstated.to_owned());
    let (class, mut parameters) = match tool.class {
        Class::Public => ("Public", vec![condition, set, residency.map(str::to_owned)]),
        Class::Confidential => ("Confidential", vec![condition, set, residency.map(str::to_owned)]),
        Class::Personal => {
            let set = or_unstated(set, "lawful::Unstated");
            let residency = or_unstated(residency.map(str::to_owned), "residency::Unstated");
            ("Personal", vec![condition, Some(set), Some(residency)])
        }
        Class::SpecialCategory => {
            let condition = or_unstated(condition, "art9::Unstated");
            let set = or_unstated(set, "lawful::Unstated");
            let residency = or_unstated(residency.map(str::to_owned), "residency::Unstated");
            ("SpecialCategory", vec![Some(condition), Some(set), Some(residency)])
        }
    };
    parameters.retain(Option::is_some);
    if parameters.is_empty() {
        return class.to_owned();
    }
    let parameters: Vec<String> = parameters.into_iter().flatten().collect();
    format!("{class}<{}>", parameters.join(", "))
}

fn condition(condition: Condition) -> String {
    let name = match condition.letter {
        'a' => "ExplicitConsent",
        'b' => "EmploymentSocialSecurity",
        'c' => "VitalInterestsIncapable",
        'd' => "NonProfitMembers",
        'e' => "ManifestlyPublic",
        'f' => "LegalClaims",
        'g' => "SubstantialPublicInterest",
        'h' => "HealthOrSocialCare",
        'i' => "PublicHealth",
        'j' => "ArchivingResearchStatistics",
        other => panic!("Art. 9(2) has no letter {other}"),
    };
    format!("art9::{name}{}", if condition.cites_law { "<Bdsg>" } else { "" })
}

fn lawful_basis(letter: char) -> &'static str {
    match letter {
        'a' => "lawful::Consent",
        'b' => "lawful::Contract",
        'c' => "lawful::LegalObligation",
        'd' => "lawful::VitalInterests",
        'e' => "lawful::PublicTask",
        'f' => "lawful::LegitimateInterests",
        other => panic!("Art. 6(1) has no letter {other}"),
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Eu => "residency::Eu",
        Place::Eea => "residency::Eea",
        Place::Adequate => "residency::Adequate",
        Place::Us => "residency::Us",
        Place::Other => "residency::Other",
    }
}

fn egress(sends: Sends) -> String {
    match sends {
        Sends::Nothing => "NoEgress".into(),
        Sends::ToEu => "ToEu".into(),
        Sends::ToEea => "ToEea".into(),
        Sends::ToHostsIn(there) => format!("Hosts<{}, Api>", place(there)),
        Sends::Anywhere => "Anywhere".into(),
    }
}

fn effect(does: Does) -> &'static str {
    match does {
        Does::Read => "Read",
        Does::Idempotent => "Idempotent",
        Does::Once => "Once",
    }
}

fn approval(stops: Stops) -> &'static str {
    match stops {
        Stops::Never => "Never",
        Stops::Sometimes => "When<OnlyLarge>",
        Stops::Always => "Always",
    }
}

fn art22(decides: Decides) -> &'static str {
    match decides {
        Decides::No => "art22::None",
        Decides::Yes(None) => "art22::Decides",
        Decides::Yes(Some('a')) => "art22::Decides<art22::ContractNecessity>",
        Decides::Yes(Some('b')) => "art22::Decides<art22::AuthorisedByLaw>",
        Decides::Yes(Some('c')) => "art22::Decides<art22::ExplicitConsent>",
        Decides::Yes(Some(other)) => panic!("Art. 22(2) has no letter {other}"),
    }
}

fn point(point: Option<&str>) -> String {
    let Some(point) = point else { return "annex_iii::None".into() };
    let name = match point {
        "1a" => "biometrics::RemoteIdentification",
        "1b" => "biometrics::SensitiveCategorisation",
        "1c" => "biometrics::EmotionRecognition",
        "2" => "critical_infrastructure::SafetyComponent",
        "3a" => "education::Admission",
        "3b" => "education::LearningOutcomes",
        "3c" => "education::LevelAssessment",
        "3d" => "education::TestMonitoring",
        "4a" => "employment::Recruitment",
        "4b" => "employment::WorkRelationshipDecisions",
        "5a" => "essential_services::PublicBenefits",
        "5b" => "essential_services::Creditworthiness",
        "5c" => "essential_services::LifeHealthInsurance",
        "5d" => "essential_services::EmergencyDispatch",
        "6a" => "law_enforcement::VictimRisk",
        "6b" => "law_enforcement::Polygraph",
        "6c" => "law_enforcement::EvidenceReliability",
        "6d" => "law_enforcement::OffendingRisk",
        "6e" => "law_enforcement::Profiling",
        "7a" => "migration::Polygraph",
        "7b" => "migration::EntryRisk",
        "7c" => "migration::ApplicationExamination",
        "7d" => "migration::PersonDetection",
        "8a" => "justice_democracy::JudicialAssistance",
        "8b" => "justice_democracy::ElectionInfluence",
        other => panic!("Annex III has no point {other}"),
    };
    format!("annex_iii::{name}")
}
