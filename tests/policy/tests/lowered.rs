//! The flat form decides as the interpreter does, or leaves the decision to it.

use fastrand::Rng;
use fuze_agent_policy_tests::tools::{Asked, engine};
use fuze_policy::Decision;

#[test]
fn what_the_flat_form_decides_the_interpreter_decides() {
    let wanted: u64 = std::env::var("FUZE_SETS").ok().and_then(|sets| sets.parse().ok()).unwrap_or(400);
    let (mut decided, mut left, mut kinds, mut spoken) = (0_u64, 0_u64, [0_u64; 3], 0_u64);
    for seed in 0..wanted {
        let engine = engine(seed);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..100 {
            let asked = Asked::new(&mut rng);
            let request = asked.request();
            let Some(lowered) = engine.decide_lowered(&request) else {
                left += 1;
                continue;
            };
            decided += 1;
            let interpreted = engine.decide_interpreted(&request);
            let Ok(interpreted) = interpreted else {
                panic!("seed {seed}: decided {lowered:?}, the interpreter says {interpreted:?}: {asked:?}")
            };
            assert_eq!(lowered.decision, interpreted.decision, "seed {seed}: {asked:?}");
            assert_eq!(lowered.rule, interpreted.rule, "seed {seed}: {asked:?}");
            assert_eq!(lowered.approval, interpreted.approval, "seed {seed}: {asked:?}");
            spoken += u64::from(lowered.approval.is_some());
            kinds[match lowered.decision {
                Decision::Allow => 0,
                Decision::RequiresApproval(_) => 1,
                Decision::Deny => 2,
            }] += 1;
        }
    }
    // Enough of each, so that the comparison says something.
    assert!(decided > left / 2, "{decided} decided, {left} left");
    assert!(
        spoken > decided / 1_000,
        "{spoken} of {decided} say how an approval has to be that others demand"
    );
    assert!(kinds.iter().all(|kind| *kind > decided / 100), "{kinds:?}");
}
