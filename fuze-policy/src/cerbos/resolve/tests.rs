use super::super::files::Source;
use super::super::set::PolicySet;

/// A resource policy whose rules, and whatever else stands beside them, are given.
fn policy(head: &str, rules: &str) -> String {
    format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: expense\n  version: default\n{head}  rules:\n{rules}"
    )
}

const RULE: &str = "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n";

pub(super) fn problems_of(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    match PolicySet::load(&files) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.all().iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(problems_of(&[("p.yaml", text)]), expected, "{text}");
}

#[test]
fn a_sound_policy_has_no_problem() {
    check(&policy("", RULE), &[]);
    check("", &[]);
    check("# nothing here\n", &[]);
    check(&format!("---\n# nothing\n---\n{}", policy("", RULE)), &[]);
}

/// A file that holds nothing is none; one that holds `null` is refused, as Cerbos does.
#[test]
fn null_is_no_policy() {
    for text in ["null\n", "~\n", "---\nnull\n", "...\n", "null", &format!("{}---\nnull\n", policy("", RULE))]
    {
        for name in ["q.yaml", "q.json"] {
            assert!(
                !problems_of(&[("p.yaml", &policy("", RULE).replace("expense", "other")), (name, text)])
                    .is_empty(),
                "{text}"
            );
        }
    }
    for text in ["", "  \n", "# x\n", &format!("{}---\n# x\n", policy("", RULE))] {
        check(text, &[]);
    }
    check("null\n", &["p.yaml:1:1: expected a policy as a mapping, found nothing"]);
}

#[test]
fn a_role_policy_overrides_no_parent() {
    let text = |permissions: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: r\n  scopePermissions: {permissions}\n  rules: [{{resource: a, allowActions: [x]}}]\n"
        )
    };
    let refused = "p.yaml:4:3: a role policy overrides no parent, and Cerbos refuses to read one that says so: take `scopePermissions` out";
    check(&text("SCOPE_PERMISSIONS_OVERRIDE_PARENT"), &[refused]);
    check(&text("SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"), &[]);
    check(&text("SCOPE_PERMISSIONS_UNSPECIFIED"), &[]);
}

/// Nothing is unspecified, and an empty text is no word that Cerbos knows.
#[test]
fn scope_permissions_are_no_empty_text() {
    let role = |permissions: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: r\n  scopePermissions:{permissions}\n  rules: [{{resource: a, allowActions: [x]}}]\n"
        )
    };
    let of_resource = |permissions: &str| policy(&format!("  scopePermissions:{permissions}\n"), RULE);
    let refused = |line: u32| {
        format!(
            "p.yaml:{line}:21: `scopePermissions` must be `SCOPE_PERMISSIONS_OVERRIDE_PARENT` or \
             `SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS`, this is an empty text; leave it out to say neither"
        )
    };
    for empty in [" ''", " \"\""] {
        check(&role(empty), &[&refused(4)]);
        check(&of_resource(empty), &[&refused(5)]);
    }
    for nothing in ["", " ", " null", " ~"] {
        check(&role(nothing), &[]);
        check(&of_resource(nothing), &[]);
    }
}

#[test]
fn a_suite_by_another_name_is_told_to_be_one() {
    let suite = "name: Mail\nprincipals: {}\nresources: {}\ntests: []\n";
    check(
        suite,
        &["p.yaml:1:1: this is a test suite and no policy: let the name of its file end in `_test.yaml`"],
    );
}

