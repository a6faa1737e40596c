//! One mistake, one error, at the author's token.

use crate::errors::carets;

const OK: &str = "classification = public, retention = R, threat_boundary(egress = none)";
const FN: &str = "/// Does.\nfn f() -> Result<(), ToolError> { Ok(()) }";

/// Checks that a tool has exactly these errors, each as `token: first line`.
#[track_caller]
fn check(attribute: &str, item: &str, expected: &[&str]) {
    let found = carets(|mistakes| super::read(attribute.parse().unwrap(), item.parse().unwrap(), mistakes));
    assert_eq!(found, expected);
}

/// The same for the attribute alone.
#[track_caller]
fn check_attribute(attribute: &str, expected: &[&str]) {
    check(attribute, FN, expected);
}

/// The same for the function alone.
#[track_caller]
fn check_function(item: &str, expected: &[&str]) {
    check(OK, item, expected);
}

/// The same for one more key.
#[track_caller]
fn check_key(key: &str, expected: &[&str]) {
    check_attribute(&format!("{OK}, {key}"), expected);
}

#[test]
fn an_honest_tool_has_no_error() {
    check(OK, FN, &[]);
    check_key(
        "effect = read, requests_oversight, needs_approval = |a| a.b > 1, name = \"a-b\", time_limit_ms = 1,",
        &[],
    );
}

#[test]
fn every_tool_states_three_keys_and_a_description() {
    check(
        "",
        "fn f() -> Result<(), ToolError> { Ok(()) }",
        &[
            "f: `classification` is missing: tool `f` does not say what data it touches (GDPR Art. 4(1), 9(1))",
            "f: `retention` is missing: tool `f` does not say how long what it leaves is kept (GDPR Art. 5(1)(e))",
            "f: `threat_boundary` is missing: tool `f` does not say where it may send data (GDPR Art. 32, 44)",
            "f: tool `f` has no description: the model and the overseer read its documentation (AI Act Art. 14(4)(a))",
        ],
    );
}

#[test]
fn an_error_says_what_is_allowed_and_what_to_write() {
    let mut mistakes = crate::errors::Mistakes::default();
    let attribute =
        "classification = personal, residency = eu, retention = R, threat_boundary(egress = none)";
    super::read(attribute.parse().unwrap(), FN.parse().unwrap(), &mut mistakes);
    assert_eq!(
        mistakes.into_error().unwrap().to_string(),
        "`lawful_bases` is missing: `personal` data may be processed on a lawful basis only (GDPR Art. 6(1))\n\
         allowed: `consent`, `contract`, `legal_obligation`, `vital_interests`, `public_task`, `legitimate_interests`\n\
         write: `lawful_bases = [contract],`"
    );
}

#[test]
fn all_mistakes_appear_at_once() {
    check_attribute(
        "classification = personal, retension = R, effect = read, effect = once, lawful_bases = [contract, contract, consnt],
         threat_boundary(egress = none, egres = eu)",
        &[
            "retension: unknown key `retension` of `#[tool]`: did you mean `retention`?",
            "effect: `effect` is given twice: keep one of the two",
            "contract: `contract` stands twice in `lawful_bases`: keep one of the two",
            "consnt: unknown value `consnt` of `lawful_bases`: did you mean `consent`?",
            "egres: unknown key `egres` of `threat_boundary`: did you mean `egress`?",
            "personal: `residency` is missing: `personal` data says where it may be (GDPR Art. 44)",
        ],
    );
}

#[test]
fn what_does_not_apply_to_a_class_is_an_error() {
    check_key(
        "art9_basis = explicit_consent, lawful_bases = [consent], residency = eu",
        &[
            "art9_basis: `art9_basis` does not apply to `public` data: GDPR Art. 9(2) is about special categories; leave the key out, or change the class",
            "lawful_bases: `lawful_bases` do not apply to `public` data: GDPR Art. 6(1) is about personal data; leave the key out, or change the class",
            "residency: `residency` does not apply to `public` data: it may be anywhere (GDPR Art. 44); leave the key out",
        ],
    );
    check_attribute(
        "classification = confidential, lawful_bases = [consent], residency = eu, retention = R, threat_boundary(egress = none)",
        &[
            "lawful_bases: `lawful_bases` do not apply to `confidential` data: GDPR Art. 6(1) is about personal data; leave the key out, or change the class",
        ],
    );
    check_attribute(
        "classification = personal, art9_basis = explicit_consent, lawful_bases = [consent], residency = eu, retention = R, threat_boundary(egress = none)",
        &[
            "art9_basis: `art9_basis` does not apply to `personal` data: GDPR Art. 9(2) is about special categories; leave the key out, or change the class",
        ],
    );
}

