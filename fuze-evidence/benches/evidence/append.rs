//! Appending records of about 1 KB whose content roots are given: canonical form, hash, chain. No file, no signature.

use std::cell::RefCell;
use std::hint::black_box;

use fuze_evidence::content::{Commitment, commit};
use fuze_evidence::record::ContentRef;
use fuze_evidence::span::PolicyEvaluate;
use fuze_evidence::vocab::PolicyDecision;
use fuze_evidence::{Common, Hash, Record, Recorder, Redactor, Span, sha256};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Host, Sample, evaluate, times};
use crate::measure::{Clock, Figures, job};

const RECORDS: u64 = 500;

/// What stands in every record of the run, and what each one says.
struct Run {
    first: (u64, Hash),
    common: Common,
    run_id: String,
    spans: Vec<Span>,
}

pub(crate) fn measure(figures: &mut Figures) {
    let (mut sample, recorder) = Sample::begin(Host::new());
    let run = Run {
        first: recorder.head(),
        common: recorder.common().clone(),
        run_id: recorder.run_id().to_string(),
        spans: (0..RECORDS).map(|n| evaluate(PolicyDecision::Allow, sha256(&n.to_be_bytes()))).collect(),
    };
    let redactor = Redactor::new(&sample.keys);
    let mut commitments = || -> Vec<Commitment> {
        let random = sample.host.random.as_mut();
        (0..RECORDS).map(|n| commit(redactor.redact(json!(n)), random).unwrap()).collect()
    };
    let given = commitments();
    let roots: Vec<ContentRef> = given.iter().map(Commitment::content_ref).collect();
    let state = recorder.state().clone();
    let append = |given: &[Commitment], take: &mut dyn FnMut(Record)| {
        let mut recorder = Recorder::resume(state.clone()).unwrap();
        for ((step, span), content) in (1..).zip(&run.spans).zip(given) {
            take(recorder.append(step, 0, times(step), span, Some(content)).unwrap());
        }
    };
    // All three write the same octets, or the comparison says nothing.
    let mut ours = Vec::new();
    append(&given, &mut |record| ours.extend_from_slice(record.bytes()));
    assert!(ours == run.by_hand(&roots) && ours == run.composed(&roots));
    println!("appending {RECORDS} records of {} octets", ours.len() / run.spans.len());

    // A commitment stands in one record only, so each turn has its own: made just before, as where records are written.
    let given = RefCell::new(given);
    let [ours, by_hand, composed] = figures.compare(
        Clock::Cpu,
        [
            (
                "Recorder::append",
                Box::new(|| *given.borrow_mut() = commitments()),
                Box::new(|| {
                    append(&given.borrow(), &mut |record| drop(black_box(record)));
                    Box::new(())
                }),
            ),
            job("a hand-written loop", || run.by_hand(&roots)),
            job("serde_jcs and sha2", || run.composed(&roots)),
        ],
    );
    figures.at_least("append: speed as a share of the hand-written loop's", by_hand, ours, 0.85);
    figures.at_least("append: times as fast as serde_jcs and sha2", composed, ours, 5.0);
}

impl Run {
    /// What somebody would write who knows these spans and cares for nothing but speed: no checks, one buffer.
    fn by_hand(&self, roots: &[ContentRef]) -> Vec<u8> {
        let common = serde_jcs::to_vec(&self.common).unwrap();
        let mut out = Vec::new();
        let (_, mut head) = self.first;
        for ((sequence, span), content) in (1_u64..).zip(&self.spans).zip(roots) {
            let Span::PolicyEvaluate(span) = span else { continue };
            let start = out.len();
            out.extend_from_slice(b"{\"hash\":\"");
            out.extend_from_slice(&[b'0'; 64]);
            out.extend_from_slice(b"\",\"payload\":{\"attrs\":{");
            attributes(&mut out, span);
            out.extend_from_slice(b"},\"common\":");
            out.extend_from_slice(&common);
            out.extend_from_slice(b",\"content\":{\"leaves\":");
            integer(&mut out, u64::from(content.leaves));
            out.extend_from_slice(b",\"root\":\"");
            out.extend_from_slice(&content.root.to_hex());
            let times = times(sequence);
            out.extend_from_slice(b"\"},\"endedAt\":\"");
            out.extend_from_slice(&times.ended_at.to_rfc3339());
            out.extend_from_slice(b"\",\"parentStepId\":0,\"role\":\"policy\",\"runId\":\"");
            out.extend_from_slice(self.run_id.as_bytes());
            out.extend_from_slice(b"\",\"span\":\"policy.evaluate\",\"startedAt\":\"");
            out.extend_from_slice(&times.started_at.to_rfc3339());
            out.extend_from_slice(b"\",\"stepId\":");
            integer(&mut out, sequence);
            out.extend_from_slice(b",\"v\":1},\"prevHash\":\"");
            out.extend_from_slice(&head.to_hex());
            out.extend_from_slice(b"\",\"sequence\":");
            integer(&mut out, sequence);
            out.push(b'}');
            let mut hasher = Sha256::new();
            hasher.update(b"{");
            hasher.update(&out[start + 75..]);
            head = Hash(hasher.finalize().into());
            out[start + 9..start + 73].copy_from_slice(&head.to_hex());
        }
        out
    }

