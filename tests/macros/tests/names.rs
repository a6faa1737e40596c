//! A tool's name is its author's business, and so are its arguments' names: each may be any that the macros, the derives
//! or the prelude could have wanted for themselves, and any that another tool in scope has.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(non_snake_case, non_camel_case_types, reason = "names of the prelude, and of tools")]

use fuze_agent::Agent as _;
use fuze_agent::testing::{CallError, call};
use fuze_agent::{Ctx, Retention, Tool, define_agent, tool};
use serde_json::{Value, json};

const DAYS: Retention = Retention::days("names", 1, 1, 184);

/// What was asked of a tool, and what came of it.
struct Asked {
    name: &'static str,
    schema: Value,
    written: Value,
    output: Option<i64>,
    refused: bool,
}

/// Where the tools are, no name of the prelude is safe.
mod named {
    use super::*;

    async fn ask<T>(tool: T, own: &str) -> Asked
    where
        T: Tool<
                Args: serde::de::DeserializeOwned + serde::Serialize + schemars::JsonSchema,
                Output = ::core::primitive::i64,
            > + fuze_agent::tool::ServedBy<()>
            + ::core::marker::Copy,
    {
        let given = json!({"number": 1, "text": "a", own: false});
        let args: T::Args = serde_json::from_value(given.clone()).unwrap();
        let refused = json!({"number": 1, "text": "a", own: true});
        Asked {
            name: T::NAME,
            schema: schemars::schema_for!(T::Args).to_value(),
            written: serde_json::to_value(args).unwrap(),
            output: call(tool).args(given).run(()).await.ok(),
            refused: matches!(
                call(tool).args(refused).run(()).await,
                ::core::result::Result::Err(CallError::Tool(_))
            ),
        }
    }

    macro_rules! named {
        ($($name:ident $text:literal)*) => {
            /// Each has an argument of its own name, beside two of names that only others have.
            mod tools {
                use super::super::DAYS;
                $(
                    /// Gives back what it is given.
                    #[fuze_agent::tool(
                        classification = public, retention = DAYS, threat_boundary(egress = none), effect = read,
                        needs_approval = |args| args.number > 3,
                    )]
                    pub(super) fn $name(
                        number: ::core::primitive::i64,
                        text: ::std::string::String,
                        $name: ::core::primitive::bool,
                    ) -> ::core::result::Result<::core::primitive::i64, ::fuze_agent::ToolError> {
                        let twice = number * 2;
                        if $name {
                            return ::core::result::Result::Err(::fuze_agent::ToolError::new("refused"));
                        }
                        ::core::result::Result::Ok(twice + ::core::primitive::i64::try_from(text.len()).unwrap_or_default())
                    }
                )*
            }

            pub(super) async fn each() -> ::std::vec::Vec<(&'static ::core::primitive::str, Asked)> {
                ::std::vec![$(($text, ask(tools::$name, $text).await)),*]
            }
        };
    }

    named! {
        // Of the derives.
        generator "generator" serializer "serializer" deserializer "deserializer" formatter "formatter" f "f"
        schema "schema" visitor "visitor" seq "seq" map "map" key "key" value "value" state "state" error "error"
        other "other"
        // Of the macros.
        read "read" written "written" args "args" call_ "call_" this "this" ctx "ctx" self_ "self_" permit "permit"
        limits "limits" result "result" body "body" output "output" run "run" tool "tool" c "c"
        // Keywords.
        r#type "type" r#match "match" r#fn "fn" r#async "async" r#impl "impl" r#dyn "dyn"
        // Of the prelude, and beside it.
        String "String" Vec "Vec" Option "Option" Result "Result" Some "Some" None "None" Ok "Ok" Err "Err" Box "Box"
        Default "Default" Clone "Clone" Copy "Copy" Debug "Debug" Send "Send" Sync "Sync" Tool "Tool" Agent "Agent"
        Permit "Permit" ToolCtx "ToolCtx" ToolCall "ToolCall" Retention "Retention" Args "Args" Output "Output"
        str "str" bool "bool" u8 "u8" usize "usize" core "core" std "std" alloc "alloc" serde "serde"
        schemars "schemars"
        // Of methods.
        serialize "serialize" deserialize "deserialize" clone "clone" default "default" drop "drop" fmt "fmt"
        into "into" from "from" name "name" schema_name "schema_name" json_schema "json_schema" tools "tools"
    }

    fuze_agent::define_agent! {
        /// Has tools of all kinds of names.
        pub(super) value {
            purpose: "naming", instructions: "Name.", lawful_basis: contract, annex_iii: none, art22: none,
            oversight: none, model_residency: eu, retention: DAYS,
            tools: [
                tools::generator, tools::value, tools::state, tools::args, tools::ctx, tools::r#type, tools::Some,
                tools::String, tools::Tool, tools::str, tools::bool, tools::core, tools::serialize, tools::clone,
            ],
            deps: (), output: ::std::string::String, max_steps: 8, retry_budget: 1, token_budget: 50_000,
        }
    }
}

#[tokio::test]
async fn tools_and_arguments_may_have_any_name() {
    let each = named::each().await;
    assert!(each.len() > 70);
    for (name, asked) in each {
        assert_eq!(asked.name, name);
        assert_eq!(asked.schema["title"], json!(name));
        assert_eq!(asked.schema["required"], json!(["number", "text", name]));
        assert_eq!(asked.written, json!({"number": 1, "text": "a", name: false}), "{name}");
        assert_eq!(asked.output, Some(3), "{name}");
        assert!(asked.refused, "{name}");
    }
    let _tools = named::value.tools();
}

/// Reads.
#[tool(classification = public, retention = DAYS, threat_boundary(egress = none), effect = read)]
async fn generator(
    ctx: &Ctx<'_, ()>,
    mut state: i64,
    r#type: String,
) -> Result<String, fuze_agent::ToolError> {
    state += 1;
    Ok(format!("{type} {state} {}", ctx.exec_id().len()))
}

/// Has the names that the other's parameters have.
#[tool(classification = public, retention = DAYS, threat_boundary(egress = none), effect = read)]
async fn ctx(_: &Ctx<'_, ()>, generator: i64) -> Result<i64, fuze_agent::ToolError> {
    Ok(generator)
}

/// The same.
#[tool(
    classification = public, retention = DAYS, threat_boundary(egress = none), effect = read,
    needs_approval = |state| state.ctx > 1,
)]
async fn state(ctx: i64) -> Result<i64, fuze_agent::ToolError> {
    Ok(ctx)
}

define_agent! {
    /// Has these.
    Agent {
        purpose: "naming", instructions: "Name.", lawful_basis: contract, annex_iii: none, art22: none, oversight: none,
        model_residency: eu, retention: DAYS, tools: [generator, ctx, state], deps: (), output: String,
        max_steps: 8, retry_budget: 1, token_budget: 50_000,
    }
}

#[tokio::test]
async fn a_context_and_arguments_may_have_the_names_of_other_tools() {
    let said = call(generator).args(json!({"state": 1, "type": "t"})).run(()).await;
    assert_eq!(said.unwrap(), format!("t 2 {}", 64));
    assert_eq!(call(ctx).args(json!({"generator": 5})).run(()).await.unwrap(), 5);
    assert_eq!(call(state).args(json!({"ctx": 7})).run(()).await.unwrap(), 7);
    let _tools = Agent.tools();
}