#[test]
fn special_categories_need_a_basis_and_stay_in_the_eu() {
    check_attribute(
        "classification = special_category, retention = R, threat_boundary(egress = none)",
        &[
            "special_category: `art9_basis` is missing: `special_category` data may be processed on a basis of GDPR Art. 9(2) only",
            "special_category: `lawful_bases` is missing: `special_category` data may be processed on a lawful basis only (GDPR Art. 6(1))",
            "special_category: `residency` is missing: `special_category` data stays in the EU (framework policy; GDPR Art. 9, 44)",
        ],
    );
    check_attribute(
        "classification = special_category, art9_basis = legal_claims, lawful_bases = [consent], residency = us, retention = R, threat_boundary(egress = any)",
        &[
            "us: residency `us` is too wide: `special_category` data stays in the EU (framework policy; GDPR Art. 9, 44)",
        ],
    );
}

#[test]
fn a_basis_that_rests_on_law_names_it_and_no_other_does() {
    let check_basis = |basis: &str, expected: &[&str]| {
        let rest = "lawful_bases = [consent], residency = eu, retention = R, threat_boundary(egress = none)";
        check_attribute(
            &format!("classification = special_category, art9_basis = {basis}, {rest}"),
            expected,
        );
    };
    check_basis("public_health(law = \"a law\")", &[]);
    check_basis("explicit_consent", &[]);
    check_basis(
        "public_health",
        &[
            "public_health: `public_health` (GDPR Art. 9(2)(i)) rests on Union or Member State law: name that law",
        ],
    );
    check_basis(
        "public_health(law = \" \")",
        &["\" \": the law that `public_health` (GDPR Art. 9(2)(i)) rests on is empty: cite it"],
    );
    check_basis(
        "explicit_consent(law = \"a law\")",
        &[
            "\"a law\": `explicit_consent` (GDPR Art. 9(2)(a)) does not rest on a law: leave the reference out",
        ],
    );
    for wrong in [
        "public_health()",
        "public_health(\"a law\")",
        "public_health(law = 3)",
        "public_health(act = \"a\")",
    ] {
        check_basis(
            wrong,
            &["public_health: the parentheses of `public_health` hold the reference to the law"],
        );
    }
    check_basis(
        "explicit_konsent",
        &[
            "explicit_konsent: unknown value `explicit_konsent` of `art9_basis`: did you mean `explicit_consent`?",
        ],
    );
}

#[test]
fn the_egress_is_within_the_residency() {
    let check_egress = |residency: &str, egress: &str, expected: &[&str]| {
        let start = "classification = personal, lawful_bases = [contract], retention = R";
        check_attribute(
            &format!("{start}, residency = {residency}, threat_boundary(egress = {egress})"),
            expected,
        );
    };
    for (residency, egress) in
        [("eu", "eu"), ("eea", "eu"), ("eea", "eea"), ("us", "hosts(adequate, \"a.b\")"), ("other", "any")]
    {
        check_egress(residency, egress, &[]);
    }
    check_egress(
        "eu",
        "eea",
        &["eea: egress `eea` is wider than residency `eu`: the data may not be sent this far (GDPR Art. 44)"],
    );
    check_egress(
        "us",
        "any",
        &["any: egress `any` is wider than residency `us`: the data may not be sent this far (GDPR Art. 44)"],
    );
    check_egress(
        "eu",
        "hosts(us, \"a.b\")",
        &[
            "us: egress `hosts(us, …)` is wider than residency `eu`: the data may not be sent this far (GDPR Art. 44)",
        ],
    );
}

#[test]
fn a_threat_boundary_states_its_egress() {
    let check_boundary = |boundary: &str, expected: &[&str]| {
        check_attribute(
            &format!("classification = public, retention = R, threat_boundary{boundary}"),
            expected,
        );
    };
    check_boundary(
        "(file_system = read)",
        &[
            "threat_boundary: `egress` is missing: the threat boundary says where the tool may send data (GDPR Art. 32, 44)",
        ],
    );
    check_boundary("", &["threat_boundary: `threat_boundary` takes its facts in parentheses"]);
    check_boundary(" = none", &["threat_boundary: `threat_boundary` takes its facts in parentheses"]);
    check_boundary("(egress = nowhere)", &["nowhere: unknown value `nowhere` of `egress`"]);
    check_boundary("(egress = hosts)", &["hosts: `hosts` takes the place of the hosts and their names"]);
    check_boundary(
        "(egress = hosts(eu))",
        &["hosts: `hosts` names no host: the threat boundary names each (GDPR Art. 32)"],
    );
    check_boundary(
        "(egress = hosts(\"a.b\"))",
        &["\"a.b\": `hosts` begins with the place where the hosts are (GDPR Art. 44)"],
    );
    check_boundary(
        "(egress = hosts(eu, \"https://a.b\", \"a.b\", \"a.b\"))",
        &[
            "\"https://a.b\": `https://a.b` is not a host name: write it without scheme, path and port",
            "\"a.b\": host `a.b` is given twice: keep one of the two",
        ],
    );
    check_boundary(
        "(egress = none, observes_secrets = true)",
        &["observes_secrets: `observes_secrets` takes no value: it says yes by standing there"],
    );
}

