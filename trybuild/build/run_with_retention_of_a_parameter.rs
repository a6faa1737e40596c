// rule 8 · AI Act Art. 19, 26(6) · a run of a high-risk agent that keeps its decisions for as long as a parameter says
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Agent, Deployment, Limits, Retention};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};
use fuze_agent_proof::{Answer, Deps, HrPlan};

pub struct Hiring<const DAYS: u32>;

impl<const DAYS: u32> Agent for Hiring<DAYS> {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::employment::Recruitment;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ReadDossier, RecordDecision);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = Retention::days("hiring", 1, DAYS, DAYS);
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadDossier, RecordDecision)
    }
}

pub fn start(deployment: &Deployment) {
    let _ = deployment.run(Hiring::<183>, Deps, ScriptedModel::new()).subject("42");
}

fn main() {
    let start: fn(&Deployment) = start;
    let _ = start;
}
