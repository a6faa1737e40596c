//! Against a real server: llama.cpp with a tiny random model (`tests/model-server/run.sh cargo test -p fuze-model`).
//!
//! Runs when `FUZE_MODEL_URL` is set. Otherwise it says loudly that it did not, and fails if `FUZE_REQUIRE_MODEL=1`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy knows that of test functions, not of what they share"
)]

use std::time::Duration;

use fuze_agent::law::residency::Eu;
use fuze_agent::model::{
    FinishReason, Message, Model, ModelErrorKind, ModelRequest, Parameters, RequestedCall, ToolChoice,
    ToolSpec,
};
use fuze_model::{Builder, HttpModel};
use serde_json::{Value, json};

const AMPLE: Duration = Duration::from_secs(60);

fn model() -> Option<Builder<Eu>> {
    let Ok(url) = std::env::var("FUZE_MODEL_URL") else {
        assert_ne!(
            std::env::var("FUZE_REQUIRE_MODEL").as_deref(),
            Ok("1"),
            "FUZE_REQUIRE_MODEL=1, and no model: set FUZE_MODEL_URL, or use tests/model-server/run.sh"
        );
        eprintln!("SKIPPED: no FUZE_MODEL_URL; run tests/model-server/run.sh cargo test -p fuze-model");
        return None;
    };
    Some(HttpModel::openai_compatible(url, "noise", Eu).provider("llama.cpp").parallel_tool_calls(false))
}

fn grade() -> ToolSpec {
    ToolSpec {
        name: "grade",
        description: "Grades a dossier.",
        parameters: json!({
            "type": "object",
            "properties": {
                "level": { "enum": ["low", "middle", "high"] },
                "points": { "type": "integer", "minimum": 0, "maximum": 9 },
            },
            "required": ["level", "points"],
            "additionalProperties": false,
        }),
    }
}

fn verdict() -> Value {
    json!({
        "type": "object",
        "properties": { "verdict": { "enum": ["invite", "decline"] } },
        "required": ["verdict"],
        "additionalProperties": false,
    })
}

fn parameters(tool_choice: ToolChoice) -> Parameters {
    Parameters {
        max_tokens: Some(300),
        seed: Some(1),
        temperature: Some(0.8),
        tool_choice,
        ..Parameters::default()
    }
}

fn user() -> Message {
    Message::User { text: "Grade dossier 7.".to_owned() }
}

fn assert_grades(call: &RequestedCall) {
    assert_eq!(call.name, "grade");
    assert!(!call.id.is_empty());
    let arguments: Value = serde_json::from_str(&call.arguments).expect("arguments of JSON");
    assert_eq!(arguments.as_object().map(serde_json::Map::len), Some(2), "{arguments}");
    assert!(["low", "middle", "high"].iter().any(|level| arguments["level"] == *level), "{arguments}");
    assert!(arguments["points"].as_u64().is_some_and(|points| points <= 9), "{arguments}");
}

#[tokio::test]
async fn a_tool_is_called_with_arguments_that_fit_its_schema() {
    let Some(model) = model() else { return };
    let model = model.build().unwrap();
    let mut messages = vec![user()];
    for turn in 0..3 {
        let request = ModelRequest {
            system: "You grade dossiers.",
            messages: &messages,
            tools: &[grade()],
            output_schema: Some(&verdict()),
            parameters: &parameters(ToolChoice::Required),
            time_limit: AMPLE,
        };
        let response = model.generate(request).await.unwrap();
        assert_eq!((response.calls.len(), response.finish), (1, FinishReason::ToolCalls), "turn {turn}");
        assert_grades(&response.calls[0]);
        assert!(response.usage.input_tokens.is_some_and(|tokens| tokens > 0));
        assert!(response.usage.output_tokens.is_some_and(|tokens| tokens > 0));
        assert!(response.system_fingerprint.is_some());
        let RequestedCall { id, name, .. } = response.calls[0].clone();
        messages.push(Message::Assistant { text: response.text, calls: response.calls });
        messages.push(Message::Tool {
            call_id: id,
            name,
            content: r#"{"recorded":true}"#.to_owned(),
            is_error: false,
        });
    }
}

