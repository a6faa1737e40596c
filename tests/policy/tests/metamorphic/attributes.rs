//! An attribute less.
//!
//! Strictly, with conditions that do not ask whether the attribute is there, an answer stays what it was or becomes one that stands for a
//! failure: what is read and is not there fails, and no failure turns into a value, behind `!`, in a DENY or in `none` as little as in an
//! ALLOW. So nothing goes further, and nothing is silently decided otherwise.
//!
//! Not covered: conditions that ask (`has`, an optional, the map as a whole: its size, its keys, a comparison), which may let a call go
//! further without the attribute, and are meant to; and lenient evaluation, where a DENY that fails does not deny. `breaks` shows both.

use fastrand::Rng;
use fuze_agent_policy_tests::generate::Size;
use fuze_agent_policy_tests::pdp::Mode;
use fuze_agent_policy_tests::tools::{self, Asked};
use fuze_agent_policy_tests::{ours, rewrite};
use fuze_policy::agent_tool::{Cerbos, question, verdict};
use fuze_policy::cerbos::{self, CheckInput, Effect};
use fuze_policy::{EngineError, Verdict};
use serde_json::{Map, Value};

use super::{pairs, reach, sets};

const SIZE: Size = Size { questions: 3, resources: 4 };

/// Takes out one attribute of the principal or of the resource.
fn without_one(principal: &mut Value, resource: &mut Value, rng: &mut Rng) {
    let of = if rng.bool() { &mut principal["attr"] } else { &mut resource["resource"]["attr"] };
    let members = of.as_object_mut().unwrap();
    if members.is_empty() {
        return;
    }
    let name = members.keys().nth(rng.usize(..members.len())).unwrap().clone();
    members.remove(&name);
}

#[test]
fn an_attribute_less_is_the_same_decision_or_a_failure() {
    let (mut same, mut failed) = (0_u64, 0_u64);
    for seed in 0..sets(200) {
        let Some((mut case, _)) = ours::settled(seed, SIZE) else { continue };
        rewrite::replace(&mut case.policies, "R.attr.flag", |text| rewrite::sees_absence(text, "attr"));
        // Rules that have come to look alike are refused.
        let Ok(set) = ours::load(&case) else { continue };
        let mut rng = Rng::with_seed(!seed);
        for (principal, resource) in case.asked() {
            let (mut less, mut of) = (principal.clone(), resource.clone());
            without_one(&mut less, &mut of, &mut rng);
            let strictly =
                |principal, resource| ours::decide(&set, Mode::Strict, principal, resource).unwrap();
            let (before, after) = (strictly(principal, resource), strictly(&less, &of));
            for (before, after) in pairs(&before, &after) {
                if after.rests_on_failure {
                    assert_eq!(after.effect, Effect::Deny);
                    failed += u64::from(!before.rests_on_failure);
                } else {
                    assert_eq!(before, after, "seed {seed}: {principal} {resource} to {less} {of}");
                    same += 1;
                }
            }
        }
    }
    assert!(same > failed && failed > same / 200, "{same} the same, {failed} failed");
}

/// The verdict about a Cerbos request, which unlike a call of the loop can lack what is always declared.
pub(super) fn decide(engine: &Cerbos, input: &CheckInput) -> Result<Verdict, EngineError> {
    let output = cerbos::check(engine.set(), input, &engine.params()).unwrap();
    verdict(input, &output)
}

/// The maps that hold attributes.
const TRUSTED: &str = "attr";
const ARGS: &str = "attr.args";
const NESTED: &str = "attr.args.m";

/// One less of the attributes at hand: of what is declared, an argument, or a member of one. The map it was taken from.
fn one_less(input: &mut CheckInput, rng: &mut Rng) -> Option<&'static str> {
    let (kind, at) = (rng.u8(..4), rng.usize(..));
    let take = |members: &mut Map<String, Value>| {
        let name = members.keys().nth(at % members.len().max(1))?.clone();
        members.remove(&name)
    };
    match kind {
        0 => take(&mut input.principal.attr).map(|_| TRUSTED),
        1 => take(&mut input.resource.attr).map(|_| TRUSTED),
        2 => take(input.resource.attr["args"].as_object_mut()?).map(|_| ARGS),
        _ => take(input.resource.attr["args"].get_mut("m")?.as_object_mut()?).map(|_| NESTED),
    }
}

#[test]
fn an_attribute_less_is_the_same_verdict_or_an_engine_error() {
    let mut counts = [0_u64; 3];
    let (mut same, mut failed) = (0_u64, 0_u64);
    for seed in 0..sets(150) {
        let mut rng = Rng::with_seed(!seed);
        let (mut policies, _) = tools::set(seed);
        // A map that is looked at as a whole shows what is not in the maps within it, too.
        rewrite::replace(&mut policies, "R.attr.args.flag", |text| {
            [TRUSTED, ARGS, NESTED].iter().any(|map| rewrite::sees_absence(text, map))
        });
        let Ok(engine) = tools::load(&policies) else { continue };
        for _ in 0..30 {
            let asked = Asked::new(&mut rng);
            tools::decide(&engine, &asked).ok();
            let tenant = asked.request().run.tenant;
            let full = question(&asked.request(), engine.scope_of(tenant)).unwrap();
            let mut less = full.clone();
            let Some(map) = one_less(&mut less, &mut rng) else { continue };
            let (before, after) = (decide(&engine, &full), decide(&engine, &less));
            match (&before, &after) {
                (_, Err(_)) => failed += u64::from(before.is_ok()),
                (Ok(one), Ok(other)) => {
                    assert_eq!(one.decision, other.decision, "seed {seed}: {full:?} to {less:?}");
                    assert_eq!(one.rule, other.rule, "seed {seed}");
                    same += 1;
                }
                (Err(error), Ok(other)) => {
                    panic!("seed {seed}: {error} became {other:?}: {full:?} to {less:?}")
                }
            }
            assert!(reach(&after) <= reach(&before));
            counts[[TRUSTED, ARGS, NESTED].iter().position(|m| *m == map).unwrap()] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
    assert!(same > failed && failed > same / 200, "{same} the same, {failed} failed");
}