#[test]
fn oversight_in_the_midst_is_not_for_once() {
    let after = "after the answer the tool runs again from its start (AI Act Art. 14)";
    check_key(
        "requests_oversight",
        &[&format!(
            "requests_oversight: `requests_oversight` needs another effect than `once`, the default: {after}"
        )],
    );
    check_key(
        "requests_oversight, effect = once",
        &[&format!("requests_oversight: `requests_oversight` does not go with `effect = once`: {after}")],
    );
    check_key("requests_oversight, effect = idempotent", &[]);
}

#[test]
fn approval_is_always_or_a_closure() {
    check_key(
        "needs_approval = never",
        &["never: `needs_approval = never` is the default: leave the key out"],
    );
    check_key("needs_approval = sometimes", &["sometimes: unknown value `sometimes` of `needs_approval`"]);
    check_key(
        "needs_approval = true",
        &["true: `needs_approval` takes `always` or a closure over the arguments"],
    );
    let closure = "the closure of `needs_approval` takes the arguments as one plain name, and is neither `async` nor `move`";
    check_key("needs_approval = || true", &[&format!("|| true: {closure}")]);
    check_key("needs_approval = |a, b| a > b", &[&format!("|a, b| a > b: {closure}")]);
    check_key("needs_approval = move |a| true", &[&format!("move |a| true: {closure}")]);
}

#[test]
fn values_have_their_form() {
    check_key("effect", &["effect: `effect` has no value"]);
    check_key("effect =", &["effect: `effect` has no value"]);
    check_key("effect: read", &[":: expected `=` after `effect`"]);
    check_key(
        "effect = \"read\"",
        &["\"read\": `effect` takes a word, not a string: write `read` without quotes"],
    );
    check_key("effect = reed", &["reed: unknown value `reed` of `effect`: did you mean `read`?"]);
    check_key("effect = read once", &["once: expected `,` after the value of `effect`"]);
    check_key(
        "effect = read time_limit_ms = 3",
        &["time_limit_ms: expected `,` between `effect` and `time_limit_ms`"],
    );
    check_attribute(
        "classification = public, retention = 30, threat_boundary(egress = none)",
        &[
            "30: `retention` has three windows, for content, hashes and decisions (GDPR Art. 5(1)(e)): name a `const` of type `Retention`",
        ],
    );
    check_key(
        "time_limit_ms = 0",
        &["0: `time_limit_ms` is at least 1: it says where work stops by itself (AI Act Art. 14(4)(e))"],
    );
    check_key(
        "time_limit_ms = -1",
        &["-: `time_limit_ms` takes a whole number without suffix, of at least 1"],
    );
    check_key(
        "time_limit_ms = LIMIT",
        &["LIMIT: `time_limit_ms` takes a whole number without suffix, of at least 1"],
    );
    check_key("name = \"a b\"", &["\"a b\": `name` has 1 to 64 characters of `A-Z a-z 0-9 _ -`"]);
    check_key("name = \"\"", &["\"\": `name` is empty"]);
    check_key("name = a", &["a: `name` takes a string: write it in quotes"]);
    check_key(
        "requests_oversight = true, effect = read",
        &["requests_oversight: `requests_oversight` takes no value: it says yes by standing there"],
    );
    check_key("\"effect\" = read", &["\"effect\": expected a key"]);
    let bases = "classification = personal, residency = eu, retention = R, threat_boundary(egress = none), lawful_bases = ";
    check_attribute(&format!("{bases} contract"), &["contract: `lawful_bases` takes a list"]);
    check_attribute(
        &format!("{bases} []"),
        &["[]: `lawful_bases` is empty: personal data needs at least one (GDPR Art. 6(1))"],
    );
    check_attribute(&format!("{bases} [contract consent]"), &["consent: expected `,` in `lawful_bases`"]);
}