#[test]
fn what_a_policy_is() {
    check("- a\n", &["p.yaml:1:1: expected a policy as a mapping, found a list"]);
    check(
        "apiVersion: api.cerbos.dev/v1\n",
        &[
            "p.yaml:1:1: a policy needs one of `resourcePolicy`, `principalPolicy`, `rolePolicy`, `derivedRoles`, \
           `exportVariables`, `exportConstants`",
        ],
    );
    check(
        &policy("", RULE).replace("api.cerbos.dev/v1", "v2"),
        &["p.yaml:1:13: `apiVersion` must be `api.cerbos.dev/v1`, this is `v2`"],
    );
    check(
        &policy("", RULE).replace("apiVersion: api.cerbos.dev/v1", "disabled: 1"),
        &[
            "p.yaml:1:1: a policy needs `apiVersion`",
            "p.yaml:1:11: `disabled` must be true or false, this is a number",
        ],
    );
    check(
        &format!("{}exportVariables: {{name: x}}\n", policy("", RULE)),
        &[
            "p.yaml:7:1: a policy has one body: `resourcePolicy` stands here already, put `exportVariables` into a file \
           of its own",
        ],
    );
    check(
        &format!("{}---\n{}", policy("", RULE), policy("", RULE)),
        &["p.yaml:8:1: a file holds one policy: put this document into a file of its own"],
    );
}

#[test]
fn unknown_fields_and_wrong_kinds_are_told_all_together() {
    check(
        &policy(
            "  scop: acme\n  resources: x\n",
            "    - {actions: view, role: [user], roles: [user], effect: EFFECT_ALLOW}\n    - 5\n",
        ),
        &[
            "p.yaml:5:3: a resource policy has no field `scop`",
            "p.yaml:6:3: a resource policy has no field `resources`: did you mean `resource`?",
            "p.yaml:8:17: `actions` must be a list, this is text",
            "p.yaml:8:23: a rule has no field `role`: did you mean `roles`?",
            "p.yaml:9:7: expected a rule as a mapping, found a number",
        ],
    );
    check(
        "apiVersion: api.cerbos.dev/v1\nresource_policy: {resource: a, resourse: b, version: 1.5}\nResourcepolicy: {}\n",
        &[
            "p.yaml:2:32: a resource policy has no field `resourse`",
            "p.yaml:2:54: `version` must be text, this is a number",
            "p.yaml:3:1: a policy has no field `Resourcepolicy`: did you mean `resourcePolicy`?",
        ],
    );
    check(
        &policy("  importDerivedRoles: []\n  import_derived_roles: []\n", RULE),
        &["p.yaml:6:3: `importDerivedRoles` stands here a second time, spelled `import_derived_roles`"],
    );
}

#[test]
fn names_follow_their_rules() {
    check(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {resource: 'a*', version: 'a.b', scope: '.x', importDerivedRoles: ['a b']}\n",
        &[
            "p.yaml:2:28: `resource` is a name, not a pattern: `!*?[]{}` cannot stand in `a*`",
            "p.yaml:2:43: `a.b` cannot stand here: a version has letters, digits and `_` only",
            "p.yaml:2:57: `.x` cannot stand here: a scope is names of letters, digits, `_` and `-` with dots between \
             them; leave it out for the root",
            "p.yaml:2:84: `a b` cannot stand here: such a name has letters, digits and `_-.` only",
        ],
    );
    check(
        &policy("", "    - {name: 1a, actions: [view, ''], roles: [a, a], effect: EFFECT_ALLOW}\n"),
        &[
            "p.yaml:6:14: `1a` cannot stand here: a rule's name begins with a letter and goes on with letters, digits \
             and `_@.-`",
            "p.yaml:6:34: an item of `actions` is empty",
            "p.yaml:6:50: `a` stands twice in `roles`",
        ],
    );
    check(
        &policy("", "    - {actions: ['[*', 'a***'], roles: ['{*'], effect: EFFECT_ALLOW}\n"),
        &[
            "p.yaml:6:7: the pattern `{*` has a `*`, or nothing, among its `{…}`, which Cerbos does not match as it should: \
             write each alternative as an item of its own",
            "p.yaml:6:18: the pattern `[*` has a `[` that is not the start of `[abc]`, `[a-z]`, `[!abc]` or `[!a-z]`",
            "p.yaml:6:24: the pattern `a***` has three stars in a row: write `*` or `**`",
        ],
    );
}

