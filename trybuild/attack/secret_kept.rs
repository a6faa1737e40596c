// rule 12 · GDPR Art. 32 · a secret kept beyond the call
use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Secret, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, HIRING, Query};

static KEPT: std::sync::OnceLock<&'static Secret> = std::sync::OnceLock::new();

pub struct Dossiers;

impl Tool for Dossiers {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = Yes;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "dossiers";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "dossiers/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        ctx: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let _ = KEPT.set(ctx.secret("api-key")?);
        Ok(Answer { text: call.into_args()?.id })
    }
}

fn main() {}
