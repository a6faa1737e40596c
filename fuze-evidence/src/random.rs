//! Where salts, keys, nonces and identifiers come from: the operating system, or a trait for a seeded simulation.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::crypto;

/// A source of random octets. Trusted: salts that can be guessed make erased content guessable.
pub trait Random: Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    /// When the source fails; then nothing made from `out` may be used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The source of randomness failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomError(String);

impl RandomError {
    /// With the source's own words.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source of randomness failed: {}", self.0)
    }
}

impl std::error::Error for RandomError {}

const POOL_BYTES: usize = 4096;

/// The operating system's generator, stretched: 32 octets of it are the key of a ChaCha20 stream (RFC 8439) of 4 KiB, and that key
/// is wiped before the first octet is handed out. A commitment needs some 300 octets, and having the system make them all would
/// cost more than its hashes. Octets are wiped as they are handed out, so what was handed out cannot be found again.
pub struct OsRandom {
    // INVARIANT: zeros before `used`: what was handed out.
    pool: Box<[u8; POOL_BYTES]>,
    used: usize,
}

impl OsRandom {
    /// An empty pool; filled at first use.
    #[must_use]
    pub fn new() -> Self {
        Self { pool: Box::new([0; POOL_BYTES]), used: POOL_BYTES }
    }

    fn refill(&mut self) -> Result<(), RandomError> {
        // What is left of the last pool is not mixed in: each pool stands on fresh octets of the system alone.
        self.pool.get_mut(self.used..).unwrap_or_default().fill(0);
        self.used = POOL_BYTES;
        stretch(self.pool.as_mut_slice())?;
        self.used = 0;
        Ok(())
    }
}

/// Fills `out`, which holds zeros, with the stream under a fresh key of the system.
fn stretch(out: &mut [u8]) -> Result<(), RandomError> {
    let mut key = Zeroizing::new([0u8; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(RandomError::new)?;
    crypto::keystream(&key, out);
    Ok(())
}

impl Default for OsRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OsRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsRandom")
    }
}

impl Random for OsRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        if out.len() > POOL_BYTES / 4 {
            out.fill(0);
            return stretch(out);
        }
        if POOL_BYTES - self.used < out.len() {
            self.refill()?;
        }
        let end = self.used + out.len();
        let taken = self.pool.get_mut(self.used..end).ok_or_else(|| RandomError::new("pool exhausted"))?;
        out.copy_from_slice(taken);
        // Nothing that a compiler may leave out: the next pool is made by changing these octets, and the last one is zeroized.
        taken.fill(0);
        self.used = end;
        Ok(())
    }
}

impl Drop for OsRandom {
    fn drop(&mut self) {
        self.pool.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_handed_out_twice_and_nothing_stays_behind() {
        let mut random = OsRandom::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let mut block = [0u8; 32];
            random.fill(&mut block).unwrap();
            assert_ne!(block, [0; 32]);
            assert!(seen.insert(block));
        }
        assert!(random.pool[..random.used].iter().all(|&b| b == 0));
        let mut large = vec![0u8; 10_000];
        random.fill(&mut large).unwrap();
        assert!(large.chunks(32).all(|c| c.iter().any(|&b| b != 0)));
    }
}
