//! The document and the code say the same: every span, attribute and value, and the worked example.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;

use common::{Counter, Host, Sample};
use fuze_evidence::Span;
use fuze_evidence::replay::Rule;
use fuze_evidence::vocab::*;

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence-format.md")).unwrap()
}

/// The rows of section 4: span and attribute.
fn rows(document: &str) -> Vec<(String, String, String)> {
    let section = document.split("## 4.").nth(1).unwrap().split("## 5.").next().unwrap();
    let mut span = String::new();
    let mut rows = Vec::new();
    for line in section.lines() {
        let name =
            line.strip_prefix("### `").or_else(|| line.strip_prefix('`').filter(|l| l.ends_with("`:")));
        if let Some(name) = name {
            span = name.split('`').next().unwrap().to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let attribute = row.split('`').next().unwrap().to_owned();
            rows.push((span.clone(), attribute, row.to_owned()));
        }
    }
    rows
}

#[test]
fn the_table_of_attributes_is_the_one_of_the_code() {
    let written: BTreeSet<(String, String)> = rows(&document())
        .into_iter()
        .map(|(span, attribute, _)| (span, if attribute == "app.*" { "app.".to_owned() } else { attribute }))
        .collect();
    let coded: BTreeSet<(String, String)> =
        Span::ATTRIBUTES.iter().map(|(span, key)| ((*span).to_owned(), (*key).to_owned())).collect();
    assert_eq!(written, coded);
    assert_eq!(coded.len(), Span::ATTRIBUTES.len());
}

#[test]
fn every_value_of_every_enumeration_is_in_the_document() {
    let document = document();
    fn wire<T: Copy + std::fmt::Display>(all: &[T]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }
    for (attribute, values) in [
        ("fuze.run.refusal", wire(Refusal::ALL)),
        ("fuze.run.status", wire(RunStatus::ALL)),
        ("fuze.guardrail.phase", wire(GuardrailPhase::ALL)),
        ("fuze.guardrail.outcome", wire(GuardrailOutcome::ALL)),
        ("fuze.model.error", wire(ModelErrorCode::ALL)),
        ("fuze.model.finish_reason", wire(FinishReason::ALL)),
        ("fuze.policy.decision", wire(PolicyDecision::ALL)),
        ("fuze.policy.error", wire(PolicyErrorCode::ALL)),
        ("fuze.policy.reason", wire(PolicyReason::ALL)),
        ("fuze.tool.classification", wire(Classification::ALL)),
        ("fuze.tool.effect", wire(Effect::ALL)),
        ("fuze.tool.outcome", wire(ToolOutcome::ALL)),
        ("fuze.tool.sandbox_tier", wire(SandboxTier::ALL)),
        ("fuze.oversight.reason", wire(SuspendReason::ALL)),
        ("fuze.oversight.action", wire(OversightAction::ALL)),
        ("fuze.oversight.custody", wire(Custody::ALL)),
        ("fuze.oversight.outcome", wire(DecisionOutcome::ALL)),
        ("fuze.run.cause", wire(ResumeCause::ALL)),
        ("fuze.run.cancelled_by", wire(CancelledBy::ALL)),
        ("fuze.gap.what", wire(Gap::ALL)),
    ] {
        let (_, _, row) = rows(&document).into_iter().find(|(_, a, _)| a == attribute).unwrap();
        let column = row.split('|').nth(2).unwrap();
        for value in values {
            assert!(column.contains(&format!("`{value}`")), "{attribute}: {value}");
        }
    }
    for value in wire(AnnexIii::ALL).into_iter().chain(wire(LawfulBasis::ALL)).chain(wire(Art22::ALL)) {
        assert!(document.contains(&format!("`{value}`")), "{value}");
    }
}

/// A run whose randomness is SHA-256 of a counter, so that it is the same on every machine. `FUZE_BLESS=1` writes it.
#[test]
fn the_worked_example_is_what_the_code_writes() {
    let host = Host::with(Box::new(Counter(1)));
    let (sample, recorder) = Sample::begin_in_store(host, false);
    let mut sample = sample;
    let times = common::times(2_000_000);
    let closed = recorder.close(1, 0, times, RunStatus::BudgetExceeded, &sample.host.signer).unwrap();
    sample.add(closed.record(), None);
    let mut example = String::new();
    for (file, octets) in [
        ("records.jsonl", &sample.files.records),
        ("roots.jsonl", &sample.files.roots),
        ("content.jsonl", &sample.files.content),
        ("keys.jsonl", &sample.files.keys),
    ] {
        example.push_str(&format!("`{file}`:\n\n```json\n{}```\n\n", std::str::from_utf8(octets).unwrap()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence-format.md");
    let document = document();
    let (before, after) = document.split_once("<!-- example -->\n").unwrap();
    let (found, rest) = after.split_once("<!-- end of example -->").unwrap();
    if std::env::var_os("FUZE_BLESS").is_some() {
        std::fs::write(path, format!("{before}<!-- example -->\n{example}<!-- end of example -->{rest}"))
            .unwrap();
        return;
    }
    assert_eq!(found, example, "run again with FUZE_BLESS=1 if the change is meant");
}

#[test]
fn every_rule_of_the_loop_is_in_the_document() {
    let document = document();
    let rows = document.split("## 17. ").nth(1).unwrap().lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<&str> = rows.take_while(|line| !line.contains("fuze audit")).collect();
    let rules: Vec<String> = Rule::ALL
        .iter()
        .map(|rule| format!("| `{}` | {} | {} |", rule.as_str(), rule.describe(), rule.expected()))
        .collect();
    assert_eq!(rows, rules);
}
