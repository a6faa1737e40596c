//! Keys that sign: in a file, or inside a PKCS#11 device that is named by a URI (RFC 7512).

use std::path::Path;

use fuze_evidence::Name;
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::random::OsRandom;

use crate::outcome::{Problem, Result};

const SCHEME: &str = "pkcs11:";
/// Where the PIN is, if the URI has no `pin-source`.
#[cfg(feature = "pkcs11")]
const PIN: &str = "FUZE_PKCS11_PIN";

/// What is said of such an option.
pub(crate) const HELP: &str = "A key is a file, or `pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY&pin-source=FILE` (RFC 7512) for \
    one inside a device; without `pin-source` the PIN is taken from FUZE_PKCS11_PIN.";

/// Opens the key that `named` names.
pub(crate) fn open(named: &Path) -> Result<Box<dyn Signer>> {
    match uri(named)? {
        Some(uri) => device::open(&uri),
        None => Ok(Box::new(FileSigner::load(named, identity("file")?).map_err(Problem::io)?)),
    }
}

/// Makes a new key there: a file readable by its owner only, or a key that cannot leave the device. One that is there is never
/// replaced.
pub(crate) fn create(named: &Path) -> Result<Box<dyn Signer>> {
    match uri(named)? {
        Some(uri) => device::create(&uri),
        None => {
            let made = FileSigner::create(named, identity("file")?, &mut OsRandom::new());
            Ok(Box::new(made.map_err(Problem::io)?))
        }
    }
}

/// Whether `named` is a key inside a device.
pub(crate) fn is_in_device(named: &Path) -> bool {
    named.to_str().is_some_and(|text| text.starts_with(SCHEME))
}

fn identity(name: &str) -> Result<Name> {
    Name::new(name).map_err(Problem::io)
}

/// What a URI says, as far as it is needed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri {
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "read, but only devices need it"))]
    module: String,
    token: String,
    object: String,
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "read, but only devices need it"))]
    pin_source: Option<String>,
}

fn uri(named: &Path) -> Result<Option<Uri>> {
    let Some(rest) = named.to_str().and_then(|text| text.strip_prefix(SCHEME)) else { return Ok(None) };
    Uri::read(rest).map(Some).map_err(|why| Problem::usage(format_args!("`{}`: {why}", named.display())))
}

impl Uri {
    fn read(rest: &str) -> std::result::Result<Self, String> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let (mut module, mut token, mut object) = (None, None, None);
        let attributes = path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty());
        for attribute in attributes {
            let (name, value) =
                attribute.split_once('=').ok_or_else(|| format!("`{attribute}` has no value"))?;
            let value = decoded(value).ok_or_else(|| format!("`{name}` is not percent-encoded text"))?;
            let place = match name {
                "token" => &mut token,
                "object" => &mut object,
                "module-path" => &mut module,
                "pin-source" => &mut uri.pin_source,
                "pin-value" => {
                    return Err(
                        "a PIN on a command line is seen by others; put it into a file that only you \
                                can read and name that with `pin-source`"
                            .to_owned(),
                    );
                }
                "type" if value == "private" => continue,
                other => return Err(format!("`{other}` is not understood here")),
            };
            if place.replace(value).is_some() {
                return Err(format!("`{name}` is there twice"));
            }
        }
        let needed = |name: &str, value: Option<String>| value.ok_or_else(|| format!("`{name}` is missing"));
        uri.token = needed("token", token)?;
        uri.object = needed("object", object)?;
        uri.module = needed("module-path", module)?;
        Ok(uri)
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let digit = |octet: Option<&u8>| char::from(*octet?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            octet => octet,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(feature = "pkcs11")]
mod device {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use fuze_evidence::keys::pkcs11::{Pkcs11Key, Pkcs11Signer};

    use super::{Path, Problem, Result, Signer, Uri, identity};
    use crate::trust::read;

    /// A PIN is short.
    const MAX_PIN_BYTES: u64 = 4096;

    pub(super) fn open(uri: &Uri) -> Result<Box<dyn Signer>> {
        Ok(Box::new(Pkcs11Signer::open(&key(uri)?, identity("pkcs11")?).map_err(Problem::io)?))
    }

    pub(super) fn create(uri: &Uri) -> Result<Box<dyn Signer>> {
        Ok(Box::new(Pkcs11Signer::generate(&key(uri)?, identity("pkcs11")?).map_err(Problem::io)?))
    }

    fn key(uri: &Uri) -> Result<Pkcs11Key> {
        let pin = match &uri.pin_source {
            Some(source) => from_file(Path::new(source.strip_prefix("file:").unwrap_or(source)))?,
            None => std::env::var(super::PIN).map_err(|_| {
                Problem::usage(format_args!(
                    "the device's PIN is missing: name its file with `pin-source`, or set {}",
                    super::PIN
                ))
            })?,
        };
        Ok(Pkcs11Key::new(&uri.module, &uri.token, &uri.object, pin))
    }

    fn from_file(path: &Path) -> Result<String> {
        let rights = fs::metadata(path).map_err(|error| Problem::file(path, error))?.permissions().mode();
        if rights & 0o077 != 0 {
            return Err(Problem::file(path, "others can read the PIN; take their rights away (`chmod 600`)"));
        }
        let pin = String::from_utf8(read(path, MAX_PIN_BYTES)?);
        Ok(pin.map_err(|_| Problem::file(path, "the file is no text"))?.trim_end_matches('\n').to_owned())
    }
}

#[cfg(not(feature = "pkcs11"))]
mod device {
    use super::{Problem, Result, Signer, Uri};

    pub(super) fn open(uri: &Uri) -> Result<Box<dyn Signer>> {
        Err(Problem::usage(format_args!(
            "the key `{}` of the token `{}` needs a build with `--features pkcs11`; this one reads key files alone",
            uri.object, uri.token
        )))
    }

    pub(super) fn create(uri: &Uri) -> Result<Box<dyn Signer>> {
        open(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: std::result::Result<[&str; 4], &str>) {
        let expected = expected.map(|[module, token, object, pin]| Uri {
            module: module.to_owned(),
            token: token.to_owned(),
            object: object.to_owned(),
            pin_source: (!pin.is_empty()).then(|| pin.to_owned()),
        });
        match (Uri::read(text), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{text}: {why}"),
            (found, expected) => panic!("{text}: expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn a_device_is_named_as_rfc_7512_has_it() {
        check("token=a;object=b?module-path=/c.so", Ok(["/c.so", "a", "b", ""]));
        check(
            "object=b%20%3b;type=private;token=%c3%a4?pin-source=file:/p&module-path=/c",
            Ok(["/c", "ä", "b ;", "file:/p"]),
        );
        for (wrong, why) in [
            ("token=a;object=b", "`module-path` is missing"),
            ("object=b?module-path=/c", "`token` is missing"),
            ("token=a?module-path=/c", "`object` is missing"),
            ("token=a;token=b;object=b?module-path=/c", "twice"),
            ("token=a;object=b?module-path=/c&pin-value=1234", "seen by others"),
            ("token=a;object=b;type=public?module-path=/c", "`type` is not understood"),
            ("token=a;object=%zz?module-path=/c", "percent"),
            ("token=a;object=%ff?module-path=/c", "percent"),
            ("token", "has no value"),
        ] {
            check(wrong, Err(why));
        }
    }
}
