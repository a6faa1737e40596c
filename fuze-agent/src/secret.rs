//! Secrets: opaque, readable only by a tool that declares it, never formatted, serialised or recorded.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// A secret. It has no `Debug`, no `Display`, no `Serialize`, no `Clone`; a tool that declares `observes_secrets` gets a
/// reference for the time of the call.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret. The text is wiped from memory when the secret is dropped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, to hand to the client that needs it. What a tool returns is scrubbed of it, in plain, base64
    /// and hexadecimal; what a tool does with it otherwise is outside what this library can stop.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The secrets of a deployment, by name.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds one. A later one of the same name replaces the earlier.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, secret: Secret) -> Self {
        self.0.insert(name.into(), secret);
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().map(|secret| secret.expose().as_bytes())
    }
}
