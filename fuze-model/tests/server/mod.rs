//! A server by hand, on loopback: it gives the answers it was told, counts connections and requests, and keeps what came in.
//! Everything is bounded: the size of a request, the time that a connection may take.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const REQUEST_LIMIT_BYTES: usize = 1 << 20;
const CONNECTION_LIMIT: Duration = Duration::from_secs(20);

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with JSON and keeps the connection open for more.
    Json(u16, &'static str, String),
    /// Writes these bytes and closes.
    Raw(String),
    /// Writes these bytes and keeps the connection open without another word.
    RawThenStall(String),
    /// Closes without a word.
    Drop,
    /// Says nothing until the client goes away.
    Stall,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Json(200, "", body.into())
    }

    pub(crate) fn status(status: u16, headers: &'static str) -> Self {
        Self::Json(status, headers, r#"{"error":{"message":"told so"}}"#.to_owned())
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body of JSON")
    }
}

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<Received>,
    closed_by_client: usize,
}

pub(crate) struct Server {
    port: u16,
    log: Arc<Mutex<Log>>,
    replies_left: Arc<Mutex<Vec<Reply>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(replies, None).await
    }

    pub(crate) async fn start_with(
        replies: impl IntoIterator<Item = Reply>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut replies: Vec<Reply> = replies.into_iter().collect();
        replies.reverse();
        let replies = Arc::new(Mutex::new(replies));
        let task = tokio::spawn({
            let (log, replies) = (log.clone(), replies.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    log.lock().unwrap().connections += 1;
                    let (log, replies, tls) = (log.clone(), replies.clone(), tls.clone());
                    tokio::spawn(async move {
                        let served = async {
                            match tls {
                                None => serve(stream, log, replies).await,
                                Some(tls) => {
                                    if let Ok(stream) = tls.accept(stream).await {
                                        serve(stream, log, replies).await;
                                    }
                                }
                            }
                        };
                        let _ = timeout(CONNECTION_LIMIT, served).await;
                    });
                }
            }
        });
        Self { port, log, replies_left: replies, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.log.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    pub(crate) fn replies_left(&self) -> usize {
        self.replies_left.lock().unwrap().len()
    }

    /// Waits until this many requests have come in.
    pub(crate) async fn received(&self, requests: usize) {
        timeout(CONNECTION_LIMIT, async {
            while self.log.lock().unwrap().requests.len() < requests {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("a request comes in");
    }

    /// Waits until a stalled client has gone away.
    pub(crate) async fn client_gone(&self) {
        timeout(CONNECTION_LIMIT, async {
            while self.log.lock().unwrap().closed_by_client == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the client closes its connection");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    log: Arc<Mutex<Log>>,
    replies: Arc<Mutex<Vec<Reply>>>,
) {
    while let Some(received) = read_request(&mut stream).await {
        log.lock().unwrap().requests.push(received);
        let reply = replies.lock().unwrap().pop();
        let reply = reply.unwrap_or_else(|| Reply::status(418, ""));
        match reply {
            Reply::Json(status, headers, body) => {
                let head = format!(
                    "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
                    body.len()
                );
                if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Reply::Raw(text) => {
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Drop => return,
            Reply::RawThenStall(_) | Reply::Stall => {
                if let Reply::RawThenStall(text) = reply {
                    let _ = stream.write_all(text.as_bytes()).await;
                    let _ = stream.flush().await;
                }
                let mut byte = [0];
                if !matches!(stream.read(&mut byte).await, Ok(1)) {
                    log.lock().unwrap().closed_by_client += 1;
                }
                return;
            }
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
            while bytes.len() < end + 4 + length {
                let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
                bytes.extend_from_slice(&chunk[..read]);
            }
            let body = String::from_utf8(bytes[end + 4..].to_vec()).expect("a body of text");
            return Some(Received { head, body });
        }
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        assert!(bytes.len() < REQUEST_LIMIT_BYTES, "the request is too long");
    }
}
