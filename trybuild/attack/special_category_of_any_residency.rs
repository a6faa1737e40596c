// rule 3 · GDPR Art. 9, 44 · special categories at whatever residency is given later
use core::marker::PhantomData;

use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::Read;
use fuze_agent::law::data::SpecialCategory;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{art9, lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, HIRING, Query};

pub struct Dossiers<R>(PhantomData<fn() -> R>);

impl<R: residency::Residency> Tool for Dossiers<R> {
    type Args = Query;
    type Output = Answer;
    type Data = SpecialCategory<art9::ExplicitConsent, (lawful::Contract,), R>;
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
    ) -> Result<Answer, ToolError> {
        Ok(Answer { text: call.into_args()?.id })
    }
}

fn main() {}
