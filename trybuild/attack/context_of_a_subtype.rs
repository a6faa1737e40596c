// rule 20 · AI Act Art. 14(4)(e) · the context of a `once` tool taken for that of another, whose type is its supertype
#![allow(coherence_leak_check)]

use core::marker::PhantomData;

use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::{Once, Read};
use fuze_agent::law::data::Personal;
use fuze_agent::law::oversight::Never;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::tool::NoDeps;
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};
use fuze_agent_proof::{Answer, HIRING, Query};

/// Two tools: one type is the other's subtype.
pub struct Lookup<F>(PhantomData<F>);

type Harmless = Lookup<for<'a> fn(&'a ())>;
type Grave = Lookup<fn(&'static ())>;

impl Tool for Harmless {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Once;
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
        let ctx: ToolCtx<'c, Grave> = ctx;
        drop(ctx);
        Ok(Answer { text: call.into_args()?.id })
    }
}

impl Tool for Grave {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Read;
    type Approval = Never;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    const NAME: &'static str = "grave";
    const DESCRIPTION: &'static str = "Reads dossiers.";
    const RETENTION: Retention = HIRING;
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "grave/1";
    async fn run<'c>(
        &'c self,
        call: Permit<'c, ToolCall<Self>>,
        _: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        Ok(Answer { text: call.into_args()?.id })
    }
}

fn main() {}
