//! The guide's policies: without any of the attributes that its suites state, no call goes further. Here that holds outright, for what the
//! tool and the run declare and for what the model asks.

use std::path::Path;

use fuze_agent_policy_tests::ours;
use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cerbos::yaml::{self, Limits};
use fuze_policy::cerbos::{CheckInput, Source, read_directory};
use serde_json::{Map, Value, json};

use super::attributes::decide;
use super::reach;

const GUIDE: [&str; 5] = ["payment", "personal", "public", "special", "tenants"];

/// Every principal of a suite with every resource.
fn asked(suite: &Source) -> Vec<CheckInput> {
    let documents = yaml::read(&suite.path, &suite.text, Limits::default()).unwrap();
    let suite = documents[0].to_json().unwrap();
    let all = |of: &str| suite[of].as_object().unwrap().values().cloned().collect::<Vec<Value>>();
    let mut asked = Vec::new();
    for principal in all("principals") {
        for resource in all("resources") {
            let resource = json!({"resource": resource, "actions": ["invoke", "invoke:auto"]});
            asked.push(ours::input(&principal, &resource));
        }
    }
    asked
}

/// Every way to take one member out, at any depth.
fn each_less(members: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    for (name, value) in members {
        let mut less = members.clone();
        less.remove(name);
        all.push(less);
        for inner in value.as_object().map(each_less).unwrap_or_default() {
            let mut less = members.clone();
            less.insert(name.clone(), inner.into());
            all.push(less);
        }
    }
    all
}

/// Every way to take one attribute out.
fn less(input: &CheckInput) -> Vec<CheckInput> {
    let principals = each_less(&input.principal.attr).into_iter().map(|attr| {
        let mut less = input.clone();
        less.principal.attr = attr;
        less
    });
    let resources = each_less(&input.resource.attr).into_iter().map(|attr| {
        let mut less = input.clone();
        less.resource.attr = attr;
        less
    });
    principals.chain(resources).collect()
}

#[test]
fn without_an_attribute_no_call_of_the_guide_goes_further() {
    for name in GUIDE {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuze-policy/guide").join(name);
        let files = read_directory(&directory).unwrap();
        let engine = Cerbos::new(&files, None).unwrap();
        let (mut allowed, mut lower) = (0, 0);
        for input in asked(&files.tests[0]) {
            let before = decide(&engine, &input);
            allowed += usize::from(reach(&before) > 0);
            for one in less(&input) {
                let after = decide(&engine, &one);
                assert!(reach(&after) <= reach(&before), "{name}: {before:?} became {after:?}: {one:?}");
                lower += usize::from(reach(&after) < reach(&before));
                for two in less(&one) {
                    let without = decide(&engine, &two);
                    assert!(
                        reach(&without) <= reach(&after),
                        "{name}: {after:?} became {without:?}: {two:?}"
                    );
                }
            }
        }
        assert!(
            allowed > 0 && lower > allowed,
            "{name}: {allowed} let through, {lower} less without an attribute"
        );
    }
}
