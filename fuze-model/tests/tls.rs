//! TLS: a certificate authority of one's own is trusted when it is named, nothing else is, and no request leaves before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy knows that of test functions, not of what they share"
)]

mod server;

use std::sync::Arc;
use std::time::Duration;

use fuze_agent::law::residency::Eu;
use fuze_agent::model::{Model, ModelError, ModelErrorKind, ModelRequest, ModelResponse, Parameters};
use fuze_model::{Builder, HttpModel};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use server::{Reply, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const ANSWER: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}]}"#;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>, host: &str) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn builder(server: &Server) -> Builder<Eu> {
    HttpModel::openai_compatible(format!("https://127.0.0.1:{}/v1", server.port()), "tiny", Eu)
        .api_key("sk-1")
}

async fn ask(builder: Builder<Eu>) -> Result<ModelResponse, ModelError> {
    let request = ModelRequest {
        system: "",
        messages: &[],
        tools: &[],
        output_schema: None,
        parameters: &Parameters::default(),
        time_limit: Duration::from_secs(15),
    };
    builder.build().expect("a model").generate(request).await
}

#[tokio::test]
async fn a_named_authority_is_trusted() {
    let authority = authority();
    let server = Server::start_with([Reply::ok(ANSWER)], Some(acceptor(&authority, "127.0.0.1"))).await;
    let answer = ask(builder(&server).root_certificates(authority.pem())).await.unwrap();
    assert_eq!(answer.text.as_deref(), Some("done"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn another_authority_another_name_and_the_system_are_not() {
    let (ours, theirs) = (authority(), authority());
    let server = Server::start_with([Reply::ok(ANSWER)], Some(acceptor(&theirs, "127.0.0.1"))).await;
    let error = ask(builder(&server).root_certificates(ours.pem())).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Transport, "{error}");
    // The system's authorities, where it has any.
    if let Ok(model) = builder(&server).build() {
        drop(model);
        assert_eq!(ask(builder(&server)).await.unwrap_err().kind, ModelErrorKind::Transport);
    }
    assert_eq!(server.requests().len(), 0);

    let server = Server::start_with([Reply::ok(ANSWER)], Some(acceptor(&ours, "elsewhere.eu"))).await;
    let error = ask(builder(&server).root_certificates(ours.pem())).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Transport, "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_server_without_tls_gets_a_handshake_and_nothing_else() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        heard
    });
    let model = HttpModel::openai_compatible(format!("https://127.0.0.1:{port}/v1"), "tiny", Eu)
        .api_key("sk-hunter2")
        .root_certificates(authority().pem());
    assert_eq!(ask(model).await.unwrap_err().kind, ModelErrorKind::Transport);
    let heard = heard.await.unwrap();
    assert_eq!(heard.first(), Some(&22), "a TLS handshake record");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(!heard.contains("hunter2") && !heard.contains("POST"), "{heard}");
}

#[tokio::test]
async fn a_named_proxy_is_asked_for_a_tunnel_and_sees_no_key() {
    let proxy = Server::start([Reply::status(403, "")]).await;
    let model = HttpModel::openai_compatible("https://model.example:8443/v1", "tiny", Eu)
        .api_key("sk-hunter2")
        .root_certificates(authority().pem())
        .proxy(format!("http://127.0.0.1:{}", proxy.port()));
    assert_eq!(ask(model).await.unwrap_err().kind, ModelErrorKind::Transport);
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].head.starts_with("CONNECT model.example:8443 HTTP/1.1"), "{}", requests[0].head);
    assert!(!requests[0].head.contains("hunter2"), "{}", requests[0].head);
}