#[test]
fn a_rule_is_for_somebody_and_has_an_effect() {
    check(
        &policy(
            "",
            "    - {name: open, actions: [], effect: EFFECT_ALLOW}\n    - {actions: [a], roles: [b], effect: ALLOW}\n",
        ),
        &[
            "p.yaml:6:7: the rule `open` names neither `roles` nor `derivedRoles`: nobody could use it",
            "p.yaml:6:20: a rule needs `actions` with at least one item",
            "p.yaml:7:42: `effect` must be `EFFECT_ALLOW` or `EFFECT_DENY`, this is `ALLOW`",
        ],
    );
    check(&policy("", "    - {actions: [a], roles: [b]}\n"), &["p.yaml:6:7: a rule needs `effect`"]);
    let migrated = problems_of(&[(
        "p.yaml",
        &policy("", "    - {actions: [a], roles: [b], effect: EFFECT_REQUIRES_APPROVAL}\n"),
    )]);
    assert_eq!(migrated.len(), 1);
    assert!(migrated[0].starts_with("p.yaml:6:42: `EFFECT_REQUIRES_APPROVAL` is not an effect of Cerbos"));
    assert!(migrated[0].contains("`fuze policy migrate`"), "{migrated:?}");
    check(
        &policy(
            "",
            "    - {name: a, actions: [a], roles: [b], effect: EFFECT_DENY}\n    - {name: a, actions: [a], roles: [b], effect: EFFECT_DENY}\n",
        ),
        &["p.yaml:7:14: a rule `a` stands here a second time, first at 6:14"],
    );
}

#[test]
fn time_zones_are_there() {
    let told = |zone: &str| {
        let expr = format!("R.attr.x || now().getHours(\"{zone}\") < 18");
        let rule = format!(
            "    - actions: [a]\n      roles: [b]\n      effect: EFFECT_ALLOW\n      condition: {{match: {{expr: '{expr}'}}}}\n"
        );
        problems_of(&[("p.yaml", &policy("", &rule))])
    };
    for zone in ["Europe/Berlin", "UTC", "+02:00", "-03:30", "Local"] {
        assert_eq!(told(zone), Vec::<String>::new(), "{zone}");
    }
    for (zone, mend) in [
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("europe/berlin", "did you mean `Europe/Berlin`?"),
        ("Europe/Frankfurt", "write one such as `Europe/Madrid`"),
        ("two:00", "write one such as"),
    ] {
        let told = told(zone);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("in the expression: there is no time zone"), "{told:?}");
        assert!(told[0].starts_with("p.yaml:9:61: ") && told[0].contains(mend), "{told:?}");
    }
}

