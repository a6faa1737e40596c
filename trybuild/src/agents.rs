//! Honest agents.

use crate::tools::{ReadDossier, RecordDecision, SearchWeb};
use crate::{Answer, Deps, HIRING, HrPlan};
use fuze_agent::law::oversight::{HumanApproval, NoOversight};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention};

/// Recommends applicants: high-risk, overseen.
pub struct Screener;

impl Agent for Screener {
    type LawfulBasis = lawful::LegitimateInterests;
    type AnnexIii = annex_iii::employment::Recruitment;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ReadDossier, RecordDecision);
    const NAME: &'static str = "screener";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read the dossier, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadDossier, RecordDecision)
    }
}

/// Answers questions from public sources: neither high-risk nor personal.
pub struct Guide;

impl Agent for Guide {
    type LawfulBasis = lawful::LegitimateInterests;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = NoOversight;
    type ModelResidency = residency::Other;
    type Deps = ();
    type Output = Answer;
    type Tools = (SearchWeb,);
    const NAME: &'static str = "guide";
    const DESCRIPTION: &'static str = "Answers questions from public sources.";
    const PURPOSE: &'static str = "information";
    const INSTRUCTIONS: &'static str = "SearchWeb, then answer.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (SearchWeb,)
    }
}
