// rule 17 · GDPR Art. 5(1)(b) · a tool of one's own served by every dependency
use std::sync::Arc;

use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::{ServedBy, Uses};
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, Deps, HIRING, Query};

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

impl<D> ServedBy<D> for Dossiers {
    fn lend(_: &Arc<D>, _: fuze_agent::sealed::Internal) -> &Arc<Deps> {
        unreachable!()
    }
}

fn main() {}
