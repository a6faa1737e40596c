//! A server on loopback that answers as a test wants, in clear or over TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// What arrived at a server: head and body of each request.
pub(crate) type Arrived = Arc<Mutex<Vec<(String, Value)>>>;

/// What comes after an answer.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    /// The connection ends.
    End,
    /// Nothing, for ever.
    Silence,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// Answers each request by these bytes; `None`: never.
pub(crate) fn serve(answer: impl Fn(&Value) -> Option<Vec<u8>> + Send + 'static) -> (u16, Arrived) {
    serve_some(move |question| {
        answer(question).map_or((Vec::new(), Then::Silence), |bytes| (bytes, Then::End))
    })
}

/// Answers each request by these bytes, and then does this.
pub(crate) fn serve_some(answer: impl Fn(&Value) -> (Vec<u8>, Then) + Send + 'static) -> (u16, Arrived) {
    serve_on(None, answer)
}

/// The same over TLS. Who does not shake hands gets no answer, and nothing of theirs arrives.
pub(crate) fn serve_tls(
    config: ServerConfig,
    answer: impl Fn(&Value) -> Vec<u8> + Send + 'static,
) -> (u16, Arrived) {
    serve_on(Some(Arc::new(config)), move |question| (answer(question), Then::End))
}

fn serve_on(
    tls: Option<Arc<ServerConfig>>,
    answer: impl Fn(&Value) -> (Vec<u8>, Then) + Send + 'static,
) -> (u16, Arrived) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let arrived = Arrived::default();
    let seen = Arc::clone(&arrived);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let stream: Box<dyn Stream> = match &tls {
                None => Box::new(stream),
                Some(tls) => {
                    Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream))
                }
            };
            let mut stream = BufReader::new(stream);
            let Some((head, body)) = request(&mut stream) else { continue };
            seen.lock().unwrap().push((head, body.clone()));
            let (bytes, then) = answer(&body);
            // Who has read enough may have gone.
            drop(stream.get_mut().write_all(&bytes).and_then(|()| stream.get_mut().flush()));
            if then == Then::Silence {
                kept.push(stream);
            }
        }
    });
    (port, arrived)
}

fn request(stream: &mut impl BufRead) -> Option<(String, Value)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.to_lowercase();
    let length = length.split("content-length: ").nth(1)?.split("\r\n").next()?;
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).unwrap()))
}

pub(crate) fn http(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