#[test]
fn conditions_have_a_shape() {
    let rule = |condition: &str| {
        policy(
            "",
            &format!(
                "    - actions: [a]\n      roles: [b]\n      effect: EFFECT_ALLOW\n      condition: {condition}\n"
            ),
        )
    };
    check(&rule("{}"), &["p.yaml:9:18: a condition needs `match`"]);
    check(
        &rule("yes"),
        &["p.yaml:9:18: expected a condition as a mapping, found text: write `match:` and under it `expr:`"],
    );
    check(
        &rule("{match: yes}"),
        &["p.yaml:9:26: expected `match` as a mapping, found text: write `expr:` before it"],
    );
    check(
        &rule("{match: [{expr: yes}]}"),
        &[
            "p.yaml:9:26: expected `match` as a mapping, found a list: write `all:` and under it `of:` above the list, or `any:` and `of:`",
        ],
    );
    check(
        &rule("{match: {all: [{expr: yes}]}}"),
        &["p.yaml:9:32: expected a list of matches as a mapping, found a list: write `of:` above the list"],
    );
    check(
        &rule("{match: {all: {of: [yes]}}}"),
        &["p.yaml:9:38: expected a match as a mapping, found text: write `expr:` before it"],
    );
    check(
        &rule("{expr: yes}"),
        &[
            "p.yaml:9:18: a condition needs `match`",
            "p.yaml:9:19: a condition has no field `expr`: it stands under `match:`",
        ],
    );
    // What YAML takes for a tag would be the opposite without it.
    for expr in ["!R.attr.ok", "!(R.attr.ok)", "!R.attr.a.contains(\"b\")"] {
        let told = problems_of(&[("p.yaml", &rule(&format!("\n        match:\n          expr: {expr}")))]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("an expression that begins with `!` has to stand in quotes"), "{told:?}");
    }
    let told = problems_of(&[("p.yaml", &rule("\n        match:\n          expr: !!str R.attr.ok"))]);
    assert!(told[0].contains("tags (`!!…`) have no effect"), "{told:?}");
    check(
        &rule("{script: x}"),
        &["p.yaml:9:19: scripts are no longer part of Cerbos: write `match` with an expression"],
    );
    check(&rule("{match: {}}"), &["p.yaml:9:26: a match needs one of `expr`, `all`, `any` and `none`"]);
    check(
        &rule("{match: {expr: 'true', any: {of: []}}}"),
        &["p.yaml:9:41: a match has one of `expr`, `all`, `any` and `none`: `expr` stands here already"],
    );
    check(&rule("{match: {all: {of: []}}}"), &["p.yaml:9:32: `all` needs `of` with at least one match"]);
    check(&rule("{match: {none: {}}}"), &["p.yaml:9:33: `none` needs `of` with at least one match"]);
    check(
        &rule("{match: {any: {of: [{exp: a}]}}}"),
        &[
            "p.yaml:9:38: a match needs one of `expr`, `all`, `any` and `none`",
            "p.yaml:9:39: a match has no field `exp`",
        ],
    );
    let output = |output: &str| {
        policy(
            "",
            &format!(
                "    - actions: [a]\n      roles: [b]\n      effect: EFFECT_ALLOW\n      output: {output}\n"
            ),
        )
    };
    let empty = "an output needs `when.ruleActivated` or `when.conditionNotMet`";
    check(&output("{}"), &[&format!("p.yaml:9:15: {empty}")]);
    check(&output("{when: {ruleActivated: ''}}"), &[&format!("p.yaml:9:15: {empty}")]);
}

#[test]
fn imports_and_derived_roles_must_be_there() {
    let roles = "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: common\n  definitions:\n    - {name: owner, parentRoles: [user]}\n";
    let uses = |imports: &str, role: &str| {
        policy(
            &format!("  importDerivedRoles: {imports}\n"),
            &format!("    - {{name: x, actions: [view], derivedRoles: [{role}], effect: EFFECT_ALLOW}}\n"),
        )
    };
    assert_eq!(problems_of(&[("p.yaml", &uses("[common]", "owner")), ("r.yaml", roles)]), [""; 0]);
    assert_eq!(
        problems_of(&[("p.yaml", &uses("[common]", "boss")), ("r.yaml", roles)]),
        [
            "p.yaml:7:49: resource policy `expense`: the rule `x` names the derived role `boss`, which no imported set \
          defines"
        ]
    );
    assert_eq!(
        problems_of(&[("p.yaml", &uses("[others]", "owner")), ("r.yaml", roles)]),
        [
            "p.yaml:5:24: resource policy `expense` imports the derived roles `others`, which no file defines: write its name as it stands \
          behind `name` there, or add a file with `derivedRoles` of the name `others`"
        ]
    );
    let again = roles.replace("common", "again");
    assert_eq!(
        problems_of(&[("p.yaml", &uses("[common, again]", "owner")), ("r.yaml", roles), ("s.yaml", &again)]),
        [
            "p.yaml:7:49: resource policy `expense`: the derived role `owner` is defined by more than one imported set: \
          `common`, `again`"
        ]
    );
    let disabled = format!("disabled: true\n{roles}");
    assert_eq!(
        problems_of(&[("p.yaml", &uses("[common]", "owner")), ("r.yaml", &disabled)]).len(),
        1,
        "a disabled set is as if it were not there"
    );
    let twice = format!("{roles}    - {{name: owner, parentRoles: []}}\n");
    assert_eq!(
        problems_of(&[("r.yaml", &twice)]),
        [
            "r.yaml:6:14: a derived role `owner` stands here a second time, first at 5:14",
            "r.yaml:6:21: a derived role needs `parentRoles` with at least one item"
        ]
    );
    check(
        &policy("  variables: {import: [a]}\n  constants: {import: [b]}\n", RULE),
        &[
            "p.yaml:5:24: resource policy `expense` imports the variables `a`, which no file exports: write its name as it stands behind `name` \
             there, or add a file with `exportVariables` of the name `a`",
            "p.yaml:6:24: resource policy `expense` imports the constants `b`, which no file exports: write its name as it stands behind `name` \
             there, or add a file with `exportConstants` of the name `b`",
        ],
    );
}

