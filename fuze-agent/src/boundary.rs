//! The threat boundary: where a tool may send data, what of the file system it touches, whether it reads secrets.
//!
//! These are declarations that fit together and are recorded; the library does not filter a tool's own network or file
//! access.

use core::marker::PhantomData;

use crate::law::residency::{self, Residency};
use crate::logic::True;
use crate::sealed::Sealed;
use crate::tool::Tool;

/// Where a tool may send data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where this tool may send data",
    label = "expected `NoEgress`, `ToEu`, `ToEea`, `Hosts<…>` or `Anywhere`",
    note = "name an egress of `fuze_agent::boundary`"
)]
pub trait Egress: Sealed + 'static {
    /// The wire name: `none`, `eu`, `eea`, `hosts` or `any`.
    const NAME: &'static str;
    /// The hosts, for `hosts`.
    const HOSTS: &'static [&'static str];
    /// The widest place reached.
    type Reach: Residency;
}

/// Sends nothing.
pub struct NoEgress;
/// Anywhere in the EU.
pub struct ToEu;
/// Anywhere in the EEA.
pub struct ToEea;
/// The hosts of the list `L` only, which are in `R`.
pub struct Hosts<R, L>(PhantomData<fn() -> (R, L)>);
/// Anywhere.
pub struct Anywhere;

/// A list of hosts. Yours to implement; the macro does it from `egress = hosts(eu, "api.example.eu")`.
pub trait HostList: 'static {
    /// Host names, without scheme or path.
    const HOSTS: &'static [&'static str];
}

const HOSTS: &str = "hosts";

macro_rules! egresses {
    ($($egress:ident $name:literal $reach:ident;)+) => { $(
        impl Sealed for $egress {}
        impl Egress for $egress {
            const NAME: &'static str = $name;
            const HOSTS: &'static [&'static str] = &[];
            type Reach = residency::$reach;
        }
    )+
        /// Every wire name of an egress.
        pub const EGRESSES: &[&str] = &[HOSTS, $($name),+];
    };
}
egresses! {
    NoEgress "none" Eu;
    ToEu "eu" Eu;
    ToEea "eea" Eea;
    Anywhere "any" Other;
}
impl<R: 'static, L: 'static> Sealed for Hosts<R, L> {}
impl<R: Residency, L: HostList> Egress for Hosts<R, L> {
    const NAME: &'static str = HOSTS;
    const HOSTS: &'static [&'static str] = L::HOSTS;
    type Reach = R;
}

/// This egress stays within the residency `R`.
#[diagnostic::on_unimplemented(
    message = "the egress `{Self}` is wider than the residency `{R}` of this tool's data",
    label = "data of residency `{R}` may not be sent this far",
    note = "GDPR Art. 44: narrow the egress, or widen the residency if the data allows it"
)]
pub trait Within<R: Residency>: Egress {}
#[diagnostic::do_not_recommend]
impl<R: Residency, E: Egress> Within<R> for E where R::Admits<E::Reach>: True {}

/// What of the file system a tool touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Nothing.
    None,
    /// Reads.
    Read,
    /// Reads and writes.
    ReadWrite,
}

impl FileSystem {
    /// The wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::ReadWrite => "read_write",
        }
    }
}

/// This tool may read secrets: it says so in its threat boundary.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` reads a secret without declaring it",
    label = "secrets are for tools whose threat boundary observes them",
    note = "GDPR Art. 32: write `threat_boundary(…, observes_secrets)` in `#[tool(…)]`, or `type Secrets = logic::Yes`"
)]
pub trait ObservesSecrets: Tool {}
#[diagnostic::do_not_recommend]
impl<T: Tool> ObservesSecrets for T where T::Secrets: True {}
