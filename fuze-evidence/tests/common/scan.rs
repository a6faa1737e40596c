//! Looks for octets in files in every form in which they might have been left: raw, base64 of both alphabets at any alignment, hex,
//! JSON-escaped.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};

/// The forms of `secret`. Base64 at each of three alignments, without the characters that the neighbours share.
pub(crate) fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for shift in 0..3 {
        let padded = [vec![0; shift], secret.to_vec()].concat();
        let (from, bits) = ([0, 2, 3][shift], (padded.len() * 8) / 6);
        for text in [Base64Unpadded::encode_string(&padded), Base64UrlUnpadded::encode_string(&padded)] {
            forms.push(text.as_bytes()[from..bits].to_vec());
        }
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let escaped = serde_json::to_string(text).unwrap();
        forms.push(escaped.as_bytes()[1..escaped.len() - 1].to_vec());
        let ascii: String = text
            .encode_utf16()
            .map(|unit| match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' => {
                    char::from(byte).into()
                }
                _ => format!("\\u{unit:04x}"),
            })
            .collect();
        forms.push(ascii.into_bytes());
    }
    forms
}

/// The first file below `directory` that holds `secret` in some form, in its octets or in its name.
pub(crate) fn find(directory: &Path, secret: &[u8]) -> Option<String> {
    find_each(directory, &[secret.to_vec()]).remove(0)
}

/// As [`find`], for many at once: every octet is looked at once, by the eight that begin there.
pub(crate) fn find_each(directory: &Path, secrets: &[Vec<u8>]) -> Vec<Option<String>> {
    let mut begins: HashMap<[u8; 8], Vec<(usize, Vec<u8>)>> = HashMap::new();
    for (number, secret) in secrets.iter().enumerate() {
        assert!(secret.len() >= 8, "too short to be looked for");
        for form in forms(secret) {
            begins.entry(form[..8].try_into().unwrap()).or_default().push((number, form));
        }
    }
    let mut found = vec![None; secrets.len()];
    for path in walk(directory) {
        let name = path.display().to_string();
        for octets in [fs::read(&path).unwrap(), name.clone().into_bytes()] {
            for (at, eight) in octets.windows(8).enumerate() {
                for (number, form) in begins.get(eight).into_iter().flatten() {
                    if octets[at..].starts_with(form) {
                        found[*number].get_or_insert_with(|| name.clone());
                    }
                }
            }
        }
    }
    found
}

/// The scan finds each form, wherever it stands: else it would prove nothing.
pub(crate) fn prove_itself() {
    let secret = "Zoë \"Q\" \\ O'Hara\n";
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("f");
    for before in 0..4 {
        let text = [vec![b'x'; before], secret.as_bytes().to_vec(), b"yz".to_vec()].concat();
        let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
        for form in [
            text.clone(),
            hex.into_bytes(),
            Base64Unpadded::encode_string(&text).into_bytes(),
            Base64UrlUnpadded::encode_string(&text).into_bytes(),
            serde_json::to_vec(&String::from_utf8(text.clone()).unwrap()).unwrap(),
        ] {
            fs::write(&file, form).unwrap();
            assert!(find(place.path(), secret.as_bytes()).is_some(), "{before}");
        }
    }
    fs::write(&file, "Zoe").unwrap();
    assert_eq!(find(place.path(), secret.as_bytes()), None);
}

/// Every file below a directory.
pub(crate) fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