    /// What somebody would write with the crates that are there.
    fn composed(&self, roots: &[ContentRef]) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload<'p> {
            v: u64,
            span: &'p str,
            role: &'p str,
            run_id: &'p str,
            step_id: u64,
            parent_step_id: u64,
            started_at: String,
            ended_at: String,
            common: &'p Common,
            attrs: Map<String, Value>,
            content: Value,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Line<'p> {
            #[serde(skip_serializing_if = "Option::is_none")]
            hash: Option<Hash>,
            payload: &'p Payload<'p>,
            prev_hash: Hash,
            sequence: u64,
        }
        let mut out = Vec::new();
        let (_, mut head) = self.first;
        for ((sequence, span), content) in (1_u64..).zip(&self.spans).zip(roots) {
            let Span::PolicyEvaluate(evaluate) = span else { continue };
            let times = times(sequence);
            let payload = Payload {
                v: 1,
                span: span.name(),
                role: span.role().as_str(),
                run_id: &self.run_id,
                step_id: sequence,
                parent_step_id: 0,
                started_at: times.started_at.to_string(),
                ended_at: times.ended_at.to_string(),
                common: &self.common,
                attrs: map(evaluate),
                content: json!({"leaves": content.leaves, "root": content.root}),
            };
            let unhashed = Line { hash: None, payload: &payload, prev_hash: head, sequence };
            head = Hash(Sha256::digest(serde_jcs::to_vec(&unhashed).unwrap()).into());
            out.extend(serde_jcs::to_vec(&Line { hash: Some(head), ..unhashed }).unwrap());
        }
        out
    }
}

fn attributes(out: &mut Vec<u8>, span: &PolicyEvaluate) {
    boolean(out, b"\"fuze.approval.by_law\":", span.approval_by_law);
    boolean(out, b",\"fuze.approval.by_policy\":", span.approval_by_policy);
    boolean(out, b",\"fuze.approval.by_tool\":", span.approval_by_tool);
    text(out, b",\"fuze.policy.bundle_hash\":\"", &span.bundle_hash.to_hex());
    text(out, b",\"fuze.policy.decision\":\"", span.decision.as_str().as_bytes());
    text(out, b",\"fuze.policy.engine\":\"", span.engine.as_str().as_bytes());
    boolean(out, b",\"fuze.policy.engine_error\":", span.engine_error);
    text(out, b",\"fuze.policy.reason\":\"", span.reason.as_str().as_bytes());
    if let Some(rule) = &span.rule {
        text(out, b",\"fuze.policy.rule\":\"", rule.as_str().as_bytes());
    }
    if let Some(hash) = span.args_hash {
        text(out, b",\"fuze.tool.args_hash\":\"", &hash.to_hex());
    }
    out.extend_from_slice(b",\"fuze.tool.call_index\":");
    integer(out, u64::from(span.call_index));
    boolean(out, b",\"fuze.tool.known\":", span.known);
    if let Some(tool) = &span.tool {
        text(out, b",\"gen_ai.tool.name\":\"", tool.as_str().as_bytes());
    }
}

fn boolean(out: &mut Vec<u8>, key: &[u8], value: bool) {
    out.extend_from_slice(key);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn text(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    out.push(b'"');
}

fn integer(out: &mut Vec<u8>, value: u64) {
    if value >= 10 {
        integer(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}

fn map(span: &PolicyEvaluate) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    put("fuze.approval.by_law", json!(span.approval_by_law));
    put("fuze.approval.by_policy", json!(span.approval_by_policy));
    put("fuze.approval.by_tool", json!(span.approval_by_tool));
    put("fuze.policy.bundle_hash", json!(span.bundle_hash));
    put("fuze.policy.decision", json!(span.decision));
    put("fuze.policy.engine", json!(span.engine.as_str()));
    put("fuze.policy.engine_error", json!(span.engine_error));
    put("fuze.policy.reason", json!(span.reason));
    put("fuze.policy.rule", json!(span.rule.as_ref().unwrap().as_str()));
    put("fuze.tool.args_hash", json!(span.args_hash.unwrap()));
    put("fuze.tool.call_index", json!(span.call_index));
    put("fuze.tool.known", json!(span.known));
    put("gen_ai.tool.name", json!(span.tool.as_ref().unwrap().as_str()));
    map
}
