//! An Ed25519 public key as the files that openssl and people read. RFC 8410 section 4, RFC 7468; nothing else.

use fuze_evidence::sign::{PublicKey, SignatureError};

/// `-----BEGIN PUBLIC KEY-----` and so on, each line ended.
pub(crate) fn pem(key: &PublicKey) -> Vec<u8> {
    key.to_pem().into_bytes()
}

/// 64 characters of lowercase hex and a line feed.
pub(crate) fn hex(key: &PublicKey) -> Vec<u8> {
    let mut out = fuze_evidence::Hash(key.to_bytes()).to_hex().to_vec();
    out.push(b'\n');
    out
}

/// The reverse of [`hex`].
pub(crate) fn read_hex(octets: &[u8]) -> Result<PublicKey, SignatureError> {
    let text = octets.strip_suffix(b"\n").and_then(|hex| std::str::from_utf8(hex).ok());
    let raw: fuze_evidence::Hash = text.and_then(|hex| hex.parse().ok()).ok_or(SignatureError::Key)?;
    PublicKey::from_bytes(raw.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 section 10.1.
    #[test]
    fn the_example_of_the_standard() {
        let expected = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let raw = b"19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1\n";
        let key = read_hex(raw).unwrap();
        assert_eq!(pem(&key), expected.as_bytes());
        assert_eq!(hex(&key), raw);
        assert!(read_hex(&raw[..64]).is_err());
        assert!(read_hex(&raw.to_ascii_uppercase()).is_err());
    }
}
