//! The HTTP client: everything that could send a request twice, elsewhere or unencrypted is off.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::{ClientBuilder, redirect, retry};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::{Endpoint, Refused};

/// Who is trusted, and who this machine is to the other. All of it PEM.
#[derive(Clone, Copy, Default)]
pub struct Trust<'p> {
    /// Certificate authorities to trust in place of the system's.
    pub roots: Option<&'p [u8]>,
    /// A certificate of one's own, with those between it and its authority, and its private key.
    pub identity: Option<(&'p [u8], &'p [u8])>,
}

/// A client for one endpoint, before its time limits. Of the environment it reads nothing: no proxy, no configuration of TLS.
///
/// # Errors
/// [`Refused`], if there is nobody to trust, or the certificate of one's own is none.
pub fn client(endpoint: &Endpoint, trust: Trust<'_>) -> Result<ClientBuilder, Refused> {
    // Whatever the name service of the machine says, plain HTTP stays on it.
    let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    Ok(reqwest::Client::builder()
        .no_proxy()
        // A redirect could carry what was asked to another host, and repeats the request.
        .redirect(redirect::Policy::none())
        .referer(false)
        .resolve_to_addrs("localhost", &loopback)
        // reqwest repeats what a server refuses by protocol; hyper repeats what it could not write to a connection that it had
        // kept. Neither happens with HTTP/1.1 on a connection of its own. It costs a handshake a request, resumed by TLS.
        .retry(retry::never())
        .http1_only()
        .pool_max_idle_per_host(0)
        // The limit of an answer is of what was sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .https_only(!endpoint.is_plain())
        .tls_backend_preconfigured(tls(endpoint, trust)?))
}

/// TLS 1.2 or newer, by rustls with ring. No process-wide default is read or set.
fn tls(endpoint: &Endpoint, trust: Trust<'_>) -> Result<ClientConfig, Refused> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Refused::Tls { cause: cause.to_string() })?;
    let builder = match trust.roots {
        Some(pem) => builder.with_root_certificates(read_roots(pem)?),
        // Nothing to trust, so that nothing depends on the system's certificates.
        None if endpoint.is_plain() => builder.with_root_certificates(RootCertStore::empty()),
        None => {
            builder.with_platform_verifier().map_err(|cause| Refused::Roots { cause: cause.to_string() })?
        }
    };
    let Some((certificates, key)) = trust.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>().ok();
    // Not the causes: they may repeat what stands there.
    let chain = chain.filter(|chain| !chain.is_empty()).ok_or(Refused::Identity)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Refused::Identity)?;
    builder.with_client_auth_cert(chain, key).map_err(|_| Refused::Identity)
}

fn read_roots(pem: &[u8]) -> Result<RootCertStore, Refused> {
    let unreadable = |cause: String| Refused::Roots { cause };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|cause| unreadable(cause.to_string()))?;
        store.add(certificate).map_err(|cause| unreadable(cause.to_string()))?;
    }
    match store.is_empty() {
        true => Err(unreadable("the PEM text holds no certificate".to_owned())),
        false => Ok(store),
    }
}
