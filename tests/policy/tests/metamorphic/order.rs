//! Another order of the same.
//!
//! The order in which a run lists its roles decides nothing at all, because they are asked by their names.
//!
//! In a Cerbos request the order of roles decides nothing that does not fail: two orders in which nothing fails have the same effect, and what
//! is denied without a failure is denied in every order. It may decide which of several rules that allow is named, with it what an output asks
//! of the approvers, and whether the evaluation gets as far as a condition that fails. That law is not about conditions that look at `P.roles`
//! as a sequence (`P.roles[0]`).
//!
//! The order of rules, and of the roles and actions in a rule, decides nothing that does not fail, either. The order of files decides nothing
//! at all.

use fastrand::Rng;
use fuze_agent_policy_tests::generate::Size;
use fuze_agent_policy_tests::pdp::Mode;
use fuze_agent_policy_tests::tools::{self, Asked};
use fuze_agent_policy_tests::{ours, rewrite};
use fuze_policy::Decision;
use fuze_policy::cerbos::Effect;
use serde_json::Value;

use super::{pairs, reach, sets};

const SIZE: Size = Size { questions: 3, resources: 4 };
#[test]
fn the_order_in_which_a_run_lists_its_roles_changes_nothing() {
    let (mut compared, mut allowed, mut halted) = (0_u64, 0_u64, 0_u64);
    for seed in 0..sets(120) {
        let mut rng = Rng::with_seed(!seed);
        let (policies, _) = tools::set(seed);
        let Ok(engine) = tools::load(&policies) else { continue };
        for _ in 0..30 {
            let mut asked = Asked::new(&mut rng);
            let before = tools::decide(&engine, &asked);
            let listed = asked.roles.clone();
            rng.shuffle(&mut asked.roles);
            let after = tools::decide(&engine, &asked);
            match (&before, &after) {
                (Ok(one), Ok(other)) => {
                    let parts = [one, other].map(|of| (&of.decision, &of.rule, &of.approval));
                    assert_eq!(parts[0], parts[1], "seed {seed}: {asked:?}");
                    allowed += u64::from(one.decision != Decision::Deny);
                }
                (Err(one), Err(other)) => {
                    assert_eq!(one.to_string(), other.to_string(), "seed {seed}: {asked:?}");
                    halted += 1;
                }
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("seed {seed}: {before:?}, {after:?}: {asked:?}"),
            }
            compared += u64::from(listed != asked.roles);
        }
    }
    assert!(compared > 100 && allowed > compared / 10 && halted > 0, "{compared} {allowed} {halted}");
}

/// The questions of a case with the principal's roles in another order.
fn reordered(principal: &Value, rng: &mut Rng) -> Value {
    let mut principal = principal.clone();
    rng.shuffle(principal["roles"].as_array_mut().unwrap());
    principal
}

#[test]
fn the_order_of_roles_never_changes_what_cerbos_decides() {
    let (mut compared, mut allowed) = (0_u64, 0_u64);
    for seed in 0..sets(150) {
        let Some((mut case, _)) = ours::settled(seed, SIZE) else { continue };
        rewrite::replace(&mut case.policies, "R.attr.flag", rewrite::sees_order_of_roles);
        let set = ours::load(&case).unwrap();
        let mut rng = Rng::with_seed(!seed);
        for mode in [Mode::Strict, Mode::Lenient] {
            for (principal, resource) in case.asked() {
                let other = reordered(principal, &mut rng);
                let before = ours::decide(&set, mode, principal, resource).unwrap();
                let after = ours::decide(&set, mode, &other, resource).unwrap();
                for (before, after) in pairs(&before, &after) {
                    let clean_denial = |of: &fuze_policy::cerbos::ActionEffect| {
                        of.effect == Effect::Deny && !of.rests_on_failure
                    };
                    assert!(
                        clean_denial(before) == clean_denial(after),
                        "seed {seed} {mode:?}: {before:?}, {after:?}: {principal} {resource}"
                    );
                    if mode == Mode::Lenient {
                        assert_eq!(before.effect, after.effect, "seed {seed}: {principal} {resource}");
                    }
                    compared += 1;
                    allowed += u64::from(before.effect == Effect::Allow);
                }
            }
        }
    }
    assert!(allowed > compared / 20, "{allowed} of {compared} allowed");
}

