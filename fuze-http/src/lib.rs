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
#[non_exhaustive]
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
            Self::Url { cause } => {
                write!(f, "the address is not a URL ({cause}): write it with its scheme, such as `https://host.example/path`")
            }
            Self::Scheme { found } => write!(f, "the scheme of the address is `{found}`: expected `https`"),
            Self::PlainHttp { host } => write!(
                f,
                "the address of host `{host}` must be `https` (GDPR Art. 32(1)(a)): plain `http` is for this machine only, \
                 `localhost`, `127.0.0.1` or `[::1]`"
            ),
            Self::CredentialsInUrl => {
                f.write_str("the address holds credentials: take them out, and pass a key or a header instead, which are not recorded")
            }
            Self::Roots { cause } => write!(
                f,
                "no certificate authorities to trust ({cause}): install the system's, or name those to trust, as PEM text"
            ),
            Self::Identity => f.write_str(
                "the certificate to show and its key cannot be used: expected PEM text of each, the key without password, made \
                 for the certificate",
            ),
            Self::Tls { cause } => write!(f, "TLS cannot be set up: {cause}"),
        }
    }
}

impl std::error::Error for Refused {}
