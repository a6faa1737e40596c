//! Lint: each finding with a policy that has it and one that does not, and its place.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::analysis::{Finding, Lint, Tools, lint};
use fuze_policy::cerbos::{PolicySet, Source};

/// What every program of these tests declares.
const TOOLS: &str = r#"{
  "roles": ["support", "clinic", "accounting", "agent"],
  "tools": [
    {"name": "send_mail", "classification": "personal", "residency": "eu", "effect": "once", "egress": "eu", "args": ["to", "body"]},
    {"name": "customer_lookup", "classification": "personal", "residency": "eu", "effect": "read", "egress": "none", "args": ["customer"]},
    {"name": "search_catalogue", "classification": "public", "residency": "eu", "effect": "read", "egress": "none",
     "args": {"type": "object", "properties": {"query": {"type": "string"}}, "additionalProperties": false}},
    {"name": "pay_invoice", "classification": "confidential", "residency": "eu", "effect": "once", "egress": "hosts", "args": ["amount_eur"]},
    {"name": "health_record", "classification": "special_category", "art9_basis": "explicit_consent", "residency": "eu",
     "effect": "read", "egress": "none", "args": []}
  ]
}"#;

const HEAD: &str =
    "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n";
/// The line of the first rule of a policy with [`HEAD`].
const FIRST: u32 = 6;

fn rule(name: &str, actions: &str, effect: &str, roles: &str, condition: &str) -> String {
    let condition = if condition.is_empty() {
        String::new()
    } else {
        format!("      condition:\n        match:\n          expr: |-\n            {condition}\n")
    };
    format!(
        "    - name: {name}\n      actions: {actions}\n      effect: EFFECT_{effect}\n      roles: {roles}\n{condition}"
    )
}

const BOTH: &str = r#"["invoke", "invoke:auto"]"#;

fn allow(condition: &str) -> String {
    rule("first", BOTH, "ALLOW", r#"["support"]"#, condition)
}

fn findings(files: &[(&str, String)], tools: &str) -> Vec<Finding> {
    let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let set = PolicySet::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    lint(&set, &Tools::from_json(tools).unwrap())
}

/// Where neither tools nor roles are known.
fn undeclared(files: &[(&str, String)]) -> Vec<Finding> {
    let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    let set = PolicySet::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    lint(&set, &Tools::default())
}

fn of(rules: &str) -> Vec<Finding> {
    findings(&[("p.yaml", format!("{HEAD}{rules}"))], TOOLS)
}

/// Exactly these findings, with the lines where they stand.
fn check(rules: &str, expected: &[(Lint, u32)]) {
    let found = of(rules);
    let seen: Vec<(Lint, u32)> = found.iter().map(|f| (f.lint, f.place.at.line)).collect();
    assert_eq!(seen, expected, "{rules}\n{found:#?}");
    assert!(found.iter().all(|finding| &*finding.place.file == "p.yaml"));
}

/// Exactly one finding in the condition of the first rule, with a word of its message.
fn check_condition(condition: &str, lint: Lint, word: &str) {
    let found = of(&allow(condition));
    let of_lint: Vec<&Finding> = found.iter().filter(|finding| finding.lint == lint).collect();
    let [finding] = of_lint.as_slice() else { panic!("{condition}: {found:#?}") };
    assert!(finding.message.contains(word), "{finding}");
    assert!((FIRST..FIRST + 8).contains(&finding.place.at.line), "{finding}");
}

/// What is said about what an ALLOW excludes.
const NARROWING: [Lint; 3] = [Lint::RestsOnArguments, Lint::AllowsEverything, Lint::NotRead];

fn about_narrowing(found: &[Finding]) -> Vec<Lint> {
    found.iter().map(|finding| finding.lint).filter(|lint| NARROWING.contains(lint)).collect()
}

const GOOD: &str = r#"R.attr.tool_name == "send_mail""#;

#[test]
fn the_guide_has_no_findings() {
    let tools = Tools::from_json(TOOLS).unwrap();
    for name in ["payment", "personal", "public", "special", "tenants"] {
        let engine = Cerbos::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)).unwrap();
        let found = lint(&engine, &tools);
        assert!(found.is_empty(), "{name}: {found:#?}");
        assert!(lint(&engine, &Tools::default()).is_empty(), "{name}");
    }
}

