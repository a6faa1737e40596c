// rule 8 · AI Act Art. 19, 26(6) · a run of a high-risk agent by hand with 183 days, taken up again
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::suspend::Resumable;
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Agent, Deployment, Limits, Retention};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};
use fuze_agent_proof::{Answer, Deps, HrPlan, SHORT};

pub struct Hiring;

impl Agent for Hiring {
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
    const RETENTION: Retention = SHORT;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadDossier, RecordDecision)
    }
}

pub fn resume(deployment: &Deployment, resumable: Resumable) {
    let _ = deployment.resume(Hiring, Deps, ScriptedModel::new(), resumable);
}

fn main() {
    let resume: fn(&Deployment, Resumable) = resume;
    let _ = resume;
}
