// rule 18 · AI Act Art. 12, 13 · a run of an agent by hand that shows no types, with two tools of one name
use fuze_agent::agent::ToolsOf;
use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::{HumanApproval, Never};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::testing::ScriptedModel;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Agent, Deployment, Limits, Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, Deps, HIRING, HrPlan, Query};

pub struct First;

impl Tool for First {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "lookup";
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
pub struct Second;

impl Tool for Second {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "lookup";
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
        ToolsOf::new((First, Second))
    }
}

pub fn start(deployment: &Deployment) {
    let _ = deployment.run(Hiring, Deps, ScriptedModel::new()).subject("42").start();
}

fn main() {
    let start: fn(&Deployment) = start;
    let _ = start;
}
