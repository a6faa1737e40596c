//! A rule more that denies.
//!
//! For tools: a DENY for `["*"]` in the policy of any scope, or for a principal, lets no call go further that was decided. A call that halted
//! is never allowed by it either; but one that halted over `invoke:auto` alone waits for a person, once `invoke:auto` is denied before the
//! condition that fails is reached. Not covered, since it brings in more than a denial: a first policy of a scope where conditions read
//! `R.scope`, and a DENY that names derived roles besides, where conditions read `runtime.effectiveDerivedRoles` (see `breaks`).
//!
//! For Cerbos policies as such: a DENY for whomever, in a policy that is there already, allows nothing that was denied; strictly, nothing
//! whose denial did not stand for a failed condition.

use fastrand::Rng;
use fuze_agent_policy_tests::generate::Size;
use fuze_agent_policy_tests::pdp::Mode;
use fuze_agent_policy_tests::tools::{self, Asked};
use fuze_agent_policy_tests::{ours, rewrite};
use fuze_policy::cel::Program;
use fuze_policy::cerbos::Effect;
use fuze_policy::{Decision, Verdict};
use serde_json::{Value, json};

use super::{pairs, reach, sets};

type Policies = Vec<(String, Value)>;

/// Where the denial stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// In the policy of the root or of a tenant, among its rules.
    Policy(&'static str),
    /// In a policy for the principal.
    Principal,
    /// In the first policy of another tenant.
    OtherTenant,
}

const PLACES: [Place; 4] =
    [Place::Policy("p.yaml"), Place::Policy("pacme.yaml"), Place::Principal, Place::OtherTenant];

const ACTIONS: [&[&str]; 5] =
    [&["invoke"], &["invoke:auto"], &["invoke", "invoke:auto"], &["*"], &["invoke:*"]];

