//! Writes a sample bundle with everything in it, to look at: `cargo run -p fuze-agent-bundle-tests --example sample -- sample.zip`

use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Keys, Run, Shape, annex_of};
use fuze_audit::{Anchored, Selection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("expected the path of the bundle to write")?;
    let run = Run::new(Shape { turns: 4, ..Shape::full(1) });
    let keys = Keys::new(None);
    let mut world = World::new("log.example", 1);
    let anchored = world.anchor(&run, true);
    let mut export = run.export(Selection::all());
    export.extras.anchored = Some(Anchored { revocations: vec![world.revoke(&keys.history)], ..anchored });
    export.extras.history = Some((keys.history.to_bytes(), keys.first));
    export.extras.annex = Some(annex_of(&run, &keys));
    let report = export.to_path(path.as_ref())?;
    println!("{:?}: run {}, key {}", report.verdict(), report.run.run_id, report.run.key_id);
    Ok(())
}
