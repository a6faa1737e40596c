//! What evidence costs, beside the least it could cost: a loop that only writes the octets and hashes them, SHA-256 alone, and the
//! plain composition of `serde_jcs` and `sha2`.
//!
//! `cargo bench -p fuze-evidence` prints the figures; with `-- --check` it fails where one is missed, and with
//! `append`, `commit` or `verify` it measures only these; `-- --write N FILE` writes a run of N records for `fuze audit verify`. Everything compared is measured
//! in one process, taking turns, in CPU time of the one thread where there is one, so that a busy machine counts little.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that cannot run has nothing to say"
)]

mod append;
mod commit;
mod measure;
mod verify;

#[path = "../../tests/common/mod.rs"]
mod common;

use measure::Figures;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let Some(at) = arguments.iter().position(|argument| argument == "--write") {
        verify::write_file(
            arguments[at + 1].parse().expect("a number of records"),
            arguments[at + 2].as_ref(),
        );
        return;
    }
    // `cargo test --benches`: that it runs, not how fast.
    let mut figures = Figures::new(has("--bench"));
    let all = !["append", "commit", "verify"].into_iter().any(has);
    if all || has("append") {
        append::measure(&mut figures);
    }
    if all || has("commit") {
        commit::measure(&mut figures);
    }
    if all || has("verify") {
        verify::measure(&mut figures);
    }
    if figures.missed() && has("--check") {
        std::process::exit(1);
    }
}
