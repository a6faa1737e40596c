// rule 6 · AI Act Art. 14 · a run of an agent by hand with an oversight plan without an id
use fuze_agent::law::oversight::{HumanApproval, Plan};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Agent, Deployment, Limits, Retention};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};
use fuze_agent_proof::{Answer, Deps, HIRING};

pub struct NoPlan;

impl Plan for NoPlan {
    const ID: &'static str = "";
    const TRAINING: &'static str = "";
}

pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::employment::Recruitment;
    type Art22 = art22::None;
    type Oversight = HumanApproval<NoPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ReadDossier, RecordDecision);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadDossier, RecordDecision)
    }
}

pub fn start(deployment: &Deployment) {
    let _ = deployment.run(Hiring, Deps, ScriptedModel::new()).subject("42");
}

fn main() {
    let start: fn(&Deployment) = start;
    let _ = start;
}
