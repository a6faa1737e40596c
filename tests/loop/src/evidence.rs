//! What a run left: verified whenever it is read, then open to questions.

use fuze_evidence::SealedContent;
use fuze_evidence::content::history;
use fuze_evidence::keys::{SubjectKeys, WrappedRunKeys};
use fuze_evidence::replay::replay;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, Report, RunFiles, TrustedKeys};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Hash, RunKeys};
use serde_json::Value;

use crate::Desk;

/// The evidence of one run.
pub struct Evidence {
    /// What the verifier says.
    pub report: Report,
    /// The records' payloads.
    pub records: Vec<Value>,
    /// The decrypted content, in the order of the records that commit to it.
    pub content: Vec<Value>,
    /// All files as one text.
    pub files: String,
}

impl Evidence {
    /// Reads, verifies and decrypts.
    ///
    /// # Panics
    /// When the evidence does not verify, content is missing or withheld, or a rule that holds for every run is broken.
    #[must_use]
    pub fn read(desk: &Desk, files: &[(&'static str, Vec<u8>)]) -> Self {
        let file = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, bytes)| bytes);
        let master = desk.master();
        let trusted = TrustedKeys::new()
            .run_key(PublicKey::from_bytes(desk.public_key()).unwrap())
            .master_key(&master)
            .subject_keys(&*desk.subjects);
        let streams = RunFiles {
            records: Box::new(file("records.jsonl")),
            roots: Some(Box::new(file("roots.jsonl"))),
            content: Some((Box::new(file("content.jsonl")), Box::new(file("keys.jsonl")))),
        };
        let replay = replay(streams, &trusted).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(replay.findings, [], "{:#?}", replay.steps);
        let report = replay.verdict.unwrap_or_else(|error| panic!("{error}"));
        let content = report.content;
        assert_eq!((content.missing, content.withheld, report.orphans), (0, 0, 0), "{report:?}");
        let lines = |name: &str| -> Vec<Vec<u8>> {
            file(name).split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        };
        let records: Vec<Value> = lines("records.jsonl")
            .iter()
            .map(|line| serde_json::from_slice::<Value>(line).unwrap()["payload"].clone())
            .collect();
        let mut key_lines = lines("keys.jsonl").into_iter();
        let wrapped = WrappedRunKeys::from_line(&key_lines.next().unwrap()).unwrap();
        let alias =
            records[0]["common"]["fuze.subject.ref"].as_str().map(|a| fuze_evidence::Name::new(a).unwrap());
        let subject = alias.as_ref().and_then(|alias| desk.subjects.find(alias).unwrap());
        let keys = RunKeys::unwrap(&wrapped, &master, alias.zip(subject.as_ref())).unwrap();
        let content = lines("content.jsonl").into_iter().zip(key_lines).map(|(content, key)| {
            let sealed = SealedContent::from_lines(content, key).unwrap();
            sealed.open(&keys).unwrap().value(sealed.root()).unwrap()
        });
        let content = content.collect();
        let text = files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        let evidence = Self { report, records, content, files: text.collect() };
        evidence.holds_for_every_run();
        evidence
    }

    /// What each model request was sent, by the roots of the records that hold it (section 7 of the format).
    fn history_holds(&self) {
        let root = |record: &Value| record["content"]["root"].as_str().unwrap().parse::<Hash>().unwrap();
        let mut told = history(Hash::ZERO, root(&self.records[0]));
        let mut turn: Option<&Value> = None;
        for (at, record) in self.records.iter().enumerate() {
            let attrs = &record["attrs"];
            if record["span"] != "model.generate" {
                continue;
            }
            // A guardrail's question is sent alone, and is no part of the history.
            if self.content_of(record).is_some_and(|said| said.get("question").is_some()) {
                assert_eq!(attrs["fuze.model.history_hash"], history(Hash::ZERO, root(record)).to_string());
                continue;
            }
            if let Some(answer) = turn.take() {
                let calls = answer["attrs"]["fuze.model.tool_calls"].as_u64().unwrap();
                if calls == 0 {
                    told = history(told, told);
                }
                for index in 0..calls {
                    told = history(told, root(self.result(answer, index, at)));
                }
            }
            assert_eq!(attrs["fuze.model.history_hash"], told.to_string(), "{:?}", self.spans());
            if attrs["fuze.model.outcome"] == "ok" {
                told = history(told, root(record));
                turn = Some(record);
            }
        }
    }

