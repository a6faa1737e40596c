// rule 7 · GDPR Art. 22(4) · an agent on special categories, with whatever declaration about Art. 22 is given later
use core::marker::PhantomData;

use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::{ReadChart, RecordDecision};
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan};

pub struct Hiring<D>(PhantomData<fn() -> D>);

impl<D: art22::Declaration> Agent for Hiring<D> {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = D;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ReadChart, RecordDecision);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ReadChart, RecordDecision)
    }
}

fn main() {}
