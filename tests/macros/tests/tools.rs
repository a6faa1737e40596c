//! Tools of every kind, and the facts that `#[tool]` makes of them.

use std::time::Duration;

use fuze_agent::boundary::{Egress, FileSystem};
use fuze_agent::effect::Effect;
use fuze_agent::law::data::Classification;
use fuze_agent::law::oversight::Approval;
use fuze_agent::law::residency::Residency;
use fuze_agent::logic::Bool;
use fuze_agent::prelude::*;
use fuze_agent::tool::Need;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const HIRING: Retention = Retention::days("hiring", 180, 365, 365);

struct Deps {
    greeting: String,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Amount {
    cents: u64,
}

/// Fetches an applicant's dossier.
///
/// The dossier is a file.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eea,
    retention = HIRING,
    threat_boundary(egress = eea, file_system = read, observes_secrets),
    effect = read,
    time_limit_ms = 5_000,
    grace_ms = 0,
)]
async fn lookup_candidate(
    ctx: &Ctx<'_, Deps>,
    /// The applicant's number.
    candidate_id: String,
    /// How many pages at most.
    mut pages: Option<u32>,
) -> Result<String, ToolError> {
    if candidate_id.is_empty() {
        return Err(ToolError::not_applied("no number"));
    }
    let number: u32 = candidate_id.parse()?;
    pages.get_or_insert(1);
    std::future::ready(()).await;
    let _key = ctx.secret("key")?;
    Ok(format!("{} {number}", greeting(ctx)))
}

// What a tool lends, a helper can use.
fn greeting(ctx: &Ctx<'_, Deps>) -> String {
    ctx.deps().greeting.clone()
}

/// Adds.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    if a == 0 {
        return Ok(b);
    }
    let sum = a.checked_add(b).ok_or_else(|| ToolError::new("too big"))?;
    Ok(sum)
}

/// Tells the time.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
fn now() -> Result<u64, ToolError> {
    Ok(7)
}

/// Reads a patient's record.
#[tool(
    classification = special_category,
    art9_basis = health_or_social_care(law = "§ 22(1) no. 1 b BDSG"),
    lawful_bases = [legal_obligation],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = hosts(eu, "records.example.eu", "backup.example.eu")),
    effect = idempotent,
    requests_oversight,
)]
async fn patient(ctx: &Ctx<'_, ()>, id: u32) -> Result<String, ToolError> {
    match ctx.request_oversight(format!("patient {id}?")).await {
        OversightAnswer::Approved => Ok(String::new()),
        OversightAnswer::Rejected => Err(ToolError::new("rejected")),
    }
}

/// Sends an offer.
#[tool(
    classification = special_category, art9_basis = explicit_consent, lawful_bases = [consent], residency = eu,
    retention = HIRING, threat_boundary(egress = eu), needs_approval = always, name = "send-offer",
)]
async fn send_offer(_: &Ctx<'_, Deps>, r#type: String) -> Result<(), ToolError> {
    drop(r#type);
    Ok(())
}

/// Pays.
#[tool(
    classification = confidential,
    retention = Retention::days("pay", 1, 1, 1),
    threat_boundary(egress = any, file_system = read_write),
    needs_approval = |args| { let limit = 100_000; args.amount.cents > limit || args.urgent },
)]
pub(crate) async fn pay(amount: Amount, urgent: bool) -> Result<Amount, ToolError> {
    if urgent { Err(ToolError::not_applied("not today")) } else { Ok(amount) }
}

/// Asks the ledger.
#[tool(classification = confidential, residency = us, retention = HIRING, threat_boundary(egress = hosts(us, "ledger.example")), effect = read)]
async fn ledger(ctx: &Ctx<'_, Deps>) -> Result<i64, ToolError> {
    // Another tool, through the pipeline.
    type AddArgs = <add as Tool>::Args;
    ctx.invoke(add, AddArgs { a: 1, b: 2 }).await
}

fn class<T: Tool>() -> &'static str {
    <T::Data as Classification>::NAME
}

fn residency<T: Tool>() -> &'static str {
    <<T::Data as Classification>::Residency as Residency>::NAME
}

fn hosts<T: Tool>() -> &'static [&'static str] {
    <T::Egress as Egress>::HOSTS
}

fn egress<T: Tool>() -> &'static str {
    <T::Egress as Egress>::NAME
}

fn effect<T: Tool>() -> &'static str {
    <T::Effect as Effect>::NAME
}

fn always<T: Tool>() -> bool {
    <<T::Approval as Approval<T::Args>>::Always as Bool>::VALUE
}

fn sometimes<T: Tool>() -> bool {
    <<T::Approval as Approval<T::Args>>::Possible as Bool>::VALUE
}

fn schema<T: Tool<Args: JsonSchema>>() -> Value {
    schemars::schema_for!(T::Args).to_value()
}

