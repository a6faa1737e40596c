//! Witnesses (c2sp.org/tlog-witness): who sees a log grow and signs that it did nothing else. Both sides: a log asks with a
//! [`WitnessClient`], a [`Witness`] answers, [`Server`] puts one on the network.
//!
//! Plain HTTP only; for TLS a proxy stands before the server, and a caller brings a [`WitnessTransport`] of its own. No
//! bastion, no `sign-subtree`.

mod client;
#[cfg(all(test, feature = "sqlite"))]
mod crash;
mod keeper;
mod request;
mod server;

pub use client::{Answer, HttpTransport, TransportError, WitnessClient, WitnessError, WitnessTransport};
pub use keeper::{Refusal, Witness, WitnessSetupError};
pub use request::{AddCheckpoint, MAX_REQUEST_BYTES, RequestError};
pub use server::{Server, ServerOptions};
