//! Whatever comes back, one call of `generate` is one HTTP request. After the failure the server always has a good answer
//! ready: a client that repeated by itself would get it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy knows that of test functions, not of what they share"
)]

mod server;

use std::time::Duration;

use fuze_agent::law::residency::Eu;
use fuze_agent::model::{
    Message, Model, ModelError, ModelErrorKind, ModelRequest, ModelResponse, Parameters,
};
use fuze_model::{Builder, HttpModel};
use server::{Reply, Server};

const ANSWER: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}]}"#;
const AMPLE: Duration = Duration::from_secs(15);

fn builder(server: &Server) -> Builder<Eu> {
    HttpModel::openai_compatible(server.url(), "tiny", Eu)
}

async fn ask(model: &HttpModel<Eu>, time_limit: Duration) -> Result<ModelResponse, ModelError> {
    let request = ModelRequest {
        system: "be brief",
        messages: &[Message::User { text: "hello".to_owned() }],
        tools: &[],
        output_schema: None,
        parameters: &Parameters::default(),
        time_limit,
    };
    model.generate(request).await
}

/// One failing reply with a good one behind it: the error's kind and words, and exactly one request.
async fn check(reply: Reply, time_limit: Duration, kind: ModelErrorKind, words: &str) {
    let what = format!("{reply:?}");
    let server = Server::start([reply, Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    let error = ask(&model, time_limit).await.expect_err(&what);
    assert_eq!(error.kind, kind, "{what}: {error}");
    assert!(error.message.contains(words), "{what}: {error}");
    assert_eq!(server.requests().len(), 1, "{what}");
    assert_eq!(server.replies_left(), 1, "{what}");
    // The model is as good as before.
    assert_eq!(ask(&model, AMPLE).await.unwrap().text.as_deref(), Some("done"), "{what}");
    assert_eq!(server.requests().len(), 2, "{what}");
}

#[tokio::test]
async fn a_429_is_one_request() {
    check(Reply::status(429, ""), AMPLE, ModelErrorKind::RateLimited, "HTTP 429: told so").await;
}

#[tokio::test]
async fn a_429_with_retry_after_is_one_request_and_the_wait_is_told() {
    for headers in ["retry-after: 0\r\n", "retry-after: 1\r\nx-should-retry: true\r\nretry-after-ms: 1\r\n"] {
        check(Reply::status(429, headers), AMPLE, ModelErrorKind::RateLimited, "retry after").await;
    }
}

#[tokio::test]
async fn server_errors_are_one_request() {
    for status in [500, 502, 503, 504, 529] {
        check(Reply::status(status, "retry-after: 0\r\n"), AMPLE, ModelErrorKind::Unavailable, "told so")
            .await;
    }
}

#[tokio::test]
async fn other_client_errors_are_refusals_in_one_request() {
    for status in [400, 401, 402, 403, 404, 408, 409, 413, 421, 422, 425] {
        check(Reply::status(status, ""), AMPLE, ModelErrorKind::Refused, "told so").await;
    }
}

#[tokio::test]
async fn a_dropped_connection_is_one_request() {
    check(Reply::Drop, AMPLE, ModelErrorKind::Transport, "").await;
}

#[tokio::test]
async fn an_answer_cut_off_on_the_way_is_one_request() {
    let cut =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4096\r\n\r\n{ANSWER}");
    check(Reply::Raw(cut), AMPLE, ModelErrorKind::Transport, "").await;
    check(Reply::Raw("HTTP/1.1 200 OK\r\ncontent-ty".to_owned()), AMPLE, ModelErrorKind::Transport, "").await;
    check(Reply::Raw("who is there?\r\n\r\n".to_owned()), AMPLE, ModelErrorKind::Transport, "").await;
}

#[tokio::test]
async fn a_timeout_is_one_request_and_closes_the_connection() {
    let server = Server::start([Reply::Stall, Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    let error = ask(&model, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Timeout);
    assert!(error.message.contains("300 ms"), "{error}");
    server.client_gone().await;
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
    assert!(ask(&model, AMPLE).await.is_ok());
}

#[tokio::test]
async fn a_body_that_never_ends_is_a_timeout() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"cho\r\n";
    let server = Server::start([Reply::RawThenStall(head.to_owned()), Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    assert_eq!(ask(&model, Duration::from_millis(300)).await.unwrap_err().kind, ModelErrorKind::Timeout);
    server.client_gone().await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let server = Server::start([Reply::Stall, Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    tokio::select! {
        answer = ask(&model, AMPLE) => panic!("an answer from a stalled server: {answer:?}"),
        () = server.received(1) => {}
    }
    server.client_gone().await;
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn no_time_is_no_request() {
    let server = Server::start([Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    assert_eq!(ask(&model, Duration::ZERO).await.unwrap_err().kind, ModelErrorKind::Timeout);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_is_not_an_answer_is_malformed_in_one_request() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
    check(Reply::Raw(page.to_owned()), AMPLE, ModelErrorKind::Malformed, "text/html").await;
    for body in [
        "",
        "{",
        "hello",
        "null",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"error":{"message":"told so"}}"#,
        r#"{"choices":[{"message":{"content":"\ud800"}}]}"#,
        &format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
    ] {
        check(Reply::ok(body), AMPLE, ModelErrorKind::Malformed, "").await;
    }
}

#[tokio::test]
async fn each_request_has_a_connection_of_its_own() {
    let server = Server::start([Reply::ok(ANSWER), Reply::ok(ANSWER), Reply::ok(ANSWER)]).await;
    let model = builder(&server).build().unwrap();
    for _ in 0..3 {
        ask(&model, AMPLE).await.unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 3));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays() {
    let elsewhere = Server::start([Reply::ok(ANSWER)]).await;
    let location: &'static str = format!("location: {}/chat/completions\r\n", elsewhere.url()).leak();
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start([Reply::status(status, location), Reply::ok(ANSWER)]).await;
        let model = builder(&server).api_key("sk-hunter2").build().unwrap();
        let error = ask(&model, AMPLE).await.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Refused, "{error}");
        assert!(error.message.contains("redirect"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn the_key_is_sent_and_never_told() {
    let echo = r#"{"error":{"message":"Incorrect API key provided: sk-hunter2"}}"#;
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nsk-hunter2";
    let ok = r#"{"oops":"sk-hunter2"}"#;
    let long = format!(r#"{{"error":{{"message":"{}sk-hunter2"}}}}"#, "x".repeat(985));
    let replies = [
        Reply::Json(401, "", echo.to_owned()),
        Reply::Raw(page.to_owned()),
        Reply::ok(ok),
        Reply::Json(500, "", long),
    ];
    let server = Server::start(replies).await;
    let model = builder(&server).api_key("sk-hunter2").build().unwrap();
    for _ in 0..4 {
        let error = ask(&model, AMPLE).await.unwrap_err();
        assert!(!error.message.contains("sk-h"), "{error}");
        assert!(error.message.chars().count() <= 1_001, "{error}");
    }
    for request in server.requests() {
        assert!(request.head.contains("authorization: Bearer sk-hunter2"), "{}", request.head);
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_such_header() {
    let server = Server::start([Reply::ok(ANSWER)]).await;
    ask(&builder(&server).build().unwrap(), AMPLE).await.unwrap();
    let head = server.requests()[0].head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(!head.contains("authorization") && !head.contains("accept-encoding"), "{head}");
}

#[tokio::test]
async fn nothing_listening_is_a_transport_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let model =
        HttpModel::openai_compatible(format!("http://127.0.0.1:{port}/v1?key=hunter2"), "tiny", Eu).build();
    let error = ask(&model.unwrap(), AMPLE).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Transport);
    assert!(!error.message.contains("hunter2"), "{error}");
}

/// Runs `without_a_key_there_is_no_such_header` again with every proxy variable pointing nowhere.
#[test]
fn proxies_in_the_environment_are_ignored() {
    let nowhere = "http://127.0.0.1:1";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_a_key_there_is_no_such_header"])
        .envs(
            ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
                .map(|name| (name, nowhere)),
        )
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
