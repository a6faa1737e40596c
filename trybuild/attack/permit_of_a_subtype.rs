// rule 10 · AI Act Art. 12, 14 · a permit for one tool used for another, whose type is its supertype
#![allow(coherence_leak_check)]

use core::marker::PhantomData;

use fuze_agent::boundary::{FileSystem, NoEgress};
use fuze_agent::effect::{Once, Read};
use fuze_agent::law::data::{Personal, Public};
use fuze_agent::law::oversight::{Always, Never};
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
        _: ToolCtx<'c, Self>,
    ) -> Result<Answer, ToolError> {
        let call: Permit<'c, ToolCall<Grave>> = call;
        Ok(Answer { text: call.into_args()?.id })
    }
}

impl Tool for Grave {
    type Args = Query;
    type Output = Answer;
    type Data = Personal<(lawful::Contract,), residency::Eu>;
    type Egress = NoEgress;
    type Effect = Once;
    type Approval = Always;
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
