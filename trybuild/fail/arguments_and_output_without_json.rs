// rule 10 · AI Act Art. 12, 14 · arguments and output that are no JSON · 2 errors
use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::HIRING;

pub struct Silent;
pub struct Loud;

pub struct Dossiers;

impl Tool for Dossiers {
    type Args = Silent;
    type Output = Loud;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
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
        _: ToolCtx<'c, Self>,
    ) -> Result<Loud, ToolError> {
        drop(call);
        Ok(Loud)
    }
}

fn main() {}
