//! As much HTTP/1.1 as one small request and its answer need (RFC 9112): a head, a body of stated length, then the end. No
//! chunked bodies, no TLS, no connection that is kept.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A message: its first line, its body, and what of its header lines matters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) start: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header line, named in lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Why a message was not read.
#[derive(Debug)]
pub(crate) enum HttpError {
    Io(io::Error),
    /// Not in the form, or a form that is not spoken here.
    Form(&'static str),
    /// Longer than allowed.
    TooLong {
        most: usize,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Form(why) => f.write_str(why),
            Self::TooLong { most } => write!(f, "longer than {most} octets"),
        }
    }
}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a message without a `Content-Length` has as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unstated {
    /// Nothing: a request.
    Nothing,
    /// All until the connection ends: an answer.
    ToTheEnd,
}

/// Reads one message with a body of at most `most` octets.
pub(crate) fn read(from: &mut impl Read, most: usize, unstated: Unstated) -> Result<Message, HttpError> {
    read_with(from, most, unstated, |_| {})
}

/// As [`read`]; `headed` is called when the head is there, before more of the body is waited for.
pub(crate) fn read_with<R: Read>(
    from: &mut R,
    most: usize,
    unstated: Unstated,
    headed: impl FnOnce(&mut R),
) -> Result<Message, HttpError> {
    let (head, mut body) = read_head(from)?;
    headed(from);
    let (start, headers) = parse_head(&head)?;
    let mut message = Message { start, headers, body: Vec::new() };
    if message.header("transfer-encoding").is_some() {
        return Err(HttpError::Form("a body with a transfer encoding is not read here"));
    }
    let lengths = || message.headers.iter().filter(|(name, _)| name == "content-length");
    let length = match (lengths().next(), lengths().nth(1), unstated) {
        (Some((_, length)), None, _) => {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length = length.parse::<usize>().ok().filter(|_| digits);
            length.ok_or(HttpError::Form("the Content-Length is no number"))?
        }
        (Some(_), Some(_), _) => return Err(HttpError::Form("two Content-Lengths")),
        (None, _, Unstated::Nothing) => 0,
        (None, _, Unstated::ToTheEnd) => {
            from.take(to_u64(most).saturating_add(1)).read_to_end(&mut body)?;
            body.len()
        }
    };
    if length > most {
        return Err(HttpError::TooLong { most });
    }
    let missing = length
        .checked_sub(body.len())
        .ok_or(HttpError::Form("there is more than the Content-Length says"))?;
    from.take(to_u64(missing)).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(HttpError::Form("the body is cut off"));
    }
    message.body = body;
    Ok(message)
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The head with its empty line, and what was read beyond it.
fn read_head(from: &mut impl Read) -> Result<(Vec<u8>, Vec<u8>), HttpError> {
    let mut read = Vec::new();
    let mut piece = [0u8; 1024];
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok((read, body));
        }
        if read.len() > MAX_HEAD_BYTES {
            return Err(HttpError::TooLong { most: MAX_HEAD_BYTES });
        }
        let count = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        match piece.get(..count) {
            Some(new) if !new.is_empty() => read.extend_from_slice(new),
            _ => return Err(HttpError::Form("the head is cut off")),
        }
    }
}

type Head = (String, Vec<(String, String)>);

fn parse_head(head: &[u8]) -> Result<Head, HttpError> {
    let text = std::str::from_utf8(head).map_err(|_| HttpError::Form("the head is not UTF-8"))?;
    let mut lines = text.split_terminator("\r\n");
    let start = lines.next().unwrap_or("").to_owned();
    let mut headers = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(HttpError::Form("a header line has no colon"))?;
        // RFC 9112 section 5: no space before the colon, no folded lines.
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(HttpError::Form("a header line has a space in its name"));
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((start, headers))
}

/// A connection whose reads and writes together end at a certain time, however slowly the other side feeds it.
pub(crate) struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Timed {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, end: Instant::now() + patience }
    }

    /// From now on it ends after another while.
    pub(crate) fn grant(&mut self, patience: Duration) {
        self.end = Instant::now() + patience;
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &str, unstated: Unstated) -> Result<Message, HttpError> {
        read(&mut octets.as_bytes(), 10, unstated)
    }

    #[test]
    fn a_body_is_as_long_as_it_says() {
        let message = check("POST /a HTTP/1.1\r\nContent-Length: 3\r\nX:  y \r\n\r\nabc", Unstated::Nothing);
        let message = message.unwrap();
        assert_eq!((message.start.as_str(), message.body.as_slice()), ("POST /a HTTP/1.1", &b"abc"[..]));
        assert_eq!((message.header("x"), message.header("z")), (Some("y"), None));
        assert_eq!(check("GET / HTTP/1.1\r\n\r\n", Unstated::Nothing).unwrap().body, b"");
        assert_eq!(check("HTTP/1.1 200 OK\r\n\r\nabc", Unstated::ToTheEnd).unwrap().body, b"abc");
    }

    #[test]
    fn more_patience_is_granted_when_the_head_is_there() {
        struct Counted<'o>(&'o [u8], usize);
        impl Read for Counted<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                // An octet at a time, so that what is read when is known.
                let length = out.len().min(1);
                let read = self.0.read(&mut out[..length])?;
                self.1 += read;
                Ok(read)
            }
        }
        let head = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
        let whole = format!("{head}abc");
        let mut at = None;
        let message =
            read_with(&mut Counted(whole.as_bytes(), 0), 10, Unstated::Nothing, |from| at = Some(from.1));
        assert_eq!((message.unwrap().body.as_slice(), at), (&b"abc"[..], Some(head.len())));
        let mut called = false;
        assert!(read_with(&mut &head.as_bytes()[..9], 10, Unstated::Nothing, |_| called = true).is_err());
        assert!(!called, "a head that never ends has no more time than it began with");
    }

    #[test]
    fn what_is_ambiguous_or_too_long_is_refused() {
        for wrong in [
            "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nabcdefghijk",
            "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\n folded\r\n\r\n",
            "POST / HTTP/1.1\r\n",
            "",
        ] {
            assert!(check(wrong, Unstated::Nothing).is_err(), "{wrong:?}");
        }
        assert!(matches!(
            check("HTTP/1.1 200 OK\r\n\r\nabcdefghijk", Unstated::ToTheEnd),
            Err(HttpError::TooLong { most: 10 })
        ));
        let long = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(MAX_HEAD_BYTES + 1024));
        assert!(matches!(check(&long, Unstated::Nothing), Err(HttpError::TooLong { .. })));
    }
}
