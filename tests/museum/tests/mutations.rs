//! Ten thousand mutated tokens and decisions; `cargo run --release -p fuze-agent-museum --bin mutate` tries a million.

use fuze_agent_museum::mutations::{Tally, run};

/// A mutant that is accepted names its seed and its place in the sequence.
#[test]
fn no_mutated_token_or_decision_is_accepted() {
    let half = |seed| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(seed, 5_000))
        })
    };
    let tally = [half(20_260_721), half(7)]
        .into_iter()
        .fold(Tally::default(), |all, one| all.with(&one.join().unwrap().unwrap()));
    assert_eq!(tally.mutants(), 10_000);
    assert_eq!(tally.controls, 12);
    // Every kind was tried, and not just once.
    assert_eq!(tally.refused.len(), 23 + 9, "{:#?}", tally.refused);
    for (kind, count) in &tally.refused {
        assert!(*count >= 20, "{kind}: {count}");
    }
}
