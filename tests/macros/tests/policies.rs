//! What the build checked, held against tools: each way in which the two can disagree.

use fuze_agent::policy::{BuiltPolicy, Bundle, Listed, Named, Tested, Tools};
use fuze_agent::prelude::*;

const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);

/// Looks something up.
#[tool(classification = confidential, residency = eu, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn lookup(place: String, floor: Option<u32>) -> Result<String, ToolError> {
    Ok(format!("{place} {floor:?}"))
}

/// Reads a record.
#[tool(
    classification = special_category,
    art9_basis = explicit_consent,
    lawful_bases = [consent],
    residency = eu,
    retention = SHORT,
    threat_boundary(egress = none),
    effect = read,
)]
async fn record(patient: String) -> Result<String, ToolError> {
    Ok(patient)
}

const TOOLS: &[Listed] = &[Listed::of::<lookup>(), Listed::of::<record>()];

const LOOKUP: Tested = Tested {
    tool: "lookup",
    place: "p_test.yaml:3:5",
    classification: "confidential",
    art9_basis: "",
    residency: "eu",
    effect: "read",
    egress: "none",
};
const RECORD: Tested =
    Tested { tool: "record", classification: "special_category", art9_basis: "explicit_consent", ..LOOKUP };

const fn bundle(named: &'static [Named], tested: &'static [Tested]) -> Bundle {
    Bundle {
        directory: "p",
        policies: &[],
        schemas: &[],
        manifest: None,
        hash: [0; 32],
        flat_form: &[],
        named,
        tested,
    }
}

/// What does not fit, as the compiler would say it.
fn misfits(named: &'static [Named], tested: &'static [Tested]) -> String {
    let bundle: &'static Bundle = Box::leak(Box::new(bundle(named, tested)));
    let length = BuiltPolicy::length(bundle, TOOLS);
    // Room for more than any of these: the rest stays zero.
    let told = std::panic::catch_unwind(|| BuiltPolicy::new::<1000>(bundle, TOOLS));
    match told {
        Ok(_) => {
            assert_eq!(length, 0, "a length without a text");
            String::new()
        }
        Err(panic) => {
            let text = panic.downcast::<String>().map(|text| *text).unwrap_or_default();
            let text = text.trim_end_matches('\0').to_owned();
            assert_eq!(text.len(), length, "{text}");
            text
        }
    }
}

#[test]
fn what_is_listed_and_tested_as_declared_fits() {
    const NAMED: &[Named] = &[
        Named { tool: "lookup", any_case: false, place: "p.yaml:1:1" },
        Named { tool: "record", any_case: false, place: "p.yaml:2:1" },
    ];
    assert_eq!(misfits(NAMED, &[LOOKUP, RECORD]), "");
    assert_eq!(misfits(&[], &[]), "");
    // Tests may take a tool for what it is not, and be about tools that are not there, as long as one takes it as it is.
    const OTHERWISE: Tested = Tested { classification: "public", ..LOOKUP };
    const ABSENT: Tested = Tested { tool: "absent", ..LOOKUP };
    assert_eq!(misfits(NAMED, &[OTHERWISE, ABSENT, LOOKUP, RECORD]), "");
    const FITS: BuiltPolicy = {
        const BUNDLE: &Bundle = &bundle(NAMED, &[LOOKUP, RECORD]);
        BuiltPolicy::new::<{ BuiltPolicy::length(BUNDLE, TOOLS) }>(BUNDLE, TOOLS)
    };
    assert_eq!(FITS.bundle_hash(), [0; 32]);
}

#[test]
fn each_name_that_no_tool_has_is_told_with_its_place() {
    const NAMED: &[Named] = &[
        Named { tool: "look", any_case: false, place: "p.yaml:1:1" },
        Named { tool: "lookup", any_case: false, place: "p.yaml:2:1" },
        Named { tool: "lookups", any_case: false, place: "p.yaml:3:1" },
        Named { tool: "", any_case: false, place: "p.yaml:4:1" },
    ];
    let line = |place: &str, tool: &str| {
        format!(
            "\np.yaml:{place}: no tool of this policy is called `{tool}`; they are called `lookup`, `record`"
        )
    };
    assert_eq!(misfits(NAMED, &[]), [line("1:1", "look"), line("3:1", "lookups"), line("4:1", "")].concat());
}