/// The policies with one denial more, or nothing where the law is not about them.
fn with_denial(policies: &Policies, place: Place, rng: &mut Rng) -> Option<Policies> {
    let actions = ACTIONS[rng.usize(..ACTIONS.len())];
    let condition = rng.u8(..3) > 0;
    let mut rule = json!({"name": "denied", "effect": "EFFECT_DENY"});
    if condition {
        rule["condition"] = tools::condition(rng);
    }
    let mut policies = policies.clone();
    match place {
        Place::Policy(file) => {
            rule["actions"] = json!(actions);
            rule["roles"] = json!(["*"]);
            let (_, policy) = policies.iter_mut().find(|(name, _)| name == file)?;
            let rules = rewrite::rules(policy)?;
            rules.insert(rng.usize(..=rules.len()), rule);
        }
        Place::Principal => {
            rule["action"] = actions[0].into();
            let rules = json!([{"resource": "agent.*", "actions": [rule]}]);
            let body = json!({"principal": "agent-1", "version": "default", "rules": rules});
            policies.push((
                "principal.yaml".to_owned(),
                json!({"apiVersion": "api.cerbos.dev/v1", "principalPolicy": body}),
            ));
        }
        Place::OtherTenant => {
            if rewrite::some(&policies, |text| text.contains("R.scope")) {
                return None;
            }
            rule["actions"] = json!(actions);
            rule["roles"] = json!(["*"]);
            let body = json!({
                "resource": "agent.tool", "version": "default", "scope": "globex", "rules": [rule],
                "scopePermissions": "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS",
            });
            policies.push((
                "pglobex.yaml".to_owned(),
                json!({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": body}),
            ));
        }
    }
    Some(policies)
}

#[test]
fn a_denial_more_lets_no_call_go_further() {
    let (mut lower, mut same, mut waiting) = ([0_u64; PLACES.len()], [0_u64; PLACES.len()], 0_u64);
    for seed in 0..sets(100) {
        let mut rng = Rng::with_seed(!seed);
        let (policies, engine) = tools::set(seed);
        let asked: Vec<Asked> = (0..15).map(|_| Asked::new(&mut rng)).collect();
        let before: Vec<_> = asked.iter().map(|asked| tools::decide(&engine, asked)).collect();
        for (at, place) in PLACES.into_iter().enumerate() {
            // A condition may name a variable that is not there: the loader refuses that, and another is drawn.
            let more = (0..20).find_map(|_| tools::load(&with_denial(&policies, place, &mut rng)?).ok());
            let Some(more) = more else { continue };
            for (asked, before) in asked.iter().zip(&before) {
                let after = tools::decide(&more, asked);
                let waits = before.is_err()
                    && matches!(after, Ok(Verdict { decision: Decision::RequiresApproval(_), .. }));
                waiting += u64::from(waits);
                assert!(
                    reach(&after) <= reach(before) || waits,
                    "seed {seed} {place:?}: {before:?}, {after:?}: {asked:?}"
                );
                let lowered = reach(&after) < reach(before) || before.is_ok() && after.is_err();
                *if lowered { &mut lower[at] } else { &mut same[at] } += 1;
            }
        }
    }
    // Each kind of denial was seen to deny, and not to.
    for (lower, same) in lower.into_iter().zip(same) {
        assert!(lower > 0 && same > lower, "{lower} lower, {same} the same");
    }
    assert!(waiting > 0);
}

const SIZE: Size = Size { questions: 3, resources: 4 };

/// One denial more in one of the policies that decide, for everybody or for some.
fn with_some_denial(policies: &Policies, rng: &mut Rng) -> Option<Policies> {
    let mut policies = policies.clone();
    let all = policies.len();
    let (_, policy) = &mut policies[rng.usize(..all)];
    let mut rule = json!({"name": "denied", "effect": "EFFECT_DENY"});
    if rng.u8(..3) > 0 {
        let text = ["R.attr.flag", "P.attr.n > 0.0", "R.attr.s in R.attr.l", "R.attr.nothing", "true"]
            [rng.usize(..5)];
        Program::parse(text).unwrap();
        rule["condition"] = json!({"match": {"expr": text}});
    }
    let action = ["*", "view", "edit:**", "view:*"][rng.usize(..4)];
    if policy.get("principalPolicy").is_some() {
        rule["action"] = action.into();
        let rules = rewrite::rules(policy)?;
        let at = rng.usize(..rules.len());
        let actions = rules[at]["actions"].as_array_mut()?;
        actions.insert(rng.usize(..=actions.len()), rule);
    } else if policy.get("resourcePolicy").is_some() {
        rule["actions"] = json!([action]);
        let rules = rewrite::rules(policy)?;
        // For everybody, or for those that some other rule is for.
        let roles = rules[rng.usize(..rules.len())].get("roles").cloned();
        rule["roles"] = roles.filter(|_| rng.bool()).unwrap_or_else(|| json!(["*"]));
        rules.insert(rng.usize(..=rules.len()), rule);
    } else {
        return None;
    }
    Some(policies)
}

#[test]
fn a_denial_more_allows_nothing_that_cerbos_denied() {
    let (mut lower, mut same) = (0_u64, 0_u64);
    for seed in 0..sets(200) {
        let Some((case, set)) = ours::settled(seed, SIZE) else { continue };
        let mut rng = Rng::with_seed(!seed);
        let Some(policies) = (0..10).find_map(|_| with_some_denial(&case.policies, &mut rng)) else {
            continue;
        };
        let more =
            ours::load_policies(&policies).unwrap_or_else(|problems| panic!("seed {seed}: {problems}"));
        for mode in [Mode::Strict, Mode::Lenient] {
            for (principal, resource) in case.asked() {
                let before = ours::decide(&set, mode, principal, resource).unwrap();
                let after = ours::decide(&more, mode, principal, resource).unwrap();
                for (before, after) in pairs(&before, &after) {
                    let allowed = |effect| effect == Effect::Allow;
                    assert!(
                        allowed(before.effect) || before.rests_on_failure || !allowed(after.effect),
                        "seed {seed} {mode:?}: {before:?}, {after:?}: {principal} {resource}"
                    );
                    *if before.effect == after.effect { &mut same } else { &mut lower } += 1;
                }
            }
        }
    }
    assert!(lower > 50 && same > lower, "{lower} lower, {same} the same");
}
