//! Signed notes (c2sp.org/signed-note): text, signature lines, verifier keys. Reading says what is there; whom to believe is
//! the [`crate::policy`]'s.

use std::fmt;
use std::str::FromStr;

use fuze_evidence::Signer;
use fuze_evidence::sha256;
use fuze_evidence::sign::{PublicKey, SignatureError};
#[cfg(feature = "sqlite")]
use fuze_evidence::sign::{SignError, sign_checked};

use crate::text::{excerpt, read_base64, write_base64};

/// A longer note is refused: 16 post-quantum signatures of nearly 5 kB fit twice.
pub const MAX_NOTE_BYTES: usize = 192 * 1024;

/// A note with more signatures is refused. The specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

const DASH: &str = "\u{2014} ";

/// Names a key: not empty, no Unicode space, no `+`, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it cannot be the name of a key.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        let wrong = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if text.is_empty() || text.contains(wrong) {
            return Err(NoteError::Name { found: excerpt(text) });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key signs, and how. Others exist and are ignored in notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 over the text of a note. A log's.
    Ed25519,
    /// 0x04: Ed25519 over the text of a checkpoint and a time (c2sp.org/tlog-cosignature). A witness's.
    Cosignature,
}

impl Algorithm {
    /// Its octet.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Ed25519),
            4 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

/// The four octets by which a signature line names its key. With the name they find a key; they prove nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 4]);

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that verifies, with its name and what it signs. Its text is `name+hash+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    algorithm: Algorithm,
    key: PublicKey,
    hash: KeyHash,
}

impl VerifierKey {
    /// From its parts.
    #[must_use]
    pub fn new(name: KeyName, algorithm: Algorithm, key: PublicKey) -> Self {
        let octets = [name.as_str().as_bytes(), b"\n", &[algorithm.octet()], &key.to_bytes()].concat();
        let [a, b, c, d, ..] = sha256(&octets).0;
        Self { name, algorithm, key, hash: KeyHash([a, b, c, d]) }
    }

    /// The key of `signer`, under a name.
    ///
    /// # Errors
    /// When its public key is none.
    pub fn of(name: KeyName, algorithm: Algorithm, signer: &dyn Signer) -> Result<Self, SignatureError> {
        Ok(Self::new(name, algorithm, PublicKey::from_bytes(signer.public_key())?))
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its four octets.
    #[must_use]
    pub const fn hash(&self) -> KeyHash {
        self.hash
    }

    /// Whether `signature` says that it is by this key.
    #[must_use]
    pub fn is_named_by(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.hash == self.hash
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = vec![self.algorithm.octet()];
        octets.extend_from_slice(&self.key.to_bytes());
        write!(f, "{}+{}+{}", self.name, self.hash, write_base64(&octets))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refuse = |why: &str| NoteError::VerifierKey { found: excerpt(text), why: why.to_owned() };
        // The last part may itself hold a `+`, the name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(octets)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse("expected `name+hash+base64`"));
        };
        let octets = read_base64(octets).ok_or_else(|| refuse("its last part is not base64"))?;
        let (algorithm, key) = octets.split_first().ok_or_else(|| refuse("it holds no key"))?;
        let algorithm = Algorithm::from_octet(*algorithm).ok_or_else(|| {
            refuse("its algorithm is not known: expected 1 (Ed25519) or 4 (Ed25519 cosignature)")
        })?;
        let key: [u8; 32] = key.try_into().map_err(|_| refuse("expected a key of 32 octets"))?;
        let key = PublicKey::from_bytes(key).map_err(|error| refuse(&error.to_string()))?;
        let read = Self::new(KeyName::new(name)?, algorithm, key);
        if read.hash.to_string() == hash {
            Ok(read)
        } else {
            Err(refuse(&format!("expected the hash {}, found `{}`", read.hash, excerpt(hash))))
        }
    }
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    hash: KeyHash,
    octets: Vec<u8>,
}

impl NoteSignature {
    pub(crate) fn by(key: &VerifierKey, octets: Vec<u8>) -> Self {
        Self { name: key.name.clone(), hash: key.hash, octets }
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's four octets.
    #[must_use]
    pub const fn hash(&self) -> KeyHash {
        self.hash
    }

    /// What the algorithm made.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(line: &str) -> Result<Self, NoteError> {
        let refuse = || NoteError::SignatureLine { found: excerpt(line) };
        let (name, octets) =
            line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or_else(refuse)?;
        let octets = read_base64(octets).ok_or_else(refuse)?;
        let (hash, octets) = octets.split_first_chunk::<4>().ok_or_else(refuse)?;
        if octets.is_empty() {
            return Err(refuse());
        }
        Ok(Self { name: KeyName::new(name)?, hash: KeyHash(*hash), octets: octets.to_vec() })
    }
}

/// The line, without its line feed.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = [&self.hash.0[..], &self.octets].concat();
        write!(f, "{DASH}{} {}", self.name, write_base64(&octets))
    }
}

/// A note: text and signature lines, none of them verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    pub(crate) const fn unsigned(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When it is not in its form, or longer than this reader allows.
    pub fn read(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Encoding)?;
        if text.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Encoding);
        }
        // The last empty line divides; the text keeps its own line feed.
        let (text, lines) = text.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::LastLine)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::read(line)?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text that is signed, its last line feed included. Ignore it unless a policy accepted the note.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line, in place of an earlier one by the same key.
    ///
    /// # Errors
    /// When there are already as many as a note may have.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        self.signatures.retain(|s| (&s.name, s.hash) != (&signature.name, signature.hash));
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }
}

/// The note's octets.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// Signs the text of a note with a log's key (algorithm 1).
///
/// # Errors
/// When the signer fails.
#[cfg(feature = "sqlite")]
pub(crate) fn sign_text(
    text: &str,
    key: &VerifierKey,
    signer: &dyn Signer,
) -> Result<NoteSignature, SignError> {
    sign_checked(text.as_bytes(), signer).map(|signature| NoteSignature::by(key, signature.to_vec()))
}

/// Verifies a signature of algorithm 1.
///
/// # Errors
/// When it does not hold.
pub(crate) fn verify_text(
    text: &str,
    signature: &NoteSignature,
    key: &VerifierKey,
) -> Result<(), SignatureError> {
    let octets = signature.octets.as_slice().try_into().map_err(|_| SignatureError::Signature)?;
    key.key.verify(text.as_bytes(), octets)
}

/// Why octets are no note, or text no key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// Too many octets.
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// Not UTF-8, or with control characters.
    Encoding,
    /// No empty line, so nothing is signed.
    NoSignatures,
    /// The last line does not end in a line feed.
    LastLine,
    /// More signature lines than this reader allows.
    TooManySignatures,
    /// Not the name of a key.
    Name {
        /// Its beginning.
        found: String,
    },
    /// Not a signature line.
    SignatureLine {
        /// Its beginning.
        found: String,
    },
    /// Not a verifier key.
    VerifierKey {
        /// Its beginning.
        found: String,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { found } => {
                write!(f, "the note has {found} octets, at most {MAX_NOTE_BYTES} are allowed")
            }
            Self::Encoding => f.write_str("the note is not UTF-8 without control characters"),
            Self::NoSignatures => f.write_str("the note has no empty line, so nothing in it is signed"),
            Self::LastLine => f.write_str("the note does not end in a line feed"),
            Self::TooManySignatures => {
                write!(f, "the note has more than {MAX_SIGNATURES} signatures")
            }
            Self::Name { found } => {
                write!(f, "`{found}` is no name of a key: not empty, without spaces, `+` and controls")
            }
            Self::SignatureLine { found } => {
                write!(f, "expected a signature line `\u{2014} name base64`, found `{found}`")
            }
            Self::VerifierKey { found, why } => write!(f, "`{found}` is no verifier key: {why}"),
        }
    }
}

impl std::error::Error for NoteError {}
