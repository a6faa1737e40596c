//! A witness on the network: a fixed number of threads, one request a connection, a bound on each one's size and time.

use std::fmt;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::keeper::{Refusal, Witness};
use super::request::MAX_REQUEST_BYTES;
use crate::http::{self, HttpError, Timed, Unstated};

const TEXT: &str = "text/plain; charset=utf-8";

/// Bounds of a [`Server`].
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    threads: usize,
    patience: Duration,
    head_patience: Duration,
}

impl ServerOptions {
    /// 32 threads; two seconds for the head of a request, and then ten for the rest.
    #[must_use]
    pub const fn new() -> Self {
        Self { threads: 32, patience: Duration::from_secs(10), head_patience: Duration::from_secs(2) }
    }

    /// How many requests are answered at once; at least 1, at most 64. Connections on which nothing comes count, too.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.clamp(1, 64);
        self
    }

    /// How long a request may take to say what it wants: whoever connects and says nothing keeps others waiting no longer than this.
    #[must_use]
    pub const fn head_patience(mut self, patience: Duration) -> Self {
        self.head_patience = patience;
        self
    }

    /// How long a request may take then, from the end of its head to the last octet of the answer.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A witness that answers on a socket: `POST /add-checkpoint`, `GET /<origin hash>/checkpoint`. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Begins to answer.
    ///
    /// # Errors
    /// When the socket or a thread cannot be had.
    pub fn start(listener: TcpListener, witness: Arc<Witness>, options: ServerOptions) -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut server =
            Self { address: listener.local_addr()?, stopped: Arc::clone(&stopped), threads: Vec::new() };
        for _ in 0..options.threads {
            let (listener, witness, stopped) =
                (listener.try_clone()?, Arc::clone(&witness), Arc::clone(&stopped));
            let name = "fuze-log-witness".to_owned();
            let thread = std::thread::Builder::new()
                .name(name)
                .spawn(move || accept(&listener, &witness, &stopped, options))?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it is stopped from elsewhere, for a program that does nothing else.
    pub fn wait(mut self) {
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        // Each thread sees one connection, and then that it is to stop. Where none can be made nothing listens any more.
        for _ in &self.threads {
            drop(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
        }
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, witness: &Witness, stopped: &AtomicBool, options: ServerOptions) {
    loop {
        let accepted = listener.accept();
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            // Whoever asks sees that there is no answer; the witness has signed nothing that it does not remember.
            Ok((stream, _)) => {
                drop(answer(Timed::new(stream, options.head_patience), witness, options.patience));
            }
            // Out of file descriptors, most likely: the next attempt would spin.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

struct Reply {
    status: u16,
    content_type: &'static str,
    body: String,
}

fn answer(mut stream: Timed, witness: &Witness, patience: Duration) -> io::Result<()> {
    let headed = |stream: &mut Timed| stream.grant(patience);
    let reply = match http::read_with(&mut stream, MAX_REQUEST_BYTES, Unstated::Nothing, headed) {
        Ok(request) => route(&request.start, &request.body, witness),
        Err(HttpError::Io(error)) => return Err(error),
        Err(error @ HttpError::TooLong { .. }) => text(413, &error),
        Err(error @ HttpError::Form(_)) => text(400, &error),
    };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reason(reply.status),
        reply.content_type,
        reply.body.len()
    );
    stream.write_all(&[head.as_bytes(), reply.body.as_bytes()].concat())?;
    stream.flush()
}

fn route(start: &str, body: &[u8], witness: &Witness) -> Reply {
    let mut words = start.split(' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (method, path, version, words.next())
    else {
        return text(400, &"expected a request line of HTTP/1.1");
    };
    let monitored = path.strip_prefix('/').and_then(|rest| rest.strip_suffix("/checkpoint"));
    let answered = match (method, path, monitored) {
        ("POST", "/add-checkpoint", _) => witness.add_checkpoint(body).map(|line| format!("{line}\n")),
        ("GET", _, Some(origin_hash)) => witness.checkpoint(origin_hash).map(|note| note.to_string()),
        (_, "/add-checkpoint", _) | (_, _, Some(_)) => return text(405, &"no such method here"),
        _ => return text(404, &"nothing here"),
    };
    match answered {
        Ok(body) => Reply { status: 200, content_type: TEXT, body },
        Err(Refusal::Conflict { size }) => {
            Reply { status: 409, content_type: "text/x.tlog.size", body: format!("{size}\n") }
        }
        Err(refusal) => text(refusal.status(), &refusal),
    }
}

fn text(status: u16, why: &dyn fmt::Display) -> Reply {
    Reply { status, content_type: TEXT, body: format!("{why}\n") }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        _ => "Internal Server Error",
    }
}
