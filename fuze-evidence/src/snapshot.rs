//! A suspended run's state, encrypted and bound to run, sequence and epoch. Knows nothing of what is inside.

use std::fmt;

use zeroize::Zeroizing;

use crate::crypto::{self, NONCE_BYTES};
use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::keys::RunKeys;
use crate::random::{Random, RandomError};

/// An encrypted snapshot and what the record says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSnapshot {
    /// Nonce, cipher text, tag.
    pub ciphertext: Vec<u8>,
    /// SHA-256 of `ciphertext`: `fuze.oversight.snapshot_hash`.
    pub hash: Hash,
}

/// Why a snapshot was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The source of randomness failed.
    Random(RandomError),
    /// Not the octets that the record names.
    Hash,
    /// It does not decrypt: changed, or of another run, sequence or epoch.
    Refused,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => error.fmt(f),
            Self::Hash => f.write_str("the snapshot is not the one that its record names"),
            Self::Refused => {
                f.write_str("the snapshot does not open: changed, or of another run, sequence or epoch")
            }
        }
    }
}

impl std::error::Error for SnapshotError {}

fn aad(keys: &RunKeys, sequence: u64, epoch: u64) -> Result<Vec<u8>, SnapshotError> {
    jcs::to_vec(&("fuze/snapshot/v1", keys.run_id(), sequence, epoch)).map_err(|_| SnapshotError::Refused)
}

/// Encrypts `plain` for the run of `keys`; `sequence` is that of the record before `oversight.suspend`.
///
/// # Errors
/// When randomness fails, or a counter is beyond 2^53−1.
pub fn seal_snapshot(
    plain: &[u8],
    keys: &RunKeys,
    sequence: u64,
    epoch: u64,
    random: &mut dyn Random,
) -> Result<SealedSnapshot, SnapshotError> {
    let mut nonce = [0u8; NONCE_BYTES];
    random.fill(&mut nonce).map_err(SnapshotError::Random)?;
    let sealed =
        crypto::seal(keys.snapshot(), &nonce, &aad(keys, sequence, epoch)?, Zeroizing::new(plain.to_vec()))
            .map_err(|_| SnapshotError::Refused)?;
    let mut ciphertext = nonce.to_vec();
    ciphertext.extend_from_slice(&sealed);
    let hash = sha256(&ciphertext);
    Ok(SealedSnapshot { ciphertext, hash })
}

/// The reverse of [`seal_snapshot`]; `hash` is what the record says.
///
/// # Errors
/// When it is not the snapshot of that record, run, sequence and epoch.
pub fn open_snapshot(
    ciphertext: &[u8],
    hash: Hash,
    keys: &RunKeys,
    sequence: u64,
    epoch: u64,
) -> Result<Zeroizing<Vec<u8>>, SnapshotError> {
    if sha256(ciphertext) != hash {
        return Err(SnapshotError::Hash);
    }
    let (nonce, sealed) = ciphertext.split_first_chunk::<NONCE_BYTES>().ok_or(SnapshotError::Refused)?;
    crypto::open(keys.snapshot(), nonce, &aad(keys, sequence, epoch)?, sealed)
        .map_err(|_| SnapshotError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;
    use crate::record::RunId;
    use crate::time::Timestamp;

    fn keys() -> RunKeys {
        let mut random = OsRandom::new();
        let at = Timestamp::from_nanos(1).unwrap();
        RunKeys::generate(RunId::generate(at, &mut random).unwrap(), None, &mut random).unwrap()
    }

    #[test]
    fn a_snapshot_opens_for_its_run_sequence_and_epoch_only() {
        let (own, other) = (keys(), keys());
        let sealed = seal_snapshot(b"state", &own, 7, 2, &mut OsRandom::new()).unwrap();
        let open = |cipher: &[u8], keys, sequence, epoch| {
            open_snapshot(cipher, sha256(cipher), keys, sequence, epoch)
        };
        assert_eq!(open(&sealed.ciphertext, &own, 7, 2).unwrap().as_slice(), b"state");
        assert_eq!(open(&sealed.ciphertext, &other, 7, 2), Err(SnapshotError::Refused));
        assert_eq!(open(&sealed.ciphertext, &own, 8, 2), Err(SnapshotError::Refused));
        assert_eq!(open(&sealed.ciphertext, &own, 7, 3), Err(SnapshotError::Refused));
        assert_eq!(open(&[], &own, 7, 2), Err(SnapshotError::Refused));
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut changed = sealed.ciphertext.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&changed, &own, 7, 2), Err(SnapshotError::Refused));
            assert_eq!(open_snapshot(&changed, sealed.hash, &own, 7, 2), Err(SnapshotError::Hash));
        }
    }
}
