//! What the macro asks of what an author lists as a tool, before it is known to be one.

use core::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::boundary::{FileSystem, NoEgress};
use crate::effect::Read;
use crate::law::data::{Classification, Public};
use crate::law::oversight::{self, Approval};
use crate::logic::{Bool, No};
use crate::tool::{NoDeps, Tool};
use crate::{Permit, Retention, ToolCall, ToolCtx, ToolError};

/// What stands in a list of tools. Where it is none, [`NotATool`] speaks for it, so that the error which says so is the
/// only one.
pub struct Listed<T>(PhantomData<fn() -> T>);

impl<T: Tool> Listed<T> {
    /// Whether it touches personal data.
    pub const PERSONAL: bool = <T::Data as Classification>::Personal::VALUE;
    /// Whether it always needs approval.
    pub const APPROVAL: bool = <T::Approval as Approval<T::Args>>::Always::VALUE;
    /// Its name.
    pub const NAME: &'static str = T::NAME;

    /// The tool itself.
    pub fn tool(tool: T) -> T {
        tool
    }
}

/// Found where [`Listed`] has nothing of its own.
pub trait NotATool<T> {
    /// As of [`Stub`].
    const PERSONAL: bool = Listed::<Stub>::PERSONAL;
    /// As of [`Stub`].
    const APPROVAL: bool = Listed::<Stub>::APPROVAL;
    /// As of [`Stub`].
    const NAME: &'static str = Listed::<Stub>::NAME;

    /// A stub in its place.
    fn tool(_: T) -> Stub {
        Stub
    }
}
impl<T> NotATool<T> for Listed<T> {}

/// A tool that fits every agent and does nothing.
pub struct Stub;

/// Nothing.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

// Where the compiler lists tools, it lists the author's.
#[diagnostic::do_not_recommend]
impl Tool for Stub {
    type Args = Nothing;
    type Output = ();
    type Data = Public;
    type Egress = NoEgress;
    type Effect = Read;
    // So that no error about oversight follows.
    type Approval = oversight::Always;
    type Secrets = No;
    type RequestsOversight = No;
    type Needs = NoDeps;
    // No name: two of them are not two of one name.
    const NAME: &'static str = "";
    const DESCRIPTION: &'static str = "";
    const RETENTION: Retention = Retention::days("none", 1, 1, 184);
    const FILE_SYSTEM: FileSystem = FileSystem::None;
    const CODE: &'static str = "";
    async fn run<'c>(&'c self, _: Permit<'c, ToolCall<Self>>, _: ToolCtx<'c, Self>) -> Result<(), ToolError> {
        Ok(())
    }
}
