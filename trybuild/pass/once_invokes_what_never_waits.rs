// honest · a `once` tool that invokes one which never waits, and a `read` tool that invokes one which does
use fuze_agent::boundary::{FileSystem, NoEgress, ToEu};
use fuze_agent::effect::{Idempotent, Once, Read};
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::tool::NoDeps;
use fuze_agent::{OversightAnswer, Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};
use fuze_agent_proof::{Answer, HIRING, Query};

pub struct Acting;

impl Tool for Acting {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Once;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "acting";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let query = call.into_args()?;
        ctx.invoke(ReadDossier, query).await
    }
}
pub struct Looking;

impl Tool for Looking {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "looking";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let query = call.into_args()?;
        ctx.invoke(RecordDecision, query).await
    }
}
pub struct Asking;

impl Tool for Asking {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Idempotent;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = Yes;
    type Needs = NoDeps;
    const NAME: &'static str = "asking";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let query = call.into_args()?;
        match ctx.request_oversight("go on?").await {
            OversightAnswer::Approved => Ok(Answer { text: query.id }),
            OversightAnswer::Rejected => Err(ToolError::not_applied("a person said no")),
        }
    }
}
pub struct Calling;

impl Tool for Calling {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = ToEu;
    type Effect = Read;
    type Approval = Never;
    type Secrets = Yes;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "calling";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let _ = ctx.secret("api-key")?.expose();
        ctx.attribute("calls", 1)?;
        Ok(Answer { text: call.into_args()?.id })
    }
}

fn main() {}