#[test]
fn the_order_of_rules_never_changes_how_far_a_call_goes() {
    let (mut compared, mut allowed) = (0_u64, 0_u64);
    for seed in 0..sets(120) {
        let mut rng = Rng::with_seed(!seed);
        let (policies, engine) = tools::set(seed);
        let mut other = policies.clone();
        other.iter_mut().for_each(|(_, policy)| rewrite::shuffle(policy, &mut rng));
        let other = tools::load(&other).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for _ in 0..30 {
            let asked = Asked::new(&mut rng);
            let (before, after) = (tools::decide(&engine, &asked), tools::decide(&other, &asked));
            if before.is_ok() && after.is_ok() {
                assert_eq!(reach(&before), reach(&after), "seed {seed}: {before:?}, {after:?}: {asked:?}");
                compared += 1;
                allowed += u64::from(reach(&before) > 0);
            }
        }
    }
    assert!(allowed > compared / 10, "{allowed} of {compared} let through");
}

#[test]
fn the_order_of_rules_never_changes_what_cerbos_decides() {
    let (mut compared, mut allowed) = (0_u64, 0_u64);
    for seed in 0..sets(150) {
        let Some((case, set)) = ours::settled(seed, SIZE) else { continue };
        let mut rng = Rng::with_seed(!seed);
        let mut other = case.policies.clone();
        other.iter_mut().for_each(|(_, policy)| rewrite::shuffle(policy, &mut rng));
        // Rules of a role policy that share the outcome of a condition by chance are refused, and their order says which do.
        let Ok(other) = ours::load_policies(&other) else { continue };
        for mode in [Mode::Strict, Mode::Lenient] {
            for (principal, resource) in case.asked() {
                let before = ours::decide(&set, mode, principal, resource).unwrap();
                let after = ours::decide(&other, mode, principal, resource).unwrap();
                for (before, after) in pairs(&before, &after) {
                    if !before.rests_on_failure && !after.rests_on_failure {
                        assert_eq!(
                            before.effect, after.effect,
                            "seed {seed} {mode:?}: {before:?}, {after:?}: {principal} {resource}"
                        );
                        compared += 1;
                        allowed += u64::from(before.effect == Effect::Allow);
                    }
                }
            }
        }
    }
    assert!(allowed > compared / 20, "{allowed} of {compared} allowed");
}

/// Files in the order in which a directory happens to give them.
#[test]
fn the_order_of_files_changes_nothing() {
    for seed in 0..sets(100) {
        let Some((mut case, set)) = ours::settled(seed, SIZE) else { continue };
        let mut rng = Rng::with_seed(!seed);
        rng.shuffle(&mut case.policies);
        let other = ours::load(&case).unwrap_or_else(|problems| panic!("seed {seed}: {problems}"));
        for mode in [Mode::Strict, Mode::Lenient] {
            for (principal, resource) in case.asked() {
                let before = ours::decide(&set, mode, principal, resource);
                assert_eq!(before, ours::decide(&other, mode, principal, resource), "seed {seed}");
            }
        }
        let (mut policies, engine) = tools::set(seed);
        rng.shuffle(&mut policies);
        let other = tools::load(&policies).unwrap();
        assert_eq!(engine.bundle_hash(), other.bundle_hash());
        for _ in 0..10 {
            let asked = Asked::new(&mut rng);
            let told = |verdict: Result<fuze_policy::Verdict, _>| verdict.map(|v| (v.decision, v.rule));
            assert_eq!(
                told(tools::decide(&engine, &asked)),
                told(tools::decide(&other, &asked)),
                "seed {seed}"
            );
        }
    }
}

/// Other names of the files, and with them another order of their policies, some in directories of their own.
#[test]
fn the_names_of_files_change_nothing() {
    let mut compared = 0_u64;
    for seed in 0..sets(100) {
        let Some((case, set)) = ours::settled(seed, SIZE) else { continue };
        let mut rng = Rng::with_seed(!seed);
        let mut names: Vec<usize> = (0..case.policies.len()).collect();
        rng.shuffle(&mut names);
        let renamed: Vec<(String, Value)> = case
            .policies
            .iter()
            .zip(names)
            .map(|((_, policy), name)| (format!("{}/{name}", ["a", "z"][name % 2]), policy.clone()))
            .collect();
        // Of a scope that says nothing of its permissions beside others that do, Cerbos does not look at the first file.
        let Ok(other) = ours::load_policies(&renamed) else { continue };
        for (principal, resource) in case.asked() {
            let before = ours::decide(&set, Mode::Strict, principal, resource);
            assert_eq!(before, ours::decide(&other, Mode::Strict, principal, resource), "seed {seed}");
            compared += 1;
        }
    }
    assert!(compared > 5 * sets(100), "{compared}");
}
