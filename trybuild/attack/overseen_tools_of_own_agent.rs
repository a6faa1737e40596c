// rule 17 · AI Act Art. 14 · tools without approval made to count as overseen, for an agent of one's own that shows no types
use fuze_agent::agent::ToolsOf;
use fuze_agent::law::oversight::{HumanApproval, Overseen};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::employment::Recruitment;
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
        ToolsOf::new((ReadDossier,))
    }
}

impl Overseen<Hiring> for ToolsOf<Hiring, Yes, No> {}

fn main() {}
