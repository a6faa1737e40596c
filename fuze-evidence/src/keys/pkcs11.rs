//! Signing keys inside a PKCS#11 device (OASIS PKCS#11 3.0, `CKM_EDDSA` on edwards25519): the key never leaves it.
//!
//! What is signed is the whole message with its domain inside; no parameter of the mechanism is used, because devices
//! were seen to ignore it. Each signature is verified before it counts. Not here: setting up a token, its PINs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::Signer;
use crate::name::Name;
use crate::random::{OsRandom, Random as _};
use crate::sign::{KeyId, PublicKey, SignError};

/// `CKA_EC_PARAMS` for Ed25519: the curve's name as a `PrintableString` (PKCS#11 3.0 section 2.3.5).
const CURVE_NAME: &[u8] = b"\x13\x0cedwards25519";
/// The same as an object identifier, 1.3.101.112 (RFC 8410).
const CURVE_OID: &[u8] = b"\x06\x03\x2b\x65\x70";
/// `CKA_EC_POINT` is the point as a DER octet string; some devices give the raw octets.
const OCTET_STRING_32: [u8; 2] = [0x04, 0x20];

/// Which key of which token of which device.
pub struct Pkcs11Key {
    module: PathBuf,
    token: String,
    label: String,
    pin: Zeroizing<String>,
}

impl Pkcs11Key {
    /// The key labelled `label` on the token labelled `token`, reached through the device's library at `module` with the user PIN `pin`.
    pub fn new(
        module: impl Into<PathBuf>,
        token: impl Into<String>,
        label: impl Into<String>,
        pin: impl Into<String>,
    ) -> Self {
        Self {
            module: module.into(),
            token: token.into(),
            label: label.into(),
            pin: Zeroizing::new(pin.into()),
        }
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Key({} / {} / {})", self.module.display(), self.token, self.label)
    }
}

/// Why a device's key cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The library is not there, or not one.
    Module {
        /// Its path.
        path: PathBuf,
        /// In the loader's words.
        why: String,
    },
    /// No token has this label, or several have.
    Token {
        /// The label.
        label: String,
        /// How many have it.
        found: usize,
    },
    /// The PIN is wrong or locked.
    Pin {
        /// In the device's words.
        why: String,
    },
    /// No private key has this label, or several have.
    Key {
        /// The label.
        label: String,
        /// How many have it.
        found: usize,
    },
    /// The key is one that a signature cannot rest on.
    Unfit {
        /// The label.
        label: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key with this label exists; it is never replaced.
    Exists {
        /// The label.
        label: String,
    },
    /// The device's own.
    Device {
        /// What it was asked for.
        doing: &'static str,
        /// In its words.
        why: String,
    },
}

impl fmt::Display for Pkcs11Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module { path, why } => {
                write!(f, "cannot load the PKCS#11 library `{}`: {why}", path.display())
            }
            Self::Token { label, found } => {
                write!(
                    f,
                    "{found} tokens are labelled `{label}`, expected one; check the label and that the device is there"
                )
            }
            Self::Pin { why } => write!(f, "the token refuses the user PIN: {why}"),
            Self::Key { label, found } => {
                write!(f, "{found} private keys on the token are labelled `{label}`, expected one")
            }
            Self::Unfit { label, why } => write!(f, "the key `{label}` is not used: {why}"),
            Self::Exists { label } => {
                write!(
                    f,
                    "a key labelled `{label}` is on the token already and is not replaced; choose another label"
                )
            }
            Self::Device { doing, why } => write!(f, "the PKCS#11 device failed at {doing}: {why}"),
        }
    }
}

impl std::error::Error for Pkcs11Error {}

fn device(doing: &'static str) -> impl FnOnce(Error) -> Pkcs11Error {
    move |error| Pkcs11Error::Device { doing, why: error.to_string() }
}

/// Signs with a key inside a device. Calls wait for one another: a session does one thing at a time.
pub struct Pkcs11Signer {
    session: Mutex<Session>,
    key: ObjectHandle,
    public: PublicKey,
    id: KeyId,
    identity: Name,
}

impl fmt::Debug for Pkcs11Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Signer({})", self.id)
    }
}

