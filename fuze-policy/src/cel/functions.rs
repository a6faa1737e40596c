//! The functions that Cerbos enables.

/// A function, by its index in the table of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function(pub(super) u16);

impl Function {
    /// TEMPORARY
    pub fn name(self) -> &'static str {
        ""
    }
}
/// TEMPORARY
pub(crate) fn regex(p: &str) -> Option<regex::Regex> {
    regex::Regex::new(p).ok()
}
impl super::Timestamp {
    /// TEMPORARY
    pub fn parse(_t: &str) -> Option<Self> {
        None
    }
}
