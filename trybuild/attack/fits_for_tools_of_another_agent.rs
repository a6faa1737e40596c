// rule 17 · GDPR Art. 6(1) · the proofs about one agent of one's own made to fit another
use fuze_agent::agent::{Fits, ToolOf};
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ToolOf<Self, ReadDossier>,);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ToolOf::new(ReadDossier),)
    }
}

pub struct Clinic;

impl Agent for Clinic {
    type LawfulBasis = lawful::VitalInterests;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ToolOf<Hiring, ReadDossier>,);
    const NAME: &'static str = "clinic";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        Hiring.tools()
    }
}

impl Fits<Clinic> for (ToolOf<Hiring, ReadDossier>,) {}

fn main() {}
