//! Whom to believe: one log's key, the witnesses' keys, and how many witnesses it takes. Given from outside; nothing in a
//! note, a proof or a bundle can add to it.

use std::fmt;
use std::str::FromStr;

use fuze_evidence::sign::SignatureError;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature;
use crate::note::{Algorithm, KeyHash, KeyName, Note, NoteError, NoteSignature, VerifierKey, verify_text};

/// More witnesses than a note may have signatures make no sense.
pub const MAX_WITNESSES: usize = 64;

/// A trusted log and the witnesses that must have seen its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
    threshold: usize,
}

impl Policy {
    /// The log with this key, and at least `threshold` of the witnesses with these. Its origin is the key's name.
    ///
    /// With a threshold of 0 a log may show different people different trees, and whoever holds its key can rewrite it.
    ///
    /// # Errors
    /// When a key is of the wrong algorithm, one public key is there twice, or the threshold cannot be met.
    pub fn new(log: VerifierKey, witnesses: Vec<VerifierKey>, threshold: usize) -> Result<Self, PolicyError> {
        expect_algorithm(&log, Algorithm::Ed25519)?;
        if witnesses.len() > MAX_WITNESSES {
            return Err(PolicyError::TooManyWitnesses { found: witnesses.len() });
        }
        let mut seen = vec![log.key().to_bytes()];
        for witness in &witnesses {
            expect_algorithm(witness, Algorithm::Cosignature)?;
            let key = witness.key().to_bytes();
            if seen.contains(&key) {
                return Err(PolicyError::Twice { name: witness.name().clone() });
            }
            seen.push(key);
        }
        if threshold > witnesses.len() {
            return Err(PolicyError::Threshold { threshold, witnesses: witnesses.len() });
        }
        Ok(Self { log, witnesses, threshold })
    }

    /// The same from the keys' texts, `name+hash+base64`.
    ///
    /// # Errors
    /// As [`Policy::new`], or when a text is no key.
    pub fn from_vkeys<'a>(
        log: &str,
        witnesses: impl IntoIterator<Item = &'a str>,
        threshold: usize,
    ) -> Result<Self, PolicyError> {
        let read = |text: &str| VerifierKey::from_str(text).map_err(PolicyError::Note);
        let witnesses = witnesses.into_iter().map(read).collect::<Result<_, _>>()?;
        Self::new(read(log)?, witnesses, threshold)
    }

    /// The log's key.
    #[must_use]
    pub const fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// The origin that checkpoints must have.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.log.name().as_str()
    }

    /// The witnesses' keys.
    #[must_use]
    pub fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// How many of them it takes.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Verifies a checkpoint as octets.
    ///
    /// # Errors
    /// As [`Policy::verify`], or when it is no note.
    pub fn verify_octets(&self, note: &[u8]) -> Result<VerifiedCheckpoint, PolicyError> {
        self.verify(Note::read(note).map_err(PolicyError::Note)?)
    }

    /// Verifies a checkpoint: signed by the log, of its origin, without extension lines, cosigned by enough witnesses. Signatures of
    /// unknown keys are ignored; one of a known key that does not hold refuses the whole, as the specification advises.
    ///
    /// # Errors
    /// When any of this is not so.
    pub fn verify(&self, note: Note) -> Result<VerifiedCheckpoint, PolicyError> {
        let verified = self.verify_extended(note)?;
        match verified.checkpoint.extensions() {
            "" => Ok(verified),
            _ => Err(PolicyError::Extensions),
        }
    }

    /// The same of any log's checkpoint: a witness cosigns extension lines with the rest, and says nothing about them.
    pub(crate) fn verify_extended(&self, note: Note) -> Result<VerifiedCheckpoint, PolicyError> {
        if !self.is_signed_by_log(&note)? {
            return Err(PolicyError::LogSignature {
                expected: self.log.to_string(),
                found: note.signatures().iter().map(name_of).collect(),
            });
        }
        let cosigned = self.cosigned(&note)?;
        if cosigned.len() < self.threshold {
            return Err(PolicyError::Witnesses {
                expected: self.threshold,
                found: cosigned.into_iter().map(|by| by.witness.to_string()).collect(),
            });
        }
        let checkpoint = Checkpoint::read(note.text()).map_err(PolicyError::Checkpoint)?;
        if checkpoint.origin() != self.origin() {
            return Err(PolicyError::Origin {
                expected: self.origin().to_owned(),
                found: checkpoint.origin().to_owned(),
            });
        }
        if !checkpoint.is_possible() {
            return Err(PolicyError::EmptyRoot);
        }
        Ok(VerifiedCheckpoint { checkpoint, cosigned, note })
    }

    fn is_signed_by_log(&self, note: &Note) -> Result<bool, PolicyError> {
        let mut signed = false;
        for signature in note.signatures().iter().filter(|s| self.log.is_named_by(s)) {
            verify_text(note.text(), signature, &self.log)
                .map_err(|error| PolicyError::Signature { by: name_of(signature), error })?;
            signed = true;
        }
        Ok(signed)
    }

    /// Each witness once, with its latest time.
    fn cosigned(&self, note: &Note) -> Result<Vec<Cosigned>, PolicyError> {
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            let mut latest = None;
            for signature in note.signatures().iter().filter(|s| witness.is_named_by(s)) {
                let time_s = cosignature::verify(note.text(), signature, witness)
                    .map_err(|error| PolicyError::Signature { by: name_of(signature), error })?;
                latest = latest.max(Some(time_s));
            }
            if let Some(time_s) = latest {
                cosigned.push(Cosigned { witness: witness.name().clone(), hash: witness.hash(), time_s });
            }
        }
        Ok(cosigned)
    }
}

