//! The pipeline from a requested call to its output, and the erased form of a tool that the driver holds.

use std::marker::PhantomData;

use fuze_policy::{Call, Opening};

use crate::ToolError;
use crate::sealed::Internal;
use crate::tool::{ServedBy, Tool};

/// One call of the tool `T`, as the canonical bytes that the gate saw and the record commits to. No public constructor.
pub struct ToolCall<T: Tool> {
    canonical: Vec<u8>,
    tool: PhantomData<fn() -> T>,
}

impl<T: Tool> Call for ToolCall<T> {
    type Args = T::Args;
    type Error = ToolError;

    fn open(self, _: Opening) -> Result<T::Args, ToolError> {
        serde_json::from_slice(&self.canonical).map_err(|error| {
            ToolError::not_applied(format!("the decided arguments do not parse again: {error}"))
        })
    }
}

/// A tool without its types.
#[doc(hidden)]
pub trait Dispatch<D>: Send + Sync {
    fn name(&self, _: Internal) -> &'static str;
}

impl<D: Send + Sync + 'static, T: Tool + ServedBy<D>> Dispatch<D> for T {
    fn name(&self, _: Internal) -> &'static str {
        T::NAME
    }
}
