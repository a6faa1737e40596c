//! Nothing that is read from policies is nested so deep that a walk through it needs more stack than a thread has.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fmt::Write as _;

use fuze_policy::analysis::{Property, Tools, diff, explain, lint, prove};
use fuze_policy::cel::Program;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, PolicySet, Resource, Source};

#[path = "common/mod.rs"]
mod common;

/// Variables of eighty levels each that name each other, this many levels in all, and a rule that looks at the last.
fn policy(levels: usize, wrap: &dyn Fn(usize, &str) -> String, rule: &dyn Fn(&str) -> String) -> String {
    let mut text = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  variables:\n    local:\n      \
                    v0: R.attr.tool_name\n"
        .to_owned();
    let (mut last, mut left) = ("V.v0".to_owned(), levels - 1);
    for at in 1.. {
        let some = left.min(80);
        writeln!(text, "      v{at}: '{}'", wrap(some, &last)).unwrap();
        last = format!("V.v{at}");
        left -= some;
        if left == 0 {
            break;
        }
    }
    writeln!(
        text,
        "  rules:\n    - actions: [invoke, 'invoke:auto']\n      effect: EFFECT_ALLOW\n      roles: [a]\n      condition: {{match: {{expr: \
         '{}'}}}}",
        rule(&last)
    )
    .unwrap();
    text
}

fn in_lists(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels))
}

fn in_maps(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "{\"a\": ".repeat(levels), "}".repeat(levels))
}

fn in_sums(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "(".repeat(levels), " + \"a\")".repeat(levels))
}

fn in_options(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "optional.of(".repeat(levels), ")".repeat(levels))
}

fn load(text: &str) -> Result<PolicySet, String> {
    PolicySet::load(&[Source::new("p.yaml", text)]).map_err(|problems| problems.to_string())
}

/// On the stack that a thread gets.
fn on_a_thread(of: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(of).unwrap().join().expect("it ends well");
}

/// The deepest that is taken goes through everything, and one level more is refused.
#[test]
fn the_deepest_that_is_taken_fits_a_threads_stack() {
    on_a_thread(|| {
        for wrap in [&in_lists as &dyn Fn(usize, &str) -> String, &in_maps, &in_sums, &in_options] {
            let rule = |last: &str| format!("{last} == {last}");
            let refused = load(&policy(401, wrap, &|_| "true".to_owned())).err();
            // What no expression names is no less deep.
            assert!(refused.is_some_and(|why| why.contains("nested deeper than 400 levels")));
            let set = load(&policy(399, wrap, &rule)).unwrap_or_else(|why| panic!("{why}"));
            let other = load(&policy(398, wrap, &rule)).unwrap_or_else(|why| panic!("{why}"));
            let _ = lint(&set, &Tools::default());
            let _ = prove(&set, &Property::NothingCrossesTenants);
            let _ = prove(&set, &Property::never_auto("special_category"));
            let _ = diff(&set, &other);
            let input = CheckInput {
                principal: cerbos::Principal {
                    id: "p".into(),
                    roles: vec!["a".into()],
                    ..Default::default()
                },
                resource: Resource {
                    kind: "agent.tool".into(),
                    id: "t".into(),
                    attr: serde_json::json!({"tool_name": "t"}).as_object().unwrap().clone(),
                    ..Resource::default()
                },
                actions: vec!["invoke".into()],
                ..CheckInput::default()
            };
            let params: CheckParams = common::params();
            assert!(cerbos::check(&set, &input, &params).is_ok());
            explain(&set, &input).unwrap_or_else(|why| panic!("{why}"));
        }
    });
}

/// The refusal names the variable with which it becomes too much, and none of those that name it.
#[test]
fn what_is_too_deep_is_refused_with_its_place() {
    on_a_thread(|| {
        let why = load(&policy(720, &in_lists, &|last| format!("{last} == {last}"))).err().unwrap();
        assert!(why.starts_with("p.yaml:12:7: the variable `v5` is nested deeper than 400 levels"), "{why}");
        assert_eq!(why.lines().count(), 1, "{why}");
        let why = load(&policy(400, &in_lists, &|last| format!("[{last}] == [1]"))).err().unwrap();
        assert!(why.contains("this expression is nested deeper than 400 levels"), "{why}");
    });
}

/// A macro's variable stands for what is as deep as that.
#[test]
fn macros_put_no_more_into_one_another() {
    let nested = |binds: usize| {
        let inits: String = (0..binds)
            .map(|at| {
                let before = if at == 0 { "0".to_owned() } else { format!("x{}", at - 1) };
                format!("cel.bind(x{at}, {}, ", in_lists(30, &before))
            })
            .collect();
        format!("{inits}size(x{}) == 1{}", binds - 1, ")".repeat(binds))
    };
    on_a_thread(move || {
        assert!(Program::parse(&nested(10)).is_ok());
        let why = Program::parse(&nested(60)).unwrap_err().to_string();
        assert!(why.contains("nested deeper than 400 levels"), "{why}");
    });
}
