// rule 6 · AI Act Art. 14 · an agent without oversight, at whatever point of Annex III is given later
use core::marker::PhantomData;

use fuze_agent::law::oversight::NoOversight;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::ReadDossier;
use fuze_agent_proof::{Answer, Deps, HIRING};

pub struct Hiring<P>(PhantomData<fn() -> P>);

impl<P: annex_iii::Point> Agent for Hiring<P> {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = P;
    type Art22 = art22::None;
    type Oversight = NoOversight;
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

fn main() {}
