//! Canonical JSON: RFC 8785 over the closed profile of `docs/evidence-format.md`, section 1.
//!
//! [`to_vec`] writes any [`serde::Serialize`] directly, without a tree in between; [`validate`] says in one pass whether octets are
//! canonical; [`from_slice`] reads such octets and nothing else; [`parse`] reads any layout but holds the profile. Deliberately not here: floats that would read
//! back as another integer, duplicate keys, lone surrogates, depth beyond 64, rounding of any kind.

mod cursor;
mod error;
mod key;
mod number;
mod read;
mod text;
mod validate;
mod write;

pub use error::{ReadError, ReadErrorKind};
pub use number::push_number;
pub use read::{from_slice, parse};
pub(crate) use text::push_string;
pub use validate::validate;
pub use write::{Error, to_vec, to_writer};

/// The largest integer that every reader of JSON keeps: 2^53−1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// Order of object keys: by UTF-16 code units (RFC 8785 section 3.2.3).
fn utf16_order(a: &str, b: &str) -> std::cmp::Ordering {
    // Octet order is code point order. The two differ only where a character beyond U+FFFF meets one from U+E000 on.
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}
