//! One mistake, one error, at the author's token.

use crate::errors::carets;

const KEYS: &[(&str, &str)] = &[
    ("purpose", "\"p\""),
    ("instructions", "\"i\""),
    ("lawful_basis", "contract"),
    ("annex_iii", "none"),
    ("art22", "none"),
    ("oversight", "none"),
    ("model_residency", "eu"),
    ("retention", "R"),
    ("tools", "[a]"),
    ("deps", "()"),
    ("output", "String"),
    ("max_steps", "8"),
    ("retry_budget", "1"),
    ("token_budget", "9"),
];

/// Checks that a declaration has exactly these errors, each as `token: first line`.
#[track_caller]
fn check(declaration: &str, expected: &[&str]) {
    let found = carets(|mistakes| super::read(declaration.parse().unwrap(), mistakes));
    assert_eq!(found, expected);
}

/// The same for an honest agent with these keys instead of its own; an empty value leaves the key out.
#[track_caller]
fn check_with(changes: &[(&str, &str)], expected: &[&str]) {
    let mut keys: Vec<(&str, &str)> = KEYS.to_vec();
    for (key, value) in changes {
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => keys.push((key, value)),
        }
    }
    let body: String = keys
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}: {value}, "))
        .collect();
    check(&format!("/// Does.\npub A {{ {body} }}"), expected);
}

#[test]
fn an_honest_agent_has_no_error() {
    check_with(&[], &[]);
    check_with(
        &[("guardrails", "[G, h(1, 2)]"), ("max_depth", "0"), ("name", "\"a/b\""), ("tools", "[]")],
        &[],
    );
    check_with(&[("instructions", "concat!(\"a\", \"b\")"), ("tools", "[a, m::b, crate::c]")], &[]);
}

