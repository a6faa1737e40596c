//! The engine for tools as a whole: what it refuses and says of it, what its hash is over, what globals are, and which outputs it takes.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use common::tools::{RUN, TOOL, both_questions};
use fuze_policy::agent_tool::{Cerbos, LoadError, MANIFEST, question};
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{
    Approver, Call, CallFacts, Conditions, Decided, Decision, DenyReason, Engine, EngineError, Fixed, Gate,
    Obligation, Opening, Policy, Request, RequiredBy, RunFacts, ToolFacts, Verdict,
};
use serde_json::json;

const HEAD: &str = "apiVersion: api.cerbos.dev/v1\n";

/// A policy for tools with one rule.
fn policy(rule: &str) -> String {
    format!("{HEAD}resourcePolicy: {{resource: agent.tool, version: default, rules: [{{{rule}}}]}}")
}

const ALLOW: &str = "actions: [invoke], effect: EFFECT_ALLOW, roles: [a]";

fn load(policies: &[(&str, &str)], manifest: Option<&str>) -> Result<Cerbos, LoadError> {
    let policies = policies.iter().map(|(name, text)| Source::new(name, text)).collect();
    Cerbos::new(
        &Files { policies, ..Files::default() },
        manifest.map(|text| Source::new(MANIFEST, text)).as_ref(),
    )
}

fn decide(engine: &Cerbos) -> Result<Verdict, EngineError> {
    engine.decide(&request(&["a".to_owned()]))
}

fn request(roles: &[String]) -> Request<'_> {
    Request { tool: TOOL, run: RunFacts { roles, ..RUN }, call: CallFacts { args: b"{}", depth: 0 } }
}

/// A call without arguments.
struct Nothing;

impl Call for Nothing {
    type Args = ();
    type Error = ();

    fn open(self, _: Opening) -> Result<(), ()> {
        Ok(())
    }
}

#[test]
fn everything_that_is_wrong_is_told_a_line_each() {
    let (some, glob) = (
        policy("actions: [invoke], effect: EFFECT_DENY, roles: [a]"),
        policy("actions: ['*'], effect: EFFECT_ALLOW, roles: [a]").replace("default", "v2"),
    );
    let error = load(&[("a.yaml", &some), ("b.yaml", &glob)], None).unwrap_err();
    let told = error.to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), error.problems().len(), "{told}");
    assert_eq!(error.problems().len(), 3, "{told}");
    for (line, problem) in lines.iter().zip(error.problems()) {
        assert_eq!(*line, problem.to_string());
    }
    for part in ["`default`", "deny-for-some-roles", "auto-by-glob"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.starts_with('\n') && !told.ends_with('\n'));
}

/// A policy for tools in a scope, which asks for consent where it is below another.
fn scoped(scope: &str, rules: &[&str]) -> String {
    let consent = if scope.is_empty() {
        String::new()
    } else {
        format!("scope: {scope}, scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS, ")
    };
    let rules: Vec<String> = rules.iter().map(|rule| format!("{{{rule}}}")).collect();
    format!(
        "{HEAD}resourcePolicy: {{resource: agent.tool, version: default, {consent}rules: [{}]}}",
        rules.join(", ")
    )
}

