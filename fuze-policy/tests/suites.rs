//! Suites are refused where `cerbos compile` refuses them, each with its place, and hold requests against schemas as it does.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use fuze_policy::cerbos::{PolicySet, Source};
use fuze_policy::suite::{self, Outcome, SuiteResult};

const POLICY: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}
";

const SUITE: &str = "name: s
principals:
  p: {id: p, roles: [guest]}
  q: {id: q, roles: [user]}
resources:
  a: {id: a, kind: album, attr: {n: 1}}
  b: {id: b, kind: album}
auxData:
  j: {jwt: {iss: x}}
principalGroups:
  all: {principals: [p, q]}
resourceGroups:
  both: {resources: [a, b]}
tests:
  - name: guests see nothing
    input: {principals: [p], resources: [a], actions: [view], auxData: j}
    expected:
      - principal: p
        resource: a
        actions: {view: EFFECT_DENY}
";

fn run(text: &str, beside: &[Source]) -> SuiteResult {
    let set = PolicySet::load(&[Source::new("p.yaml", POLICY)]).unwrap();
    suite::run(&set, &Source::new("s_test.yaml", text), beside)
}

fn told(result: &SuiteResult) -> Vec<String> {
    result.problems.iter().map(ToString::to_string).collect()
}

/// What is there is not told to be unknown, and a slip is shown beside what was meant.
#[test]
fn a_slip_in_a_test_is_told_with_what_stands_there() {
    let told = |from: &str, to: &str| {
        assert!(SUITE.contains(from), "{from}");
        told(&run(&SUITE.replacen(from, to, 1), &[])).join("\n")
    };
    let inputs = told("    input:", "    inputs:");
    assert!(inputs.contains("did you mean `input`?") && !inputs.contains("`expected`"), "{inputs}");
    let action = told("actions: {view: EFFECT_DENY}", "actions: {veiw: EFFECT_DENY}");
    assert!(action.contains("the action `veiw`, which `input` does not name: it names `view`"), "{action}");
    let who = told("      - principal: p\n", "      - principal: q\n");
    assert!(who.contains("`q`") && who.contains("it names the principals `p`"), "{who}");
}