fn name_of(signature: &NoteSignature) -> String {
    format!("{}+{}", signature.name(), signature.hash())
}

fn expect_algorithm(key: &VerifierKey, expected: Algorithm) -> Result<(), PolicyError> {
    if key.algorithm() == expected {
        Ok(())
    } else {
        Err(PolicyError::Algorithm { name: key.name().clone(), expected, found: key.algorithm() })
    }
}

/// That a witness has seen this tree and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its name.
    pub witness: KeyName,
    /// Its key's four octets.
    pub hash: KeyHash,
    /// When, in seconds since 1970, by its clock.
    pub time_s: u64,
}

/// A checkpoint that a [`Policy`] accepted. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    cosigned: Vec<Cosigned>,
    note: Note,
}

impl VerifiedCheckpoint {
    /// What it says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The policy's witnesses that cosigned it; perhaps more than it takes.
    #[must_use]
    pub fn cosigned(&self) -> &[Cosigned] {
        &self.cosigned
    }

    /// The note, with signatures of unknown keys too.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }
}

/// Why a policy is none, or does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// A key of the wrong algorithm.
    Algorithm {
        /// Whose.
        name: KeyName,
        /// What it must be.
        expected: Algorithm,
        /// What it is.
        found: Algorithm,
    },
    /// One public key in two places: it would count twice.
    Twice {
        /// Whose.
        name: KeyName,
    },
    /// More than [`MAX_WITNESSES`].
    TooManyWitnesses {
        /// How many there are.
        found: usize,
    },
    /// More witnesses are needed than there are.
    Threshold {
        /// How many are needed.
        threshold: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// No note, or no key.
    Note(NoteError),
    /// No checkpoint.
    Checkpoint(CheckpointError),
    /// A signature of a known key does not hold.
    Signature {
        /// The key.
        by: String,
        /// Why.
        error: SignatureError,
    },
    /// The log has not signed it.
    LogSignature {
        /// The key that must have.
        expected: String,
        /// The keys that its lines name.
        found: Vec<String>,
    },
    /// Too few witnesses have cosigned it.
    Witnesses {
        /// How many must have.
        expected: usize,
        /// The ones that have.
        found: Vec<String>,
    },
    /// A tree without leaves and with another root than the hash of nothing.
    EmptyRoot,
    /// A checkpoint with extension lines, which our logs never write.
    Extensions,
    /// Another log's.
    Origin {
        /// The one that it must be.
        expected: String,
        /// The one that it is.
        found: String,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm { name, expected, found } => write!(
                f,
                "the key of `{name}` is of type {}, expected {} (a log's is 1, a witness's is 4)",
                found.octet(),
                expected.octet()
            ),
            Self::Twice { name } => write!(f, "the public key of `{name}` is in the policy twice"),
            Self::TooManyWitnesses { found } => {
                write!(f, "the policy has {found} witnesses, at most {MAX_WITNESSES} are allowed")
            }
            Self::Threshold { threshold, witnesses } => {
                write!(f, "{threshold} witnesses are needed and the policy has {witnesses}")
            }
            Self::Note(error) => error.fmt(f),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Signature { by, error } => write!(f, "the signature by `{by}` is wrong: {error}"),
            Self::LogSignature { expected, found } => {
                write!(f, "expected a signature by `{expected}`, found those by [{}]", found.join(", "))
            }
            Self::Witnesses { expected, found } => write!(
                f,
                "expected cosignatures by {expected} witnesses of the policy, found {} [{}]",
                found.len(),
                found.join(", ")
            ),
            Self::Extensions => {
                f.write_str("a checkpoint of this log has no extension lines, and this one has")
            }
            Self::EmptyRoot => f.write_str("a tree without leaves has another root than the hash of nothing"),
            Self::Origin { expected, found } => {
                write!(f, "expected a checkpoint of the log `{expected}`, found one of `{found}`")
            }
        }
    }
}

impl std::error::Error for PolicyError {}