#[test]
fn an_allow_that_rests_on_arguments_alone() {
    for narrowed in [
        r#"R.attr.tool_name == "send_mail" && R.attr.args.to == "a""#,
        r#"R.attr.args.to == "a" && R.attr.classification != "special_category""#,
        r#"P.attr.has_subject && R.attr.args.to == "a""#,
        r#"P.attr.purpose.startsWith("mail") && R.attr.args.to == "a""#,
        r#"(R.attr.tool_name == "send_mail" || R.attr.tool_name == "x" + "y") && R.attr.args.to == "a""#,
        r#""clinic" in P.roles && R.attr.args.to == "a""#,
        r#"P.roles.exists(r, r == "clinic") && R.attr.args.to == "a""#,
        // Opaque, and excludes something all the same.
        r#"R.attr.tool_name.startsWith("send_") && R.attr.args.to == "a""#,
        r#"R.attr.tool_name.matches("^send_.*") && R.attr.args.to == "a""#,
        r#"!(R.attr.tool_name.startsWith("admin_") || !R.attr.tool_name.endsWith("_mail")) && R.attr.args.to == "a""#,
        r#"!P.attr.annex_iii.startsWith("employment.") && R.attr.args.to == "a""#,
        r#"R.attr.depth < 3.0 && R.attr.args.to == "a""#,
        r#"R.attr.classification.size() < 10 && R.attr.args.to == "a""#,
        r#"P.attr.tenant.lowerAscii() == "acme" && R.attr.args.to == "a""#,
        r#"R.attr.depth + 1.0 < 3.0 && R.attr.args.to == "a""#,
        r#"R.scope == "acme" && R.attr.args.to == "a""#,
    ] {
        let found = of(&allow(narrowed));
        assert!(found.iter().all(|f| f.lint != Lint::RestsOnArguments), "{narrowed}: {found:#?}");
    }
    for open in [
        r#"R.attr.args.to == "a""#,
        r#"R.attr.args.to == "a" || R.attr.tool_name == "send_mail""#,
        // To name an attribute is not to be narrowed by it.
        r#"R.attr.tool_name != "" && R.attr.args.to == "a" || R.attr.tool_name == """#,
        r#"R.attr.tool_name == R.attr.tool_name && R.attr.args.to == "a""#,
        r#"R.attr.effect == "read" ? R.attr.args.to == "a" : R.attr.args.to == "b""#,
        // Whoever writes the arguments writes what they are compared with.
        r#"R.attr.args.tenant == P.attr.tenant"#,
        r#"now() > timestamp("2020-01-01T00:00:00Z") && R.attr.args.to == "a""#,
        r#"!(R.attr.tool_name == "send_mail" && R.attr.args.to == "a")"#,
        r#"R.attr["args"]["to"] == "a""#,
        r#"size(R.attr.args) > 0"#,
        // Whoever takes hold of all attributes takes hold of the arguments.
        r#"R.attr.?args.?ok.orValue(false)"#,
        r#"R.attr[?"args"].orValue({"ok": false}).ok"#,
        r#"R.?attr.?args.?ok.orValue(false)"#,
        r#"[R.attr][0].args.ok"#,
        r#"[R][0].attr.args.ok"#,
        r#"{"a": R.attr}.a.args.ok"#,
        r#"cel.bind(a, R.attr, a.args.ok)"#,
        r#"R.attr["ar" + "gs"].ok"#,
        r#"R.attr.all(k, v, k != "args" || v.ok)"#,
        r#"R.attr.map(k, R.attr[k]).exists(v, v == true)"#,
        r#""args" in R.attr && R.attr.args.ok"#,
        // What is always true beside it excludes nothing, whether or not it can be looked into.
        r#"P.attr.tenant != "" && R.attr.args.ok"#,
        r#""support" in P.roles && R.attr.args.ok"#,
        r#"R.kind == "agent.tool" && R.attr.args.ok"#,
        r#"R.attr.depth >= 0.0 && R.attr.args.ok"#,
        r#"(R.attr.tool_name.matches("^send") || R.attr.args.admin) && R.attr.args.ok"#,
    ] {
        let found = of(&allow(open));
        let lints: Vec<Lint> = found.iter().map(|f| f.lint).collect();
        assert!(lints.contains(&Lint::RestsOnArguments), "{open}: {found:#?}");
        let place = &found.iter().find(|f| f.lint == Lint::RestsOnArguments).unwrap().place;
        assert_eq!((place.at.line, place.at.column), (FIRST, 7), "{open}");
    }
}

