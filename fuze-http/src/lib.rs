//! Where HTTP clients may connect to, and whom they trust: the one rule for a model's endpoint and for a policy server.
//!
//! What is asked of either may hold personal data, so that it leaves this machine under TLS alone (GDPR Art. 32(1)(a)), goes to the host
//! that was named, and goes there once. Deliberately absent: requests, limits of answers, and every setting that could weaken this.

mod client;
mod endpoint;

use std::fmt;

pub use client::{Trust, client};
pub use endpoint::Endpoint;

/// Why a URL cannot be an endpoint, or a client cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The text is not a URL.
    Url {
        /// What is wrong.
        cause: String,
    },
    /// The URL is not of the web.
    Scheme {
        /// What it is instead.
        found: String,
    },
    /// Plain HTTP to another machine.
    PlainHttp {
        /// The machine.
        host: String,
    },
    /// The URL holds a user name or a password. It is not repeated.
    CredentialsInUrl,
    /// The certificates to trust cannot be read, or the system has none.
    Roots {
        /// What is wrong.
        cause: String,
    },
    /// The certificate of one's own, or its key, cannot be read, or they are not of one another. Nothing of them is repeated.
    Identity,
    /// TLS cannot be set up.
    Tls {
        /// What is wrong.
        cause: String,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { cause } => write!(f, "the address is not a URL: {cause}"),
            Self::Scheme { found } => write!(f, "expected `https`, found `{found}`"),
            Self::PlainHttp { host } => write!(
                f,
                "the address must be `https`: `http` is for this machine alone (`127.0.0.1`, `[::1]`, `localhost`), and `{host}` \
                 is another"
            ),
            Self::CredentialsInUrl => f.write_str("the address holds credentials; take them out"),
            Self::Roots { cause } => write!(f, "the certificates to trust cannot be read: {cause}"),
            Self::Identity => f.write_str(
                "the certificate to show and its key cannot be used: expected PEM text of each, the key without password, made \
                 for the certificate",
            ),
            Self::Tls { cause } => write!(f, "TLS cannot be set up: {cause}"),
        }
    }
}

impl std::error::Error for Refused {}
