//! The two that judge: the other verifier in a process of its own, and ours.

use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use fuze_agent_bundle_tests::tools::workspace;
use fuze_audit::verify::verify;
use fuze_audit::{AuditError, BundleReport, Trust};
use fuze_evidence::Hash;
use fuze_evidence::verify::Report;
use fuze_log::Policy;
use serde_json::{Value, json};

/// A process that judges bundles.
pub(crate) struct Other {
    pub(crate) child: Child,
    pub(crate) to: ChildStdin,
    pub(crate) from: BufReader<ChildStdout>,
}

impl Other {
    pub(crate) fn start(python: &std::path::Path) -> Self {
        let mut child = Command::new(python)
            .arg(workspace("tests/bundle/python/stream.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    /// What is said about the whole, and about the evidence in it.
    pub(crate) fn judge(&mut self, bundle: &[u8], run_key: Hash, any_exporter: bool) -> [(u8, String); 2] {
        self.judge_with(bundle, &json!({"run_keys": [run_key], "any_exporter": any_exporter}))
    }

    pub(crate) fn judge_with(&mut self, bundle: &[u8], trust: &Value) -> [(u8, String); 2] {
        let mut header = trust.clone();
        header["size"] = json!(bundle.len());
        writeln!(self.to, "{header}").unwrap();
        self.to.write_all(bundle).unwrap();
        self.to.flush().unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success());
    }
}

pub(crate) fn ours(bundle: &[u8], run_key: Hash, any_exporter: bool, log: Option<&Policy>) -> (u8, String) {
    let trust = Trust::new().run_key(run_key);
    let trust = log.cloned().into_iter().fold(trust, Trust::log);
    let trust = if any_exporter { trust.any_exporter() } else { trust };
    answer(verify(Cursor::new(bundle), &trust))
}

/// Our answer as far as the others look: they do not hold what records tell against the rules of the loop (section 17 of the format).
pub(crate) fn answer(result: Result<BundleReport, AuditError>) -> (u8, String) {
    match result.map(|report| BundleReport { run: Report { findings: Vec::new(), ..report.run }, ..report }) {
        Ok(report) => (report.verdict().exit_code(), format!("{:?}", report.verdict())),
        Err(error) => (error.exit_code(), error.to_string()),
    }
}
