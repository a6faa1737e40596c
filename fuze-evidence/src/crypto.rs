//! The few cryptographic primitives, with the types of this crate. No protocol: whoever calls says what is bound.
//!
//! What is opened goes through the `chacha20poly1305` crate alone. What is sealed is put together here, after RFC 8439, from its
//! cipher and a Poly1305 for short messages: that crate's own costs three times as much for the hundred octets of a leaf. So
//! everything that is sealed and opened again has been through two implementations.

use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20::{ChaCha20, XChaCha20};
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, XChaCha20Poly1305};
use cryptoxide::poly1305::Poly1305;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

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

/// Octets of a tag.
pub(crate) const TAG_BYTES: usize = 16;

/// Encryption or decryption failed; says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AeadFailed;

/// XChaCha20-Poly1305. Encrypts where the text stands, so that nothing of it is left there to be wiped.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plain: Zeroizing<Vec<u8>>,
) -> Result<Vec<u8>, AeadFailed> {
    let mut text = plain;
    if text.capacity() < text.len() + TAG_BYTES {
        // Growing would leave a copy behind.
        let mut larger = Zeroizing::new(Vec::with_capacity(text.len() + TAG_BYTES));
        larger.extend_from_slice(&text);
        text = larger;
    }
    seal_in_place(XChaCha20::new(key.into(), nonce.into()), aad, &mut text)?;
    Ok(std::mem::take(&mut *text))
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

/// ChaCha20-Poly1305 with the nonce 0, in place: for keys that encrypt once and never again.
pub(crate) fn seal_once(key: &[u8; 32], aad: &[u8], text: &mut Vec<u8>) -> Result<(), AeadFailed> {
    seal_in_place(ChaCha20::new(key.into(), &[0u8; 12].into()), aad, text)
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

/// Octets that a cipher makes in the time of one: four blocks.
const ROOM: usize = 4 * BLOCK_BYTES;
const BLOCK_BYTES: usize = 64;

/// Encrypts `text` and appends its tag (RFC 8439 section 2.8). `cipher` is at the beginning of its stream.
fn seal_in_place(mut cipher: impl StreamCipher, aad: &[u8], text: &mut Vec<u8>) -> Result<(), AeadFailed> {
    let mut room = [0; ROOM];
    // The first half of block 0 is the key of the tag (section 2.6); the text begins with block 1.
    let beside = text.len().min(ROOM - BLOCK_BYTES);
    let (beside, rest) = text.split_at_mut(beside);
    encrypt(&mut cipher, &mut room, BLOCK_BYTES, beside)?;
    let key = room.first_chunk_mut().ok_or(AeadFailed)?;
    let mut tag = Poly1305::new(key);
    key.zeroize();
    let (whole, rest) = rest.as_chunks_mut::<ROOM>();
    cipher.try_apply_keystream(whole.as_flattened_mut()).map_err(|_| AeadFailed)?;
    if !rest.is_empty() {
        encrypt(&mut cipher, &mut room, 0, rest)?;
    }
    let mut lengths = [0u8; TAG_BYTES];
    for (part, length) in [aad, text.as_slice()].into_iter().zip(lengths.chunks_exact_mut(8)) {
        tag.update_mut(part);
        // Filled up with zeros to a whole block.
        tag.update_mut(
            [0u8; TAG_BYTES].get(..part.len().next_multiple_of(TAG_BYTES) - part.len()).unwrap_or_default(),
        );
        length.copy_from_slice(&u64::try_from(part.len()).map_err(|_| AeadFailed)?.to_le_bytes());
    }
    tag.update_mut(&lengths);
    text.extend_from_slice(&tag.finalize().0);
    Ok(())
}

/// Encrypts in `room`, from the octet `at` on: what is shorter would take as long.
fn encrypt(
    cipher: &mut impl StreamCipher,
    room: &mut [u8; ROOM],
    at: usize,
    text: &mut [u8],
) -> Result<(), AeadFailed> {
    let place = at..at + text.len();
    room.get_mut(place.clone()).ok_or(AeadFailed)?.copy_from_slice(text);
    cipher.try_apply_keystream(room).map_err(|_| AeadFailed)?;
    text.copy_from_slice(room.get(place).ok_or(AeadFailed)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUNSCREEN: &[u8] =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    const AAD: [u8; 12] = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];

    fn key() -> [u8; 32] {
        std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap())
    }

    fn tag_of(sealed: &[u8]) -> String {
        sealed[sealed.len() - TAG_BYTES..].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_examples_of_rfc_8439_and_of_the_xchacha_draft() {
        // RFC 8439 section 2.8.2.
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let mut text = SUNSCREEN.to_vec();
        seal_in_place(ChaCha20::new(&key().into(), &nonce.into()), &AAD, &mut text).unwrap();
        assert_eq!(tag_of(&text), "1ae10b594f09e26a7e902ecbd0600691");
        // draft-irtf-cfrg-xchacha-03 appendix A.3.1.
        let nonce = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let sealed = seal(&key(), &nonce, &AAD, Zeroizing::new(SUNSCREEN.to_vec())).unwrap();
        assert_eq!(tag_of(&sealed), "c0875924c1c7987947deafd8780acf49");
    }

    proptest! {
        #[test]
        fn it_seals_octet_for_octet_as_the_other_implementation(
            key: [u8; 32],
            nonce: [u8; NONCE_BYTES],
            aad in proptest::collection::vec(any::<u8>(), 0..200),
            plain in proptest::collection::vec(any::<u8>(), 0..1200),
        ) {
            let payload = || Payload { msg: &plain, aad: &aad };
            let theirs = XChaCha20Poly1305::new(&key.into()).encrypt(&nonce.into(), payload()).unwrap();
            prop_assert_eq!(seal(&key, &nonce, &aad, Zeroizing::new(plain.clone())).unwrap(), theirs);
            let theirs = ChaCha20Poly1305::new(&key.into()).encrypt(&[0u8; 12].into(), payload()).unwrap();
            let mut once = plain.clone();
            seal_once(&key, &aad, &mut once).unwrap();
            prop_assert_eq!(once, theirs);
        }
    }
}
