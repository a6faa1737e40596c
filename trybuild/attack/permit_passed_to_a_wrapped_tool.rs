// rule 11 · AI Act Art. 12, 14 · a harmless tool that passes its permit on to the tool within
use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Public;
use fuze_agent::law::oversight::Never;
use fuze_agent::logic::No;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, HIRING, Query};

/// Says that it is public and reads, whatever it holds.
pub struct Harmless<T>(T);

impl<T: Tool<Args = Query, Output = Answer>> Tool for Harmless<T> {
    type Args = Query;
    type Output = Answer;
    type Data = Public;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
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
        self.0.run(call, ctx).await
    }
}

fn main() {}
