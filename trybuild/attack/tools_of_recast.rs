// rule 17 · AI Act Art. 14 · tools without approval, taken over into a list that says otherwise
use fuze_agent::agent::ToolsOf;
use fuze_agent::law::oversight::HumanApproval;
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
    type Tools = ToolsOf<Self, Yes, Yes>;
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        ToolsOf { ..ToolsOf::<Self, Yes, No>::new((ReadDossier,)) }
    }
}

fn main() {}
