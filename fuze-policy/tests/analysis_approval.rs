//! Who has to approve, compared between two sets and proven of one: an obligation that is lowered, widened or dropped is a change.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::{Path, PathBuf};

use fuze_policy::agent_tool::{Cerbos, verdict};
use fuze_policy::analysis::{Lint, Proof, Property, Reason, Tools, diff, lint, prove};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, PolicySet, Source, read_directory};
use fuze_policy::{Decision, Obligation, Verdict};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)
}

const HEAD: &str =
    "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n";

/// A rule: effect, roles, actions, then ` when CONDITION`, ` says OUTPUT` and ` else OUTPUT`, each if it is there.
fn rule(at: usize, text: &str) -> String {
    let (text, other) = text.split_once(" else ").map_or((text, None), |(text, other)| (text, Some(other)));
    let (text, says) = text.split_once(" says ").map_or((text, None), |(text, says)| (text, Some(says)));
    let (text, condition) = text.split_once(" when ").map_or((text, None), |(text, when)| (text, Some(when)));
    let [effect, roles, actions] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let actions = match actions {
        "both" => r#"["invoke", "invoke:auto"]"#,
        "auto" => r#"["invoke:auto"]"#,
        _ => r#"["invoke"]"#,
    };
    let mut yaml = format!(
        "    - name: r{at}\n      actions: {actions}\n      effect: EFFECT_{effect}\n      roles: [{roles}]\n"
    );
    if let Some(condition) = condition {
        yaml += &format!("      condition: {{match: {{expr: '{condition}'}}}}\n");
    }
    if says.is_some() || other.is_some() {
        yaml += "      output:\n        when:\n";
        for (when, output) in [("ruleActivated", says), ("conditionNotMet", other)] {
            if let Some(output) = output {
                yaml += &format!("          {when}: '{output}'\n");
            }
        }
    }
    yaml
}

