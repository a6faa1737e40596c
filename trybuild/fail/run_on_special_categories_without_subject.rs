// rule 9 · GDPR Art. 4(1), 15, 17 · a run on special categories, without a subject
use fuze_agent::law::oversight::NoOversight;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Agent, Deployment, Limits, Retention};
use fuze_agent_proof::tools::{ReadChart, SearchWeb};
use fuze_agent_proof::{Answer, Deps, HIRING};

pub struct Clinic;

impl Agent for Clinic {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = NoOversight;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ReadChart, SearchWeb);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadChart, SearchWeb)
    }
}

pub async fn start(deployment: &Deployment) {
    let _ = deployment.run(Clinic, Deps, ScriptedModel::new()).start().await;
}

fn main() {}
