#![allow(clippy::indexing_slicing, reason = "tests index what they have just made")]

use super::*;

const OLD: &str = "\
# Mail goes out after approval.
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  rules:
    - actions: [\"invoke\"] # one
      effect: EFFECT_REQUIRES_APPROVAL # a person
      roles: [\"support\"]
    - actions: [\"invoke\"]
      effect: \"EFFECT_REQUIRES_APPROVAL\"
      roles: [\"sales\"]
    - actions: [\"invoke\"]
      effect: EFFECT_ALLOW
      roles: [\"admin\"]
    - actions: [\"invoke\", \"invoke:auto\"]
      effect: EFFECT_ALLOW
      roles: [\"robot\"]
";

fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.place.to_string()).collect()
}

#[test]
fn the_third_effect_becomes_an_allow_of_invoke_alone() {
    let done = migrate(&[Source::new("mail.yaml", OLD)]).unwrap();
    assert_eq!(
        done.files,
        [Source::new("mail.yaml", &OLD.replace("EFFECT_REQUIRES_APPROVAL", "EFFECT_ALLOW"))]
    );
    let rewritten: Vec<String> = done.rewritten.iter().map(ToString::to_string).collect();
    assert_eq!(rewritten, ["mail.yaml:8:15", "mail.yaml:11:15"]);
    assert_eq!(places(&done.to_decide), ["mail.yaml:13:7", "mail.yaml:16:7"]);
    assert!(done.to_decide[0].message.contains("now asks for approval, too"));
    assert!(done.to_decide[1].message.contains("nobody is asked"));
    assert!(crate::cerbos::PolicySet::load(&done.files).is_ok());
    assert!(crate::cerbos::PolicySet::load(&[Source::new("mail.yaml", OLD)]).is_err());
    let again = migrate(&done.files).unwrap();
    assert_eq!(again, Migrated { files: Vec::new(), rewritten: Vec::new(), to_decide: Vec::new() });
}

/// The rewritten rule and what takes its approval away need not stand in one file, nor in policies of one kind.
#[test]
fn what_takes_an_approval_away_is_named_wherever_it_stands() {
    let head = "apiVersion: api.cerbos.dev/v1\n";
    let rule = |kind: &str, actions: &str| {
        format!(
            "{head}resourcePolicy: {{resource: {kind}, version: default, scope: x, rules: [{{actions: [{actions}], effect: EFFECT_ALLOW, roles: [a]}}]}}"
        )
    };
    let principal = |kind: &str, action: &str| {
        format!(
            "{head}principalPolicy: {{principal: p, version: default, rules: [{{resource: {kind}, actions: [{{action: {action}, effect: EFFECT_ALLOW}}]}}]}}"
        )
    };
    let role = |kind: &str, actions: &str| {
        format!("{head}rolePolicy: {{role: r, rules: [{{resource: {kind}, allowActions: [{actions}]}}]}}")
    };
    for (other, part) in [
        (rule("agent.tool", "\"invoke:auto\""), "nobody is asked"),
        (rule("agent.tool", "\"*\""), "nobody is asked"),
        (rule("agent.tool", "\"invoke:*\""), "nobody is asked"),
        (rule("agent.tool", "\"{invoke,invoke:auto}*\""), "nobody is asked"),
        (rule("agent.tool", "invoke"), "now asks for approval"),
        (rule("agent.tool", "view"), ""),
        (rule("album", "\"*\""), ""),
        (principal("agent.tool", "\"invoke:auto\""), "nobody is asked"),
        (principal("\"agent.*\"", "\"*\""), "nobody is asked"),
        (principal("\"*\"", "invoke"), "now asks for approval"),
        (principal("album", "\"*\""), ""),
        (role("agent.tool", "\"*\""), "nobody is asked"),
        (role("\"*\"", "\"invoke:auto\""), "nobody is asked"),
        (role("agent.tool", "invoke"), ""),
    ] {
        let other = Source::new("other.yaml", &other);
        let alone = migrate(&[Source::new("mail.yaml", OLD)]).unwrap();
        let done = migrate(&[Source::new("mail.yaml", OLD), other.clone()]).unwrap();
        let more: Vec<&Problem> =
            done.to_decide.iter().filter(|told| !alone.to_decide.contains(told)).collect();
        match (part.is_empty(), &more[..]) {
            (true, []) => {}
            (false, [one]) => {
                assert!(&*one.place.file == "other.yaml" && one.message.contains(part), "{one}");
            }
            _ => panic!("{}: {more:?}", other.text),
        }
        assert_eq!(done.files, alone.files);
        // Without anything to rewrite there is nothing to decide.
        assert!(migrate(&[other]).unwrap().to_decide.is_empty());
    }
}

/// In a scope what is left out is what the scope above says: there `invoke:auto` is denied, however the rules are written down.
#[test]
fn in_a_scope_a_person_is_asked_for() {
    let rule = "actions: [invoke], effect: EFFECT_REQUIRES_APPROVAL, roles: [a]";
    let auto = "actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [a]";
    let head = |scope: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n{scope}  rules:\n"
        )
    };
    let scope = "  scope: acme\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n";
    let root = Source::new("root.yaml", &format!("{}    - {{{auto}}}\n", head("")));
    let block = format!(
        "    - name: x\n      {}\n",
        rule.replace(", effect", "\n      effect").replace(", roles", "\n      roles")
    );
    for (rules, effect) in [
        (block.clone(), "acme.yaml:11:15"),
        (block.replace('\n', "\r\n"), "acme.yaml:11:15"),
        (format!("    - {{{rule}}}\n"), "acme.yaml:9:35"),
        (format!("    [{{{rule}}}]\n"), "acme.yaml:8:105"),
        (format!("    # first\n    - {{{rule}}}\n"), "acme.yaml:10:35"),
    ] {
        let acme = Source::new("acme.yaml", &format!("{}{rules}", head(scope)));
        let done = migrate(&[root.clone(), acme]).unwrap();
        assert_eq!(
            done.rewritten.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [effect],
            "{}",
            done.files[0].text
        );
        let told = |part: &str| done.to_decide.iter().any(|told| told.message.contains(part));
        assert!(told("stands before this rule now") && told("nobody is asked"), "{:?}", done.to_decide);
        let files = crate::cerbos::Files {
            policies: vec![root.clone(), done.files[0].clone()],
            ..Default::default()
        };
        let engine = crate::agent_tool::Cerbos::new(&files, None)
            .unwrap_or_else(|why| panic!("{why}\n{}", files.policies[1].text));
        let proof = crate::analysis::prove(engine.set(), &crate::analysis::Property::never_auto("public"));
        let case = proof.counterexample().map(ToString::to_string).unwrap_or_default();
        assert!(!case.contains("acme"), "{case}");
        // Once is enough.
        assert!(migrate(&files.policies).unwrap().rewritten.is_empty());
    }
    // Also before a rule that is called something.
    let anchored = format!("{}    - &r {{{rule}}}\n", head(scope));
    let done = migrate(&[root, Source::new("acme.yaml", &anchored)]).unwrap();
    assert!(done.files[0].text.contains(&format!("    - {NOT_ALONE}\n    - &r ")), "{}", done.files[0].text);
}

/// An ALLOW there would be wider than the approval was: nothing of the set is rewritten.
#[test]
fn what_would_become_wider_is_left_and_named() {
    for (from, to, place, part) in [
        ("resource: agent.tool", "resource: album", "mail.yaml:8:15", "about `album`"),
        ("resource: agent.tool", "resource: \"agent.*\"", "mail.yaml:8:15", "about `agent.*`"),
        ("  resource: agent.tool\n", "", "mail.yaml:7:15", "nothing says"),
        ("[\"invoke\"]", "[\"view\"]", "mail.yaml:7:17", "an ALLOW of `view`"),
        ("[\"invoke\"]", "[\"invoke\", \"view\"]", "mail.yaml:7:27", "an ALLOW of `view`"),
        ("[\"invoke\"]", "[\"inv*e\"]", "mail.yaml:7:17", "an ALLOW of `inv*e`"),
        ("[\"invoke\"]", "[]", "mail.yaml:8:15", "names no action"),
        ("[\"invoke\"]", "[\"*\"]", "mail.yaml:7:17", "reaches `invoke:auto`"),
        ("[\"invoke\"]", "[\"invoke:*\"]", "mail.yaml:7:17", "reaches `invoke:auto`"),
        ("[\"invoke\"]", "[\"invoke:auto\"]", "mail.yaml:7:17", "reaches `invoke:auto`"),
        ("[\"invoke\"]", "[\"invoke*\"]", "mail.yaml:7:17", "an ALLOW of `invoke*`"),
    ] {
        let text = OLD.replacen(from, to, 1);
        assert_ne!(text, OLD);
        let good = Source::new("good.yaml", OLD);
        let problems = migrate(&[good, Source::new("mail.yaml", &text)]).unwrap_err();
        assert!(
            problems.iter().any(|told| told.place.to_string() == place && told.message.contains(part)),
            "{to}: {problems:?}"
        );
        assert!(problems.iter().all(|told| &*told.place.file == "mail.yaml"), "{problems:?}");
    }
    // A principal policy's rules are of several kinds: one of them is enough.
    let text = "principalPolicy:\n  rules:\n    - {resource: agent.tool, actions: [{action: invoke, effect: EFFECT_REQUIRES_APPROVAL}]}\n    \
                - {resource: album, actions: [{action: invoke, effect: EFFECT_REQUIRES_APPROVAL}]}\n";
    assert_eq!(places(&migrate(&[Source::new("p.yaml", text)]).unwrap_err()), ["p.yaml:4:60"]);
    let one = text.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(migrate(&[Source::new("p.yaml", &one)]).unwrap().rewritten.len(), 1);
}

/// However it is written down: either nothing of the third effect is left, or its author is told.
#[test]
fn nothing_is_half_migrated() {
    let head = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n";
    let rule = |effect: &str| format!("    - actions: [invoke]\n      effect: {effect}\n      roles: [a]\n");
    let two = "    - {effect: EFFECT_REQUIRES_APPROVAL, actions: [invoke], roles: [a]}\n".repeat(2);
    for (text, done) in [
        (format!("{head}{}", rule(THIRD)), true),
        (format!("\u{feff}{head}{}", rule(THIRD)), false),
        (format!("{head}{}", rule(THIRD)).replace('\n', "\r\n"), true),
        (format!("{head}{}", rule("'EFFECT_REQUIRES_APPROVAL' # ä")), true),
        (format!("{head}{}{}", rule("&e EFFECT_REQUIRES_APPROVAL"), rule("*e")), false),
        (
            format!("{head}{two}")
                .replace("}\n    - {", "}, {")
                .replace("    - {", "    [{")
                .replace("}\n", "}]\n"),
            true,
        ),
        (format!("{head}{}---\n{head}{}", rule(THIRD), rule(THIRD)), true),
        (format!("{head}{}", rule("\"EFFECT\\u005fREQUIRES_APPROVAL\"")), false),
        (format!("{head}{}", rule("|-\n        EFFECT_REQUIRES_APPROVAL")), false),
        (format!("{head}{}", rule(">-\n        EFFECT_REQUIRES_APPROVAL")), false),
        (
            format!(
                "\u{feff}{{\"resourcePolicy\": {{\"resource\": \"agent.tool\", \"rules\": [{{\"actions\": [\"invoke\"], \"effect\": \"{THIRD}\"}}]}}}}"
            ),
            false,
        ),
    ] {
        match migrate(&[Source::new("a.yaml", &text)]) {
            Ok(migrated) => {
                let left = yaml::read(&"a.yaml".into(), &migrated.files[0].text, Limits::default()).unwrap();
                assert!(!format!("{left:?}").contains(THIRD), "{left:?}");
                assert!(!migrated.rewritten.is_empty(), "{text}");
            }
            Err(problems) => assert!(!done, "{text}: {problems:?}"),
        }
    }
}
