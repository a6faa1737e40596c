//! The HTTP client: everything that could send a question twice, elsewhere or unencrypted is off, and an answer has a stated limit.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{StatusCode, Url, redirect, retry};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::ConfigError;
use super::endpoint::Endpoint;
use crate::EngineError;

pub(super) fn client(
    endpoint: &Endpoint,
    time_limit: Duration,
    roots: Option<&[u8]>,
) -> Result<reqwest::Client, ConfigError> {
    // Whatever the name service of the machine says, plain HTTP stays on it.
    let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    reqwest::Client::builder()
        .no_proxy()
        // A redirect could carry the question, which may hold personal data, to another host.
        .redirect(redirect::Policy::none())
        .referer(false)
        .resolve_to_addrs("localhost", &loopback)
        // reqwest repeats what a server refuses by protocol; hyper repeats what it could not write to a connection that it
        // had kept. Neither happens with HTTP/1.1 on a connection of its own.
        .retry(retry::never())
        .http1_only()
        .pool_max_idle_per_host(0)
        // The limit of an answer is of what was sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .timeout(time_limit)
        .https_only(!endpoint.is_plain())
        .tls_backend_preconfigured(tls(endpoint, roots)?)
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

/// One question, one answer: its body.
pub(super) async fn post(
    client: &reqwest::Client,
    url: &Url,
    question: Vec<u8>,
    time_limit: Duration,
    answer_limit_bytes: usize,
) -> Result<Vec<u8>, EngineError> {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => EngineError::TimedOut { limit_ms: time_limit.as_millis() },
        // Without the URL, and with the cause, which reqwest leaves out of its own words.
        false => EngineError::Unreachable(causes(&error.without_url())),
    };
    let request = client
        .post(url.clone())
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(question);
    let mut answer = request.send().await.map_err(failed)?;
    // Of a body that explains the status nothing is told: it may repeat the question.
    if answer.status() != StatusCode::OK {
        return Err(EngineError::Unreachable(match answer.status().is_redirection() {
            true => format!("it answers {}, a redirect, which is not followed", answer.status().as_u16()),
            false => format!("it answers {}, expected 200", answer.status().as_u16()),
        }));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > answer_limit_bytes {
            return Err(EngineError::Malformed(format!("it has more than {answer_limit_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said.push_str(": ");
        said.push_str(&cause.to_string());
        next = cause.source();
    }
    said
}
