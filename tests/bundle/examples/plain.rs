//! Writes a bundle of a run alone, without annex, key history and log: what `fuzz/fuzz_targets/bundle.rs` changes.
//! `cargo run -p fuze-agent-bundle-tests --example plain -- plain.zip`

use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_audit::Selection;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("expected the path of the bundle to write")?;
    let run = Run::new(Shape { turns: 4, ..Shape::full(1) });
    let report = run.export(Selection::all()).to_path(path.as_ref())?;
    println!("{:?}", report.verdict());
    Ok(())
}
