//! The functions that Cerbos enables.

/// A function, by its index in the table of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function(pub(super) u16);
