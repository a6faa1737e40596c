// rule 17 · GDPR Art. 6(1) · a tool said to fit on a condition that does not hold
use fuze_agent::agent::{ToolOf, ToolsOf};
use fuze_agent::law::lawful::AllowedUnder;
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::VitalInterests;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = ToolsOf<Self, Yes, No>;
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        ToolsOf::new((fits(),))
    }
}

fn fits() -> ToolOf<Hiring, ReadDossier>
where
    ReadDossier: AllowedUnder<lawful::VitalInterests>,
{
    ToolOf::new(ReadDossier)
}

fn main() {}
