//! The HTTP client that genai drives: everything that could send a request twice, elsewhere or unencrypted is off.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Proxy, redirect, retry};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::config::ConfigError;
use crate::endpoint::Endpoint;

/// How long a connection may take; the request's own time limit holds besides.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn client(
    endpoint: &Endpoint,
    proxy: Option<&str>,
    roots: Option<&[u8]>,
) -> Result<genai::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        // A redirect could carry the history to another host, and repeats the request.
        .redirect(redirect::Policy::none())
        .referer(false)
        // reqwest repeats what a server refuses by protocol; hyper repeats what it could not write to a connection that it
        // had kept. Neither happens with HTTP/1.1 on a connection of its own. It costs a handshake a turn, resumed by TLS.
        .retry(retry::never())
        .http1_only()
        .pool_max_idle_per_host(0)
        .no_gzip()
        .connect_timeout(CONNECT_TIMEOUT)
        .https_only(!endpoint.is_plain())
        .tls_backend_preconfigured(tls(endpoint, roots)?);
    if let Some(proxy) = proxy {
        // The cause is not told: it may repeat the proxy's credentials.
        builder = builder.proxy(Proxy::all(proxy).map_err(|_| ConfigError::Proxy)?);
    }
    let client = builder.build().map_err(|cause| ConfigError::Client { cause: cause.to_string() })?;
    genai::Client::builder()
        .with_reqwest(client)
        .build()
        .map_err(|cause| ConfigError::Client { cause: cause.to_string() })
}

/// TLS 1.2 or newer, by rustls with ring. No process-wide default is read or set.
fn tls(endpoint: &Endpoint, roots: Option<&[u8]>) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| ConfigError::Client { cause: cause.to_string() })?;
    if let Some(pem) = roots {
        return Ok(builder.with_root_certificates(read_roots(pem)?).with_no_client_auth());
    }
    if endpoint.is_plain() {
        // Nothing to trust, so that nothing depends on the system's certificates.
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let builder =
        builder.with_platform_verifier().map_err(|cause| ConfigError::Roots { cause: cause.to_string() })?;
    Ok(builder.with_no_client_auth())
}

fn read_roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|cause| ConfigError::Roots { cause: cause.to_string() })?;
        store.add(certificate).map_err(|cause| ConfigError::Roots { cause: cause.to_string() })?;
    }
    if store.is_empty() {
        return Err(ConfigError::Roots { cause: "the PEM text holds no certificate".to_owned() });
    }
    Ok(store)
}