fn parse<T: Tool<Args: DeserializeOwned>>(args: Value) -> Result<T::Args, String> {
    serde_json::from_value(args).map_err(|error| error.to_string())
}

fn needs<T: Tool>() -> &'static str {
    std::any::type_name::<<T::Needs as Need>::Target>()
}

#[test]
fn the_documentation_is_the_description() {
    assert_eq!(lookup_candidate::DESCRIPTION, "Fetches an applicant's dossier.\n\nThe dossier is a file.");
    assert_eq!(add::DESCRIPTION, "Adds.");
}

#[test]
fn the_name_is_the_functions_or_the_one_given() {
    assert_eq!(lookup_candidate::NAME, "lookup_candidate");
    assert_eq!(send_offer::NAME, "send-offer");
}

#[test]
fn a_class_has_its_facts() {
    assert_eq!((class::<add>(), residency::<add>()), ("public", "other"));
    assert_eq!((class::<pay>(), residency::<pay>()), ("confidential", "other"));
    assert_eq!((class::<ledger>(), residency::<ledger>()), ("confidential", "us"));
    assert_eq!((class::<lookup_candidate>(), residency::<lookup_candidate>()), ("personal", "eea"));
    assert_eq!((class::<patient>(), residency::<patient>()), ("special_category", "eu"));
    assert_eq!(<lookup_candidate as Tool>::Data::BASES, ["contract", "legitimate_interests"]);
    assert_eq!(<add as Tool>::Data::BASES, [""; 0]);
    assert_eq!(<patient as Tool>::Data::ART9, Some("health_or_social_care"));
    assert_eq!(<patient as Tool>::Data::LAW, Some("§ 22(1) no. 1 b BDSG"));
    assert_eq!(<send_offer as Tool>::Data::ART9, Some("explicit_consent"));
    assert_eq!(<send_offer as Tool>::Data::LAW, None);
}

#[test]
fn the_threat_boundary_is_as_declared() {
    assert_eq!(egress::<add>(), "none");
    assert_eq!(egress::<lookup_candidate>(), "eea");
    assert_eq!(egress::<pay>(), "any");
    assert_eq!(
        (egress::<patient>(), hosts::<patient>()),
        ("hosts", &["records.example.eu", "backup.example.eu"][..])
    );
    assert_eq!(add::FILE_SYSTEM, FileSystem::None);
    assert_eq!(lookup_candidate::FILE_SYSTEM, FileSystem::Read);
    assert_eq!(pay::FILE_SYSTEM, FileSystem::ReadWrite);
    let reads_secrets = |secrets: bool| secrets;
    assert!(reads_secrets(<lookup_candidate as Tool>::Secrets::VALUE));
    assert!(!reads_secrets(<add as Tool>::Secrets::VALUE));
}

#[test]
fn the_effect_is_once_unless_declared() {
    assert_eq!(effect::<add>(), "once");
    assert_eq!(effect::<now>(), "read");
    assert_eq!(effect::<patient>(), "idempotent");
    let requests = |oversight: bool| oversight;
    assert!(requests(<patient as Tool>::RequestsOversight::VALUE));
    assert!(!requests(<add as Tool>::RequestsOversight::VALUE));
}

#[test]
fn approval_is_never_always_or_by_the_arguments() {
    assert!(!always::<add>() && !sometimes::<add>());
    assert!(always::<send_offer>() && sometimes::<send_offer>());
    assert!(!always::<pay>() && sometimes::<pay>());
    let asked = |cents: u64, urgent: bool| {
        let args = parse::<pay>(json!({ "amount": { "cents": cents }, "urgent": urgent })).unwrap();
        <pay as Tool>::Approval::needed(&args)
    };
    assert!(asked(1, true) && asked(100_001, false));
    assert!(!asked(100_000, false));
}

#[test]
fn retention_and_limits_are_as_declared() {
    assert_eq!(lookup_candidate::RETENTION, HIRING);
    assert_eq!(pay::RETENTION, Retention::days("pay", 1, 1, 1));
    assert_eq!(lookup_candidate::TIME_LIMIT, Duration::from_secs(5));
    assert_eq!(lookup_candidate::GRACE, Duration::ZERO);
    assert_eq!((add::TIME_LIMIT, add::GRACE), (Duration::from_secs(30), Duration::from_secs(2)));
}

#[test]
fn a_tool_needs_the_dependencies_that_its_ctx_names() {
    assert_eq!(needs::<lookup_candidate>(), std::any::type_name::<Deps>());
    assert_eq!(needs::<add>(), "()");
    assert_eq!(needs::<patient>(), "()");
}

#[test]
fn the_schema_names_the_arguments_and_their_documentation() {
    let schema = schema::<lookup_candidate>();
    assert_eq!(schema["title"], "lookup_candidate");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["candidate_id"]));
    assert_eq!(schema["properties"]["candidate_id"]["type"], "string");
    assert_eq!(schema["properties"]["candidate_id"]["description"], "The applicant's number.");
    assert_eq!(schema["properties"]["pages"]["description"], "How many pages at most.");
    assert_eq!(schema["properties"].as_object().unwrap().len(), 2);
}

