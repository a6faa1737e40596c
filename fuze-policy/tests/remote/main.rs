//! A server that answers, answers wrongly, or does not: only what the pinned policies decide as well is decided.
#![cfg(feature = "cerbos-remote")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;
mod server;
mod tls;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use common::tools::{RUN, TOOL};
use fuze_policy::agent_tool::Cerbos;
use fuze_policy::remote::{ConfigError, Refused, RemoteCerbos};
use fuze_policy::{CallFacts, Decision, Engine, EngineError, RemoteEngine, Request, RunFacts, ToolFacts};
use serde_json::{Value, json};
use server::{http, serve};

const LIMIT: usize = 4096;

/// Some authority, which has signed nothing.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUWRR6LKfewhTLQuWFcVktnVCq5xYwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwNzU2MDhaGA8yMTI2MTAyOTA3NTYw
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNDY
LmnBiZPRnj4+WSYnDoP2wTsKv0NrVatpVWRQOzFNuS39j0mHyQjk62iKwReINV2J
YNGNCpiqC2Np1X7g6UqjUzBRMB0GA1UdDgQWBBSnTczmbvdqmEP3JvzYk4XYUVra
IDAfBgNVHSMEGDAWgBSnTczmbvdqmEP3JvzYk4XYUVraIDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQD0utA85R311hMeB4mUFIFSfn9Ov7gcqqMa
0/HblU0fuAIgPDLNhL99u9le3D5ZaNFuIkAT05YHv9Vs5MsfoWaiexo=
-----END CERTIFICATE-----
";

/// What a server with the guide's policy for health records answers.
fn honest(question: &Value) -> Value {
    let asked = &question["resources"][0]["resource"];
    let obligation =
        json!({"approval": {"approvers": 1, "trainings": ["clinical"], "deadline_seconds": 3600}});
    let policy = "resource.agent.tool.vdefault";
    json!({
        "requestId": question["requestId"],
        "results": [{
            "resource": {"id": asked["id"], "kind": asked["kind"]},
            "actions": {"invoke": "EFFECT_ALLOW", "invoke:auto": "EFFECT_DENY"},
            "meta": {"actions": {
                "invoke": {"matchedPolicy": policy},
                "invoke:auto": {"matchedPolicy": policy, "matchedScope": ""},
            }},
            "outputs": [{"src": format!("{policy}#health-record-with-approval"), "action": "invoke", "val": obligation}],
        }],
        "cerbosCallId": "x",
    })
}

fn pinned() -> Cerbos {
    Cerbos::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guide/special")).unwrap()
}

fn engine(port: u16) -> RemoteCerbos {
    let limited = RemoteCerbos::at(format!("http://localhost:{port}"), pinned()).answer_limit_bytes(LIMIT);
    limited.time_limit(Duration::from_secs(60)).build().unwrap()
}