/// What cannot be read is said to be so: it may exclude something, or not. That it does is shown by values, and then there is nothing to say.
#[test]
fn what_could_not_be_read_is_no_objection() {
    for unread in [
        r#"R.attr.tool_name.matches("(?s)^.*$") && R.attr.args.to == "a""#,
        r#"type(R.attr.tool_name) == string && R.attr.args.to == "a""#,
        r#"P.attr.purpose.lowerAscii() == P.attr.purpose.lowerAscii() && R.attr.args.to == "a""#,
        r#"size(P.roles) > 0 && R.attr.args.to == "a""#,
        r#"size(runtime.effectiveDerivedRoles) >= 0 && R.attr.args.to == "a""#,
        r#"size(P.attr) > 0 && R.attr.args.to == "a""#,
        r#"!R.attr.tool_name.matches("^admin_[0-9]{3}$") && R.attr.args.to == "a""#,
        r#"R.attr.tool_name.size() < 301 && R.attr.args.to == "a""#,
    ] {
        let found = of(&allow(unread));
        let [note] = found.as_slice() else { panic!("{unread}: {found:#?}") };
        assert!(note.lint == Lint::NotRead && note.lint.is_note(), "{unread}: {note}");
        assert!(note.message.contains(unread), "{note}");
        assert_eq!(note.place.at.line, FIRST, "{note}");
    }
    for read in [
        r#"R.attr.tool_name.matches("^[a-z_]+$") && R.attr.args.to == "a""#,
        r#"P.attr.purpose.matches("^[a-z_]+$") && R.attr.args.to == "a""#,
        r#"R.attr.tool_name.matches("^.{1,64}$") && R.attr.args.to == "a""#,
        r#"R.attr.tool_name.lowerAscii() == R.attr.tool_name && R.attr.args.to == "a""#,
    ] {
        let found = of(&allow(read));
        assert!(found.is_empty(), "{read}: {found:#?}");
    }
    // For every role, and without arguments.
    let every = |condition: &str| of(&rule("first", BOTH, "ALLOW", r#"["*"]"#, condition));
    assert!(every(r#"R.attr.tool_name.matches("^[a-z_]+$")"#).is_empty());
    let found = every(r#"R.attr.tool_name.matches("(?s)^.*$")"#);
    assert_eq!(found.iter().map(|f| f.lint).collect::<Vec<_>>(), [Lint::NotRead], "{found:#?}");
    // An argument is read by whoever writes it: that is certain, whatever the pattern is.
    let found = of(&allow(r#"R.attr.args.to.matches("^[a-z_]+$")"#));
    assert_eq!(found.iter().map(|f| f.lint).collect::<Vec<_>>(), [Lint::RestsOnArguments], "{found:#?}");
    // None of them is dead or needless, alone or beside another.
    let both = format!(
        "{}{}",
        rule("first", BOTH, "ALLOW", r#"["support"]"#, r#"R.attr.tool_name == "customer_lookup""#),
        rule("second", BOTH, "ALLOW", r#"["support"]"#, r#"R.attr.tool_name.matches("^[a-z]{4}_[a-z]{4}$")"#)
    );
    let found = of(&both);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_variable_or_a_derived_role_narrows_too() {
    let roles = "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: r\n  definitions:\n    - name: mailer\n      parentRoles: [\"*\"]\n      \
                 condition: {match: {expr: \"CONDITION\"}}\n";
    let policy = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  importDerivedRoles: [r]\n  \
                  variables: {local: {fits: 'R.attr.args.to == \"a\"'}}\n  rules:\n    - name: a\n      actions: [invoke]\n      effect: EFFECT_ALLOW\n      \
                  derivedRoles: [mailer]\n      condition: {match: {expr: V.fits}}\n";
    let with = |condition: &str| {
        let roles = roles.replace("CONDITION", condition);
        undeclared(&[("p.yaml", policy.to_owned()), ("r.yaml", roles)])
    };
    assert!(with("P.attr.purpose == 'mail'").is_empty());
    let found = with("R.attr.args.to != 'b'");
    assert!(found.iter().any(|f| f.lint == Lint::RestsOnArguments && f.place.at.line == 8), "{found:#?}");
}

/// `R.attr.args` may stand in a derived role that the condition asks for, itself or by a variable.
#[test]
fn a_derived_role_that_rests_on_arguments_narrows_nothing() {
    const ROLES: &str = r#"apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: r
  definitions:
    - {name: boss, parentRoles: ["*"], condition: {match: {expr: R.attr.args.who == "boss"}}}
    - {name: clinician, parentRoles: [clinic], condition: {match: {expr: R.attr.args.who == "boss"}}}
    - {name: mailer, parentRoles: ["*"], condition: {match: {expr: P.attr.purpose == "mail"}}}
    - {name: anyone, parentRoles: ["*"]}
"#;
    let policy = |condition: &str| {
        format!(
            r#"apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  importDerivedRoles: [r]
  variables:
    local:
      is_boss: '"boss" in runtime.effectiveDerivedRoles'
      is_mailer: '"mailer" in runtime.effectiveDerivedRoles'
  rules:
    - name: first
      actions: [invoke]
      effect: EFFECT_ALLOW
      roles: [support]
      condition: {{match: {{expr: '{condition}'}}}}
    - name: names-them
      actions: [invoke]
      effect: EFFECT_ALLOW
      derivedRoles: [boss, clinician, mailer, anyone]
      condition: {{match: {{expr: R.attr.tool_name == "send_mail"}}}}
"#
        )
    };
    let narrow = |condition: &str| -> Vec<Finding> {
        let mut found = undeclared(&[("p.yaml", policy(condition)), ("r.yaml", ROLES.to_owned())]);
        found.retain(|finding| NARROWING.contains(&finding.lint));
        found
    };
    for open in [
        r#""boss" in runtime.effectiveDerivedRoles"#,
        r#"V.is_boss"#,
        r#"V.is_boss || V.is_mailer"#,
        r#""boss" in runtime.effectiveDerivedRoles && P.attr.tenant != """#,
        r#"!("boss" in runtime.effectiveDerivedRoles)"#,
        r#""anyone" in runtime.effectiveDerivedRoles && R.attr.args.ok"#,
        r#"!("clinician" in runtime.effectiveDerivedRoles) && R.attr.args.ok"#,
        r#"R.attr.args.ok || "mailer" in runtime.effectiveDerivedRoles"#,
    ] {
        let found = narrow(open);
        let [finding] = found.as_slice() else { panic!("{open}: {found:#?}") };
        assert_eq!((finding.lint, finding.place.at.line), (Lint::RestsOnArguments, 11), "{open}: {finding}");
    }
    for narrowed in [
        r#""mailer" in runtime.effectiveDerivedRoles && R.attr.args.ok"#,
        r#"V.is_mailer && R.attr.args.ok"#,
        r#"V.is_mailer && V.is_boss"#,
        // Who is no `clinic` is no clinician either, whatever the arguments are.
        r#""clinician" in runtime.effectiveDerivedRoles"#,
        r#""boss" in runtime.effectiveDerivedRoles && R.attr.tool_name == "send_mail""#,
        // Without a look at arguments it is for the role `support`.
        r#""anyone" in runtime.effectiveDerivedRoles"#,
    ] {
        let found = narrow(narrowed);
        assert!(found.is_empty(), "{narrowed}: {found:#?}");
    }
    // What does not ask for one by its name is not looked into.
    for unread in [
        r#"runtime.effectiveDerivedRoles.exists(r, r == "boss")"#,
        r#"size(runtime.effectiveDerivedRoles) > 2"#,
    ] {
        let found = narrow(unread);
        assert_eq!(found.iter().map(|f| f.lint).collect::<Vec<_>>(), [Lint::NotRead], "{unread}: {found:#?}");
    }
}

/// A list of what may not pass lets through whatever comes next.
#[test]
fn to_exclude_some_by_name_is_not_to_narrow() {
    for open in [
        r#"P.attr.purpose != "marketing""#,
        r#"!(P.attr.purpose in ["marketing", "sales"])"#,
        r#"R.attr.tool_name != "pay_invoice""#,
        r#"R.id != "pay_invoice" && P.attr.tenant != "acme""#,
        r#"P.id != "robot""#,
        r#"R.scope != "acme""#,
        r#"!("clinic" in P.roles)"#,
        r#"R.attr.depth != 5.0"#,
        // A beginning, an end and a part are names, too.
        r#"!R.attr.tool_name.startsWith("admin_")"#,
        r#"!R.id.endsWith("_admin")"#,
        r#"!(R.attr.tool_name.lowerAscii().contains("admin") || P.attr.purpose.startsWith("market"))"#,
        // What is always so excludes nothing, and calls that deep there are none.
        r#"R.attr.tool_name.startsWith("")"#,
        r#"R.attr.tool_name.matches(".*")"#,
        r#"R.attr.classification.matches("[a-z]*")"#,
        r#"R.attr.tool_name.size() > 0"#,
        r#"size(P.id) >= 1 && P.attr.purpose.size() != 0"#,
        r#"R.attr.depth < 1000000000.0"#,
        r#"(P.attr.purpose != "marketing" || R.attr.classification == "public")"#,
    ] {
        let condition = format!("{open} && R.attr.args.ok");
        let found = of(&allow(&condition));
        assert_eq!(about_narrowing(&found), [Lint::RestsOnArguments], "{condition}: {found:#?}");
        let found = of(&rule("first", BOTH, "ALLOW", r#"["*"]"#, open));
        assert_eq!(about_narrowing(&found), [Lint::AllowsEverything], "{open}: {found:#?}");
    }
    for narrowed in [
        r#"P.attr.purpose == "mail""#,
        r#"P.attr.purpose in ["mail", "phone"]"#,
        r#"P.attr.purpose.startsWith("mail")"#,
        // Of words from a list that the program cannot add to, those that are left are known.
        r#"R.attr.classification != "special_category""#,
        r#"R.attr.egress != "any""#,
        r#"P.attr.annex_iii == "none""#,
        r#"P.attr.annex_iii != "employment.recruitment""#,
        r#"P.attr.art22 != "none""#,
        r#"!P.attr.has_subject"#,
        r#"R.attr.depth > 0.0"#,
        r#"R.attr.depth < 5.0"#,
        r#""clinic" in P.roles"#,
        r#"R.scope == "acme""#,
        r#"P.id == "robot""#,
        r#"P.attr.purpose == P.attr.tenant"#,
    ] {
        let condition = format!("{narrowed} && R.attr.args.ok");
        let found = of(&allow(&condition));
        let of_kind =
            |f: &Finding| matches!(f.lint, Lint::RestsOnArguments | Lint::AllowsEverything | Lint::NotRead);
        assert!(!found.iter().any(of_kind), "{condition}: {found:#?}");
    }
    // Who is named by the policy itself is no further narrowed by that name.
    let robot = "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: robot\n  version: default\n  rules:\n    - resource: agent.tool\n      \
                 actions:\n        - {action: invoke, effect: EFFECT_ALLOW, condition: {match: {expr: 'P.id == \"robot\" && R.attr.args.ok'}}}\n";
    let found = undeclared(&[("p.yaml", robot.to_owned())]);
    assert_eq!(found.iter().map(|f| f.lint).collect::<Vec<_>>(), [Lint::RestsOnArguments], "{found:#?}");
}

#[test]
fn an_allow_without_any_condition() {
    check(&rule("first", BOTH, "ALLOW", r#"["support"]"#, ""), &[]);
    check(&rule("first", BOTH, "ALLOW", r#"["*"]"#, ""), &[(Lint::AllowsEverything, FIRST)]);
    check(
        &rule("first", BOTH, "ALLOW", r#"["*"]"#, r#"has(R.attr.tool_name)"#),
        &[(Lint::AllowsEverything, FIRST)],
    );
    check(&rule("first", BOTH, "ALLOW", r#"["*"]"#, "true"), &[(Lint::AllowsEverything, FIRST)]);
    check(&rule("first", BOTH, "ALLOW", r#"["*"]"#, GOOD), &[]);
}

#[test]
fn rules_that_no_request_reaches() {
    check(
        &allow(r#"R.attr.tool_name == "send_mail" && R.attr.tool_name == "pay_invoice""#),
        &[(Lint::DeadRule, FIRST)],
    );
    check(
        &allow(
            r#"R.attr.tool_name == "pay_invoice" && R.attr.args.amount_eur > 5 && R.attr.args.amount_eur < 5"#,
        ),
        &[(Lint::DeadRule, FIRST)],
    );
    // An action that nobody asks about.
    check(&rule("first", r#"["invok"]"#, "ALLOW", r#"["support"]"#, GOOD), &[(Lint::DeadRule, FIRST)]);
    // An ALLOW that no declared tool meets; a DENY may be for tools to come.
    let personal_search = r#"R.attr.tool_name == "search_catalogue" && R.attr.classification == "personal""#;
    check(&allow(personal_search), &[(Lint::DeadRule, FIRST)]);
    let deny = rule("second", BOTH, "DENY", r#"["*"]"#, r#"R.attr.classification == "special_category""#);
    check(
        &format!("{}{deny}", rule("first", BOTH, "ALLOW", r#"["support"]"#, r#"R.attr.effect == "read""#)),
        &[],
    );
    // Another version.
    let other = format!("{HEAD}{}", allow(GOOD)).replace("version: default", "version: v2");
    let found = findings(&[("p.yaml", other)], TOOLS);
    assert_eq!(found.iter().map(|f| f.lint).collect::<Vec<_>>(), [Lint::DeadRule], "{found:#?}");
}

#[test]
fn rules_that_others_decide_for() {
    let second = |condition: &str| rule("second", BOTH, "ALLOW", r#"["support"]"#, condition);
    let narrower = r#"R.attr.tool_name == "send_mail" && R.attr.args.to == "a""#;
    // Where the narrower rule holds, the wider does, too. It cannot fail first: the wider comes before it, and allows.
    let lines = |rules: &str| -> Vec<Lint> { of(rules).into_iter().map(|f| f.lint).collect() };
    assert_eq!(
        lines(&format!("{}{}", allow(GOOD), second(r#"R.attr.tool_name in ["send_mail"]"#))),
        [Lint::ShadowedRule, Lint::ShadowedRule]
    );
    let halts = format!("{}{}", allow(GOOD), second(narrower));
    assert_eq!(
        lines(&halts),
        [],
        "the second rule's condition may fail, and the run halts: that is no no-op"
    );
    let hides =
        format!("{}{}", allow(GOOD), second(r#"R.attr.tool_name == "send_mail" && R.attr.effect == "once""#));
    let found = of(&hides);
    assert_eq!(
        found.iter().map(|f| (f.lint, f.place.at.line)).collect::<Vec<_>>(),
        [(Lint::ShadowedRule, FIRST + 8)]
    );
    let deny = rule("third", BOTH, "DENY", r#"["*"]"#, GOOD);
    check(&format!("{}{deny}", allow(GOOD)), &[(Lint::ShadowedRule, FIRST)]);
    let other = second(r#"R.attr.tool_name == "customer_lookup""#);
    check(&format!("{}{other}", allow(GOOD)), &[]);
}

#[test]
fn roles_that_nobody_has() {
    check(&rule("first", BOTH, "ALLOW", r#"["suport"]"#, GOOD), &[(Lint::UnknownRole, FIRST)]);
    check(&rule("first", BOTH, "ALLOW", r#"["sup*"]"#, GOOD), &[]);
    check(&rule("first", BOTH, "ALLOW", r#"["nobody*"]"#, GOOD), &[(Lint::UnknownRole, FIRST)]);
    check_condition(r#"R.attr.tool_name == "send_mail" && !("admn" in P.roles)"#, Lint::UnknownRole, "admn");
    let unknown = undeclared(&[("p.yaml", format!("{HEAD}{}", allow(GOOD).replace("support", "x")))]);
    assert!(unknown.is_empty(), "which roles there are is not known: {unknown:#?}");
}

#[test]
fn attributes_values_and_tools_that_do_not_exist() {
    let also = |condition: &str| format!(r#"R.attr.tool_name == "send_mail" && {condition}"#);
    check_condition(
        &also(r#"R.attr.clasification == "public""#),
        Lint::UnknownAttribute,
        "`R.attr.clasification`",
    );
    check_condition(&also(r#"has(R.attr.owner)"#), Lint::UnknownAttribute, "`R.attr.owner`");
    check_condition(&also(r#"R.attr["owner"] == "a""#), Lint::UnknownAttribute, "`R.attr.owner`");
    check_condition(&also(r#"P.attr.department == "hr""#), Lint::UnknownAttribute, "`P.attr.department`");
    check_condition(&also(r#"request.auxData.jwt.sub == "a""#), Lint::UnknownAttribute, "token");
    check_condition(&also(r#"R.attr.classification == "secret""#), Lint::UnknownValue, "`secret`");
    check_condition(&also(r#"R.attr.residency in ["eu", "ue"]"#), Lint::UnknownValue, "`ue`");
    check_condition(
        &also(r#""contract" == P.attr.lawful_basis || P.attr.lawful_basis != "contrat""#),
        Lint::UnknownValue,
        "`contrat`",
    );
    check_condition(r#"R.attr.tool_name in ["send_mail", "send_fax"]"#, Lint::UnknownTool, "`send_fax`");
    check_condition(r#"R.id == "send_fax""#, Lint::UnknownTool, "`send_fax`");
    check_condition(&also(r#"R.attr.args.recipient == "a""#), Lint::UnknownArgument, "`recipient`");
    check_condition(&also(r#"has(R.attr.args.cc) && R.attr.args.cc == "a""#), Lint::UnknownArgument, "`cc`");
    check_condition(
        r#"R.attr.tool_name == "search_catalogue" && R.attr.args.q == "boots""#,
        Lint::UnknownArgument,
        "`q`",
    );
    check(&allow(&also(r#"R.attr.args.to == "a" && R.attr.args.body != """#)), &[]);
    // An argument of another tool that the rule is about as well.
    check(
        &allow(r#"R.attr.tool_name in ["send_mail", "customer_lookup"] && has(R.attr.args.customer)"#),
        &[],
    );
}

/// A slip is one however the attribute is wrapped, as long as what is compared with it is compared with nothing else.
#[test]
fn what_an_attribute_is_wrapped_in_hides_no_slip() {
    let tool = "R.attr.tool_name";
    for condition in [
        r#"string(R.attr.tool_name) == "send_fax""#,
        r#"dyn(R.id) == "send_fax""#,
        r#""send_fax" != string(dyn(R.attr["tool_name"]))"#,
        r#"R.attr.tool_name.lowerAscii() == "send_fax""#,
        r#"string(R.attr.tool_name).upperAscii() in ["SEND_MAIL", "SEND_FAX"]"#,
        r#"R.attr.tool_name in ["send_mail"] + ["send_fax"]"#,
        r#"R.attr.tool_name in {"send_mail": 1, "send_fax": 2}"#,
        r#"R.attr.tool_name == "send_" + "fax""#,
        r#""send_fax" in [R.attr.tool_name]"#,
        r#""send_fax" in [R.attr.tool_name, "any"]"#,
        r#"R.attr.tool_name == (R.attr.effect == "once" ? "send_mail" : "send_fax")"#,
        r#"(R.attr.effect == "once" ? R.attr.tool_name : "none") == "send_fax""#,
        r#"(R.attr.effect == "once" ? R.id : string(R.attr.tool_name)) == "send_fax""#,
    ] {
        let name = if condition.contains("upper") { "`SEND_FAX`" } else { "`send_fax`" };
        check_condition(&format!("{tool} != \"pay_invoice\" && {condition}"), Lint::UnknownTool, name);
    }
    let also = |condition: &str| format!(r#"R.attr.tool_name == "send_mail" && {condition}"#);
    for condition in [
        r#"string(R.attr.residency) == "ue""#,
        r#"R.attr.residency.upperAscii() != "UE""#,
        r#""ue" in [R.attr.residency]"#,
    ] {
        let value = if condition.contains("upper") { "`UE`" } else { "`ue`" };
        check_condition(&also(condition), Lint::UnknownValue, value);
    }
}

#[test]
fn what_may_be_compared_with_something_else_is_no_slip() {
    let also = |condition: &str| format!(r#"R.attr.tool_name == "send_mail" && {condition}"#);
    for condition in [
        r#"R.attr.tool_name.upperAscii() == "SEND_MAIL""#,
        r#"(R.attr.effect == "once" ? R.attr.tool_name : "none") != "none""#,
        r#"(R.attr.effect == "once" ? R.attr.tool_name : P.attr.purpose) != "support""#,
        r#""acme" in [R.attr.tool_name, P.attr.tenant]"#,
        r#""any" in [R.attr.tool_name, "any"]"#,
        r#"R.attr.tool_name + "s" != "send_fax""#,
        r#"R.attr.tool_name.replace("mail", "fax") == "send_fax""#,
        r#"R.attr.residency.upperAscii() == "EU""#,
    ] {
        let found = of(&allow(&also(condition)));
        let slips = [Lint::UnknownTool, Lint::UnknownValue];
        assert!(found.iter().all(|finding| !slips.contains(&finding.lint)), "{condition}: {found:?}");
    }
}

#[test]
fn declarations_are_read_strictly() {
    for (text, word) in [
        ("{", "no JSON"),
        ("1", "must be a list"),
        ("{\"tools\": 1}", "`tools`"),
        ("{\"tools\": [], \"x\": 1}", "`x`"),
        ("[]", "neither a tool nor a role"),
        ("{\"tools\": []}", "neither a tool nor a role"),
        ("{\"tools\": [], \"roles\": []}", "nobody could ask"),
        ("[{\"classification\": \"public\"}]", "`name`"),
        (
            r#"[{"name": "a", "classification": "secret", "residency": "eu", "effect": "read", "egress": "none"}]"#,
            "`secret`",
        ),
        (
            r#"[{"name": "a", "classification": "public", "residency": "eu", "effect": "read", "egress": "none", "color": 1}]"#,
            "`color`",
        ),
        (
            r#"[{"name": "a", "classification": "special_category", "residency": "eu", "effect": "read", "egress": "none"}]"#,
            "`special_category` without `art9_basis`",
        ),
        (
            r#"[{"name": "a", "classification": "public", "residency": "eu", "effect": "read", "egress": "none", "egress": "eu"}]"#,
            "twice",
        ),
        (
            r#"[{"name": "a", "classification": "public", "residency": "eu", "effect": "read", "egress": "none"},
                {"name": "a", "classification": "public", "residency": "eu", "effect": "read", "egress": "none"}]"#,
            "twice",
        ),
    ] {
        let error = Tools::from_json(text).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
}

/// Of role policies, too.
#[test]
fn rules_of_role_policies() {
    let base = format!("{HEAD}{}", rule("first", BOTH, "ALLOW", r#"["support"]"#, GOOD));
    let lints = |role: &str, rules: &str| -> Vec<(Lint, u32)> {
        let role = format!(
            "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: {role}\n  version: default\n  rules:\n{rules}"
        );
        let found = findings(&[("p.yaml", base.clone()), ("role.yaml", role)], TOOLS);
        // What is wrong here may make the rule of the other file dead.
        let here = found.into_iter().filter(|finding| &*finding.place.file == "role.yaml");
        here.map(|finding| (finding.lint, finding.place.at.line)).collect()
    };
    let rule = |actions: &str, condition: &str| match condition {
        "" => format!("    - {{resource: agent.tool, allowActions: [{actions}]}}\n"),
        condition => format!(
            "    - {{resource: agent.tool, allowActions: [{actions}], condition: {{match: {{expr: '{condition}'}}}}}}\n"
        ),
    };
    let both = r#"invoke, "invoke:auto""#;
    assert_eq!(lints("support", &rule(both, r#"R.attr.effect == "once""#)), []);
    assert_eq!(lints("suport", &rule("invoke", "")), [(Lint::UnknownRole, 6)]);
    assert_eq!(lints("support", &format!("{}{}", rule(both, ""), rule("view", ""))), [(Lint::DeadRule, 7)]);
    let twice = format!("{}{}", rule(both, ""), rule("invoke", ""));
    assert_eq!(lints("support", &twice), [(Lint::ShadowedRule, 7)]);
    // Without the first, the second action is denied; a policy of one rule denies all that it does not name.
    assert_eq!(lints("support", &format!("{}{}", rule("invoke", ""), rule(r#""invoke:auto""#, ""))), []);
    assert_eq!(lints("support", &rule("\"*\"", "")), []);
    let with = |condition: &str| lints("support", &rule(both, condition));
    assert!(with(r#"R.attr.clasification != "public""#).contains(&(Lint::UnknownAttribute, 6)));
    assert!(with(r#"R.attr.egress != "all""#).contains(&(Lint::UnknownValue, 6)));
    assert!(
        with(r#"R.attr.tool_name == "send_mail" && R.attr.args.recipient == "a""#)
            .contains(&(Lint::UnknownArgument, 6))
    );
}

#[test]
fn a_point_of_annex_iii_that_is_not_known() {
    let also = |point: &str| format!(r#"{GOOD} && P.attr.annex_iii == "{point}""#);
    check(&allow(&also("employment.recruitment")), &[]);
    check_condition(&also("employment"), Lint::UnknownValue, "`employment`");
}

/// Roles to which the same rules speak are one to a proof, and to the rule that names them each is one.
#[test]
fn an_allow_for_several_roles_is_judged_for_each_of_them() {
    let derived = |parents: &str| {
        let text = format!(
            "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: ds\n  definitions:\n    - name: d\n      parentRoles: {parents}\n"
        );
        ("d.yaml", text)
    };
    let policy = |rules: &str| {
        let head = HEAD.replace("  rules:", "  importDerivedRoles: [ds]\n  rules:");
        ("p.yaml", format!("{head}{rules}"))
    };
    // Roles, parents of the derived role, and who besides has a rule.
    let derived_roles = |text: String| text.replace("roles: [\"d\"]", "derivedRoles: [\"d\"]");
    for (roles, parents, other) in [
        (r#"["support", "clinic"]"#, r#"["agent"]"#, ""),
        (r#"["support", "clinic", "agent"]"#, r#"["agent"]"#, ""),
        (r#"["support", "clinic", "agent"]"#, r#"["agent"]"#, r#"["clinic"]"#),
        (r#"["d"]"#, r#"["support", "clinic"]"#, ""),
        (r#"["d"]"#, r#"["support", "clinic"]"#, r#"["clinic"]"#),
        (r#"["d"]"#, r#"["support", "clinic", "agent"]"#, r#"["agent"]"#),
    ] {
        let third = match other {
            "" => String::new(),
            roles => rule("third", BOTH, "ALLOW", roles, r#"R.attr.tool_name == "health_record""#),
        };
        let told = |condition: &str| {
            let first = derived_roles(rule("first", BOTH, "ALLOW", roles, condition));
            let files = [derived(parents), policy(&format!("{first}{third}"))];
            let all = [findings(&files, TOOLS), undeclared(&files)];
            all.map(|found| about_narrowing(&found))
        };
        let who = format!("{roles} {parents} {other}");
        let narrow = r#"R.attr.tool_name == "pay_invoice" && R.attr.args.amount_eur < 500.0"#;
        assert_eq!(told(narrow), [vec![], vec![]], "{who}");
        let open = vec![Lint::RestsOnArguments];
        assert_eq!(told("R.attr.args.amount_eur < 500.0"), [open.clone(), open], "{who}");
        // That one of them is shut out says nothing of the others.
        let but_one = r#"!P.roles.exists(r, r == "ROLE") && R.attr.args.amount_eur < 500.0"#;
        for role in ["clinic", "support"] {
            let unread = vec![Lint::NotRead];
            assert_eq!(told(&but_one.replace("ROLE", role)), [unread.clone(), unread], "{who} {role}");
        }
    }
}
