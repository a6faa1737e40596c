//! The bug museum: real failures of comparable systems, each reported in public, each a named test here.
//!
//! A row's test says what happened there and why it cannot happen here, and tries it. What the tests share stands in this
//! library: an office with tools that leave a trace, people who decide, a store that a tester can tamper with, and the
//! generator of mutated tokens and decisions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures of tests: a failure here fails the test that uses it"
)]

pub mod mutations;
pub mod office;
pub mod tamper;
