//! The few cryptographic primitives, with the types of this crate. No protocol: whoever calls says what is bound.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Octets of an extended nonce.
pub(crate) const NONCE_BYTES: usize = 24;

/// 32 secret octets, wiped when dropped, never printed.
pub type Secret = Zeroizing<[u8; 32]>;

/// HMAC-SHA256 over the parts, one after the other.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // RFC 2104 pads a short key with zeros to the block of 64 octets; doing that here leaves nothing that can fail.
    let mut block = Zeroizing::new([0u8; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Encryption or decryption failed; says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AeadFailed;

/// XChaCha20-Poly1305.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, AeadFailed> {
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    cipher.encrypt(&(*nonce).into(), Payload { msg: plain, aad }).map_err(|_| AeadFailed)
}

/// The reverse of [`seal`].
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    cipher: &[u8],
) -> Result<Zeroizing<Vec<u8>>, AeadFailed> {
    let aead = XChaCha20Poly1305::new(&(*key).into());
    aead.decrypt(&(*nonce).into(), Payload { msg: cipher, aad }).map(Zeroizing::new).map_err(|_| AeadFailed)
}

/// ChaCha20-Poly1305 with the nonce 0: for keys that encrypt once and never again.
pub(crate) fn seal_once(key: &[u8; 32], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, AeadFailed> {
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    cipher.encrypt(&[0u8; 12].into(), Payload { msg: plain, aad }).map_err(|_| AeadFailed)
}

/// The reverse of [`seal_once`].
pub(crate) fn open_once(key: &[u8; 32], aad: &[u8], cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, AeadFailed> {
    let aead = ChaCha20Poly1305::new(&(*key).into());
    aead.decrypt(&[0u8; 12].into(), Payload { msg: cipher, aad }).map(Zeroizing::new).map_err(|_| AeadFailed)
}

/// Writes the ChaCha20 keystream of `key` with the nonce 0 into `out`, which holds zeros: for keys that are used once and
/// wiped.
pub(crate) fn keystream(key: &[u8; 32], out: &mut [u8]) {
    ChaCha20::new(&(*key).into(), &[0u8; 12].into()).apply_keystream(out);
}
