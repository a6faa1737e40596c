//! Which rows there are, what each must cite, and that each has its test.

use std::collections::BTreeMap;

/// Each row with what its test must cite: the reports, as projects and numbers.
const ROWS: &[(u32, &[&str])] = &[
    (1, &["google/adk-python#7148", "Mastra PR #20487"]),
    (2, &["pydantic-ai#8060"]),
    (3, &["pydantic-ai#6968"]),
    (4, &["pydantic-ai#5536", "vercel/ai PR #15947", "#3908", "#5105"]),
    (5, &["vercel/ai 7.0.36"]),
    (6, &["vercel/ai 7.0.178"]),
    (7, &["mastra#16468", "#20322", "#9288"]),
    (8, &["langgraph#6663"]),
    (9, &["langgraph#6208", "#6603", "rig"]),
    (10, &["adk-go#876"]),
    (11, &["adk-python PR #5545"]),
    (12, &["openai-agents-python #889", "#991"]),
    (13, &["omnigent#536"]),
    (14, &["hedera-agent-kit-py#339"]),
    (15, &["agent-governance-toolkit#176"]),
    (16, &["agent-governance-toolkit `audit.rs`"]),
    (18, &["pydantic-ai#7977"]),
    (19, &["conductai#881"]),
    (20, &["Fuze TS"]),
    (21, &["Fuze TS"]),
    (22, &["Fuze TS"]),
    (23, &["Fuze TS"]),
    (24, &["Fuze TS"]),
    (25, &["Fuze TS"]),
    (26, &["Fuze TS"]),
    (27, &["Fuze TS"]),
    (29, &["Fuze TS"]),
    (28, &["Fuze TS"]),
    (30, &["Fuze TS"]),
    (31, &["Fuze TS"]),
    (32, &["Fuze TS"]),
    (33, &["Fuze TS"]),
    (34, &["Fuze TS"]),
];

const SOURCES: &[&str] = &[
    include_str!("approval.rs"),
    include_str!("arguments.rs"),
    include_str!("durability.rs"),
    include_str!("evidence.rs"),
    include_str!("nesting.rs"),
    include_str!("policy.rs"),
    include_str!("time.rs"),
];

/// Tests named `row_NN_…`, with the doc comment that stands before each.
fn tests() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for source in SOURCES {
        let mut docs = String::new();
        let mut is_test = false;
        for line in source.lines() {
            if let Some(text) = line.strip_prefix("///") {
                docs.push_str(text);
                continue;
            }
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
                continue;
            }
            let name = line.trim_start_matches("async ").strip_prefix("fn row_");
            if let (true, Some(name)) = (is_test, name) {
                let (number, what) = name.split_at(2);
                assert!(
                    what.starts_with('_') && what.len() > 8,
                    "`row_{name}` does not say what it is about"
                );
                found.entry(number.parse().unwrap()).or_default().push(docs.clone());
            }
            if !line.starts_with("#[") {
                docs.clear();
                is_test = false;
            }
        }
    }
    found
}

#[test]
fn every_row_has_a_test_that_cites_its_report() {
    let found = tests();
    for (row, cited) in ROWS {
        let docs = found.get(row).unwrap_or_else(|| panic!("row {row} has no test"));
        for report in *cited {
            assert!(docs.iter().any(|docs| docs.contains(report)), "no test of row {row} cites `{report}`");
        }
    }
    for row in found.keys() {
        assert!(ROWS.iter().any(|(known, _)| known == row), "row {row} is not in the list");
    }
    assert_eq!(ROWS.len(), 33);
}

/// A proof case is there, its first line names this rule, and an error stops it.
pub(crate) fn proof(path: &str, rule: usize) {
    let suite = xtask::proof::load(&xtask::proof::directory()).unwrap();
    let case = suite.cases.iter().find(|case| case.path == path);
    let case = case.unwrap_or_else(|| panic!("there is no proof case `{path}`"));
    let header = case.header.clone().unwrap_or_else(|error| panic!("`{path}` {error}"));
    assert_eq!(header.rule, rule, "`{path}` proves another rule");
    assert!(!case.errors().is_empty(), "nothing stops `{path}`");
}
