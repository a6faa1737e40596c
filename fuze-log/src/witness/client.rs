//! A log's side: brings a witness up to the newest checkpoint and takes its cosignature.

use std::fmt;
use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::request::AddCheckpoint;
use crate::checkpoint::Checkpoint;
use crate::cosignature;
use crate::http::{self, Timed, Unstated};
use crate::merkle::MAX_TREE_SIZE;
use crate::note::{Algorithm, Note, NoteSignature, VerifierKey};
use crate::reader::{LogReader, ReaderError};
use crate::text::{excerpt, read_decimal};

/// An answer with more than this is refused.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The value of `Content-Type`, empty when there is none.
    pub content_type: String,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
}

/// The request did not get there, or the answer not back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError(pub String);

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TransportError {}

/// The way to a witness. For TLS bring one of your own; nothing that comes back over it is trusted without a signature.
pub trait WitnessTransport: Send + Sync {
    /// Posts `body` to `<submission prefix>/add-checkpoint`, within a time of its own.
    ///
    /// # Errors
    /// When no answer came.
    fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, TransportError>;
}

/// Plain HTTP, one connection a request: for a loopback address, a private network, or a proxy that speaks TLS.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    authority: String,
    path: String,
    patience: Duration,
}

impl HttpTransport {
    /// To the submission prefix `http://host:port/path`; ten seconds to connect and ten for the exchange.
    ///
    /// # Errors
    /// When it is not such a URL; `https` is not spoken here.
    pub fn new(prefix: &str) -> Result<Self, TransportError> {
        let refuse = |why: &str| TransportError(format!("`{}`: {why}", excerpt(prefix)));
        if prefix.starts_with("https:") {
            return Err(refuse("TLS is not spoken here; bring a `WitnessTransport`, or a proxy"));
        }
        let rest =
            prefix.strip_prefix("http://").ok_or_else(|| refuse("expected `http://host:port/path`"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let graphic = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if authority.is_empty() || !graphic(rest) || rest.contains(['@', '?', '#']) {
            return Err(refuse("expected `http://host:port/path`"));
        }
        let port =
            if authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']')) { "" } else { ":80" };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { authority: format!("{authority}{port}"), path, patience: Duration::from_secs(10) })
    }

    /// The same with another bound on either.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn connect(&self) -> Result<TcpStream, TransportError> {
        let error = |error: std::io::Error| TransportError(format!("`{}`: {error}", self.authority));
        let mut last = TransportError(format!("`{}` has no address", self.authority));
        for address in self.authority.to_socket_addrs().map_err(error)? {
            match TcpStream::connect_timeout(&address, self.patience) {
                Ok(stream) => return Ok(stream),
                Err(failed) => last = error(failed),
            }
        }
        Err(last)
    }
}

impl WitnessTransport for HttpTransport {
    fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, TransportError> {
        let error = |error: &dyn fmt::Display| TransportError(format!("`{}`: {error}", self.authority));
        let mut stream = Timed::new(self.connect()?, self.patience);
        let head = format!(
            "POST {}/add-checkpoint HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.authority,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).map_err(|e| error(&e))?;
        let answer = http::read(&mut stream, MAX_ANSWER_BYTES, Unstated::ToTheEnd).map_err(|e| error(&e))?;
        let mut words = answer.start.split(' ');
        let spoken = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let status = words.next().and_then(|status| read_decimal(status, 999)).filter(|_| spoken);
        let status = status.and_then(|status| u16::try_from(status).ok());
        Ok(Answer {
            status: status.ok_or_else(|| error(&"the answer is not HTTP/1.1"))?,
            content_type: answer.header("content-type").unwrap_or("").to_owned(),
            body: answer.body,
        })
    }
}

/// A witness as a log sees it: the key that it must answer with, and the way there.
pub struct WitnessClient {
    key: VerifierKey,
    transport: Box<dyn WitnessTransport>,
}

impl fmt::Debug for WitnessClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessClient({})", self.key)
    }
}

impl WitnessClient {
    /// The witness with this key, over this way.
    ///
    /// # Errors
    /// When the key is not of the algorithm for cosignatures.
    pub fn new(key: VerifierKey, transport: impl WitnessTransport + 'static) -> Result<Self, WitnessError> {
        if key.algorithm() != Algorithm::Cosignature {
            return Err(WitnessError::Key { found: key.to_string() });
        }
        Ok(Self { key, transport: Box::new(transport) })
    }

