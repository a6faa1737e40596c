// rule 4 · GDPR Art. 6(1) · an agent with whatever tool is given later
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention, Tool};
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

#[derive(Clone, Copy)]
pub struct Hiring<T>(T);

impl<T: Tool + Copy> Agent for Hiring<T> {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (T,);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (self.0,)
    }
}

fn main() {}