/// Each a root and a scope, and whether the scope seems to ask for a person and does not.
#[test]
fn a_scope_that_seems_to_ask_for_a_person_does() {
    const BOTH: &str = "actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [a]";
    const ALL: &str = "actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: ['*']";
    const OTHER: &str = "actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [b]";
    const NOT_ALONE: &str = "actions: ['invoke:auto'], effect: EFFECT_DENY, roles: ['*']";
    const SOME: &str = "actions: ['invoke:auto'], effect: EFFECT_DENY, roles: ['*'], condition: {match: {expr: R.attr.depth > 0}}";
    for (root, below, is_refused) in [
        (&[BOTH][..], &[ALLOW][..], true),
        (&[ALL], &[ALLOW], true),
        (&[ALLOW, "actions: ['invoke:auto'], effect: EFFECT_ALLOW, roles: ['*']"], &[ALLOW], true),
        (&[BOTH, SOME], &[ALLOW], true),
        (&[BOTH], &[ALLOW, NOT_ALONE], false),
        (&[BOTH], &[BOTH], false),
        (&[BOTH], &[NOT_ALONE], false),
        (&[BOTH], &[], false),
        (&[BOTH, NOT_ALONE], &[ALLOW], false),
        (&[ALLOW], &[ALLOW], false),
        // Another role than the one that may alone.
        (&[ALLOW, OTHER], &[ALLOW], false),
        (&[BOTH], &[ALLOW, OTHER], true),
    ] {
        let (root, below) = (scoped("", root), scoped("acme", below));
        let told = load(&[("a.yaml", &root), ("b.yaml", &below)], None).err().map(|e| e.to_string());
        let found = told.as_ref().is_some_and(|told| told.contains("auto-from-above"));
        assert_eq!(found, is_refused, "{root}\n{below}\n{told:?}");
        assert_eq!(told.is_some(), is_refused, "{told:?}");
        // In between a scope that says nothing of it changes nothing.
        let deeper = below.replace("scope: acme", "scope: acme.hr");
        let between = scoped("acme", &[]);
        let three = load(&[("a.yaml", &root), ("b.yaml", &between), ("c.yaml", &deeper)], None);
        assert_eq!(three.is_err(), is_refused, "{three:?}");
    }
    let (root, below) = (scoped("", &[BOTH]), scoped("acme", &[ALLOW]));
    let manifest = "format: 1\nallow:\n  - {name: auto-from-above, policy: resource.agent.tool.vdefault/acme, because: so, approved_by: x@example.eu, on: 2026-11-02}\n";
    load(&[("a.yaml", &root), ("b.yaml", &below)], Some(manifest)).unwrap();
}

/// Who has any role has the derived role: a DENY for it is one for everybody.
#[test]
fn a_deny_for_a_derived_role_of_all_is_for_all() {
    let derived = |parents: &str| {
        format!("{HEAD}derivedRoles: {{name: d, definitions: [{{name: x, parentRoles: {parents}}}]}}")
    };
    let text = format!(
        "{HEAD}resourcePolicy: {{resource: agent.tool, version: default, importDerivedRoles: [d], rules: [{{{ALLOW}}}, {{actions: [invoke], effect: \
         EFFECT_DENY, derivedRoles: [x]}}]}}"
    );
    let loaded = |parents: &str| load(&[("a.yaml", &text), ("d.yaml", &derived(parents))], None);
    assert_eq!(decide(&loaded("['*']").unwrap()).unwrap().decision, Decision::Deny);
    loaded("[b, '*']").unwrap();
    assert!(loaded("[b]").unwrap_err().to_string().contains("deny-for-some-roles"));
}

