//! Timestamped Ed25519 cosignatures of checkpoints (c2sp.org/tlog-cosignature, type 0x04): what a witness says.

use fuze_evidence::Signer;
use fuze_evidence::sign::{SignError, SignatureError, sign_checked};

use crate::note::{NoteSignature, VerifierKey};

/// The first line of what is signed. No origin may be this.
pub const HEADER: &str = "cosignature/v1";

/// The largest time: 2^63−1 seconds.
const MAX_TIME_S: u64 = (1 << 63) - 1;

fn message(checkpoint: &str, time_s: u64) -> String {
    format!("{HEADER}\ntime {time_s}\n{checkpoint}")
}

/// Cosigns the text of a checkpoint. Whoever calls has checked that the log only grew.
///
/// # Errors
/// When the signer fails.
pub(crate) fn cosign(
    checkpoint: &str,
    time_s: u64,
    key: &VerifierKey,
    signer: &dyn Signer,
) -> Result<NoteSignature, SignError> {
    let signature = sign_checked(message(checkpoint, time_s).as_bytes(), signer)?;
    Ok(NoteSignature::by(key, [&time_s.to_be_bytes()[..], &signature].concat()))
}

/// Verifies a cosignature and says when it was made, in seconds since 1970.
///
/// # Errors
/// When it does not hold for this text, or its time is 0 or beyond 2^63−1.
pub fn verify(checkpoint: &str, signature: &NoteSignature, key: &VerifierKey) -> Result<u64, SignatureError> {
    let refuse = SignatureError::Signature;
    let (time, octets) = signature.octets().split_first_chunk::<8>().ok_or_else(|| refuse.clone())?;
    let octets: &[u8; 64] = octets.try_into().map_err(|_| refuse.clone())?;
    let time_s = u64::from_be_bytes(*time);
    if time_s == 0 || time_s > MAX_TIME_S {
        return Err(refuse);
    }
    key.key().verify(message(checkpoint, time_s).as_bytes(), octets)?;
    Ok(time_s)
}
