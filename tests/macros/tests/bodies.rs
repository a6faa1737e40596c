//! The author's body does in `Tool::run` what it would do in the function: `?`, early `return`, `.await`, `mut`
//! arguments, blocking work.

use fuze_agent::prelude::*;
use fuze_agent::testing::{CallError, call};
use serde_json::json;

const SHORT: Retention = Retention::days("short", 1, 30, 184);

struct Deps {
    greeting: String,
}

/// Greets.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none, observes_secrets), effect = read)]
async fn greet(ctx: &Ctx<'_, Deps>, name: String, mut times: Option<u32>) -> Result<String, ToolError> {
    if name.is_empty() {
        return Err(ToolError::not_applied("nobody"));
    }
    let number: u32 = name.strip_prefix('#').unwrap_or("0").parse()?;
    tokio::task::yield_now().await;
    let times = *times.get_or_insert(1) as usize;
    let key = ctx.secret("key")?;
    let _known: &fuze_agent::Secret = key;
    Ok(format!("{} {name} {number}", helper(ctx)).repeat(times))
}

fn helper<'c>(ctx: &Ctx<'c, Deps>) -> &'c str {
    &ctx.deps().greeting
}

#[tokio::test]
async fn an_async_body_runs() {
    let deps = || Deps { greeting: "good day".into() };
    let run = async |args| call(greet).args(args).secret("key", "a secret value").run(deps()).await;
    assert_eq!(run(json!({ "name": "#7" })).await.unwrap(), "good day #7 7");
    assert_eq!(run(json!({ "name": "Ada", "times": 2 })).await.unwrap(), "good day Ada 0good day Ada 0");
    let failure = |result: Result<String, CallError>| match result {
        Err(CallError::Tool(error)) => error,
        other => panic!("expected the tool's own failure, found {other:?}"),
    };
    let early = failure(run(json!({ "name": "" })).await);
    assert!(early.is_not_applied() && early.message() == "nobody");
    let converted = failure(run(json!({ "name": "#x" })).await);
    assert!(!converted.is_not_applied() && converted.message().contains("invalid digit"), "{converted}");
    let missing = failure(call(greet).args(json!({ "name": "#7" })).run(deps()).await);
    assert!(missing.message().contains("no secret named `key`"), "{missing}");
    assert!(matches!(run(json!({ "name": "#7", "nick": "A" })).await, Err(CallError::Arguments(_))));
    assert!(matches!(run(json!({})).await, Err(CallError::Arguments(_))));
}

/// Divides, and says on which thread.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
fn divide(mut a: i64, b: i64) -> Result<(i64, bool), ToolError> {
    if b == 0 {
        return Err(ToolError::not_applied("by zero"));
    }
    a = a.checked_div(b).ok_or_else(|| ToolError::new("too big"))?;
    Ok((a, std::thread::current().name() == Some("the runtime")))
}

#[test]
fn a_plain_body_runs_on_the_blocking_pool() {
    let on_the_runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let run = async |a: i64, b: i64| call(divide).args(json!({ "a": a, "b": b })).run(()).await;
            assert_eq!(run(7, 2).await.unwrap(), (3, false));
            assert!(matches!(run(1, 0).await, Err(CallError::Tool(error)) if error.is_not_applied()));
        });
    };
    std::thread::Builder::new().name("the runtime".into()).spawn(on_the_runtime).unwrap().join().unwrap();
}

/// Shadows whatever the expansion might call its own.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn shadows(args: u8, call: u8, ctx: u8, permit: u8, run: u8, result: u8) -> Result<u8, ToolError> {
    #[derive(Default)]
    struct Args(u8);
    fn run_it(args: &Args) -> u8 {
        args.0
    }
    Ok(args + call + ctx + permit + run + result + run_it(&Args::default()))
}

mod alias {
    pub(super) type Result<T> = std::result::Result<T, fuze_agent::ToolError>;
}

/// Answers by an alias.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn aliased() -> alias::Result<Option<u8>> {
    let parsed: u8 = "3".parse()?;
    Ok(Some(parsed))
}

#[tokio::test]
async fn names_and_aliases_are_the_authors_own() {
    let args = json!({ "args": 1, "call": 2, "ctx": 3, "permit": 4, "run": 5, "result": 6 });
    assert_eq!(call(shadows).args(args).run(()).await.unwrap(), 21);
    assert_eq!(call(aliased).run(()).await.unwrap(), Some(3));
}

/// Tools are unit structs, which a binding of the same name in the expansion would be taken for.
mod named_like_bindings {
    use fuze_agent::prelude::*;

    use super::SHORT;

    macro_rules! tools {
        ($($name:ident)+) => { $(
            /// Answers.
            #[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
            pub(super) async fn $name(value: u8, more: Option<u8>) -> Result<u8, ToolError> {
                Ok(value + more.unwrap_or(1))
            }
        )+ };
    }
    tools! { args call ctx read written serializer deserializer limits tools position }

    define_agent! {
        /// Answers.
        pub(super) Answers {
            purpose: "tests", instructions: "Answer.", lawful_basis: contract, annex_iii: none, art22: none,
            oversight: none, model_residency: eu, retention: SHORT, deps: (), output: u8, max_steps: 1,
            retry_budget: 0, token_budget: 1, max_depth: 3,
            tools: [args, call, ctx, read, written, serializer, deserializer, limits, tools, position],
        }
    }
}

#[tokio::test]
async fn a_tool_may_have_any_name_that_the_expansion_uses() {
    assert_eq!(call(named_like_bindings::read).args(json!({ "value": 2 })).run(()).await.unwrap(), 3);
    let args = json!({ "value": 2, "more": 5 });
    assert_eq!(call(named_like_bindings::written).args(args).run(()).await.unwrap(), 7);
    assert_eq!(named_like_bindings::Answers::LIMITS.max_depth, 3);
}

#[tokio::test]
async fn arguments_that_are_no_object_are_refused_in_words() {
    let refused = |args| async move {
        match call(named_like_bindings::read).args(args).run(()).await {
            Err(CallError::Arguments(why)) => why,
            other => panic!("expected refused arguments, found {other:?}"),
        }
    };
    assert!(refused(json!("x")).await.contains("expected an object with the arguments of `read`"));
    assert!(refused(json!({ "more": 1 })).await.contains("missing field `value`"));
    assert!(refused(json!({ "value": 1, "z": 1 })).await.contains("unknown field `z`"));
}