    /// The record whose content the model was told for one of its calls.
    fn result(&self, answer: &Value, index: u64, before: usize) -> &Value {
        let asked = |r: &&Value| {
            r["span"] == "policy.evaluate"
                && r["parentStepId"] == answer["stepId"]
                && r["attrs"]["fuze.tool.call_index"] == index
        };
        let decided: Vec<&Value> = self.records.iter().filter(asked).collect();
        let ran = self.records[..before].iter().rev().find(|r| {
            let hash = &r["attrs"]["fuze.tool.args_hash"];
            r["span"] == "tool.execute" && decided.iter().any(|d| d["attrs"]["fuze.tool.args_hash"] == *hash)
        });
        ran.or_else(|| decided.last().copied()).expect("each call has a result")
    }

    fn content_of(&self, record: &Value) -> Option<&Value> {
        let with_content = self.records.iter().filter(|r| r.get("content").is_some());
        with_content.zip(&self.content).find(|(r, _)| *r == record).map(|(_, content)| content)
    }

    /// Rules of every run: nothing after the close; each execution has the decision that allowed it before it.
    fn holds_for_every_run(&self) {
        self.history_holds();
        let spans = self.spans();
        assert_eq!(spans.first(), Some(&"agent.invoke"));
        assert!(spans.iter().rev().skip(1).all(|span| *span != "run.close"), "{spans:?}");
        for (at, record) in self.records.iter().enumerate() {
            if record["span"] != "tool.execute" {
                continue;
            }
            let parent = &record["parentStepId"];
            let before = &self.records[..at];
            let decision =
                before.iter().find(|r| r["stepId"] == *parent).expect("the decision before the execution");
            match decision["span"].as_str().unwrap() {
                "policy.evaluate" => {
                    let outcome = record["attrs"]["fuze.tool.outcome"].as_str().unwrap();
                    assert_eq!(decision["attrs"]["fuze.policy.decision"], "allow", "{outcome}");
                    assert_eq!(
                        decision["attrs"]["fuze.tool.args_hash"],
                        record["attrs"]["fuze.tool.args_hash"]
                    );
                }
                "human.oversight.decision" => {
                    let action = &decision["attrs"]["fuze.oversight.action"];
                    let outcome = record["attrs"]["fuze.tool.outcome"].as_str().unwrap();
                    match outcome {
                        "rejected" => assert_eq!(action, "reject"),
                        "done_by_statement" => assert_eq!(action, "done"),
                        "not_done_by_statement" => assert_eq!(action, "not_done"),
                        _ => assert!(action == "approve" || action == "modify", "{action}"),
                    }
                }
                other => panic!("`{other}` before an execution"),
            }
        }
    }

    /// How the run ended, if it did.
    #[must_use]
    pub fn status(&self) -> Option<RunStatus> {
        match self.report.chain {
            Chain::Closed(status) => Some(status),
            Chain::NotClosed => None,
        }
    }

    /// The records' spans.
    #[must_use]
    pub fn spans(&self) -> Vec<&str> {
        self.records.iter().map(|record| record["span"].as_str().unwrap()).collect()
    }

    /// How many records of a span there are.
    #[must_use]
    pub fn count(&self, span: &str) -> usize {
        self.spans().iter().filter(|s| **s == span).count()
    }

    /// One attribute of each record of a span, as text.
    #[must_use]
    pub fn attrs(&self, span: &str, key: &str) -> Vec<String> {
        let of = self.records.iter().filter(|record| record["span"] == span);
        of.map(|record| match &record["attrs"][key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
    }

    /// The decrypted content of each record of a span that has some.
    #[must_use]
    pub fn contents(&self, span: &str) -> Vec<&Value> {
        let of = self.records.iter().filter(|record| record["span"] == span);
        of.filter_map(|record| self.content_of(record)).collect()
    }

    /// Tool and outcome of each execution.
    #[must_use]
    pub fn executions(&self) -> Vec<String> {
        let tools = self.attrs("tool.execute", "gen_ai.tool.name");
        let outcomes = self.attrs("tool.execute", "fuze.tool.outcome");
        tools.into_iter().zip(outcomes).map(|(tool, outcome)| format!("{tool} {outcome}")).collect()
    }

    /// Tool, decision and reason of each evaluation.
    #[must_use]
    pub fn decisions(&self) -> Vec<String> {
        let tools = self.attrs("policy.evaluate", "gen_ai.tool.name");
        let decisions = self.attrs("policy.evaluate", "fuze.policy.decision");
        let reasons = self.attrs("policy.evaluate", "fuze.policy.reason");
        let all = tools.into_iter().zip(decisions).zip(reasons);
        all.map(|((tool, decision), reason)| format!("{tool} {decision} {reason}")).collect()
    }

    /// The decrypted content as one text.
    #[must_use]
    pub fn said(&self) -> String {
        self.content.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }
}
