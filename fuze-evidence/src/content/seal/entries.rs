//! A key line's entries: one for each leaf hash, in the order of the leaf list. The salt and key of a leaf, the salt of a decoy, or
//! one octet that says that they were erased.

use zeroize::Zeroizing;

use super::{DECOY, ERASED, KeysLine, LEAF, LEAF_BYTES, OpenError, Salt, bytes, keys_aad, keys_line};
use crate::crypto::{self, NONCE_BYTES, Secret, TAG_BYTES};
use crate::keys::{KeyError, RunKeys, decode};
use crate::random::Random;

/// What opens a leaf hash.
#[derive(Clone)]
pub(crate) enum KeyEntry {
    Erased,
    Leaf { salt: Salt, key: Secret },
    Decoy { salt: Salt },
}

impl KeysLine {
    /// Decrypts the entries of a content with `leaves` leaf hashes.
    pub(crate) fn entries(&self, leaves: usize, keys: &RunKeys) -> Result<Vec<KeyEntry>, OpenError> {
        if self.subject.as_ref() != keys.subject() {
            return Err(OpenError::Key(KeyError::Subject));
        }
        let nonce = decode::<NONCE_BYTES>(&self.nonce).map_err(OpenError::Key)?;
        let aad = keys_aad(keys.run_id(), self.root);
        let plain =
            crypto::open(keys.kek(), &nonce, &aad, &bytes(&self.wrapped)?).map_err(|_| OpenError::Refused)?;
        let mut rest = plain.as_slice();
        let mut entries = Vec::with_capacity(leaves);
        for _ in 0..leaves {
            let (kind, after) = rest.split_first().ok_or(OpenError::Malformed)?;
            rest = after;
            entries.push(match *kind {
                ERASED => KeyEntry::Erased,
                LEAF => KeyEntry::Leaf { salt: Salt(*take_secret(&mut rest)?), key: take_secret(&mut rest)? },
                DECOY => KeyEntry::Decoy { salt: Salt(*take_secret(&mut rest)?) },
                _ => return Err(OpenError::Malformed),
            });
        }
        if rest.is_empty() { Ok(entries) } else { Err(OpenError::Malformed) }
    }

    /// The same line with other entries, wrapped under a nonce of its own.
    pub(crate) fn reseal(
        &self,
        entries: &[KeyEntry],
        keys: &RunKeys,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, OpenError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(entries.len() * LEAF_BYTES + TAG_BYTES));
        for entry in entries {
            match entry {
                KeyEntry::Erased => plain.push(ERASED),
                KeyEntry::Leaf { salt, key } => {
                    plain.push(LEAF);
                    plain.extend_from_slice(&salt.0);
                    plain.extend_from_slice(key.as_slice());
                }
                KeyEntry::Decoy { salt } => {
                    plain.push(DECOY);
                    plain.extend_from_slice(&salt.0);
                }
            }
        }
        let mut nonce = [0u8; NONCE_BYTES];
        random.fill(&mut nonce).map_err(|error| OpenError::Key(KeyError::Random(error)))?;
        let wrapped = crypto::seal(keys.kek(), &nonce, &keys_aad(keys.run_id(), self.root), plain)
            .map_err(|_| OpenError::Refused)?;
        Ok(keys_line(&nonce, self.root, keys.subject(), &wrapped))
    }
}

fn take_secret(rest: &mut &[u8]) -> Result<Secret, OpenError> {
    let (secret, after) = rest.split_first_chunk::<32>().ok_or(OpenError::Malformed)?;
    *rest = after;
    Ok(Zeroizing::new(*secret))
}
