//! Exact values that must never be recorded, in the forms in which they turn up.

use std::fmt::Write as _;

use base64ct::{Base64, Base64Unpadded, Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use super::SECRET_MARK;

/// The forms of all secrets, longest first.
#[derive(Default)]
pub(super) struct Secrets(Vec<Zeroizing<String>>);

/// A piece of base64 must have this many characters to be looked for on its own.
const MIN_PIECE: usize = 8;

impl Secrets {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, secret: &[u8]) {
        if secret.is_empty() {
            return;
        }
        let mut forms: Vec<String> = vec![
            Base64::encode_string(secret),
            Base64Unpadded::encode_string(secret),
            Base64UrlUnpadded::encode_string(secret),
        ];
        // Inside a longer base64 text (`user:secret`) the secret begins at one of three places in a group.
        for offset in 0..3_usize {
            let mut shifted = Zeroizing::new(vec![0u8; offset]);
            shifted.extend_from_slice(secret);
            // Characters that also depend on what stands before or after are cut off.
            let first = (offset * 8).div_ceil(6);
            let last = shifted.len() * 8 / 6;
            for encoded in
                [Base64Unpadded::encode_string(&shifted), Base64UrlUnpadded::encode_string(&shifted)]
            {
                if let Some(piece) = encoded.get(first..last).filter(|piece| piece.len() >= MIN_PIECE) {
                    forms.push(piece.to_owned());
                }
            }
        }
        for upper in [false, true] {
            let mut hex = String::new();
            let mut percent_all = String::new();
            let mut percent = String::new();
            let mut plus = String::new();
            for &byte in secret {
                let code = if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
                hex.push_str(&code);
                let _ = write!(percent_all, "%{code}");
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    percent.push(char::from(byte));
                    plus.push(char::from(byte));
                } else {
                    let _ = write!(percent, "%{code}");
                    if byte == b' ' { plus.push('+') } else { _ = write!(plus, "%{code}") }
                }
            }
            forms.extend([hex, percent_all, percent, plus]);
        }
        if let Ok(text) = std::str::from_utf8(secret) {
            forms.push(text.to_owned());
            if let Ok(json) = serde_json::to_string(text) {
                forms.push(json.trim_matches('"').replace('/', "\\/"));
                forms.push(json.get(1..json.len() - 1).unwrap_or_default().to_owned());
            }
            let ascii: String = text.encode_utf16().map(escape_ascii).collect();
            forms.push(ascii);
        }
        self.0.extend(forms.into_iter().filter(|form| !form.is_empty()).map(Zeroizing::new));
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.0.dedup();
    }

    /// `None` when no secret is in `text`.
    pub(super) fn scrub(&self, text: &str) -> Option<String> {
        let mut found: Vec<std::ops::Range<usize>> = Vec::new();
        for form in &self.0 {
            // `match_indices` is linear and finds nothing twice.
            found.extend(text.match_indices(form.as_str()).map(|(at, hit)| at..at + hit.len()));
        }
        if found.is_empty() {
            return None;
        }
        found.sort_by_key(|range| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        let mut found = found.into_iter().peekable();
        while let Some(mut range) = found.next() {
            while let Some(next) = found.next_if(|next| next.start <= range.end) {
                range.end = range.end.max(next.end);
            }
            out.push_str(text.get(done..range.start).unwrap_or_default());
            out.push_str(SECRET_MARK);
            done = range.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Some(out)
    }
}

/// As writers of JSON do that keep to ASCII.
fn escape_ascii(unit: u16) -> String {
    match u8::try_from(unit).map(char::from) {
        Ok('"') => "\\\"".to_owned(),
        Ok('\\') => "\\\\".to_owned(),
        Ok('\n') => "\\n".to_owned(),
        Ok('\r') => "\\r".to_owned(),
        Ok('\t') => "\\t".to_owned(),
        Ok(c) if (' '..='~').contains(&c) => c.to_string(),
        _ => format!("\\u{unit:04x}"),
    }
}
