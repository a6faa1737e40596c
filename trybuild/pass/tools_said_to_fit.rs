// honest · a list of tools that says of each that it fits, written by hand
use fuze_agent::agent::{ToolOf, ToolsOf};
use fuze_agent::law::oversight::HumanApproval;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::{Agent, Limits, Retention};
use fuze_agent_proof::tools::{ReadDossier, SearchWeb};
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
    type Tools = ToolsOf<Self, Yes, No>;
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        ToolsOf::new((ToolOf::new(SearchWeb), ToolOf::new(ReadDossier)))
    }
}

/// A list whose types everyone may see.
pub struct Reader;

impl Agent for Reader {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (ToolOf<Self, SearchWeb>, ToolOf<Self, ReadDossier>);
    const NAME: &'static str = "reader";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (ToolOf::new(SearchWeb), ToolOf::new(ReadDossier))
    }
}

const _: () = fuze_agent::agent::check::<Hiring>();
const _: () = fuze_agent::agent::check::<Reader>();

fn main() {}