#[test]
fn a_policy_is_defined_once() {
    assert_eq!(
        problems_of(&[("a.yaml", &policy("", RULE)), ("b.yaml", &policy("", RULE))]),
        [
            "b.yaml:2:1: resource policy `expense` is defined at a.yaml:2:1 already (both are `resource.expense.vdefault`): take one of them out, \
           or put their rules into one"
        ]
    );
    let dash = policy("", RULE).replace("expense", "a-b");
    let colon = policy("", RULE).replace("expense", "a:b");
    assert_eq!(
        problems_of(&[("a.yaml", &dash), ("b.yaml", &colon)]),
        [
            "b.yaml:2:1: resource policy `a:b` is defined at a.yaml:2:1 already (both are `resource.a_b.vdefault`): take one of them out, or \
           put their rules into one"
        ]
    );
}

#[test]
fn every_scope_above_needs_the_policy() {
    let scoped = policy("  scope: acme.hr\n", RULE);
    assert_eq!(
        problems_of(&[("p.yaml", &scoped), ("r.yaml", &policy("", RULE))]),
        [
            "p.yaml:5:10: resource policy `expense` of the scope `acme.hr` needs the same policy in the scope `acme`: \
          `resource.expense.vdefault/acme` is not there"
        ]
    );
    let principal =
        "apiVersion: api.cerbos.dev/v1\nprincipalPolicy: {principal: anna, version: v1, scope: acme}\n";
    check(
        principal,
        &[
            "p.yaml:2:56: principal policy `anna` of the scope `acme` needs the same policy in the root scope: \
           `principal.anna.vv1` is not there",
        ],
    );
}

#[test]
fn one_scope_relates_to_its_parent_in_one_way() {
    let consent = "  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n";
    let other = policy(consent, RULE).replace("expense", "travel");
    assert_eq!(
        problems_of(&[("a.yaml", &policy("", RULE)), ("b.yaml", &other)]),
        [
            "b.yaml:3:3: policies of one scope must have the same `scopePermissions`: resource policy `travel` and \
          resource policy `expense` (a.yaml:2:1) differ"
        ]
    );
    let silent = "apiVersion: api.cerbos.dev/v1\nexportConstants: {name: x}\n";
    let says = policy("  scopePermissions: SCOPE_PERMISSIONS_OVERRIDE_PARENT\n", RULE);
    assert_eq!(
        problems_of(&[("a.yaml", &says), ("b.yaml", silent)]),
        [""; 0],
        "the first file is not looked at"
    );
    assert_eq!(
        problems_of(&[
            ("c.yaml", &says),
            ("b.yaml", silent),
            ("a/z.yaml", &says.replace("expense", "travel"))
        ]),
        [
            "c.yaml:3:3: all files of a scope must say the same `scopePermissions` or say nothing, sets of derived roles, \
          variables and constants count for the root scope: Cerbos refuses that: resource policy `expense` and the set \
          of constants `x` (b.yaml:2:1) differ"
        ]
    );
    let also = policy(consent, RULE);
    assert_eq!(problems_of(&[("a.yaml", &also), ("b.yaml", &other)]), [""; 0]);
    check(
        &policy("  scopePermissions: NO\n", RULE),
        &["p.yaml:5:21: `scopePermissions` must be `SCOPE_PERMISSIONS_OVERRIDE_PARENT` or \
           `SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS`, this is `NO`"],
    );
}

