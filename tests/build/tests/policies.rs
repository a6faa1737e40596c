//! What an author sees who builds a program with policies.

use fuze_agent_build_tests::{Fail, Package};

const POLICY: &str = "policies/payments.yaml";
const SUITE: &str = "policies/payments_test.yaml";

/// The build fails, and says all of this.
#[track_caller]
fn refused(package: &Package, texts: &[&str]) -> Result<(), Fail> {
    let built = package.build()?;
    assert!(!built.well, "it was built:\n{}", built.said);
    for text in texts {
        assert!(built.said.contains(text), "`{text}` is not in:\n{}", built.said);
    }
    assert!(!built.said.contains("panicked at fuze-policy"), "{}", built.said);
    Ok(())
}

#[test]
fn what_holds_is_built_in_silence_and_a_new_file_is_looked_at() -> Result<(), Fail> {
    let package = Package::new("honest")?;
    let built = package.build()?;
    assert!(built.well, "{}", built.said);
    assert_eq!(built.said, "");
    // No file that was there has changed.
    package.write(
        "policies/more/extra.yaml",
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n",
    )?;
    refused(&package, &["policies/more/extra.yaml:"])?;
    package.remove("policies/more/extra.yaml")?;
    let built = package.build()?;
    assert!(built.well, "{}", built.said);
    package.replace(POLICY, "accounting", "acounting")?;
    refused(&package, &["payments.yaml:", "nobody has the role `acounting` (unknown-role)"])
}

#[test]
fn tools_that_do_not_fit_are_named_together_at_the_list() -> Result<(), Fail> {
    let package = Package::new("misfit")?;
    package.replace(POLICY, "\"pay_invoice\"", "\"pay_invoic\"")?;
    package.replace(SUITE, "pay_invoice", "pay_invoic")?;
    package.replace("src/main.rs", "#[tool(classification = confidential, residency = eu, retention = INVOICES, threat_boundary(egress = none), effect = read)]", "#[tool(classification = public, retention = INVOICES, threat_boundary(egress = none), effect = read)]")?;
    refused(
        &package,
        &[
            "policies/payments.yaml:13:19: no tool of this policy is called `pay_invoic`; they are called `read_invoice`, `pay_invoice`",
            "policies/payments_test.yaml:14:3: no test takes the tool `read_invoice` as it is declared: classification: public, \
             residency: other, effect: read, egress: none",
            "src/main.rs:",
            "tools: [read_invoice, pay_invoice],",
        ],
    )
}

#[test]
fn a_test_that_fails_and_a_property_that_does_not_hold_fail_the_build() -> Result<(), Fail> {
    let package = Package::new("untrue")?;
    package.replace(
        SUITE,
        "actions: {\"invoke\": EFFECT_ALLOW, \"invoke:auto\": EFFECT_DENY}",
        "actions: {\"invoke\": EFFECT_ALLOW, \"invoke:auto\": EFFECT_ALLOW}",
    )?;
    package.replace(
        POLICY,
        "R.attr.classification == \"confidential\"\n    - name: payment",
        "R.attr.effect == \"read\"\n    - name: payment",
    )?;
    refused(
        &package,
        &[
            "policies/payments_test.yaml:35:5: the test \"Who may read and pay\" fails for the principal `accounting`, the resource \
             `large` and `invoke:auto`: EFFECT_ALLOW was expected and it is EFFECT_DENY",
            "policies/payments.yaml:16:7: it does not hold that no `special_category` tool is ever allowed without approval",
            "policies/payments.yaml:16:7: it does not hold that no `personal` tool is ever allowed without approval",
        ],
    )
}

#[test]
fn without_a_build_script_it_says_what_to_write() -> Result<(), Fail> {
    let package = Package::new("unchecked")?;
    package.remove("build.rs")?;
    refused(
        &package,
        &[
            "no build script has checked the policies in \"policies\"; write into build.rs: \
             `fuze_policy::build::Policies::in_directory(\"policies\").compile();`",
            "directory: \"policies\",",
        ],
    )?;
    // A build script that checked other policies.
    let package = Package::new("elsewhere")?;
    package.replace("src/main.rs", "directory: \"policies\"", "directory: \"rules\"")?;
    refused(&package, &["no build script has checked the policies in \"rules\""])
}
