//! The guide's policies on a real Cerbos server, held against the same pinned here: what both decide is the same, and a server with
//! other policies halts.

use std::fs;
use std::path::{Path, PathBuf};

use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_agent_policy_tests::tools::RUN;
use fuze_policy::agent_tool::Cerbos;
use fuze_policy::remote::RemoteCerbos;
use fuze_policy::{CallFacts, Decision, Engine, EngineError, RemoteEngine, Request, RunFacts, ToolFacts};
use rcgen::{CertificateParams, KeyPair};

fn guide(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuze-policy/guide").join(name)
}

/// What is asked about a set of the guide: the cross product of all this.
struct Questions {
    set: &'static str,
    tool: ToolFacts<'static>,
    classifications: &'static [&'static str],
    roles: &'static [&'static [&'static str]],
    tenants: &'static [&'static str],
    args: &'static [&'static str],
}

const TOOL: ToolFacts<'static> = ToolFacts {
    name: "",
    classification: "",
    art9_basis: None,
    residency: "eu",
    effect: "read",
    egress: "none",
};

const QUESTIONS: [Questions; 5] = [
    Questions {
        set: "public",
        tool: ToolFacts { name: "search_catalogue", ..TOOL },
        classifications: &["public", "personal"],
        roles: &[&["agent"], &["guest"], &["guest", "agent"]],
        tenants: &["acme"],
        args: &["{}", r#"{"n":1e21,"text":"ü\u0001 \"quoted\""}"#],
    },
    Questions {
        set: "personal",
        tool: ToolFacts { name: "customer_lookup", ..TOOL },
        classifications: &["personal", "public"],
        roles: &[&["support"], &["agent"]],
        tenants: &["acme"],
        args: &["{}"],
    },
    Questions {
        set: "special",
        tool: ToolFacts { name: "health_record", art9_basis: Some("explicit_consent"), ..TOOL },
        classifications: &["special_category", "personal"],
        roles: &[&["clinic"], &["clinic", "support"], &["support"]],
        tenants: &["acme"],
        args: &[r#"{"patient":"p-7"}"#],
    },
    Questions {
        set: "payment",
        tool: ToolFacts { name: "pay_invoice", effect: "once", egress: "hosts", ..TOOL },
        classifications: &["confidential", "public"],
        roles: &[&["accounting"], &["support"]],
        tenants: &["acme"],
        args: &[
            r#"{"amount_eur":500}"#,
            r#"{"amount_eur":500.01}"#,
            r#"{"amount_eur":10000}"#,
            r#"{"amount_eur":10000.01}"#,
            r#"{"amount_eur":-1}"#,
            r#"{"amount_eur":"500"}"#,
            "{}",
        ],
    },
    Questions {
        set: "tenants",
        tool: ToolFacts { name: "send_mail", effect: "once", egress: "eu", ..TOOL },
        classifications: &["personal"],
        roles: &[&["support"], &["agent"]],
        tenants: &["acme", "globex", "acme.hr"],
        args: &[r#"{"to":"customer"}"#, r#"{"to":"stranger"}"#],
    },
];

impl Questions {
    fn each(&self, mut ask: impl FnMut(&Request<'_>)) {
        for classification in self.classifications {
            for roles in self.roles {
                let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
                for tenant in self.tenants {
                    for args in self.args {
                        ask(&Request {
                            tool: ToolFacts { classification, ..self.tool },
                            run: RunFacts { tenant, roles: &roles, ..RUN },
                            call: CallFacts { args: args.as_bytes(), depth: 0 },
                        });
                    }
                }
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn engine(server: &Pdp, pinned: &Path) -> RemoteCerbos {
    let limit = std::time::Duration::from_secs(60);
    RemoteCerbos::at(server.url(), Cerbos::load(pinned).unwrap()).time_limit(limit).build().unwrap()
}

#[test]
fn a_real_server_with_the_pinned_policies_decides_the_same() {
    let Some(binary) = pdp::binary() else { return };
    let (scratch, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let (mut allowed, mut waits, mut denied, mut failed) = (0, 0, 0, 0);
    for questions in &QUESTIONS {
        let directory = guide(questions.set);
        let server = Pdp::start(&binary, &directory, Mode::Strict, scratch.path()).unwrap();
        let (remote, local) = (engine(&server, &directory), Cerbos::load(&directory).unwrap());
        questions.each(|request| {
            let ours = local.decide(request).map(|verdict| (verdict.decision, verdict.rule));
            let theirs = runtime.block_on(remote.decide(request));
            let theirs = theirs.map(|verdict| (verdict.decision, verdict.rule));
            assert_eq!(ours, theirs, "{request:?}");
            match ours {
                Ok((Decision::Allow, _)) => allowed += 1,
                Ok((Decision::RequiresApproval(_), _)) => waits += 1,
                Ok((Decision::Deny, _)) => denied += 1,
                Err(_) => failed += 1,
            }
        });
    }
    // So that the questions are none that every server answers alike.
    let counts = [allowed, waits, denied, failed];
    assert_eq!(counts.iter().sum::<u32>(), 62, "{counts:?}");
    assert!(counts.iter().all(|count| *count >= 2) && allowed >= 5 && waits >= 3, "{counts:?}");
}

/// Each change of a policy over there is found by a question that it changes the answer to.
#[test]
fn a_real_server_with_other_policies_halts() {
    let Some(binary) = pdp::binary() else { return };
    let (scratch, runtime) = (tempfile::tempdir().unwrap(), runtime());
    for (at, file, from, to) in [
        (2, "health_record.yaml", r#"actions: ["invoke"]"#, r#"actions: ["invoke", "invoke:auto"]"#),
        (2, "health_record.yaml", r#""deadline_seconds": 3600"#, r#""deadline_seconds": 7200"#),
        (2, "health_record.yaml", "effect: EFFECT_ALLOW", "effect: EFFECT_DENY"),
        (3, "pay_invoice.yaml", "without_approval_eur: 500", "without_approval_eur: 5000"),
        (1, "roles.yaml", "customer-support", "marketing"),
        (4, "mail_acme.yaml", "scope: acme", "scope: globex"),
    ] {
        let questions = &QUESTIONS[at];
        let other = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(guide(questions.set)).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_string_lossy().ends_with("_test.yaml") {
                fs::copy(entry.path(), other.path().join(entry.file_name())).unwrap();
            }
        }
        let path = other.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let server = Pdp::start(&binary, other.path(), Mode::Strict, scratch.path()).unwrap();
        let remote = engine(&server, &guide(questions.set));
        let mut mismatches = 0;
        questions.each(|request| match runtime.block_on(remote.decide(request)) {
            Ok(_) | Err(EngineError::Evaluation(_)) => {}
            Err(EngineError::BundleMismatch(_)) => mismatches += 1,
            Err(error) => panic!("{file}: {from}: {error}"),
        });
        assert!(mismatches > 0, "{file}: {from}");
    }
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    let Some(binary) = pdp::binary() else { return };
    let (scratch, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let directory = guide("public");
    let server = Pdp::start(&binary, &directory, Mode::Strict, scratch.path()).unwrap();
    let remote = engine(&server, &directory);
    drop(server);
    QUESTIONS[0].each(|request| {
        let decided = runtime.block_on(remote.decide(request)).map(|verdict| verdict.decision);
        assert!(matches!(decided, Err(EngineError::Unreachable(_))), "{decided:?}");
    });
}

#[test]
fn a_real_server_answers_over_tls_to_whoever_trusts_it() {
    let Some(binary) = pdp::binary() else { return };
    let (scratch, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let key = KeyPair::generate().unwrap();
    let of = |name: &str, key: &KeyPair| {
        CertificateParams::new([name.to_owned()]).unwrap().self_signed(key).unwrap().pem()
    };
    let (certificate, key_file) = (scratch.path().join("c.pem"), scratch.path().join("k.pem"));
    fs::write(&certificate, of("localhost", &key)).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let directory = guide("public");
    let server = Pdp::start_tls(&binary, &directory, scratch.path(), &certificate, &key_file).unwrap();
    let trusting = |roots: String| {
        let pinned = Cerbos::load(&directory).unwrap();
        let limit = std::time::Duration::from_secs(60);
        RemoteCerbos::at(server.url(), pinned).time_limit(limit).roots(roots).build().unwrap()
    };
    let (local, remote) =
        (Cerbos::load(&directory).unwrap(), trusting(fs::read_to_string(&certificate).unwrap()));
    let another = trusting(of("localhost", &KeyPair::generate().unwrap()));
    QUESTIONS[0].each(|request| {
        let ours = local.decide(request).map(|verdict| (verdict.decision, verdict.rule));
        let theirs = runtime.block_on(remote.decide(request)).map(|verdict| (verdict.decision, verdict.rule));
        assert_eq!(ours, theirs, "{request:?}");
        let refused = runtime.block_on(another.decide(request)).map(|verdict| verdict.decision);
        assert!(matches!(refused, Err(EngineError::Unreachable(_))), "{refused:?}");
    });
}