#[test]
fn constants_are_named_and_defined_once() {
    let export = "apiVersion: api.cerbos.dev/v1\nexportConstants:\n  name: shared\n  definitions: {limit: 5, 1a: 2, in: 3}\n";
    let uses = policy("  constants:\n    import: [shared]\n    local: {limit: 6}\n", RULE);
    assert_eq!(
        problems_of(&[("p.yaml", &uses), ("s.yaml", export)]),
        [
            "p.yaml:7:13: the constant `limit` is defined twice for this policy: at p.yaml:7:13 and at s.yaml:4:17",
            "s.yaml:4:27: `1a` cannot be a name: names have letters, digits and `_`, and begin with no digit",
            "s.yaml:4:34: `in` is a word of the expression language and cannot be a name",
        ]
    );
    check(
        "apiVersion: api.cerbos.dev/v1\nvariables: {a: 'true'}\nexportConstants: {name: x}\n",
        &["p.yaml:2:13: variables at the top level have no effect here: put them under `definitions`"],
    );
}

#[test]
fn principal_and_role_policies() {
    check(
        "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: anna\n  version: default\n  rules:\n    - {resource: a, actions: []}\n    - {resource: a, actions: [{action: '', effect: EFFECT_DENY}]}\n",
        &[
            "p.yaml:6:21: a rule needs `actions` with at least one item",
            "p.yaml:7:18: the rules for resource `a` stands here a second time, first at 6:18",
            "p.yaml:7:40: `action` of an action rule is empty",
        ],
    );
    check(
        "apiVersion: api.cerbos.dev/v1\nrolePolicy: {role: a, rules: [{resource: x, allowActions: []}, {allowActions: [y]}]}\n",
        &[
            "p.yaml:2:45: a rule needs `allowActions` with at least one item",
            "p.yaml:2:64: a rule needs `resource`",
        ],
    );
    let role = |version: &str, parent: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nrolePolicy: {{role: a, version: {version}, parentRoles: [{parent}]}}\n"
        )
    };
    assert_eq!(
        problems_of(&[("a.yaml", &role("v1", "x")), ("b.yaml", &role("v2", "y"))]),
        [
            "b.yaml:2:1: all versions of the policy of the role `a` must have the same `parentRoles` in a scope, \
          a.yaml:2:1 has others"
        ]
    );
}

#[test]
fn what_cerbos_decides_by_chance_is_refused() {
    let role =
        |rules: &str| format!("apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: a\n  rules:\n{rules}");
    let rule = |resource: &str, action: &str, condition: &str| {
        format!(
            "    - {{resource: '{resource}', allowActions: ['{action}'], condition: {{match: {{expr: {condition}}}}}}}\n"
        )
    };
    let chance = |at: &str| {
        vec![format!(
            "p.yaml:{at}: role policy `a`: this rule and the one at p.yaml:5:7 can be for the same resource and action; \
             of their conditions Cerbos 0.55 evaluates only one, by chance: write both rules for one resource, or one \
             condition"
        )]
    };
    let problems = |rules: String| problems_of(&[("p.yaml", &role(&rules))]);
    assert_eq!(problems(rule("doc", "view", "R.attr.a") + &rule("*", "view", "R.attr.b")), chance("6:7"));
    assert_eq!(problems(rule("d*", "v*", "R.attr.a") + &rule("*", "*", "R.attr.b")), chance("6:7"));
    let sound = [
        rule("doc", "view", "R.attr.a") + &rule("doc", "view", "R.attr.b"),
        rule("doc", "view", "R.attr.a") + &rule("other", "view", "R.attr.b"),
        rule("doc", "view", "R.attr.a") + &rule("x*", "view", "R.attr.b"),
        rule("doc", "view", "R.attr.a") + &rule("*", "edit", "R.attr.b"),
        rule("doc", "view", "R.attr.a") + "    - {resource: '*', allowActions: [view]}\n",
        rule("*", "a", "R.attr.a") + &rule("doc", "b", "R.attr.b") + &rule("doc", "a", "R.attr.c"),
    ];
    for rules in sound {
        assert_eq!(problems(rules.clone()), [""; 0], "{rules}");
    }
    let patterned: String = (0..501).map(|i| rule(&format!("a{i}*"), "view", "R.attr.a")).collect();
    assert_eq!(
        problems(patterned),
        ["p.yaml:2:1: role policy `a` has more than 500 rules for patterns of resources"]
    );

    let principal = |condition: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: a\n  version: v1\n  rules:\n    - {{resource: doc, actions: [{{name: n, action: x, effect: EFFECT_DENY{condition}}}]}}\n    - {{resource: '*', actions: [{{name: n, action: y, effect: EFFECT_DENY}}]}}\n"
        )
    };
    check(&principal(""), &[]);
    check(
        &principal(", condition: {match: {expr: R.attr.a}}"),
        &[
            "p.yaml:7:40: principal policy `a`: the name `n` stands at 6:40 already, for another resource; Cerbos 0.55 \
           evaluates the condition of only one of them, by chance: give them different names",
        ],
    );
}

