//! Each class of tampering that only a log finds is found by what is named with it, and by nothing that comes before; and no
//! bundle alone tells.

use std::io::Cursor;

use fuze_agent_bundle_tests::logged::{Caught, LOG_CLASSES, Scene};
use fuze_audit::verify::verify;
use fuze_audit::{Trust, Verdict};

fn check(name: &str) {
    let class = LOG_CLASSES.iter().find(|class| class.name == name).unwrap();
    for seed in [1, 2] {
        let mut scene = Scene::new(seed);
        assert_eq!(scene.auditor.look(&scene.shown), Caught::Unnoticed, "the honest one is well");
        let expected = (class.apply)(&mut scene);
        assert_eq!(scene.auditor.look(&scene.shown), expected, "{name} {seed}");
        // Whoever has the bundles alone, and the run's key from elsewhere, sees nothing.
        for bundle in &scene.shown.bundles {
            let trust = Trust::new().run_key(scene.runs[0].public_key().id());
            let verdict = verify(Cursor::new(bundle), &trust).unwrap().verdict();
            let open = name == "open_run_never_closed" && verdict == Verdict::NotClosed;
            assert!(open || verdict == Verdict::Verified, "{name} {seed}");
        }
    }
}

macro_rules! each {
    ($($name:ident)+) => {
        $(#[test] fn $name() { check(stringify!($name)); })+

        #[test]
        fn every_class_has_its_test() {
            let tested = [$(stringify!($name)),+];
            for class in LOG_CLASSES {
                assert!(tested.contains(&class.name), "{}", class.name);
            }
        }
    };
}

each! {
    whole_run_omitted open_run_never_closed open_run_never_closed_and_never_shown log_rolled_back log_forked
    bundle_of_a_forked_log
    rewritten_with_the_stolen_key rewritten_with_the_stolen_keys_of_run_and_log
    rewritten_and_known_from_an_earlier_bundle backdated_with_a_revoked_key
}