/// A call of the tool `name`, which `guide/special` decides about.
fn request<'a>(roles: &'a [String], name: &'a str) -> Request<'a> {
    Request {
        tool: ToolFacts {
            name,
            classification: "special_category",
            art9_basis: Some("explicit_consent"),
            effect: "read",
            ..TOOL
        },
        run: RunFacts { roles, lawful_basis: "contract", has_subject: true, ..RUN },
        call: CallFacts { args: br#"{"patient":"p-7"}"#, depth: 0 },
    }
}

async fn decide(engine: &RemoteCerbos) -> Result<Decision, EngineError> {
    let roles = ["clinic".to_owned()];
    engine.decide(&request(&roles, "health_record")).await.map(|verdict| verdict.decision)
}

/// What comes of an answer of a server's.
async fn answered(bytes: impl Fn(&Value) -> Vec<u8> + Send + 'static) -> Result<Decision, EngineError> {
    let (port, arrived) = serve(move |question| Some(bytes(question)));
    let decided = decide(&engine(port)).await;
    assert_eq!(arrived.lock().unwrap().len(), 1, "one question, once: {decided:?}");
    decided
}

/// What comes of an honest answer that is changed at a place.
async fn changed(change: impl Fn(&mut Value) + Send + 'static) -> Result<Decision, EngineError> {
    answered(move |question| {
        let mut answer = honest(question);
        change(&mut answer);
        http("200 OK", &answer.to_string())
    })
    .await
}

fn words(decided: Result<Decision, EngineError>) -> String {
    decided.expect_err("an error").to_string()
}

#[tokio::test]
async fn what_both_decide_is_decided() {
    let (port, arrived) = serve(|question| Some(http("200 OK", &honest(question).to_string())));
    let engine = engine(port);
    let roles = ["clinic".to_owned()];
    let ours = pinned().decide(&request(&roles, "health_record")).unwrap();
    for _ in 0..2 {
        let theirs = engine.decide(&request(&roles, "health_record")).await.unwrap();
        assert_eq!((&theirs.decision, &theirs.rule), (&ours.decision, &ours.rule));
    }
    let Decision::RequiresApproval(obligation) = ours.decision else { panic!() };
    assert_eq!(obligation.deadline_seconds, Some(3600));
    let arrived = arrived.lock().unwrap();
    let [(head, first), (_, second)] = &arrived[..] else { panic!("{arrived:?}") };
    assert!(head.starts_with("POST /api/check/resources HTTP/1.1\r\n"), "{head}");
    assert_ne!(first["requestId"], second["requestId"]);
    assert_eq!(first["includeMeta"], true);
    assert_eq!(first["principal"]["roles"], json!(["clinic"]));
    assert_eq!(first["principal"]["attr"]["has_subject"], true);
    assert_eq!(first["resources"].as_array().unwrap().len(), 1);
    let asked = &first["resources"][0];
    assert_eq!(asked["actions"], json!(["invoke", "invoke:auto"]));
    assert_eq!(asked["resource"]["kind"], "agent.tool");
    assert_eq!(asked["resource"]["attr"]["args"], json!({"patient": "p-7"}));
    let identity = engine.identity();
    assert_eq!((identity.name.as_str(), identity.bundle_hash), ("cerbos-remote/1", pinned().bundle_hash()));
    assert!(!identity.permissive);
}

#[tokio::test]
async fn what_the_protocol_may_write_otherwise_is_the_same() {
    let same = changed(|answer| {
        let result = &mut answer["results"][0];
        result["resource"]["scope"] = "".into();
        result["resource"]["policyVersion"] = "".into();
        result["validationErrors"] = json!([]);
        result["meta"]["effectiveDerivedRoles"] = json!([]);
        result["outputs"][0]["error"] = "".into();
        result["outputs"][0]["val"]["approval"]["approvers"] = json!(1.0);
    });
    assert!(matches!(same.await.unwrap(), Decision::RequiresApproval(_)));
}

#[tokio::test]
async fn other_policies_over_there_are_an_error_that_names_the_difference() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 10] = [
        (|r| r["actions"]["invoke:auto"] = "EFFECT_ALLOW".into(), "`invoke:auto` is denied here"),
        (|r| r["actions"]["invoke"] = "EFFECT_DENY".into(), "`invoke` is allowed here"),
        (
            |r| r["meta"]["actions"]["invoke"]["matchedPolicy"] = "resource.agent.tool.v2".into(),
            "in `resource.agent.tool.v2`",
        ),
        (|r| r["meta"]["actions"]["invoke:auto"]["matchedScope"] = "acme".into(), "the scope"),
        (|r| r["meta"]["effectiveDerivedRoles"] = json!(["owner"]), "`owner`"),
        (|r| r["outputs"] = json!([]), "#health-record-with-approval"),
        (|r| r["outputs"][0]["val"]["approval"]["trainings"] = json!([]), "#health-record-with-approval"),
        (|r| r["outputs"][0]["action"] = "invoke:auto".into(), "the output of"),
        (|r| r["outputs"][0]["src"] = "resource.agent.tool.vdefault#other".into(), "the output of"),
        (
            |r| {
                let twice = r["outputs"][0].clone();
                r["outputs"].as_array_mut().unwrap().push(twice);
            },
            "the output of",
        ),
    ];
    for (change, part) in cases {
        let error = changed(move |answer| change(&mut answer["results"][0])).await.unwrap_err();
        assert!(matches!(error, EngineError::BundleMismatch(_)), "{part}: {error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_exactly_an_answer_is_none() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 20] = [
        (|a| a["requestId"] = "another".into(), "another request"),
        (|a| drop(a.as_object_mut().unwrap().remove("requestId")), "another request"),
        (|a| a["results"] = json!([]), "0 results"),
        (|a| a["results"] = json!([a["results"][0], a["results"][0]]), "2 results"),
        (|a| a["results"] = json!({}), "`results` of the answer is not a list"),
        (|a| a["results"][0]["resource"]["id"] = "search".into(), "another `id`"),
        (|a| a["results"][0]["resource"]["kind"] = "album".into(), "another `kind`"),
        (|a| a["results"][0]["resource"]["scope"] = "acme".into(), "another `scope`"),
        (|a| a["results"][0]["resource"]["policyVersion"] = "v2".into(), "another `policyVersion`"),
        (|a| a["results"][0]["resource"] = Value::Null, "the resource is not an object"),
        (
            |a| a["results"][0]["actions"] = json!({"invoke": "EFFECT_ALLOW"}),
            "nothing was said about `invoke:auto`",
        ),
        (
            |a| a["results"][0]["actions"] = json!({"invoke:auto": "EFFECT_DENY"}),
            "nothing was said about `invoke`",
        ),
        (|a| a["results"][0]["actions"]["invoke"] = "EFFECT_UNSPECIFIED".into(), "`EFFECT_UNSPECIFIED`"),
        (|a| a["results"][0]["actions"]["invoke"] = "EFFECT_NO_MATCH".into(), "`EFFECT_NO_MATCH`"),
        (|a| a["results"][0]["actions"]["invoke"] = 1.into(), "is not text"),
        (|a| a["results"][0]["actions"]["delete"] = "EFFECT_ALLOW".into(), "`delete`, which was not asked"),
        (|a| drop(a["results"][0].as_object_mut().unwrap().remove("meta")), "`meta` is missing"),
        (|a| a["results"][0]["meta"]["actions"]["invoke"] = Value::Null, "the `meta` of `invoke`"),
        (|a| a["results"][0]["validationErrors"] = json!([{"path": "/x"}]), "a schema"),
        (|a| a["results"][0]["meta"]["effectiveDerivedRoles"] = json!([1]), "a derived role"),
    ];
    for (change, part) in cases {
        let error = changed(change).await.unwrap_err();
        assert!(matches!(error, EngineError::Malformed(_)), "{part}: {error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    for body in ["", "null", "[]", "{", "<html></html>", "{}{}", "\u{feff}{}"] {
        let error = answered(move |_| http("200 OK", body)).await.unwrap_err();
        assert!(matches!(error, EngineError::Malformed(_)), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn an_output_that_failed_over_there_is_an_error_without_its_words() {
    let error = changed(|answer| {
        let output = &mut answer["results"][0]["outputs"][0];
        output["error"] = "no such key: p-7".into();
    })
    .await
    .unwrap_err();
    assert!(matches!(error, EngineError::Evaluation(_)), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("#health-record-with-approval") && !said.contains("p-7"), "{said}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_200_is_an_error_and_is_asked_once() {
    for status in [
        "500 Internal Server Error",
        "503 Service Unavailable",
        "400 Bad Request",
        "404 Not Found",
        "429 Too Many",
        "201 Created",
        "204 No Content",
        "206 Partial Content",
    ] {
        let said = words(answered(move |question| http(status, &honest(question).to_string())).await);
        assert!(said.contains(&status[..3]) && said.contains("expected 200"), "{said}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, arrived) = serve(|question| Some(http("200 OK", &honest(question).to_string())));
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let said = words(
            answered(move |_| {
                format!(
                    "HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:{elsewhere}/api/check/resources\r\n\
                     content-length: 0\r\n\r\n"
                )
                .into_bytes()
            })
            .await,
        );
        assert!(said.contains("a redirect, which is not followed"), "{said}");
    }
    assert!(arrived.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read() {
    let padded = |bytes: usize| {
        move |question: &Value| {
            let answer = honest(question).to_string();
            let spaces = bytes - answer.len();
            http("200 OK", &format!("{answer}{}", " ".repeat(spaces)))
        }
    };
    assert!(answered(padded(LIMIT)).await.is_ok());
    assert!(words(answered(padded(LIMIT + 1)).await).contains("more than 4096 bytes"));
    // Without a length, for as long as somebody reads.
    let endless = |_: &Value| {
        [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".as_slice(), &[b' '; 1 << 20]].concat()
    };
    assert!(words(answered(endless).await).contains("more than 4096 bytes"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let error = answered(|question| {
        let mut bytes = http("200 OK", &honest(question).to_string());
        bytes.truncate(bytes.len() - 1);
        bytes
    });
    assert!(matches!(error.await.unwrap_err(), EngineError::Unreachable(_)));
    let error = answered(|_| b"SSH-2.0-OpenSSH_9.6\r\n".to_vec());
    assert!(matches!(error.await.unwrap_err(), EngineError::Unreachable(_)));
}

/// The clock of the test stands, and jumps where nothing else is left to wait for.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_is_out_of_time() {
    let (port, _) = serve(|_| None);
    assert_eq!(decide(&engine(port)).await, Err(EngineError::TimedOut { limit_ms: 60_000 }));
}

/// Not the answer has to begin in time, but to end.
#[tokio::test(start_paused = true)]
async fn a_server_that_begins_to_answer_and_does_not_end_is_out_of_time() {
    for begin in [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let (port, _) = server::serve_some(|_| (begin.as_bytes().to_vec(), server::Then::Silence));
        assert_eq!(decide(&engine(port)).await, Err(EngineError::TimedOut { limit_ms: 60_000 }), "{begin}");
    }
}

#[tokio::test]
async fn what_is_not_said_to_be_json_is_not_read() {
    let with = |head: &'static str| {
        answered(move |question| {
            let body = honest(question).to_string();
            format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        })
    };
    for head in ["content-type: application/json\r\n", "Content-Type: Application/JSON; charset=utf-8\r\n"] {
        assert!(with(head).await.is_ok(), "{head}");
    }
    for head in [
        "",
        "content-type: text/html\r\n",
        "content-type: application/jsonp\r\n",
        "content-type: text/html\r\ncontent-type: application/json\r\n",
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
    ] {
        let error = with(head).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Malformed(why) if why.contains("content-type")),
            "{head}: {error:?}"
        );
    }
}

/// Which of the two would count is the reader's choice, and the server could have meant the other.
#[tokio::test]
async fn an_answer_that_says_something_twice_is_none() {
    let allow = r#""invoke":"EFFECT_ALLOW""#;
    for (part, twice) in [
        (allow, r#""invoke":"EFFECT_DENY","invoke":"EFFECT_ALLOW""#),
        (allow, r#""invoke":"EFFECT_DENY","\u0069nvoke":"EFFECT_ALLOW""#),
        (r#""results":"#, r#""results":[],"results":"#),
    ] {
        let said = words(
            answered(move |question| http("200 OK", &honest(question).to_string().replacen(part, twice, 1)))
                .await,
        );
        assert!(said.contains("twice") && !said.contains("EFFECT"), "{twice}: {said}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(matches!(decide(&engine(port)).await, Err(EngineError::Unreachable(_))));
}

/// What the pinned policies cannot decide is an error before anything is sent.
#[tokio::test]
async fn what_fails_here_is_not_asked_there() {
    let (port, arrived) = serve(|question| Some(http("200 OK", &honest(question).to_string())));
    let pinned = Cerbos::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guide/payment")).unwrap();
    let engine = RemoteCerbos::at(format!("http://127.0.0.1:{port}"), pinned).build().unwrap();
    let roles = ["accounting".to_owned()];
    let mut asked = request(&roles, "pay_invoice");
    asked.tool = ToolFacts { classification: "confidential", art9_basis: None, effect: "once", ..asked.tool };
    let error = engine.decide(&asked).await.unwrap_err();
    assert!(matches!(error, EngineError::Evaluation(_)), "{error:?}");
    assert!(arrived.lock().unwrap().is_empty());
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let built = |url: &str| RemoteCerbos::at(url, pinned()).build();
    for url in ["http://10.0.0.1:3592", "http://pdp.example.eu", "http://localhost.example.eu"] {
        let error = built(url).unwrap_err();
        assert!(matches!(error, ConfigError::Connection(Refused::PlainHttp { .. })), "{url}: {error:?}");
    }
    for url in ["http://127.0.0.1:3592", "http://127.8.8.8", "http://[::1]", "http://localhost"] {
        assert!(built(url).is_ok(), "{url}");
    }
    let error = RemoteCerbos::at("http://localhost", pinned()).time_limit(Duration::ZERO).build();
    assert_eq!(error.unwrap_err(), ConfigError::TimeLimit);
    let error = RemoteCerbos::at("https://localhost", pinned()).roots("no certificate").build();
    assert!(matches!(error.unwrap_err(), ConfigError::Connection(Refused::Roots { .. })));
}

/// A server that speaks no TLS gets the beginning of a handshake, and no question.
#[tokio::test]
async fn https_is_never_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut begin = [0; 1];
        stream.read_exact(&mut begin).unwrap();
        drop(stream.write_all(&http("200 OK", "{}")));
        begin
    });
    let engine = RemoteCerbos::at(url, pinned()).roots(AUTHORITY).build().unwrap();
    assert!(matches!(decide(&engine).await, Err(EngineError::Unreachable(_))));
    assert_eq!(server.join().unwrap(), [0x16], "a TLS handshake");
}