    /// The witness's key.
    #[must_use]
    pub const fn vkey(&self) -> &VerifierKey {
        &self.key
    }

    /// Asks for a cosignature of `checkpoint`, with the proofs that `log` gives, and verifies it. The witness says what it has
    /// seen; if it sees something else between, that is tried once more.
    ///
    /// # Errors
    /// When it refuses. [`WitnessError::Ahead`] and a refusal with status 409 or 422 mean that the log was rolled back or forked.
    pub fn cosign(&self, checkpoint: &Note, log: &LogReader) -> Result<NoteSignature, WitnessError> {
        let size = Checkpoint::read(checkpoint.text()).map_err(ReaderError::Checkpoint)?.size();
        let mut old = 0;
        for _ in 0..3 {
            let proof = log.consistency_hashes(old, size)?;
            let request = AddCheckpoint { old, proof, checkpoint: checkpoint.clone() };
            let answer = self
                .transport
                .add_checkpoint(request.to_string().as_bytes())
                .map_err(WitnessError::Transport)?;
            match answer.status {
                200 => return self.take(checkpoint, &answer.body),
                // It has this very size already, and so another tree.
                409 if seen(&answer)? == old && old == size => return Err(refused(&answer)),
                409 => old = seen(&answer)?,
                _ => return Err(refused(&answer)),
            }
            if old > size {
                return Err(WitnessError::Ahead { witness: old, log: size });
            }
        }
        Err(WitnessError::Unsteady { size: old })
    }

    /// The line by this witness's key; others are ignored.
    fn take(&self, checkpoint: &Note, body: &[u8]) -> Result<NoteSignature, WitnessError> {
        let text = std::str::from_utf8(body).map_err(|_| WitnessError::Answer("it is not UTF-8".into()))?;
        for line in text.split_terminator('\n') {
            let line = NoteSignature::read(line).map_err(|error| WitnessError::Answer(error.to_string()))?;
            if self.key.is_named_by(&line) {
                cosignature::verify(checkpoint.text(), &line, &self.key)
                    .map_err(|error| WitnessError::Answer(error.to_string()))?;
                return Ok(line);
            }
        }
        Err(WitnessError::Answer(format!("it has no signature by `{}`", self.key)))
    }
}

fn seen(answer: &Answer) -> Result<u64, WitnessError> {
    let size = std::str::from_utf8(&answer.body).ok().and_then(|text| text.strip_suffix('\n'));
    let size = size.and_then(|size| read_decimal(size, MAX_TREE_SIZE));
    size.filter(|_| answer.content_type == "text/x.tlog.size").ok_or_else(|| refused(answer))
}

fn refused(answer: &Answer) -> WitnessError {
    WitnessError::Refused {
        status: answer.status,
        why: excerpt(String::from_utf8_lossy(&answer.body).trim_end()),
    }
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessError {
    /// A key that is no witness's.
    Key {
        /// Which.
        found: String,
    },
    /// No answer.
    Transport(TransportError),
    /// It refuses.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words, shortened.
        why: String,
    },
    /// It has seen a larger tree than the log has now: the log was rolled back.
    Ahead {
        /// What it has seen.
        witness: u64,
        /// What the log has.
        log: u64,
    },
    /// It saw something else each time.
    Unsteady {
        /// What it saw last.
        size: u64,
    },
    /// Its answer is not a cosignature by its key.
    Answer(String),
    /// The log's files do not give a proof.
    Log(Box<ReaderError>),
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { found } => write!(f, "`{found}` is no witness's key: expected type 4"),
            Self::Transport(error) => write!(f, "no answer: {error}"),
            Self::Refused { status, why } => write!(f, "refused with status {status}: {why}"),
            Self::Ahead { witness, log } => write!(
                f,
                "the witness has seen {witness} leaves and the log has {log}: the log was rolled back"
            ),
            Self::Unsteady { size } => write!(f, "the witness saw another size each time, last {size}"),
            Self::Answer(why) => write!(f, "the answer is no cosignature: {why}"),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WitnessError {}

impl From<ReaderError> for WitnessError {
    fn from(error: ReaderError) -> Self {
        Self::Log(Box::new(error))
    }
}
