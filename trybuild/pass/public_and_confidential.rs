// honest · data of no person, sent as far as its residency reaches
use fuze_agent::boundary::{Anywhere, FileSystem, HostList, Hosts};
use fuze_agent::effect::Read;
use fuze_agent::law::data::{Confidential, Public};
use fuze_agent::law::oversight::{Never, NoOversight};
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Agent, Limits, Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, Deps, HIRING, Query};

pub struct Api;

impl HostList for Api {
    const HOSTS: &'static [&'static str] = &["api.example.com"];
}

pub struct Rates;

impl Tool for Rates {
    type Args = Query;
    type Output = Answer;
    type Data = Confidential<residency::Us>;
    type Egress = Hosts<residency::Adequate, Api>;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "prices";
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
pub struct News;

impl Tool for News {
    type Args = Query;
    type Output = Answer;
    type Data = Public;
    type Egress = Anywhere;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "news";
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
    type Oversight = NoOversight;
    type ModelResidency = residency::Us;
    type Deps = Deps;
    type Output = Answer;
    type Tools = (Rates, News);
    const NAME: &'static str = "hiring";
    const DESCRIPTION: &'static str = "Recommends applicants.";
    const PURPOSE: &'static str = "employment-screening";
    const INSTRUCTIONS: &'static str = "Read, then recommend.";
    const RETENTION: Retention = HIRING;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        (Rates, News)
    }
}

const _: () = fuze_agent::agent::check::<Hiring>();

fn main() {}
