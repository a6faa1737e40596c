//! The HTTP client that genai drives.

use std::time::Duration;

use fuze_http::{Endpoint, Trust};
use reqwest::Proxy;

use crate::config::ConfigError;

/// How long a connection may take; the request's own time limit holds besides.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn client(
    endpoint: &Endpoint,
    proxy: Option<&str>,
    roots: Option<&[u8]>,
) -> Result<genai::Client, ConfigError> {
    // The cause is not told: it may repeat the proxy's credentials.
    let proxy = proxy.map(Proxy::all).transpose().map_err(|_| ConfigError::Proxy)?;
    let mut builder =
        fuze_http::client(endpoint, Trust { roots, identity: None })?.connect_timeout(CONNECT_TIMEOUT);
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    let client = builder.build().map_err(|cause| ConfigError::Client { cause: cause.to_string() })?;
    genai::Client::builder()
        .with_reqwest(client)
        .build()
        .map_err(|cause| ConfigError::Client { cause: cause.to_string() })
}
