// rule 17 · GDPR Art. 6(1) · a tool of one's own made to fit, by a need that its agent does not meet
use fuze_agent::agent::Fits;
use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::{HumanApproval, Never};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::Uses;
use fuze_agent::{Agent, Limits, Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::tools::RecordDecision;
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan, Query};

pub struct Mine;

pub struct Dossiers;

impl Tool for Dossiers {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = Uses<Deps>;
    const NAME: &'static str = "dossiers";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        _: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        Ok(Answer { text: call.into_args()?.id })
    }
}
pub struct Hiring;

impl Agent for Hiring {
    type LawfulBasis = lawful::Consent;
    type AnnexIii = annex_iii::employment::Recruitment;
    type Art22 = art22::None;
    type Oversight = HumanApproval<HrPlan>;
    type ModelResidency = residency::Eu;
    type Deps = Mine;
    type Output = Answer;
    type Tools = (Dossiers, RecordDecision);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (Dossiers, RecordDecision)
    }
}

impl Fits<Hiring> for (Dossiers, RecordDecision) {
    fn erase(self, _: fuze_agent::sealed::Internal) -> Vec<Box<dyn fuze_agent::dispatch::Dispatch<Mine>>> {
        Vec::new()
    }
}

fn main() {}
