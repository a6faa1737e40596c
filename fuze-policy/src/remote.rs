//! A Cerbos server that decides, held against policies that are pinned here.
//!
//! A server's answer does not say by which policies it was made. So the same question is decided here, too, by the pinned bundle, and a
//! server that answers otherwise is an engine error, which halts the run. Deliberately absent: retries, redirects, proxies, kept
//! connections, and every way in which an answer that cannot be trusted could still be one.

mod answer;
mod client;
mod compare;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fuze_http::{Endpoint, Trust};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

pub use fuze_http::Refused;

use crate::agent_tool::{Cerbos, question, verdict};
use crate::{EngineError, EngineIdentity, RemoteEngine, Request, Verdict, cerbos};

/// The engine's name in evidence. A change of what is asked or compared changes it.
const NAME: &str = "cerbos-remote/1";

/// How long a decision may take unless it is said otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// How many bytes of an answer are read unless it is said otherwise. An answer to one call has a few hundred.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024;

/// A Cerbos server, asked over HTTP and held against pinned policies.
///
/// What it decides is what both decide: by the server alone nothing is allowed, and nothing by the pinned policies alone. Its hash in
/// the evidence is that of the pinned policies.
///
/// ```no_run
/// use fuze_policy::agent_tool::Cerbos;
/// use fuze_policy::remote::RemoteCerbos;
///
/// let pinned = Cerbos::load(std::path::Path::new("policies"))?;
/// let engine = RemoteCerbos::at("https://pdp.example.eu", pinned).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RemoteCerbos {
    endpoint: Endpoint,
    client: reqwest::Client,
    pinned: Cerbos,
    time_limit: Duration,
    answer_limit_bytes: usize,
    asked: AtomicU64,
}

/// A server that is not connected to yet.
#[must_use = "nothing is asked before `build`"]
pub struct Builder {
    url: String,
    pinned: Cerbos,
    roots: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    headers: Vec<(String, String)>,
    time_limit: Duration,
    answer_limit_bytes: usize,
}

impl RemoteCerbos {
    /// The server at `url`, such as `https://pdp.example.eu`, which has to decide as `pinned` does. `https` is required, except on
    /// this machine.
    pub fn at(url: impl Into<String>, pinned: Cerbos) -> Builder {
        Builder {
            url: url.into(),
            pinned,
            roots: None,
            identity: None,
            headers: Vec::new(),
            time_limit: TIME_LIMIT,
            answer_limit_bytes: ANSWER_LIMIT_BYTES,
        }
    }

    /// The policies that the server is held against.
    #[must_use]
    pub fn pinned(&self) -> &Cerbos {
        &self.pinned
    }
}

impl Builder {
    /// Certificates to trust instead of the system's, as PEM: an authority of one's own.
    pub fn roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// A certificate to show the server, with those between it and its authority, and its private key, as PEM.
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((certificates.into(), key.into()));
        self
    }

    /// A header of each question, such as `authorization` for a gateway before the server. Its value is never formatted.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long a decision may take, connecting included. Default: 2 seconds.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How many bytes of an answer are read at most; a longer one is an error. Default: 256 KiB.
    pub fn answer_limit_bytes(mut self, limit: usize) -> Self {
        self.answer_limit_bytes = limit;
        self
    }

    /// Checks it all. Nothing is sent.
    ///
    /// # Errors
    /// [`ConfigError`] with what does not fit.
    pub fn build(self) -> Result<RemoteCerbos, ConfigError> {
        if self.time_limit.is_zero() {
            return Err(ConfigError::TimeLimit);
        }
        let endpoint = Endpoint::below(&self.url, "api/check/resources")?;
        if endpoint.url().query().is_some() {
            return Err(ConfigError::Query);
        }
        let identity = self.identity.as_ref().map(|(certificates, key)| (&certificates[..], &key[..]));
        let trust = Trust { roots: self.roots.as_deref(), identity };
        let client = fuze_http::client(&endpoint, trust)?
            .timeout(self.time_limit)
            .default_headers(headers(&self.headers)?)
            .build()
            .map_err(|cause| ConfigError::Client { cause: cause.to_string() })?;
        Ok(RemoteCerbos {
            endpoint,
            client,
            pinned: self.pinned,
            time_limit: self.time_limit,
            answer_limit_bytes: self.answer_limit_bytes,
            asked: AtomicU64::new(0),
        })
    }
}

/// Headers that say what is sent, and to whom.
const DECIDED: [&str; 8] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
];

fn headers(named: &[(String, String)]) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (name, value) in named {
        let refused = || ConfigError::Header { name: name.escape_debug().take(128).collect() };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        if DECIDED.contains(&name.as_str()) || headers.contains_key(&name) {
            return Err(refused());
        }
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[async_trait]
impl RemoteEngine for RemoteCerbos {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: NAME.to_owned(), bundle_hash: self.pinned.bundle_hash(), permissive: false }
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    async fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        let mut input = question(request, self.pinned.scope_of(request.run.tenant))?;
        input.request_id = format!("fuze-{}", self.asked.fetch_add(1, Ordering::Relaxed));
        // What the pinned policies cannot decide is not asked: the answer could not be held against anything.
        let ours = cerbos::check(self.pinned.set(), &input, &self.pinned.params())
            .map_err(|error| EngineError::Evaluation(error.to_string()))?;
        let decided = verdict(&input, &ours)?;
        let body = answer::write(&input);
        let body =
            client::post(&self.client, self.endpoint.url(), body, self.time_limit, self.answer_limit_bytes)
                .await?;
        let theirs = answer::read(&body, &input)?;
        compare::same(&ours, &theirs).map_err(EngineError::BundleMismatch)?;
        // Where a condition failed, less can be compared: the meaning still has to be the same.
        if verdict(&input, &theirs)?.decision != decided.decision {
            return Err(EngineError::BundleMismatch(
                "the demands for approval differ from those of the pinned policies".to_owned(),
            ));
        }
        Ok(decided)
    }
}

impl fmt::Debug for RemoteCerbos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCerbos")
            .field("host", &self.endpoint.host())
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL: what is not checked yet may hold a password.
        f.debug_struct("Builder").field("time_limit", &self.time_limit).finish_non_exhaustive()
    }
}

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address, or whom to trust there.
    Connection(Refused),
    /// The URL has a query.
    Query,
    /// No time at all to decide.
    TimeLimit,
    /// A header that cannot be sent, or that the client itself decides. Its value is not repeated.
    Header {
        /// Its name.
        name: String,
    },
    /// The HTTP client cannot be made.
    Client {
        /// What is wrong.
        cause: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(refused) => write!(f, "the policy server cannot be used: {refused}"),
            Self::Query => f.write_str("the policy server's address has a query; take it out"),
            Self::TimeLimit => f.write_str("the time limit of a decision must be longer than nothing"),
            Self::Header { name } => write!(
                f,
                "the header `{name}` cannot be sent: expected a name and a value of a header on one line, and none that HTTP itself \
                 needs ({})",
                DECIDED.join(", ")
            ),
            Self::Client { cause } => write!(f, "the HTTP client cannot be made: {cause}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<Refused> for ConfigError {
    fn from(refused: Refused) -> Self {
        Self::Connection(refused)
    }
}