#[test]
fn the_hash_is_over_names_and_texts() {
    let allow = policy(ALLOW);
    let hash = |policies: &[(&str, &str)], manifest| load(policies, manifest).unwrap().bundle_hash();
    let base = hash(&[("a.yaml", &allow)], None);
    let engine = load(&[("a.yaml", &allow)], None).unwrap();
    assert_eq!(base, engine.bundle_hash());
    assert_eq!(base, engine.identity().bundle_hash);
    let with_space = format!("{allow}\n");
    let globals = "format: 1\nglobals: {n: 1}\n";
    let mut all = vec![
        base,
        hash(&[("b.yaml", &allow)], None),
        hash(&[("a.yaml", &with_space)], None),
        hash(&[("a.yaml", &allow)], Some("format: 1\n")),
        hash(&[("a.yaml", &allow)], Some(globals)),
        hash(&[], None),
        // Where one file ends and the next begins counts.
        hash(&[("a.yaml", &allow), ("b.yaml", "")], None),
        hash(&[("a.yaml", ""), ("b.yaml", &allow)], None),
        hash(&[("a", ""), (".yaml", &allow)], None),
    ];
    let schema = |directory: &str, text: &str| {
        let files = Files {
            policies: vec![Source::new("a.yaml", &allow)],
            schemas: vec![Source::new(directory, text)],
            ..Files::default()
        };
        Cerbos::new(&files, None).unwrap().bundle_hash()
    };
    all.extend([schema("x.json", "{}"), schema("x.json", "{ }"), schema("y.json", "{}")]);
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn whole_globals_are_integers() {
    let manifest = "format: 1\nglobals: {n: 1, neg: -3, half: 1.5, most: 9007199254740991, more: 9007199254740992, less: -9007199254740992, \
                    huge: 1.0e300, l: [1, 1.5, a], m: {x: 2, y: {z: 3}}, s: text, t: true}\n";
    for condition in [
        "type(G.n) == int && G.n == 1 && type(G.neg) == int && G.neg == -3 && type(G.most) == int && G.most == 9007199254740991",
        "type(G.half) == double && type(G.more) == double && type(G.less) == double && type(G.huge) == double && G.huge == 1e300",
        "type(G.l[0]) == int && type(G.l[1]) == double && G.l[2] == 'a' && type(G.m.x) == int && type(G.m.y.z) == int",
        "G.s == 'text' && G.t == true",
    ] {
        let text = policy(&format!("{ALLOW}, condition: {{match: {{expr: \"{condition}\"}}}}"));
        let engine = load(&[("a.yaml", &text)], Some(manifest)).unwrap();
        assert_ne!(decide(&engine).unwrap().decision, Decision::Deny, "{condition}");
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_no_missing_one() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.yaml"), policy(ALLOW)).unwrap();
    assert!(Cerbos::load(directory.path()).is_ok());
    std::fs::create_dir(directory.path().join(MANIFEST)).unwrap();
    let error = Cerbos::load(directory.path()).unwrap_err().to_string();
    assert!(error.starts_with(MANIFEST) && error.contains("it is no file"), "{error}");
    std::fs::remove_dir(directory.path().join(MANIFEST)).unwrap();
    let before = Cerbos::load(directory.path()).unwrap().bundle_hash();
    std::fs::write(directory.path().join(MANIFEST), "format: 1\n").unwrap();
    assert_ne!(Cerbos::load(directory.path()).unwrap().bundle_hash(), before);
}

/// In a directory whose path is so long that the policy can still be opened, and the manifest, whose name is longer, cannot.
#[cfg(target_os = "linux")]
#[test]
fn a_manifest_that_cannot_be_looked_for_is_no_missing_one() {
    const LONGEST: usize = 4095;
    let top = tempfile::tempdir().unwrap();
    let mut directory = top.path().to_owned();
    let wanted = LONGEST - "/a.yaml".len() - 1;
    while directory.as_os_str().len() < wanted {
        let left = wanted - directory.as_os_str().len() - 1;
        // No rest of one byte, for which the separator would leave no room.
        let length = if left > 200 { 100 } else { left.min(180) };
        let length = if left > length && left - length < 2 { length - 2 } else { length };
        directory.push("d".repeat(length));
    }
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("a.yaml"), policy(ALLOW)).unwrap();
    let error = Cerbos::load(&directory).unwrap_err().to_string();
    assert!(error.starts_with(MANIFEST) && error.contains("it cannot be read"), "{error}");
}

#[test]
fn a_decision_has_a_time() {
    let text = policy(&format!(
        "{ALLOW}, condition: {{match: {{expr: 'now() > timestamp(\"2020-01-01T00:00:00Z\")'}}}}"
    ));
    let engine = load(&[("a.yaml", &text)], None).unwrap();
    let roles = ["a".to_owned()];
    let found = engine.decide_interpreted(&request(&roles)).unwrap();
    assert!(matches!(found.decision, Decision::RequiresApproval(_)));
}

#[test]
fn a_gate_knows_the_tools_that_its_rules_name() {
    let rules = Fixed::new().allow_tool("pay").deny_classification("public").deny_tool("mail");
    assert_eq!(Gate::new(Policy::local(rules)).tools_named(), ["pay", "mail"]);
}

#[test]
fn a_question_has_what_the_tool_declares_and_the_run_says() {
    let roles = ["a".to_owned(), "b".to_owned()];
    let tool = ToolFacts { art9_basis: Some("explicit_consent"), ..TOOL };
    let request = Request {
        tool,
        run: RunFacts { roles: &roles, ..RUN },
        call: CallFacts { args: br#"{"n": 1}"#, depth: 3 },
    };
    let object = |json| common::tools::object(json);
    let run = object(json!({
        "tenant": "acme", "purpose": "care", "lawful_basis": "consent", "annex_iii": "none", "art22": "none", "has_subject": false,
    }));
    let of_tool = object(json!({
        "tool_name": "pay", "classification": "public", "residency": "eu", "effect": "once", "egress": "none", "depth": 3.0,
        "args": {"n": 1}, "art9_basis": "explicit_consent",
    }));
    let roles = roles.iter().map(|role| role.as_str().into()).collect();
    let mut wanted = both_questions(("agent-1", roles, run), ("pay", of_tool));
    wanted.resource.scope = "acme".to_owned();
    assert_eq!(question(&request, "acme").unwrap(), wanted);
    // Roles are a set: asked by their names, each once.
    let listed = ["b", "a", "b"].map(str::to_owned);
    let run = RunFacts { roles: &listed, ..RUN };
    assert_eq!(question(&Request { run, ..request }, "acme").unwrap(), wanted);
    let call = CallFacts { args: b"[]", depth: 0 };
    let error = question(&Request { call, ..request }, "").unwrap_err();
    assert!(error.to_string().contains("the arguments are not a JSON object"), "{error}");
}

/// What can be seen before any call halts is an error of the policy, with its place.
#[test]
fn an_output_that_can_never_be_an_obligation_is_refused() {
    let with = |output: &str| {
        let rule = format!("name: r, {ALLOW}, output: {{when: {{ruleActivated: '{output}'}}}}");
        let text = policy(&rule);
        let column = text.lines().find_map(|line| line.find(&format!("'{output}'"))).unwrap();
        (load(&[("a.yaml", &text)], None).map(drop), text, column)
    };
    for (output, said) in [
        (r#"{"aproval": {"approvers": 2}}"#, "`aproval` is not known here, only approval"),
        (r#"{"approval": {"approvers": "2"}}"#, "`approvers` must be a whole number from 1 to 255"),
        (r#"{"approval": {"approvers": 0}}"#, "`approvers` must be a whole number from 1 to 255"),
        (r#"{"approval": {"trainings": []}}"#, "`trainings` must be a list of names, at least one"),
        (r#"{"approval": 2}"#, "`approval` must be a map"),
        (r#""2""#, "an output must be a map"),
        (r#"{"approval": {"approvers": 1 / 0}}"#, "zero"),
        // One branch is wrong.
        (r#"P.id == "a" ? {} : {"aproval": {}}"#, "`aproval` is not known here"),
        (r#"{"approval": {"approvers": P.id == "a" ? 1 : 0}}"#, "`approvers` must be a whole number"),
        // A part is wrong, whatever the rest is.
        (r#"{"aproval": {"approvers": size(P.roles)}}"#, "`aproval` is not known here"),
        (r#"{"aproval": R.attr.args.x}"#, "`aproval` is not known here"),
        (r#"{"approval": {"approver": size(P.roles)}}"#, "`approver` is not known here, only approvers"),
        (r#"{"approval": {"trainings": P.roles, "deadline_seconds": "60"}}"#, "`deadline_seconds` must be"),
    ] {
        let (loaded, text, column) = with(output);
        let error = loaded.unwrap_err();
        let [problem] = error.problems() else { panic!("{output}: {error}") };
        assert!(problem.message.contains(said), "{output}: {error}");
        let line = text.lines().position(|line| line.contains("ruleActivated")).unwrap();
        let at = (problem.place.at.line as usize, problem.place.at.column as usize);
        assert_eq!(at.0, line + 1, "{output}: {error}");
        assert!((column..=column + 3).contains(&at.1), "{output}: {error} {column}");
    }
    for output in [
        r#"{"approval": {"approvers": 2}}"#,
        "{}",
        "null",
        r#"{"approval": R.attr.args.x}"#,
        r#"{"approval": {"approvers": 3, "may_approve": P.roles}}"#,
        r#"{"approval": {"approvers": size(P.roles), "may_approve": ["a"]}}"#,
        r#"{?"approval": R.attr.?args}"#,
        r#"R.attr.args.x"#,
    ] {
        let (loaded, ..) = with(output);
        assert!(loaded.is_ok(), "{output}: {loaded:?}");
    }
}

/// Rules that no call of a tool is decided by may say what they like.
#[test]
fn outputs_of_what_is_never_asked_are_not_read() {
    let said = "output: {when: {ruleActivated: '\"a note\"'}}";
    let allow = policy(ALLOW);
    let principal = |resource: &str, action: &str| {
        format!(
            "{HEAD}principalPolicy: {{principal: someone, version: default, rules: [{{resource: {resource}, actions: [{{action: {action}, \
             effect: EFFECT_DENY, {said}}}]}}]}}"
        )
    };
    let loads = |text: &str| load(&[("a.yaml", &allow), ("b.yaml", text)], None).map(drop);
    let error = loads(&principal("agent.tool", "invoke")).unwrap_err().to_string();
    assert!(error.contains("an output must be a map"), "{error}");
    let of_documents = format!(
        "{HEAD}resourcePolicy: {{resource: doc, version: default, rules: [{{name: r, {ALLOW}, {said}}}]}}"
    );
    for text in [principal("doc", "invoke"), principal("agent.tool", "view"), of_documents] {
        let loaded = loads(&text);
        assert!(loaded.is_ok(), "{text}: {loaded:?}");
    }
}

/// What an output says is told where it cannot be taken, and no approval is asked for in its place.
#[test]
fn an_output_that_is_no_obligation_is_an_engine_error() {
    let with = |output: &str| {
        let text = policy(&format!("name: r, {ALLOW}, output: {{when: {{ruleActivated: '{output}'}}}}"));
        decide(&load(&[("a.yaml", &text)], None).unwrap())
    };
    for (output, said) in [
        (r#"{"approval": size(P.roles)}"#, "`approval` must be a map"),
        (r#"{R.kind: {}}"#, "`agent.tool` is not known here, only approval"),
        (
            r#"{"approval": {"approvers": size(P.roles) - 1}}"#,
            "`approvers` must be a whole number from 1 to 255",
        ),
        (
            r#"{"approval": {"trainings": P.roles.filter(r, r == "")}}"#,
            "`trainings` must be a list of names, at least one",
        ),
        (r#"{"approval": {"approvers": R.attr.args.n}}"#, "no such key: n"),
    ] {
        let error = with(output).unwrap_err().to_string();
        assert!(
            error.contains("resource.agent.tool.vdefault#r") && error.contains(said),
            "{output}: {error}"
        );
    }
    let Decision::RequiresApproval(obligation) = with(r#"{"approval": {"approvers": 3}}"#).unwrap().decision
    else {
        panic!()
    };
    assert_eq!(obligation.approvers, 3);
    assert!(matches!(with("{}").unwrap().decision, Decision::RequiresApproval(_)));
    // Who may approve is nobody, once two rules exclude each other: that is a denial.
    let only = |who: &str| {
        format!(
            "{{name: {who}, {ALLOW}, output: {{when: {{ruleActivated: '{{\"approval\": {{\"may_approve\": [\"{who}\"]}}}}'}}}}}}"
        )
    };
    let text = format!(
        "{HEAD}resourcePolicy: {{resource: agent.tool, version: default, rules: [{}, {}]}}",
        only("x"),
        only("y")
    );
    assert_eq!(decide(&load(&[("a.yaml", &text)], None).unwrap()).unwrap().decision, Decision::Deny);
}

/// Who demands an approval does not decide how it has to be. A rule that allows `invoke` and `invoke:auto` makes nobody wait; where the
/// tool or the law makes the call wait, what the rule says of approvals holds.
#[tokio::test]
async fn an_approval_that_others_demand_is_as_the_policy_says() {
    const BOTH: &str = "actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [a]";
    let roles = ["a".to_owned()];
    let engine = |outputs: &[&str]| {
        let rules: Vec<_> = (outputs.iter().enumerate())
            .map(|(n, output)| {
                format!("{{name: r{n}, {BOTH}, output: {{when: {{ruleActivated: '{{\"approval\": {output}}}'}}}}}}")
            })
            .collect();
        let rules = rules.join(", ");
        let text =
            format!("{HEAD}resourcePolicy: {{resource: agent.tool, version: default, rules: [{rules}]}}");
        load(&[("a.yaml", &text)], None).unwrap()
    };
    let gate = |outputs: &[&str]| {
        let engine = engine(outputs);
        // The flat form and the interpreter say the same of it.
        let interpreted = engine.decide_interpreted(&request(&roles)).unwrap();
        assert_eq!(decide(&engine).unwrap().approval, interpreted.approval);
        Gate::new(Policy::local(engine))
    };
    let decided = async |gate: &Gate, conditions: Conditions| {
        gate.decide(Nothing, &request(&roles), conditions).await.unwrap()
    };
    let one = || Some(Obligation::default());
    let anybody = || Approver { alias: "anybody".to_owned(), trainings: [].into() };
    let strict =
        r#"{"approvers": 2, "may_approve": ["x", "y"], "trainings": ["payments"], "deadline_seconds": 60}"#;
    let gate_of_two = gate(&[strict]);
    assert!(matches!(
        decided(&gate_of_two, Conditions::default()).await,
        Decided::Permitted { approved_for: None, .. }
    ));
    for conditions in [
        Conditions { tool: one(), ..Conditions::default() },
        Conditions { law: one(), ..Conditions::default() },
        Conditions { tool: one(), law: one(), approved: vec![anybody()] },
    ] {
        let Decided::Waiting(waiting) = decided(&gate_of_two, conditions).await else { panic!() };
        assert!(!waiting.required_by.policy);
        let obligation = waiting.obligation;
        assert_eq!((obligation.approvers, obligation.deadline_seconds), (2, Some(60)));
        assert_eq!(obligation.may_approve.unwrap().into_iter().collect::<Vec<_>>(), ["x", "y"]);
        assert!(obligation.trainings.contains("payments"));
    }
    // Those who may, trained, stand in for it; the call says why it needed them.
    let of = |alias: &str| Approver { alias: alias.to_owned(), trainings: ["payments".to_owned()].into() };
    let met = Conditions { tool: one(), approved: vec![of("x"), of("y")], ..Conditions::default() };
    let Decided::Permitted { approved_for, .. } = decided(&gate_of_two, met).await else { panic!() };
    assert_eq!(approved_for, Some(RequiredBy { policy: false, tool: true, law: false }));
    // Two rules that leave nobody: a call that has to wait cannot; one that has not, runs.
    let gate_of_nobody = gate(&[r#"{"may_approve": ["x"]}"#, r#"{"may_approve": ["y"]}"#]);
    let law = Conditions { law: one(), ..Conditions::default() };
    let Decided::Denied(denied) = decided(&gate_of_nobody, law).await else { panic!() };
    assert_eq!(denied.reason, DenyReason::NobodyMayApprove);
    assert!(matches!(decided(&gate_of_nobody, Conditions::default()).await, Decided::Permitted { .. }));
}