impl Pkcs11Signer {
    /// Opens an existing key, and has it sign once to see that its public key is its own.
    ///
    /// # Errors
    /// When the device, token, PIN or key cannot be used, or the key could be taken out of the device.
    pub fn open(key: &Pkcs11Key, identity: Name) -> Result<Self, Pkcs11Error> {
        let session = session(key)?;
        Self::with(session, &key.label, identity)
    }

    /// Makes a new key inside the device, sensitive and not extractable, and opens it.
    ///
    /// # Errors
    /// As [`Pkcs11Signer::open`], and when there is a key of this label already.
    pub fn generate(key: &Pkcs11Key, identity: Name) -> Result<Self, Pkcs11Error> {
        let session = session(key)?;
        if !find(&session, ObjectClass::PRIVATE_KEY, &[Attribute::Label(key.label.clone().into())])?
            .is_empty()
        {
            return Err(Pkcs11Error::Exists { label: key.label.clone() });
        }
        let mut id = vec![0u8; 16];
        OsRandom::new()
            .fill(&mut id)
            .map_err(|error| Pkcs11Error::Device { doing: "making an id", why: error.to_string() })?;
        let common = [Attribute::Token(true), Attribute::Label(key.label.clone().into()), Attribute::Id(id)];
        let mut public = common.to_vec();
        public.extend([
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(CURVE_NAME.to_vec()),
        ]);
        let mut private = common.to_vec();
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
        session
            .generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private)
            .map_err(device("making a key pair"))?;
        Self::with(session, &key.label, identity)
    }

    fn with(session: Session, label: &str, identity: Name) -> Result<Self, Pkcs11Error> {
        let named = [Attribute::Label(label.into())];
        let [key] = exactly_one(find(&session, ObjectClass::PRIVATE_KEY, &named)?, label)?;
        let id = examine(&session, key, label)?;
        let public = public_key(&session, id, label)?;
        let signer = Self { session: Mutex::new(session), key, id: public.id(), public, identity };
        signer.try_out(label)?;
        Ok(signer)
    }

    /// A private key and a public key that only share a label would sign what nobody can verify.
    fn try_out(&self, label: &str) -> Result<(), Pkcs11Error> {
        let mut challenge = b"{\"domain\":\"fuze/key-check/v1\",\"nonce\":\"".to_vec();
        let mut nonce = [0u8; 16];
        OsRandom::new()
            .fill(&mut nonce)
            .map_err(|error| Pkcs11Error::Device { doing: "making a challenge", why: error.to_string() })?;
        challenge.extend(crate::hash::sha256(&nonce).to_string().into_bytes());
        challenge.extend(b"\"}");
        let signature = self
            .sign(&challenge)
            .map_err(|error| Pkcs11Error::Device { doing: "signing", why: error.to_string() })?;
        self.public.verify(&challenge, &signature).map_err(|_| Pkcs11Error::Unfit {
            label: label.to_owned(),
            why: "its signatures do not hold under the public key of the same id",
        })
    }
}

impl Signer for Pkcs11Signer {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn public_key(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let session = self
            .session
            .lock()
            .map_err(|_| SignError::Signer("a thread panicked while it signed".to_owned()))?;
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        let signature = session
            .sign(&mechanism, self.key, message)
            .map_err(|error| SignError::Signer(format!("the PKCS#11 device failed: {error}")))?;
        signature.try_into().map_err(|_| SignError::Wrong)
    }

    fn identity(&self) -> Name {
        self.identity.clone()
    }
}

/// Libraries were seen to crash when two threads begin at once, whatever they promise about locking.
static BEGINNING: Mutex<()> = Mutex::new(());

/// A session with the user logged in.
fn session(key: &Pkcs11Key) -> Result<Session, Pkcs11Error> {
    let _one_at_a_time = BEGINNING.lock().unwrap_or_else(PoisonError::into_inner);
    let library = load(&key.module)?;
    let slot = slot(&library, &key.token)?;
    let session = library.open_rw_session(slot).map_err(device("opening a session"))?;
    match session.login(UserType::User, Some(&AuthPin::new(key.pin.as_str().into()))) {
        // One login holds for all sessions of a process.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
        Err(error) => Err(Pkcs11Error::Pin { why: error.to_string() }),
    }
}

fn load(path: &Path) -> Result<Pkcs11, Pkcs11Error> {
    let library = Pkcs11::new(path)
        .map_err(|error| Pkcs11Error::Module { path: path.to_owned(), why: error.to_string() })?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
        Err(error) => Err(device("beginning")(error)),
    }
}