#[test]
fn a_name_in_any_case_is_that_of_a_tool() {
    const ANY: &[Named] = &[
        Named { tool: "LOOKUP", any_case: true, place: "p.yaml:1:1" },
        Named { tool: "LOOKUP", any_case: false, place: "p.yaml:2:1" },
        Named { tool: "LOOK", any_case: true, place: "p.yaml:3:1" },
    ];
    let told = misfits(ANY, &[]);
    let places: Vec<&str> = told.lines().filter_map(|line| line.split_once(": ")).map(|(at, _)| at).collect();
    assert_eq!(places, ["p.yaml:2:1", "p.yaml:3:1"], "{told}");
}

#[test]
fn two_tools_of_one_name_are_told() {
    const TWICE: &[Listed] =
        &[Listed::of::<lookup>(), Listed::of::<record>(), Listed::of::<lookup>(), Listed::of::<lookup>()];
    static BUNDLE: Bundle = bundle(&[], &[]);
    let line = "\np: two of the listed tools are called `lookup`, and a policy could not tell them apart";
    assert_eq!(BuiltPolicy::length(&BUNDLE, TWICE), 2 * line.len());
    let told = std::panic::catch_unwind(|| BuiltPolicy::new::<200>(&BUNDLE, TWICE));
    let text = told.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(text.trim_end_matches('\0'), line.repeat(2));
    assert_eq!(BuiltPolicy::length(&BUNDLE, TOOLS), 0);
}

#[test]
fn a_tool_that_no_test_takes_as_it_is_declared_is_told() {
    const ALL: [&[Tested]; 5] = [
        &[Tested { classification: "personal", ..LOOKUP }, RECORD],
        &[Tested { art9_basis: "explicit_consent", ..LOOKUP }, RECORD],
        &[Tested { residency: "", ..LOOKUP }, RECORD],
        &[Tested { effect: "once", ..LOOKUP }, RECORD],
        &[
            Tested { egress: "any", ..LOOKUP },
            Tested { egress: "eu", place: "p_test.yaml:9:5", ..LOOKUP },
            RECORD,
        ],
    ];
    for tested in ALL {
        assert_eq!(
            misfits(&[], tested),
            "\np_test.yaml:3:5: no test takes the tool `lookup` as it is declared: classification: confidential, residency: eu, \
             effect: read, egress: none"
        );
    }
    assert_eq!(
        misfits(&[], &[LOOKUP, Tested { art9_basis: "", ..RECORD }]),
        "\np_test.yaml:3:5: no test takes the tool `record` as it is declared: classification: special_category, art9_basis: \
         explicit_consent, residency: eu, effect: read, egress: none"
    );
    // One that no test is about: to take its test out is no way around that.
    assert_eq!(
        misfits(&[], &[LOOKUP]),
        "\np: no test takes the tool `record` as it is declared: classification: special_category, art9_basis: explicit_consent, \
         residency: eu, effect: read, egress: none"
    );
}

#[test]
fn the_tools_are_told_with_the_names_of_their_arguments() {
    static BUNDLE: Bundle = bundle(&[], &[]);
    let policy = BuiltPolicy::new::<0>(&BUNDLE, TOOLS);
    let tools = policy.tools().tools;
    let told: Vec<_> = tools.iter().map(|tool| (tool.name.as_str(), tool.args.clone().unwrap())).collect();
    assert_eq!(
        told,
        [("lookup", vec!["floor".into(), "place".into()]), ("record", vec!["patient".to_owned()])]
    );
    assert_eq!(
        tools.iter().map(|tool| tool.art9_basis.as_deref()).collect::<Vec<_>>(),
        [None, Some("explicit_consent")]
    );
    let mut tools = policy.tools();
    assert_eq!(Tools::from_json(&tools.to_json()), Ok(tools.clone()));
    tools.roles = Some(vec!["clerk".to_owned()]);
    tools.tools[0].args = None;
    assert_eq!(Tools::from_json(&tools.to_json()), Ok(tools));
    // Nothing was checked here, and no engine comes of it.
    assert!(
        policy.engine().is_err_and(|error| error.to_string().contains("not what the build script checked"))
    );
}
