//! Names that developers and operators declare: short, of a closed alphabet, so that no free text fits in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 1 to 128 characters of `A–Z a–z 0–9 . _ : / @ + -`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The longest [`Name`], in characters.
pub const MAX_NAME_CHARS: usize = 128;

impl Name {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is empty, too long or has a character outside the alphabet.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_NAME_CHARS {
            return Err(NameError::TooLong { chars: text.chars().count() });
        }
        match text.chars().find(|&c| !is_name_char(c)) {
            Some(found) => Err(NameError::Character { name: text.to_owned(), found }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_name_char(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | ':' | '/' | '@' | '+' | '-')
}

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing there.
    Empty,
    /// More than [`MAX_NAME_CHARS`].
    TooLong {
        /// How many there are.
        chars: usize,
    },
    /// A character outside the alphabet.
    Character {
        /// The whole text.
        name: String,
        /// The first such character.
        found: char,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name is empty; give it 1 to 128 characters"),
            Self::TooLong { chars } => {
                write!(f, "a name has {chars} characters; at most {MAX_NAME_CHARS} are allowed")
            }
            Self::Character { name, found } => {
                write!(f, "`{name}` has the character {found:?}; a name is made of A-Z a-z 0-9 . _ : / @ + -")
            }
        }
    }
}

impl std::error::Error for NameError {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_room_for_free_text() {
        assert_eq!(Name::new("model/v1.2:eu@acme+x-y_z").unwrap().as_str(), "model/v1.2:eu@acme+x-y_z");
        assert!(Name::new("a".repeat(128)).is_ok());
        for wrong in ["", "a b", "näme", "a\"", "a\\", "a\n", "a,b", "a|b", &"a".repeat(129)] {
            assert!(Name::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(serde_json::from_str::<Name>("\"a b\"").is_err());
    }
}