#[test]
fn what_cerbos_refuses_is_refused_at_its_place() {
    assert!(run(SUITE, &[]).holds());
    let mut wrong = Vec::new();
    // What takes the place of what, where it is told, and a part of what is told.
    for (from, to, place, part) in [
        (
            "    expected:\n      - principal: p\n        resource: a\n        actions: {view: EFFECT_DENY}\n",
            "",
            "15:5",
            "needs `expected`",
        ),
        (
            "    expected:\n      - principal: p\n        resource: a\n        actions: {view: EFFECT_DENY}\n",
            "    expected: []\n",
            "17:5",
            "needs `expected`",
        ),
        ("actions: {view: EFFECT_DENY}", "actions: {}", "20:9", "needs `actions`"),
        ("        actions: {view: EFFECT_DENY}\n", "", "18:9", "needs `actions`"),
        (
            "      - principal: p\n",
            "      - principal: p\n        principals: [q]\n",
            "19:9",
            "`principal` and `principals`",
        ),
        (
            "        resource: a\n",
            "        resource: a\n        resources: [b]\n",
            "20:9",
            "`resource` and `resources`",
        ),
        (
            "{id: p, roles: [guest]}",
            "{id: p, roles: [guest, guest]}",
            "3:29",
            "`guest` stands twice in `roles`",
        ),
        ("{id: p, roles: [guest]}", "{id: p, roles: [guest, \"\"]}", "3:29", "an item of `roles` is empty"),
        ("{id: q, roles: [user]}", "{id: q}", "4:6", "needs `roles`"),
        ("{id: q, roles: [user]}", "{roles: [user]}", "4:6", "needs `id`"),
        ("{id: q, roles: [user]}", "{id: q, roles: [user], scope: a..b}", "4:36", "cannot be the `scope`"),
        (
            "{id: q, roles: [user]}",
            "{id: q, roles: [user], policyVersion: a b}",
            "4:44",
            "cannot be the `policyVersion`",
        ),
        ("{id: q, roles: [user]}", "{id: q, roles: [user], colour: red}", "4:29", "no field `colour`"),
        ("{id: b, kind: album}", "{id: b}", "7:6", "needs `kind`"),
        ("{id: b, kind: album}", "{id: b, kind: album, scope: \"-\"}", "7:34", "cannot be the `scope`"),
        (
            "{id: b, kind: album}",
            "{id: b, kind: album, policyVersion: v-1}",
            "7:42",
            "cannot be the `policyVersion`",
        ),
        (
            "{id: b, kind: album}",
            "{id: b, kind: album, attr: {\"\": 1}}",
            "7:34",
            "a name in `attr` is empty",
        ),
        ("principals: [p, q]}", "principals: [p, z]}", "11:25", "`z` is in the group `all`"),
        ("resources: [a, b]}", "resources: [z]}", "13:22", "`z` is in the group `both`"),
        ("principals: [p, q]}", "principals: []}", "11:9", "needs `principals`"),
        ("{jwt: {iss: x}}", "{jwt: 5}", "9:12", "`jwt` must be a mapping"),
        ("{jwt: {iss: x}}", "{jwts: {t: 5}}", "9:17", "expected a token"),
        ("{jwt: {iss: x}}", "{jwts: {t: {iss: x}}}", "9:18", "no field `iss`"),
        (
            "{jwt: {iss: x}}",
            "{jwt: {iss: x}, jwts: {t: {claims: {iss: x}}}}",
            "9:22",
            "cannot stand together",
        ),
        (
            "principalGroups:\n  all: {principals: [p, q]}",
            "principalGroups: []",
            "10:18",
            "must be a mapping",
        ),
    ] {
        let text = SUITE.replacen(from, to, 1);
        assert_ne!(text, SUITE, "{from}");
        let result = run(&text, &[]);
        let problems = told(&result);
        assert!(!result.holds() && result.cases.is_empty(), "{to}");
        let at = format!("s_test.yaml:{place}: ");
        // One mistake, one problem.
        if !matches!(&problems[..], [one] if one.starts_with(&at) && one.contains(part)) {
            wrong.push(format!("{to} at {place}: {problems:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fixtures_beside_a_suite_are_read_with_the_same_eyes() {
    let beside = |text: &str| [Source::new("testdata/principals.yaml", text)];
    assert!(run(SUITE, &beside("principals: {other: {id: o, roles: [user]}}\n")).holds());
    for (text, place) in [
        ("principals: {other: {id: o}}\n", "1:21"),
        // The groups of a file are of what stands in it.
        ("principals: {other: {id: o, roles: [user]}}\nprincipalGroups: {g: {principals: [q]}}\n", "2:36"),
    ] {
        let result = run(SUITE, &beside(text));
        let at = format!("testdata/principals.yaml:{place}: ");
        assert!(told(&result).iter().any(|told| told.starts_with(&at)), "{text}: {:?}", told(&result));
    }
}

/// The first principal is nobody's whom the suite's tests name, the second is `p`.
#[test]
fn of_several_files_of_fixtures_the_first_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let text = SUITE
        .replace("  p: {id: p, roles: [guest]}\n", "")
        .replace("principals: [p, q]}", "principals: [q]}");
    let put = |name: &str, text: &str| {
        let path = directory.path().join("testdata").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let run = || {
        let source = Source::new("s_test.yaml", &text);
        suite::fixtures(directory.path(), &source)
            .map(|beside| run(&text, &beside).holds())
            .map_err(|p| p.to_string())
    };
    assert_eq!(run(), Ok(false));
    let right = "principals: {p: {id: p, roles: [guest]}}\n";
    let steps = [
        ("principals.yml", right, true),
        // Before it by name: what stands in both does not add up, and the second is not read.
        ("principals.yaml", "principals: {z: {id: z, roles: [guest]}}\n", false),
        ("principals.local.JSON", "{\"principals\": {\"p\": {\"id\": \"p\", \"roles\": [\"guest\"]}}}", true),
        ("aux_data.yaml", "nonsense", false),
        ("auxData.yaml", "auxData: {}\n", true),
        ("auxdata.txt", "nonsense", true),
        ("resources_.yaml", "nonsense", true),
        ("x/principals.0.yaml", "nonsense", true),
    ];
    for (name, text, holds) in steps {
        put(name, text);
        assert_eq!(run(), Ok(holds), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_of_fixtures_is_no_link() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/", directory.path().join("testdata")).unwrap();
    let problem =
        suite::fixtures(directory.path(), &Source::new("s_test.yaml", SUITE)).unwrap_err().to_string();
    assert!(problem.starts_with("testdata:1:1: it is a link"), "{problem}");
}

/// Whoever asks for a time that the test does not give errs, whatever the rest of the expression or leniency would make of it.
#[test]
fn a_test_without_a_time_cannot_ask_for_it() {
    let outcome = |condition: &str, options: &str| {
        let policy = POLICY.replace(
            "roles: [user], effect: EFFECT_ALLOW",
            &format!("roles: [guest], effect: EFFECT_ALLOW, condition: {{match: {{expr: '{condition}'}}}}"),
        );
        let set = PolicySet::load(&[Source::new("p.yaml", &policy)]).unwrap();
        let text = SUITE
            .replace("EFFECT_DENY", "EFFECT_ALLOW")
            .replace("tests:\n", &format!("options: {{{options}}}\ntests:\n"));
        let result = suite::run(&set, &Source::new("s_test.yaml", &text), &[]);
        assert!(result.problems.is_empty(), "{:?}", result.problems);
        match &result.cases[..] {
            [suite::CaseResult { outcome: Outcome::Passed, .. }] => "passed".to_owned(),
            [suite::CaseResult { outcome: Outcome::Errored(error), .. }] => error.clone(),
            other => format!("{other:?}"),
        }
    };
    const NOW: &str = "now: \"2026-01-01T00:00:00Z\", ";
    for mode in ["strictEvaluation: true", "strictEvaluation: false"] {
        for asks in [
            "now() == now()",
            "timeSince(timestamp(\"2020-01-01T00:00:00Z\")) > duration(\"1s\")",
            "now() == now() || true",
            "[1].exists(x, now() == now() || x == 1)",
            "[now()].all(x, x == x)",
            "cel.bind(t, now(), t == t)",
        ] {
            let error = outcome(asks, mode);
            assert!(error.contains("the time is asked for") && error.contains(asks), "{asks}: {error}");
            assert_eq!(outcome(asks, &format!("{NOW}{mode}")), "passed", "{asks}");
        }
        for does_not in
            ["true || now() == now()", "cel.bind(t, now(), true)", "R.id == \"a\" ? true : now() == now()"]
        {
            assert_eq!(outcome(does_not, mode), "passed", "{does_not}");
        }
    }
}

#[test]
fn the_claims_of_each_token_are_what_conditions_see() {
    let policy = POLICY.replace(
        "effect: EFFECT_ALLOW",
        "effect: EFFECT_ALLOW, condition: {match: {expr: request.auxData.jwts.t.claims.iss == \"x\"}}",
    );
    let set = PolicySet::load(&[Source::new("p.yaml", &policy)]).unwrap();
    let text = SUITE.replace("{jwt: {iss: x}}", "{jwts: {t: {claims: {iss: x}}}}").replace("guest", "user");
    let run = |text: &str| suite::run(&set, &Source::new("s_test.yaml", text), &[]);
    let allowed = run(&text.replace("EFFECT_DENY", "EFFECT_ALLOW"));
    assert!(allowed.holds(), "{allowed:?}");
    assert!(!run(&text).holds());
}

#[cfg(feature = "cerbos-schema")]
mod schemas {
    use fuze_policy::cerbos::{AttributesOf, Effect, Files, read_directory};
    use fuze_policy::suite::Against;

    use super::*;

    const WITH: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  schemas:
    resourceSchema: {ref: cerbos:///album.json, ignoreWhen: {actions: [list]}}
  rules:
    - {actions: [view, list], roles: [guest], effect: EFFECT_ALLOW}
";
    const ALBUM: &str = r#"{"type": "object", "properties": {"n": {"type": "number"}}}"#;

    fn case(attributes: &str, action: &str) -> Outcome {
        let set = PolicySet::load(&[Source::new("p.yaml", WITH)]).unwrap();
        let against = Against::new(&set, &[Source::new("album.json", ALBUM)]).unwrap();
        let text = SUITE
            .replace("{n: 1}", attributes)
            .replace("[view]", &format!("[{action}]"))
            .replace("view: EFFECT_DENY", &format!("{action}: EFFECT_ALLOW"));
        let result = suite::run(&against, &Source::new("s_test.yaml", &text), &[]);
        assert!(result.problems.is_empty(), "{:?}", result.problems);
        result.cases.into_iter().next().unwrap().outcome
    }

    #[test]
    fn a_request_that_does_not_follow_its_schema_is_denied() {
        assert!(matches!(case("{n: 1}", "view"), Outcome::Passed));
        assert!(matches!(case("{n: text}", "list"), Outcome::Passed), "not enforced for `list`");
        let outcome = case("{n: text}", "view");
        let Outcome::Effect { expected: Effect::Allow, actual: Effect::Deny, unfit } = &outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(unfit.len(), 1);
        assert_eq!((unfit[0].of, unfit[0].path.as_str()), (AttributesOf::Resource, "/n"));
        assert_eq!(unfit[0].to_string(), "the resource's `/n`: expected number, but got string");
    }

    #[test]
    fn without_its_files_a_set_with_schemas_allows_nothing() {
        let set = PolicySet::load(&[Source::new("p.yaml", WITH)]).unwrap();
        let text = SUITE.replace("EFFECT_DENY", "EFFECT_ALLOW");
        assert!(!suite::run(&set, &Source::new("s_test.yaml", &text), &[]).holds());
    }

    #[test]
    fn schemas_that_cannot_be_used_are_told_where_they_are_named() {
        let refused = |policies: &[(&str, &str)], schemas: &[(&str, &str)]| {
            let sources =
                |of: &[(&str, &str)]| of.iter().map(|(path, text)| Source::new(path, text)).collect();
            let files = Files { policies: sources(policies), schemas: sources(schemas), tests: Vec::new() };
            let set = PolicySet::load(&files.policies).unwrap();
            suite::run_all(std::path::Path::new("."), &files, &set).unwrap_err().to_string()
        };
        let missing = refused(&[("p.yaml", WITH)], &[]);
        assert!(
            missing.starts_with("p.yaml:6:27: ") && missing.contains("no `_schemas/album.json`"),
            "{missing}"
        );
        let invalid = refused(&[("p.yaml", WITH)], &[("album.json", "\"text\"")]);
        assert!(invalid.starts_with("p.yaml:6:27: "), "{invalid}");
        let remote = WITH.replace("cerbos:///album.json", "https://example.com/album.json");
        let remote = refused(&[("p.yaml", &remote)], &[]);
        assert!(remote.starts_with("p.yaml:6:27: ") && remote.contains("nothing is fetched"), "{remote}");
        // Below the root a schema is not in force, and has to be there all the same.
        let below =
            WITH.replace("  schemas:", "  scope: acme\n  schemas:").replace("album.json", "other.json");
        let below = refused(&[("a.yaml", &below), ("p.yaml", WITH)], &[("album.json", ALBUM)]);
        assert!(below.starts_with("a.yaml:7:27: ") && below.contains("_schemas/other.json"), "{below}");
    }

    /// A suite about the public policies of Cerbos, whose `leave_request` has schemas: in the scope `acme` and at the root.
    #[test]
    fn the_schemas_of_the_public_policies_are_enforced() {
        let Some(vectors) = common::shared("vectors/cerbos") else { return };
        let files = read_directory(&vectors.join("store")).unwrap();
        let set = PolicySet::load(&files.policies).unwrap();
        let against = Against::new(&set, &files.schemas).unwrap();
        let person = "department: marketing, geography: GB, team: design";
        let request = |attributes: &str| {
            format!(
                "name: s\nprincipals:\n  john: {{id: john, roles: [employee], attr: {{{person}}}}}\nresources:\n  \
                 leave: {{id: l, kind: leave_request, attr: {{{attributes}}}}}\ntests:\n  - name: t\n    options: {{defaultScope: acme, \
                 globals: {{environment: test}}}}\n    input: {{principals: [john], resources: [leave], actions: ['view:public']}}\n    \
                 expected: [{{principal: john, resource: leave, actions: {{'view:public': EFFECT_ALLOW}}}}]\n"
            )
        };
        let run = |text: &str| suite::run(&against, &Source::new("s_test.yaml", text), &[]);
        let fit = run(&request(&format!("{person}, id: XX125, owner: john")));
        let unfit = run(&request(&format!("{person}, owner: john")));
        println!("{fit:?}\n{unfit:?}");
        assert!(fit.holds(), "{fit:?}");
        assert!(
            matches!(&unfit.cases[..], [case] if matches!(&case.outcome, Outcome::Effect { unfit, .. } if unfit.len() == 1)),
            "{unfit:?}"
        );
    }
}

#[test]
fn the_third_effect_is_told_what_to_expect_instead() {
    let third = run(&SUITE.replace("{view: EFFECT_DENY}", "{view: EFFECT_REQUIRES_APPROVAL}"), &[]);
    let told = told(&third);
    assert!(
        told.len() == 2
            && told[1].starts_with("s_test.yaml:20:25: `view` must be `EFFECT_ALLOW` or `EFFECT_DENY` (where a person has to approve")
            && told[1].contains("`EFFECT_ALLOW` for `invoke` and `EFFECT_DENY` for `invoke:auto`"),
        "{told:?}"
    );
    let other = run(&SUITE.replace("{view: EFFECT_DENY}", "{view: EFFECT_DENNY}"), &[]);
    assert_eq!(
        other.problems[1].message,
        "`view` must be `EFFECT_ALLOW` or `EFFECT_DENY`, this is `EFFECT_DENNY`"
    );
}

/// As Cerbos reads it: a pair of escapes is one character, in the policy and in the suite.
#[test]
fn pairs_of_json_escapes_are_characters() {
    let policy = r#"{"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": {"resource": "album", "version": "default", "rules": [
        {"actions": ["view"], "roles": ["user"], "effect": "EFFECT_ALLOW", "condition": {"match": {"expr": "R.attr.a == \"\ud83d\ude00\""}}}]}}"#;
    let suite = |a: &str, effect: &str| {
        format!(
            r#"{{"name": "s", "principals": {{"u": {{"id": "u", "roles": ["user"]}}}}, "resources": {{"a": {{"id": "a", "kind": "album", "attr":
            {{"a": "{a}"}}}}}}, "tests": [{{"name": "t", "input": {{"principals": ["u"], "resources": ["a"], "actions": ["view"]}},
            "expected": [{{"principal": "u", "resource": "a", "actions": {{"view": "{effect}"}}}}]}}]}}"#
        )
    };
    let set = PolicySet::load(&[Source::new("p.json", policy)]).unwrap();
    let run = |text: String| suite::run(&set, &Source::new("s_test.json", &text), &[]);
    for (a, effect) in
        [("\\ud83d\\ude00", "EFFECT_ALLOW"), ("😀", "EFFECT_ALLOW"), ("\\ud83d\\ude01", "EFFECT_DENY")]
    {
        let result = run(suite(a, effect));
        assert!(result.holds() && result.cases.len() == 1, "{a}: {result:?}");
    }
    assert!(!run(suite("\\ud83d", "EFFECT_DENY")).holds());
}