fn slot(library: &Pkcs11, label: &str) -> Result<Slot, Pkcs11Error> {
    let mut matching = Vec::new();
    for slot in library.get_slots_with_initialized_token().map_err(device("listing tokens"))? {
        let token = library.get_token_info(slot).map_err(device("reading a token"))?;
        if token.label() == label {
            matching.push(slot);
        }
    }
    match matching.as_slice() {
        [slot] => Ok(*slot),
        others => Err(Pkcs11Error::Token { label: label.to_owned(), found: others.len() }),
    }
}

fn find(session: &Session, class: ObjectClass, more: &[Attribute]) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
    let mut template = vec![Attribute::Token(true), Attribute::Class(class)];
    template.extend_from_slice(more);
    session.find_objects(&template).map_err(device("looking for a key"))
}

fn exactly_one(found: Vec<ObjectHandle>, label: &str) -> Result<[ObjectHandle; 1], Pkcs11Error> {
    <[ObjectHandle; 1]>::try_from(found)
        .map_err(|others| Pkcs11Error::Key { label: label.to_owned(), found: others.len() })
}

/// Refuses a key that is of another kind, or that could be, or ever was, outside. Gives its id.
fn examine(session: &Session, key: ObjectHandle, label: &str) -> Result<Vec<u8>, Pkcs11Error> {
    let asked = [
        AttributeType::KeyType,
        AttributeType::Id,
        AttributeType::Extractable,
        AttributeType::Sensitive,
        AttributeType::NeverExtractable,
        AttributeType::AlwaysSensitive,
        AttributeType::EcParams,
    ];
    let mut id = None;
    let (mut edwards, mut curve) = (false, false);
    let (mut inside, mut sensitive, mut never_outside, mut always_sensitive) = (false, false, false, false);
    for attribute in session.get_attributes(key, &asked).map_err(device("reading a key's attributes"))? {
        match attribute {
            Attribute::KeyType(kind) => edwards = kind == KeyType::EC_EDWARDS,
            Attribute::Id(octets) => id = Some(octets),
            Attribute::Extractable(extractable) => inside = !extractable,
            Attribute::Sensitive(it_is) => sensitive = it_is,
            Attribute::NeverExtractable(never) => never_outside = never,
            Attribute::AlwaysSensitive(always) => always_sensitive = always,
            Attribute::EcParams(octets) => curve = octets == CURVE_NAME || octets == CURVE_OID,
            _ => {}
        }
    }
    let why = match (edwards && curve, inside && sensitive, never_outside && always_sensitive, id) {
        (false, ..) => "it is no Ed25519 key",
        (_, false, ..) => "it can be taken out of the device (CKA_EXTRACTABLE, or not CKA_SENSITIVE)",
        (_, _, false, _) => {
            "it was brought in from outside, or could once be taken out (not CKA_NEVER_EXTRACTABLE and CKA_ALWAYS_SENSITIVE)"
        }
        (.., None) => "it has no CKA_ID by which its public key is found",
        (true, true, true, Some(id)) => return Ok(id),
    };
    Err(Pkcs11Error::Unfit { label: label.to_owned(), why })
}

fn public_key(session: &Session, id: Vec<u8>, label: &str) -> Result<PublicKey, Pkcs11Error> {
    let unfit = |why| Pkcs11Error::Unfit { label: label.to_owned(), why };
    let found = find(session, ObjectClass::PUBLIC_KEY, &[Attribute::Id(id)])?;
    let [key] = <[ObjectHandle; 1]>::try_from(found)
        .map_err(|_| unfit("the token does not hold exactly one public key with its CKA_ID"))?;
    let attributes =
        session.get_attributes(key, &[AttributeType::EcPoint]).map_err(device("reading a public key"))?;
    let Some(Attribute::EcPoint(point)) = attributes.first() else {
        return Err(unfit("the token does not tell its public key"));
    };
    let raw = point.strip_prefix(&OCTET_STRING_32).unwrap_or(point);
    let octets = <[u8; 32]>::try_from(raw).map_err(|_| unfit("its public key is not 32 octets"))?;
    PublicKey::from_bytes(octets).map_err(|_| unfit("its public key is no canonical point of full order"))
}
