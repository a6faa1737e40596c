// rule 4 · GDPR Art. 6(1) · an agent that assumes of its tools that they allow its basis, and is run under another
use core::marker::PhantomData;

use fuze_agent::law::lawful::AllowedUnder;
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Agent, Deployment, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

pub struct Hiring<B>(PhantomData<fn() -> B>);

impl<B: lawful::Basis> Agent for Hiring<B>
where
    ReadDossier: AllowedUnder<B>,
{
    type LawfulBasis = B;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
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

pub fn run(deployment: &Deployment) {
    let _ = deployment.run(Hiring::<lawful::VitalInterests>(PhantomData), Deps, ScriptedModel::new());
}

fn main() {}
