// rule 13 · AI Act Art. 12 · an answer that cannot be recorded
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Deps, HIRING, HrPlan};

pub struct Silent;

pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Silent;
    type Tools = (ReadDossier,);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadDossier,)
    }
}

fn main() {}
