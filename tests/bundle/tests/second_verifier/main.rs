//! The verifiers in `docs`, which know nothing of this code, agree with ours on every bundle, good or tampered.
//!
//! `verify_bundle.py` gives the same answer, always. `verify.py` looks at the evidence alone; what it must answer is what ours answers about
//! the same evidence (records, roots, content, the run's key) when all that is wrapped around it is made anew ([`rewrapped`]). So a change of
//! the evidence is found by both, and a change of the wrapping changes nothing for it. There are two kinds of bundles where its answer is
//! not fixed to one: a zip that was itself broken (what Python's `zipfile` cannot read, or reads all the same) and a key that nobody
//! vouched for, about which it may stop earlier or later than ours. Neither makes it say "verified" of what ours does not.

mod after_the_close;
mod decisions;
mod judges;
mod keys;
mod limits;
mod named;
mod odd;
mod programs;
mod tables;
mod tampered;
mod unread;