#[test]
fn a_raw_argument_has_its_plain_name() {
    assert_eq!(schema::<send_offer>()["required"], json!(["type"]));
    assert_eq!(schema::<send_offer>()["title"], "send-offer");
}

#[test]
fn arguments_refuse_what_they_do_not_know() {
    assert!(parse::<add>(json!({ "a": 1, "b": 2 })).is_ok());
    let unknown = parse::<add>(json!({ "a": 1, "b": 2, "c": 3 })).err().unwrap();
    assert!(unknown.contains("unknown field `c`"), "{unknown}");
    let missing = parse::<add>(json!({ "a": 1 })).err().unwrap();
    assert!(missing.contains("missing field `b`"), "{missing}");
    assert!(parse::<now>(json!({})).is_ok());
    assert!(parse::<now>(json!({ "zone": "utc" })).is_err());
}

#[test]
fn arguments_survive_the_round_trip() {
    let args = json!({ "amount": { "cents": 5 }, "urgent": false });
    let parsed = parse::<pay>(args.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), args);
}

mod one {
    use super::*;

    /// Adds.
    #[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
    pub(super) fn sum(a: u8) -> Result<u8, ToolError> {
        Ok(a + 1)
    }
}

mod same {
    use super::*;

    /// Adds.
    #[tool(
        classification=public,
        retention = HIRING,
        threat_boundary(egress = none)
    )]
    pub(super) fn sum(a: u8) -> Result<u8, ToolError> {
        Ok(a + 1)
    }
}

mod other_body {
    use super::*;

    /// Adds.
    #[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
    pub(super) fn sum(a: u8) -> Result<u8, ToolError> {
        Ok(a + 2)
    }
}

mod other_attribute {
    use super::*;

    /// Adds.
    #[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
    pub(super) fn sum(a: u8) -> Result<u8, ToolError> {
        Ok(a + 1)
    }
}

#[test]
fn the_code_hash_changes_with_the_code_and_not_with_its_layout() {
    assert_eq!(one::sum::CODE.len(), 64);
    assert!(one::sum::CODE.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    assert_eq!(one::sum::CODE, same::sum::CODE);
    assert_ne!(one::sum::CODE, other_body::sum::CODE);
    assert_ne!(one::sum::CODE, other_attribute::sum::CODE);
}

macro_rules! constant {
    ($name:ident $value:expr) => {
        /// A constant.
        #[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
        async fn $name() -> Result<u32, ToolError> {
            Ok($value)
        }
    };
}
constant!(three 3);

macro_rules! with_block {
    ($name:ident($argument:ident: $ty:ty) $body:block) => {
        /// Made by another macro.
        #[tool(classification = public, retention = HIRING, threat_boundary(egress = none), effect = read)]
        fn $name($argument: $ty) -> Result<u32, ToolError> $body
    };
}
with_block!(four(a: u32) { Ok(a + 1) });

/// With inner attributes.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
fn inner_attributes(a: u8) -> Result<u8, ToolError> {
    #![allow(unused_variables, reason = "shows that inner attributes stay where they may stand")]
    let b = a;
    Ok(a)
}

#[test]
fn a_tool_may_come_from_another_macro_and_stand_in_a_function() {
    /// Local.
    #[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
    async fn local(args: u8, call: u8, this: u8) -> Result<u8, ToolError> {
        Ok(args + call + this)
    }
    assert_eq!(three::NAME, "three");
    assert_eq!(four::NAME, "four");
    assert_eq!(inner_attributes::NAME, "inner_attributes");
    assert_eq!(local::NAME, "local");
}

/// Never there.
#[cfg(any())]
#[tool(nonsense)]
fn above() {}

/// Never there.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
#[cfg(any())]
fn below(x: NoSuchType) -> Result<u8, ToolError> {
    Ok(x)
}

/// Attributes.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
#[allow(unused_variables, reason = "shows that lint levels are carried over")]
#[expect(unreachable_code, reason = "shows that lint levels reach the body")]
async fn attributes(x: u8) -> Result<u8, ToolError> {
    return Ok(1);
    Ok(2)
}

type Result2<T> = std::result::Result<T, ToolError>;
mod alias {
    pub(super) type Result<T> = super::Result2<T>;
}

/// An alias of the result.
#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
fn aliased() -> alias::Result<Vec<Option<u8>>> {
    Ok(Vec::new())
}

#[test]
fn attributes_and_aliases_are_carried_over() {
    assert_eq!(attributes::NAME, "attributes");
    assert_eq!(std::any::type_name::<<aliased as Tool>::Output>(), std::any::type_name::<Vec<Option<u8>>>());
}