fn root(rules: &[&str]) -> PolicySet {
    let rules: String = rules.iter().enumerate().map(|(at, text)| rule(at, text)).collect();
    let text = format!("{HEAD}  rules:\n{rules}");
    PolicySet::load(&[Source::new("root.yaml", &text)])
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// What a set really decides: `None` where it denies or halts.
fn judged(set: &PolicySet, input: &CheckInput) -> Option<Verdict> {
    let params = CheckParams::at(Timestamp { seconds: 1_767_225_600, nanoseconds: 0, offset_seconds: 0 });
    let output = cerbos::check(set, input, &params).unwrap();
    verdict(input, &output).ok().filter(|verdict| verdict.decision != Decision::Deny)
}

fn decided(set: &PolicySet, input: &CheckInput) -> Option<Decision> {
    judged(set, input).map(|verdict| verdict.decision)
}

/// What an approval has to be, whoever demands it.
fn obligation(set: &PolicySet, input: &CheckInput) -> Obligation {
    match judged(set, input) {
        Some(Verdict { decision: Decision::RequiresApproval(obligation), .. }) => obligation,
        Some(Verdict { decision: Decision::Allow, approval, .. }) => approval.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

const TWO: &str = r#"{"approval": {"approvers": 2}}"#;
const ONE: &str = r#"{"approval": {"approvers": 1}}"#;

#[test]
fn what_asks_for_less_is_shown_by_a_request() {
    let ask = |members: &str| format!(r#"ALLOW "a" invoke says {{"approval": {{{members}}}}}"#);
    let old = ask(
        r#""approvers": 2, "may_approve": ["ann", "bob", "cyd"], "trainings": ["t"], "deadline_seconds": 60"#,
    );
    for (new, said) in [
        (
            ask(
                r#""approvers": 1, "may_approve": ["ann", "bob"], "trainings": ["t"], "deadline_seconds": 60"#,
            ),
            "two people had to approve, one has to now",
        ),
        (
            ask(
                r#""approvers": 2, "may_approve": ["ann", "dan"], "trainings": ["t"], "deadline_seconds": 60"#,
            ),
            "`dan` could not approve, and can now",
        ),
        (
            ask(r#""approvers": 2, "trainings": ["t"], "deadline_seconds": 60"#),
            "anyone in the overseer registry can now",
        ),
        (
            ask(
                r#""approvers": 2, "may_approve": ["ann", "bob"], "trainings": ["u"], "deadline_seconds": 60"#,
            ),
            "had to have the training `t`",
        ),
        (
            ask(
                r#""approvers": 2, "may_approve": ["ann", "bob"], "trainings": ["t"], "deadline_seconds": 61"#,
            ),
            "after 60 seconds, and is after 61 now",
        ),
        (
            ask(r#""approvers": 2, "may_approve": ["ann", "bob"], "trainings": ["t"]"#),
            "when the deployment says so now",
        ),
        // Dropped altogether: all of it at once.
        (
            "ALLOW \"a\" invoke".to_owned(),
            "two people had to approve, one has to now; only `ann`, `bob`, `cyd`",
        ),
    ] {
        let (before, after) = (root(&[&old]), root(&[&new]));
        let proof = diff(&before, &after);
        let Some(found) = proof.counterexample() else { panic!("{new}: {proof}") };
        assert!(found.explanation.contains(said), "{new}: {}", found.explanation);
        assert_eq!(
            (&*found.rule, found.place.as_ref().unwrap().at.line),
            ("resource.agent.tool.vdefault#r0", 6)
        );
        // The request really is approved by fewer: what both ask for together is more than what is asked for now.
        let request = found.request.as_ref().unwrap();
        let (was, is) = (obligation(&before, request), obligation(&after, request));
        assert_ne!(was.clone().strictest(is.clone()), Some(is.clone()), "{new}");
        // The other way round it is stricter, unless it is laxer in one thing and stricter in another.
        let back = is.strictest(was.clone()) == Some(was);
        assert_eq!(diff(&after, &before).is_proven(), back, "{new}");
    }
}

#[test]
fn what_asks_for_as_much_or_more_is_proven() {
    let old = root(&[r#"ALLOW "a" invoke says {"approval": {"approvers": 2, "deadline_seconds": 60}}"#]);
    for new in [
        &[
            r#"ALLOW "a" invoke says {"approval": {"approvers": 3, "may_approve": ["x", "y", "z"], "deadline_seconds": 60}}"#,
        ][..],
        // By two rules together.
        &[
            r#"ALLOW "a" invoke says {"approval": {"approvers": 2}}"#,
            r#"DENY "*" auto says {"approval": {"deadline_seconds": 9}}"#,
        ],
        // By a rule that denies, or does not hold.
        &[
            r#"ALLOW "a" invoke"#,
            r#"DENY "*" both when R.attr.depth > 9 says {} else {"approval": {"approvers": 2, "deadline_seconds": 60}}"#,
        ],
        // What cannot be read halts the run.
        &[r#"ALLOW "a" invoke says {"aproval": {}}"#],
        // Nobody can approve.
        &[
            r#"ALLOW "a" invoke says {"approval": {"may_approve": ["x"]}}"#,
            r#"DENY "*" auto says {"approval": {"approvers": 2}}"#,
        ],
    ] {
        let proof = diff(&old, &root(new));
        assert!(proof.is_proven(), "{new:?}: {proof}");
    }
}

/// A deployment that changes the guide's payment as somebody in a hurry would.
#[test]
fn the_guide_s_payment_with_one_approver_less() {
    let files = read_directory(&directory("payment")).unwrap();
    let old = Cerbos::new(&files, None).unwrap();
    let mut changed = files.clone();
    let policy = &files.policies[0];
    changed.policies[0] =
        Source::new(&policy.path, &policy.text.replace(r#""approvers": 2"#, r#""approvers": 1"#));
    let new = Cerbos::new(&changed, None).unwrap();
    let proof = diff(&old, &new);
    let found = proof.counterexample().unwrap_or_else(|| panic!("{proof}"));
    // A small payment, too, once the tool or the law asks for a person.
    assert!(found.explanation.ends_with("two people had to approve, one has to now"), "{found}");
    assert!(found.request.as_ref().unwrap().resource.attr["args"]["amount_eur"].as_f64().unwrap() > 0.0);
    assert!(diff(&new, &old).is_proven());
}

/// Each role's rules speak on their own, and their outputs add up: who has both roles is asked for more.
#[test]
fn outputs_of_every_role_that_is_looked_at_count() {
    let old = root(&[
        &format!("ALLOW \"a\" invoke says {ONE}"),
        &format!("ALLOW \"b\" auto when R.attr.depth > 2 else {TWO}"),
    ]);
    let new = root(&[&format!("ALLOW \"a\" invoke says {ONE}"), "ALLOW \"b\" auto when R.attr.depth > 2"]);
    let proof = diff(&old, &new);
    let request = proof.counterexample().unwrap_or_else(|| panic!("{proof}")).request.clone().unwrap();
    assert!(request.principal.roles.iter().any(|role| &**role == "b"));
    assert_eq!((obligation(&old, &request).approvers, obligation(&new, &request).approvers), (2, 1));
    assert!(diff(&new, &old).is_proven());
}

#[test]
fn a_threshold_inside_an_output_is_looked_into() {
    let by = |limit: &str| {
        root(&[&format!(
            r#"ALLOW "a" invoke when has(R.attr.args.n) says {{"approval": {{"approvers": R.attr.args.n > {limit} ? 2 : 1, "deadline_seconds": 60}}}}"#
        )])
    };
    assert!(diff(&by("500.0"), &by("500.0")).is_proven() && diff(&by("500.0"), &by("400.0")).is_proven());
    let (before, after) = (by("500.0"), by("500.5"));
    let proof = diff(&before, &after);
    let request = proof.counterexample().unwrap_or_else(|| panic!("{proof}")).request.clone().unwrap();
    let amount = request.resource.attr["args"]["n"].as_f64().unwrap();
    assert!(amount > 500.0 && amount <= 500.5, "{amount}");
    assert_eq!((obligation(&before, &request).approvers, obligation(&after, &request).approvers), (2, 1));
    // Where the old output fails, the run halted.
    let without = root(&[
        "ALLOW \"a\" invoke when has(R.attr.args.n) says {\"approval\": {\"approvers\": 2, \"deadline_seconds\": 9}}",
    ]);
    let proof = diff(&by("500.0"), &without);
    let found = proof.counterexample().unwrap_or_else(|| panic!("{proof}"));
    assert_eq!(found.explanation, "what was denied is allowed with approval now");
    assert_eq!(decided(&by("500.0"), found.request.as_ref().unwrap()), None);
}

#[test]
fn an_output_that_cannot_be_looked_into_is_named() {
    const OPEN: &str = r#"{"approval": {"approvers": size(P.attr.purpose)}}"#;
    let open = root(&[&format!("ALLOW \"a\" invoke says {OPEN}")]);
    // The same on both sides is the same, and one more can only ask for more.
    assert!(diff(&open, &open).is_proven());
    let more = root(&[&format!("ALLOW \"a\" invoke says {OPEN}"), &format!("DENY \"*\" auto says {TWO}")]);
    assert!(diff(&open, &more).is_proven());
    // That it may ask for more than the new one is found where a request shows it…
    let one = root(&[&format!("ALLOW \"a\" invoke says {ONE}")]);
    let proof = diff(&open, &one);
    let request = proof.counterexample().unwrap_or_else(|| panic!("{proof}")).request.clone().unwrap();
    assert!(decided(&open, &request).is_none_or(|was| was != decided(&one, &request).unwrap()));
    // … and said where nothing shows it.
    let hidden = r#"{"approval": {"approvers": P.attr.purpose.matches("(?i)^[x-z]{9}-[0-9]{3}$") ? 1 : 2}}"#;
    let [hidden, lowered] =
        [hidden, r#"{"approval": {"approvers": P.attr.purpose.matches("(?i)^[x-z]{9}-[0-9]{4}$") ? 1 : 2}}"#]
            .map(|output| root(&[&format!("ALLOW \"a\" invoke says {output}")]));
    match diff(&hidden, &lowered) {
        Proof::Unknown { reason: Reason::Opaque { expression, place }, .. } => {
            assert!(expression.contains("matches"), "{expression}");
            assert_eq!(place.at.line, 12);
        }
        other => panic!("{other}"),
    }
    let list =
        root(&[r#"ALLOW "a" invoke says {"approval": {"approvers": 2, "may_approve": R.attr.args.people}}"#]);
    let other =
        root(&[r#"ALLOW "a" invoke says {"approval": {"approvers": 2, "may_approve": R.attr.args.others}}"#]);
    let proof = diff(&list, &other);
    assert!(!proof.is_proven(), "{proof}");
}

#[test]
fn so_many_people_at_least() {
    let property = Property::at_least_approvers("special_category", 2);
    for rules in [
        &["ALLOW \"a\" invoke"][..],
        &[r#"ALLOW "a" invoke says {"approval": {"deadline_seconds": 9}}"#],
        &[
            "ALLOW \"a\" invoke when R.attr.args.n > 5.0 says {\"approval\": {\"approvers\": R.attr.args.n > 6.0 ? 2 : 1}}",
        ],
        &[&format!("ALLOW \"a\" invoke says {TWO}"), "ALLOW \"b\" invoke"],
        // The policy asks nobody, and so says nothing of an approval that the tool or the law asks for.
        &["ALLOW \"a\" both"],
        &[r#"ALLOW "a" both says {"approval": {"trainings": ["t"]}}"#],
        &["ALLOW \"a\" invoke says {\"approval\": {\"approvers\": 2}}", "ALLOW \"b\" both"],
        &[
            "ALLOW \"a\" invoke when R.attr.classification == \"special_category\"",
            &format!("DENY \"*\" both when R.attr.depth > 1 says {TWO}"),
        ],
    ] {
        let set = root(rules);
        let proof = prove(&set, &property);
        let found = proof.counterexample().unwrap_or_else(|| panic!("{rules:?}: {proof}"));
        assert!(
            found.explanation.contains("`special_category`,")
                && found.explanation.ends_with("asks one person"),
            "{found}"
        );
        let request = found.request.as_ref().unwrap();
        assert_eq!(request.resource.attr["classification"], "special_category");
        assert_eq!(obligation(&set, request).approvers, 1);
    }
    for rules in [
        &[&*format!("ALLOW \"a\" invoke says {TWO}")][..],
        &[&format!("ALLOW \"a\" both says {TWO}")],
        // Together they ask two, and by its own `b` decides nothing.
        &[&format!("ALLOW \"a\" invoke says {TWO}"), "ALLOW \"b\" auto"],
        &["ALLOW \"a\" invoke when R.attr.classification == \"personal\""],
        &[
            "ALLOW \"a\" invoke",
            &format!(
                "DENY \"*\" auto when R.attr.classification == \"special_category\" says {TWO} else {{}}"
            ),
        ],
    ] {
        let proof = prove(&root(rules), &property);
        assert!(proof.is_proven(), "{rules:?}: {proof}");
    }
    assert_eq!(property.to_string(), "every approval of a `special_category` tool asks two people at least");
    let open = root(&[
        r#"ALLOW "a" invoke says {"approval": {"approvers": P.attr.purpose.matches("(?i)^[x-z]{9}$") ? 1 : 2}}"#,
    ]);
    let proof = prove(&open, &property);
    assert!(matches!(proof, Proof::Unknown { reason: Reason::Opaque { .. }, .. }), "{proof}");
    let special = Cerbos::load(&directory("special")).unwrap();
    assert!(!prove(&special, &property).is_proven());
    assert!(prove(&special, &Property::at_least_approvers("special_category", 1)).is_proven());
}

/// An output that fails halts the run: what is never decided is never allowed.
#[test]
fn what_an_output_halts_is_not_allowed() {
    let special = Property::never_auto("special_category");
    assert!(!prove(&root(&["ALLOW \"a\" both"]), &special).is_proven());
    for output in [r#"{"aproval": {}}"#, r#"{"approval": {"approvers": 0}}"#, "1 / 0"] {
        let proof = prove(&root(&[&format!("ALLOW \"a\" both says {output}")]), &special);
        assert!(proof.is_proven(), "{output}: {proof}");
    }
}

/// A rule that decides nothing but says who approves is not shadowed; one that says no more than another is.
#[test]
fn a_rule_that_only_says_something_is_not_needless() {
    let shadowed = |rules: &[&str]| {
        let found = lint(&root(rules), &Tools::default());
        found
            .into_iter()
            .filter(|f| f.lint == Lint::ShadowedRule)
            .map(|f| f.place.at.line)
            .collect::<Vec<_>>()
    };
    let wide = r#"ALLOW "a" invoke when R.attr.classification != "public""#;
    let narrow = r#"ALLOW "a" invoke when R.attr.classification == "personal""#;
    assert_eq!(shadowed(&[wide, narrow]), [11]);
    assert!(shadowed(&[wide, &format!("{narrow} says {TWO}")]).is_empty());
    assert_eq!(shadowed(&[&format!("{wide} says {TWO}"), &format!("{narrow} says {ONE}")]), [14]);
}
