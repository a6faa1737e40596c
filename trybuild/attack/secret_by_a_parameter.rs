// rule 12 · GDPR Art. 32 · a secret read by a tool that leaves open whether it declares it
use core::marker::PhantomData;

use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::{Bool, No};
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, HIRING, Query};

pub struct Dossiers<S>(PhantomData<fn() -> S>);

impl<S: Bool> Tool for Dossiers<S> {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = S;
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
        let _key = ctx.secret("key")?;
        Ok(Answer { text: call.into_args()?.id })
    }
}

fn main() {}
