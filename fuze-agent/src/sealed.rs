//! What only this crate may implement or name.

/// Types of the framework's own vocabularies.
pub trait Sealed {}
/// Tuples of lawful bases. Apart from [`SealedTools`]: both are tuples.
pub trait SealedBases {}
/// Tuples of tools.
pub trait SealedTools {}
/// Approvals over the arguments `Args`. The arguments belong to the seal: an author's own arguments make an author's own
/// implementation admissible wherever the seal stands on the type alone.
pub trait SealedApproval<Args> {}
/// True answers to the question `Question`.
pub trait SealedAnswer<Question> {}
/// Types that stand for `T` in JSON: `T`.
pub trait SealedJson<T> {}
/// Names a method that only this crate may call: nobody outside can make one. (A private trait is not enough: its
/// methods are reachable through a public bound and through `dyn`.)
pub struct Internal;