#[test]
fn arguments_are_plain_names_of_owned_types() {
    let plain = "an argument is a plain name: the model calls it by that name";
    let within = "an argument is owned: no references or lifetimes within its type";
    let item = |parameters: &str| {
        format!("/// Does.\nasync fn f({parameters}) -> Result<(), ToolError> {{ Ok(()) }}")
    };
    check_function(&item("mut a: u8, r#type: Vec<Option<u8>>"), &[]);
    check_function(
        &item("a: &str, (b, c): (u8, u8), _: u8, d: Cow<'static, str>, e: impl Sized, g: Option<&u8>"),
        &[
            "&str: an argument is owned: it is parsed from the call",
            &format!("(b, c): {plain}"),
            &format!("_: {plain}"),
            &format!("': {within}"),
            "impl Sized: an argument is of one known type: the model needs its schema",
            &format!("&: {within}"),
        ],
    );
    check_function(&item("a: u8, a: u8"), &["a: argument `a` is declared twice"]);
    check_function(
        &item("#[serde(default)] a: u8"),
        &["#[serde(default)]: an argument takes documentation only: give it a type of its own to say more"],
    );
    check_function(
        &item("&self"),
        &["&self: a tool takes no `self`: what it shares with others comes through `ctx.deps()`"],
    );
}

#[test]
fn ctx_is_lent_first() {
    let item = |parameters: &str| {
        format!("/// Does.\nasync fn f({parameters}) -> Result<(), ToolError> {{ Ok(()) }}")
    };
    let lent = "the dispatch is lent: `ctx` is a shared reference with the dependencies' type";
    for fine in ["ctx: &Ctx<'_, Deps>", "ctx: &Ctx<Deps>", "_: &fuze_agent::Ctx<'_, ()>"] {
        check_function(&item(fine), &[]);
    }
    for wrong in
        ["Ctx<'_, Deps>", "&mut Ctx<'_, Deps>", "&Ctx<'_>", "&Ctx", "&Ctx<'a, Deps>", "&ToolCtx<'_, Deps>"]
    {
        check_function(&item(&format!("ctx: {wrong}")), &[&format!("{wrong}: {lent}")]);
    }
    check_function(
        &item("a: u8, ctx: &Ctx<'_, Deps>"),
        &["ctx: &Ctx<'_, Deps>: `ctx` is the first parameter, and there is one"],
    );
    check_function("/// Does.\nfn f(ctx: &Ctx<'_, Deps>) -> Result<(), ToolError> { Ok(()) }", &[]);
}

#[test]
fn a_tool_returns_a_result() {
    let item = |output: &str| format!("/// Does.\nfn f() {output} {{ g() }}");
    for fine in ["-> Result<u8, ToolError>", "-> Result<Vec<u8>>", "-> a::Result<(), b::ToolError>"] {
        check_function(&item(fine), &[]);
    }
    check_function(&item(""), &["f: tool `f` returns nothing: a tool returns a result"]);
    check_function(&item("-> u8"), &["u8: a tool returns a result: the model needs its failures too"]);
    check_function(&item("-> Result"), &["Result: this result names no output"]);
    check_function(
        &item("-> Result<u8, std::io::Error>"),
        &["std::io::Error: a tool fails with `ToolError`; `?` turns other errors into it"],
    );
    check_function(
        &item("-> Result<&str, ToolError>"),
        &["&str: the output is owned: it is parsed from the call"],
    );
}

#[test]
fn one_attribute_makes_one_tool() {
    check_function(
        "/// Does.\n#[tool()]\n#[inline]\nfn f() -> Result<(), ToolError> { Ok(()) }",
        &["#[tool()]: `#[tool]` is given twice: keep one of the two"],
    );
}

#[test]
fn a_tool_is_a_plain_function() {
    let item = |start: &str| format!("/// Does.\n{start}() -> Result<(), ToolError> {{ Ok(()) }}");
    check_function(&item("const fn f"), &["const: a tool is not `const`: it runs when the model calls it"]);
    check_function(&item("unsafe fn f"), &["unsafe: a tool is not `unsafe`: the pipeline calls it"]);
    check_function(
        &item("extern \"C\" fn f"),
        &["extern \"C\": a tool has no ABI of its own: the pipeline calls it"],
    );
    check_function(&item("fn f<T>"), &["<T>: a tool has no generics: the model needs one schema"]);
    check_function(
        &item("fn __lookup"),
        &["__lookup: a tool's function is not named `__…`: such names are the macro's own"],
    );
    check_function(
        "struct F;",
        &["struct F;: `#[tool]` stands on a function: `async fn`, or `fn` for blocking work"],
    );
    check_function(
        "/// Does.\nfn f() -> Result<(), ToolError>;",
        &["f: a tool needs a body: a block after its signature"],
    );
}