#[test]
fn an_agent_states_every_key_that_is_required() {
    let why = [
        "the purpose of processing (GDPR Art. 5(1)(b))",
        "what its system prompt is",
        "the basis on which it processes (GDPR Art. 6(1))",
        "whether it is high-risk (AI Act Art. 6(2), Annex III)",
        "whether it decides by itself (GDPR Art. 22)",
        "who oversees it (AI Act Art. 14)",
        "the widest place where its model may be hosted (GDPR Art. 44)",
        "how long what its runs leave is kept (GDPR Art. 5(1)(e))",
        "what it can do",
        "what its tools share, `()` for nothing",
        "the type of its answer",
        "after how many steps a run stops",
        "how many repetitions a run may spend",
        "how many tokens a run may spend",
    ];
    let mut all = vec![
        "A: agent `A` has no description: overseers read its documentation (AI Act Art. 13, 14(4)(a))"
            .to_owned(),
    ];
    for ((key, _), why) in KEYS.iter().zip(why) {
        let error = format!("A: `{key}` is missing: agent `A` does not say {why}");
        check_with(&[(key, "")], &[&error]);
        all.push(error);
    }
    check("A {}", &all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn all_mistakes_appear_at_once() {
    check_with(
        &[
            ("lawful_basis", "contracts"),
            ("tools", "[a, a]"),
            ("max_steps", "0"),
            ("oversigt", "none"),
            ("art22", "decides"),
        ],
        &[
            "contracts: unknown value `contracts` of `lawful_basis`: did you mean `contract`?",
            "decides: `decides` is missing its basis: a solely automated decision needs one (GDPR Art. 22(2))",
            "a: tool `a` stands twice in `tools`: keep one of the two",
            "0: `max_steps` is at least 1: it says where work stops by itself (AI Act Art. 14(4)(e))",
            "oversigt: unknown key `oversigt` of `define_agent!`: did you mean `oversight`?",
        ],
    );
    check_with(
        &[("max_steps", "8, max_steps: 9")],
        &["max_steps: `max_steps` is given twice: keep one of the two"],
    );
}

#[test]
fn annex_iii_needs_the_point() {
    let wrong = |value: &str, expected: &str| check_with(&[("annex_iii", value)], &[expected]);
    wrong(
        "employment",
        "employment: `annex_iii: employment` names an area: the points have legal effect (AI Act Annex III)",
    );
    wrong("employmnt", "employmnt: unknown value `employmnt` of `annex_iii`: did you mean `employment`?");
    wrong(
        "employmnt::recruitment",
        "employmnt: unknown value `employmnt` of `annex_iii`: did you mean `employment`?",
    );
    wrong(
        "employment::recrutment",
        "recrutment: unknown point `recrutment` of AI Act Annex III, area `employment`: did you mean `recruitment`?",
    );
    wrong(
        "migration::recruitment",
        "recruitment: unknown point `recruitment` of AI Act Annex III, area `migration`",
    );
    wrong("\"none\"", "\"none\": `annex_iii` takes a word, not a string: write `none` without quotes");
}

#[test]
fn art22_needs_its_basis() {
    let wrong = |value: &str, expected: &str| check_with(&[("art22", value)], &[expected]);
    wrong(
        "decides()",
        "decides: `decides` is missing its basis: a solely automated decision needs one (GDPR Art. 22(2))",
    );
    wrong("decides(contract)", "contract: unknown value `contract` of `decides`");
    wrong(
        "contract_necessity",
        "contract_necessity: `contract_necessity` is the basis of a decision: say that the agent decides (GDPR Art. 22)",
    );
    wrong("decide(contract_necessity)", "decide: unknown value `decide` of `art22`: did you mean `decides`?");
}

#[test]
fn high_risk_needs_oversight() {
    let needs = "needs human oversight (AI Act Art. 14, GDPR Art. 22(3))";
    let annex = "`annex_iii: employment::recruitment` (AI Act Annex III 4a)";
    let art22 = "`art22: decides(contract_necessity)` (GDPR Art. 22(2)(a))";
    check_with(
        &[("annex_iii", "employment::recruitment")],
        &[&format!("none: `oversight: none` is not enough: {annex} {needs}")],
    );
    check_with(
        &[("annex_iii", "employment::recruitment"), ("oversight", "")],
        &[&format!("employment: `oversight` is missing: {annex} {needs}")],
    );
    check_with(
        &[("art22", "decides(contract_necessity)")],
        &[&format!("none: `oversight: none` is not enough: {art22} {needs}")],
    );
    check_with(
        &[("art22", "decides(contract_necessity)"), ("oversight", "")],
        &[&format!("decides: `oversight` is missing: {art22} {needs}")],
    );
    let overseen = ("oversight", "human_approval { plan: \"p\", training: \"t\" }");
    check_with(
        &[("art22", "decides(contract_necessity)"), ("annex_iii", "employment::recruitment"), overseen],
        &[],
    );
}

#[test]
fn human_approval_names_plan_and_training() {
    let wrong = |value: &str, expected: &[&str]| check_with(&[("oversight", value)], expected);
    let plan =
        "human_approval: `plan` is missing: human oversight names the plan that it follows (AI Act Art. 14)";
    let training =
        "human_approval: `training` is missing: overseers are trained and competent (AI Act Art. 26(2))";
    wrong("human_approval {}", &[plan, training]);
    wrong("human_approval { training: \"t\" }", &[plan]);
    wrong("human_approval { plan: \"p\" }", &[training]);
    wrong(
        "human_approval { plan: \"a b\", training: \"t\" }",
        &["\"a b\": `plan` has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"],
    );
    wrong(
        "human_approval { plann: \"p\", plan: \"p\", training: \"t\" }",
        &["plann: unknown key `plann` of `human_approval`: did you mean `plan`?"],
    );
    wrong(
        "human_approval",
        &[
            "human_approval: `human_approval` names its plan and the overseers' training (AI Act Art. 14, 26(2))",
        ],
    );
    wrong("approval", &["approval: unknown value `approval` of `oversight`"]);
}

#[test]
fn values_have_their_form() {
    let wrong = |key: &str, value: &str, expected: &str| check_with(&[(key, value)], &[expected]);
    wrong(
        "purpose",
        "\"a purpose\"",
        "\"a purpose\": `purpose` has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`",
    );
    wrong("purpose", "p", "p: `purpose` takes a string: write it in quotes");
    wrong(
        "retention",
        "365",
        "365: `retention` has three windows, for content, hashes and decisions (GDPR Art. 5(1)(e)): name a `const` of type `Retention`",
    );
    wrong("instructions", "\" \"", "\" \": `instructions` is empty");
    wrong("tools", "a", "a: `tools` takes a list of tools");
    wrong(
        "tools",
        "[a, 3]",
        "3: `tools` takes the names of tools: functions under `#[tool]`, or types that implement `Tool`",
    );
    wrong("tools", "[a b]", "b: expected `,` in `tools`");
    wrong("guardrails", "G", "G: `guardrails` takes a list of guardrails");
    wrong("deps", "3", "3: `deps` takes a type");
    wrong("max_steps", "4294967296", "4294967296: `max_steps` is at most 4294967295");
    wrong("max_steps", "8u32", "8u32: `max_steps` takes a whole number without suffix, of at least 1");
    let many: Vec<String> = (0..17).map(|n| format!("t{n}")).collect();
    wrong(
        "tools",
        &format!("[{}]", many.join(", ")),
        "t16: an agent has up to 16 tools, so that a person can oversee what it does (AI Act Art. 14): make another agent of the others",
    );
}

#[test]
fn a_declaration_is_one_agent() {
    check("", &[": `define_agent!` needs the agent's name"]);
    check("pub A", &["A: agent `A` has no body"]);
    check("{ purpose: \"p\" }", &["{ purpose: \"p\" }: `define_agent!` needs the agent's name"]);
    let body: String = KEYS.iter().map(|(key, value)| format!("{key}: {value},")).collect();
    check(
        &format!("/// Does.\nA {{ {body} }} B {{}}"),
        &["B: `define_agent!` declares one agent: nothing may follow its body"],
    );
}