#[test]
fn combinations_are_bounded() {
    let constants = |n: usize| {
        let all: Vec<String> = (0..n).map(|i| format!("c{i}: {i}")).collect();
        policy(
            &format!(
                "  variables: {{local: {{v: 'true'}}}}\n  constants: {{local: {{{}}}}}\n",
                all.join(", ")
            ),
            RULE,
        )
    };
    check(&constants(249), &[]);
    check(
        &constants(250),
        &["p.yaml:2:1: a policy can name 250 variables and constants at most, the imported ones included"],
    );
    let list = |n: usize| (0..n).map(|i| format!("a{i}")).collect::<Vec<_>>().join(",");
    let wide = |n: usize| {
        policy(
            "",
            &format!("    - {{actions: [{}], roles: [{}], effect: EFFECT_DENY}}\n", list(n), list(250)),
        )
    };
    check(&wide(200), &[]);
    check(
        &wide(201),
        &[
            "p.yaml:2:1: resource policy `expense` has more than 50000 combinations of actions and roles: use patterns",
        ],
    );
}

#[test]
fn the_same_policies_give_the_same_set_whatever_the_files_are_called() {
    let (a, b) = (policy("", RULE), policy("", RULE).replace("expense", "travel"));
    let one = PolicySet::load(&[Source::new("1.yaml", &a), Source::new("2.yaml", &b)]).unwrap();
    let two = PolicySet::load(&[Source::new("1.yaml", &b), Source::new("2.yaml", &a)]).unwrap();
    let keys = |set: &PolicySet| set.policies().iter().map(|p| p.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&one), keys(&two));
    assert_eq!(keys(&one), ["resource.expense.vdefault".into(), "resource.travel.vdefault".into()]);
}

#[test]
fn a_rule_that_is_named_like_the_place_of_another() {
    let unnamed = "    - {actions: [view], roles: [user], effect: EFFECT_DENY}\n";
    let named =
        |name: &str| format!("    - {{name: {name}, actions: [view], roles: [user], effect: EFFECT_DENY}}\n");
    for name in ["rule-001", "rule-2", "rule-003"] {
        check(&policy("", &format!("{}{unnamed}", named(name))), &[]);
    }
    for called in ["rule-001", "rule-002"] {
        let rules =
            if called == "rule-002" { [&*named(called), unnamed] } else { [unnamed, &*named(called)] };
        check(
            &policy("", &rules.concat()),
            &[&format!(
                "p.yaml:7:7: resource policy `expense`: this rule and the one at 6:7 are both called `{called}`, one by its name and the \
                 other, which has none, by its place; Cerbos evaluates the condition of only one of them: give both names of their own"
            )],
        );
    }
    let principal = "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: u\n  version: default\n  rules:\n    \
        - {resource: doc, actions: [{action: view, effect: EFFECT_DENY}]}\n    \
        - {resource: x, actions: [{name: doc_rule-001, action: view, effect: EFFECT_DENY}]}\n";
    let found = problems_of(&[("p.yaml", principal)]);
    assert!(found.len() == 1 && found[0].contains("both called `doc_rule-001`"), "{found:?}");
    check(&principal.replace("doc_rule-001", "doc_rule-002"), &[]);
}
