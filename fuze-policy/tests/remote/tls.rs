//! TLS: an authority of one's own is trusted where it is named, nothing else is, and no question leaves before.

use std::sync::Arc;
use std::time::Duration;

use fuze_policy::EngineError;
use fuze_policy::remote::{Builder, ConfigError, Refused, RemoteCerbos};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;

use super::server::{Arrived, http, serve_tls};
use super::{decide, honest, pinned};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name, by an authority, from one year on until another.
struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

fn certificate(authority: &Authority, name: &str, years: [i32; 2]) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    let certificate = params.signed_by(&key, authority).unwrap();
    Certificate { der: certificate.der().clone(), pem: certificate.pem(), key }
}

const NOW: [i32; 2] = [2020, 4000];

/// A server with this certificate, which asks for one of an authority's if there is any.
fn server(certificate: &Certificate, clients: Option<&Authority>) -> (u16, Arrived) {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der.clone()], key).unwrap();
    serve_tls(config, |question| http("200 OK", &honest(question).to_string()))
}

/// The server on loopback, by a name.
fn at(port: u16) -> Builder {
    RemoteCerbos::at(format!("https://localhost:{port}"), pinned()).time_limit(Duration::from_secs(60))
}

async fn refused(engine: Builder, arrived: &Arrived, part: &str) {
    let error = decide(&engine.build().unwrap()).await.expect_err(part);
    assert!(matches!(error, EngineError::Unreachable(_)), "{part}: {error:?}");
    assert!(error.to_string().contains(part), "{part}: {error}");
    assert!(arrived.lock().unwrap().is_empty(), "{part}: nothing was asked");
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = authority();
    let (port, arrived) = server(&certificate(&authority, "localhost", NOW), None);
    let engine = at(port).roots(authority.pem()).build().unwrap();
    assert!(decide(&engine).await.is_ok());
    assert_eq!(arrived.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn another_authority_and_the_systems_are_not_trusted() {
    let (ours, theirs) = (authority(), authority());
    let (port, arrived) = server(&certificate(&theirs, "localhost", NOW), None);
    refused(at(port).roots(ours.pem()), &arrived, "invalid peer certificate").await;
    // The system's, where it has any.
    match at(port).build() {
        Ok(engine) => assert!(matches!(decide(&engine).await, Err(EngineError::Unreachable(_)))),
        Err(error) => assert!(matches!(error, ConfigError::Connection(Refused::Roots { .. })), "{error}"),
    }
    assert!(arrived.lock().unwrap().is_empty());
}

#[tokio::test]
async fn another_name_another_time_and_no_authority_at_all_are_not_trusted() {
    let authority = authority();
    let trusting = |port| at(port).roots(authority.pem());
    for (name, years, part) in [
        ("pdp.example.eu", NOW, "not valid for name"),
        ("localhost.example.eu", NOW, "not valid for name"),
        ("127.0.0.1", NOW, "not valid for name"),
        ("localhost", [2020, 2021], "expired"),
        ("localhost", [3000, 4000], "not valid yet"),
    ] {
        let (port, arrived) = server(&certificate(&authority, name, years), None);
        refused(trusting(port), &arrived, part).await;
    }
    let key = KeyPair::generate().unwrap();
    let by_itself = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let by_itself = Certificate { der: by_itself.der().clone(), pem: by_itself.pem(), key };
    let (port, arrived) = server(&by_itself, None);
    refused(trusting(port), &arrived, "invalid peer certificate").await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_one_given() {
    let (authority, clients) = (authority(), authority());
    let agent = certificate(&clients, "agent-1", NOW);
    let (port, arrived) = server(&certificate(&authority, "localhost", NOW), Some(&clients));
    let trusting = || at(port).roots(authority.pem());
    let engine = trusting().identity(agent.pem.as_str(), agent.key.serialize_pem()).build().unwrap();
    assert!(decide(&engine).await.is_ok());
    arrived.lock().unwrap().clear();
    let stranger = certificate(&authority, "agent-1", NOW);
    let strange = trusting().identity(stranger.pem.as_str(), stranger.key.serialize_pem());
    for engine in [trusting(), strange] {
        let error = decide(&engine.build().unwrap()).await.unwrap_err();
        assert!(matches!(error, EngineError::Unreachable(_)), "{error:?}");
    }
    assert!(arrived.lock().unwrap().is_empty());
}

#[test]
fn a_certificate_without_its_key_is_refused_and_not_repeated() {
    let authority = authority();
    let [one, other] = [certificate(&authority, "a", NOW), certificate(&authority, "b", NOW)];
    let secret = one.key.serialize_pem();
    let middle = &secret[40..60];
    for (pem, key) in [
        (one.pem.as_str(), other.key.serialize_pem()),
        ("", secret.clone()),
        ("no certificate", secret.clone()),
        (one.pem.as_str(), secret.replace("END", "AND")),
        (one.pem.as_str(), middle.to_owned()),
    ] {
        let error = at(1).roots(authority.pem()).identity(pem, key).build().unwrap_err();
        assert_eq!(error, ConfigError::Connection(Refused::Identity));
        assert!(!format!("{error:?} {error}").contains(middle));
    }
    let builder = at(1).identity(one.pem.as_str(), secret.as_str());
    assert!(!format!("{builder:?}").contains(middle));
}

#[tokio::test]
async fn a_header_is_sent_and_never_shown() {
    let authority = authority();
    let (port, arrived) = server(&certificate(&authority, "localhost", NOW), None);
    let builder =
        at(port).roots(authority.pem()).header("authorization", "Bearer hunter2").header("X-Gateway", "blue");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let engine = builder.build().unwrap();
    assert!(!format!("{engine:?}").contains("hunter2"));
    decide(&engine).await.unwrap();
    let (head, _) = arrived.lock().unwrap()[0].clone();
    assert!(
        head.contains("authorization: Bearer hunter2\r\n") && head.contains("x-gateway: blue\r\n"),
        "{head}"
    );
    // A server that repeats it is not believed, and not quoted.
    let key = certificate(&authority, "localhost", NOW);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.der.clone()], PrivateKeyDer::try_from(key.key.serialize_der()).unwrap())
        .unwrap();
    let (port, _) = serve_tls(config, |_| http("401 hunter2", &json!({"message": "hunter2"}).to_string()));
    let engine = at(port).roots(authority.pem()).header("authorization", "Bearer hunter2").build().unwrap();
    let error = decide(&engine).await.unwrap_err().to_string();
    assert!(error.contains("401") && !error.contains("hunter2"), "{error}");
}

#[test]
fn headers_that_are_none_or_that_http_needs_are_refused_and_not_repeated() {
    for (name, value) in [
        ("authorization", "Bearer hunter2\r\nx: y"),
        ("authorization", "hunter2\n"),
        ("with space", "hunter2"),
        ("", "hunter2"),
        ("Host", "hunter2"),
        ("Content-Type", "hunter2"),
        ("content-length", "7"),
        ("Transfer-Encoding", "chunked"),
    ] {
        let error = at(1).roots(authority().pem()).header(name, value).build().unwrap_err();
        assert!(matches!(error, ConfigError::Header { .. }), "{name}: {error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{name}: {error}");
    }
    let twice = at(1).roots(authority().pem()).header("x-a", "1").header("X-A", "2").build();
    assert!(matches!(twice.unwrap_err(), ConfigError::Header { .. }));
}