#[tokio::test]
async fn the_final_answer_fits_its_schema_with_and_without_tools_in_the_agent() {
    let Some(model) = model() else { return };
    let model = model.build().unwrap();
    for (tools, choice) in [(vec![], ToolChoice::Auto), (vec![grade()], ToolChoice::None)] {
        let request = ModelRequest {
            system: "You grade dossiers.",
            messages: &[user()],
            tools: &tools,
            output_schema: Some(&verdict()),
            parameters: &parameters(choice),
            time_limit: AMPLE,
        };
        let response = model.generate(request).await.unwrap();
        assert_eq!((response.calls.len(), response.finish), (0, FinishReason::Stop));
        let answer: Value = serde_json::from_str(&response.text.expect("text")).expect("an answer of JSON");
        assert!(
            answer == json!({ "verdict": "invite" }) || answer == json!({ "verdict": "decline" }),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_whole_exchange_by_insisting() {
    let Some(model) = model() else { return };
    let model = model.insist_on_tools(2).build().unwrap();
    let mut messages = vec![user()];
    let mut calls = 0;
    let answer = loop {
        let request = ModelRequest {
            system: "You grade dossiers.",
            messages: &messages,
            tools: &[grade()],
            output_schema: Some(&verdict()),
            parameters: &parameters(ToolChoice::Auto),
            time_limit: AMPLE,
        };
        let response = model.generate(request).await.unwrap();
        let Some(call) = response.calls.first().cloned() else { break response.text };
        assert_grades(&call);
        calls += 1;
        assert!(calls <= 2, "the model goes on calling");
        messages.push(Message::Assistant { text: response.text, calls: response.calls });
        let content = r#"{"recorded":true}"#.to_owned();
        messages.push(Message::Tool { call_id: call.id, name: call.name, content, is_error: false });
    };
    assert_eq!(calls, 2);
    assert!(serde_json::from_str::<Value>(&answer.expect("text")).expect("JSON")["verdict"].is_string());
}

/// llama.cpp answers 500 to a history with arguments that it cannot parse; a refused call must not end the run.
#[tokio::test]
async fn a_history_with_arguments_that_are_not_json_is_taken() {
    let Some(model) = model() else { return };
    let model = model.build().unwrap();
    let call = |id: &str, arguments: &str| RequestedCall {
        id: id.to_owned(),
        name: "grade".to_owned(),
        arguments: arguments.to_owned(),
    };
    let refusal = |id: &str| Message::Tool {
        call_id: id.to_owned(),
        name: "grade".to_owned(),
        content: r#"{"error":"the arguments are not JSON"}"#.to_owned(),
        is_error: true,
    };
    let calls = vec![call("a", "sorry, I cannot"), call("b", "{\"level\":"), call("c", "")];
    let messages =
        [user(), Message::Assistant { text: None, calls }, refusal("a"), refusal("b"), refusal("c")];
    let request = ModelRequest {
        system: "You grade dossiers.",
        messages: &messages,
        tools: &[grade()],
        output_schema: None,
        parameters: &parameters(ToolChoice::Required),
        time_limit: AMPLE,
    };
    assert_grades(&model.generate(request).await.unwrap().calls[0]);
}

#[tokio::test]
async fn out_of_time_is_a_timeout_and_the_next_request_works() {
    let Some(model) = model() else { return };
    let model = model.build().unwrap();
    // Thousands of tokens take far longer than the limit.
    let long = json!({ "type": "string", "minLength": 1_900, "maxLength": 1_900 });
    let long = json!({ "type": "object", "properties": { "essay": long }, "required": ["essay"] });
    let request = ModelRequest {
        system: "You talk.",
        messages: &[user()],
        tools: &[],
        output_schema: Some(&long),
        parameters: &Parameters::default(),
        time_limit: Duration::from_millis(5),
    };
    assert_eq!(model.generate(request).await.unwrap_err().kind, ModelErrorKind::Timeout);
    let request = ModelRequest {
        output_schema: Some(&verdict()),
        parameters: &parameters(ToolChoice::Auto),
        time_limit: AMPLE,
        ..request
    };
    assert!(model.generate(request).await.unwrap().text.is_some());
}

#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_words() {
    let Some(model) = model() else { return };
    let model = model.build().unwrap();
    let impossible = ToolSpec { name: "x", description: "", parameters: json!({ "type": "no such type" }) };
    let request = ModelRequest {
        system: "",
        messages: &[user()],
        tools: &[impossible],
        output_schema: None,
        parameters: &parameters(ToolChoice::Required),
        time_limit: AMPLE,
    };
    let error = model.generate(request).await.unwrap_err();
    assert!(matches!(error.kind, ModelErrorKind::Refused | ModelErrorKind::Unavailable), "{error}");
    assert!(error.message.contains("HTTP "), "{error}");
    eprintln!("{error}");
}
