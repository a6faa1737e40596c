//! What goes over the wire, read by a server; and what of an answer reaches the loop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy knows that of test functions, not of what they share"
)]

mod server;

use std::time::Duration;

use fuze_agent::law::residency::{Eu, Other, Residency};
use fuze_agent::model::{
    FinishReason, Message, Model, ModelRequest, ModelResponse, Parameters, RequestedCall, ToolChoice,
    ToolSpec,
};
use fuze_model::{Builder, HttpModel, SendSchema};
use serde_json::{Value, json};
use server::{Reply, Server};

const ANSWER: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}]}"#;

fn tools() -> Vec<ToolSpec> {
    let parameters =
        json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    vec![ToolSpec { name: "count", description: "Counts.", parameters }]
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } }, "required": ["a"] })
}

/// A request, with everything that a case may change.
struct Case {
    model: &'static str,
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
    schema: Option<Value>,
    parameters: Parameters,
}

impl Default for Case {
    fn default() -> Self {
        let parameters = Parameters::default();
        Self { model: "tiny", messages: vec![user("hello")], tools: vec![], schema: None, parameters }
    }
}

fn user(text: &str) -> Message {
    Message::User { text: text.to_owned() }
}

fn call(id: &str, arguments: &str) -> RequestedCall {
    RequestedCall { id: id.to_owned(), name: "count".to_owned(), arguments: arguments.to_owned() }
}

fn result(id: &str) -> Message {
    let content = r#"{"error":"no"}"#.to_owned();
    Message::Tool { call_id: id.to_owned(), name: "count".to_owned(), content, is_error: true }
}

impl Case {
    async fn exchange(
        &self,
        reply: Reply,
        with: impl FnOnce(Builder<Eu>) -> Builder<Eu>,
    ) -> (Value, ModelResponse) {
        let server = Server::start([reply]).await;
        let model = with(HttpModel::openai_compatible(server.url(), self.model, Eu)).build().unwrap();
        let request = ModelRequest {
            system: "be brief",
            messages: &self.messages,
            tools: &self.tools,
            output_schema: self.schema.as_ref(),
            parameters: &self.parameters,
            time_limit: Duration::from_secs(15),
        };
        let response = model.generate(request).await.unwrap();
        (server.requests()[0].json(), response)
    }

    async fn body(&self, with: impl FnOnce(Builder<Eu>) -> Builder<Eu>) -> Value {
        self.exchange(Reply::ok(ANSWER), with).await.0
    }
}

#[tokio::test]
async fn a_plain_request_holds_nothing_that_nobody_asked_for() {
    let body = Case::default().body(|model| model.parallel_tool_calls(false)).await;
    let messages =
        json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": "hello" }]);
    assert_eq!(body, json!({ "model": "tiny", "stream": false, "messages": messages }));
}

#[tokio::test]
async fn a_field_of_the_providers_own_is_sent() {
    let body = Case::default()
        .body(|model| model.field("store", false).field("metadata", json!({ "a": [1] })))
        .await;
    assert_eq!((&body["store"], &body["metadata"]), (&json!(false), &json!({ "a": [1] })));
    assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
}

#[tokio::test]
async fn tools_choice_and_sampling_are_sent() {
    for (choice, wire) in
        [(ToolChoice::Auto, "auto"), (ToolChoice::Required, "required"), (ToolChoice::None, "none")]
    {
        let parameters = Parameters {
            temperature: Some(0.25),
            top_p: Some(0.5),
            max_tokens: Some(77),
            seed: Some(u64::MAX),
            tool_choice: choice,
        };
        let case = Case { tools: tools(), parameters, ..Case::default() };
        let mut body = case.body(|model| model.parallel_tool_calls(false)).await;
        body.as_object_mut().unwrap().remove("messages");
        let function = json!({
            "name": "count",
            "description": "Counts.",
            "parameters": tools()[0].parameters,
            "strict": false,
        });
        let expected = json!({
            "model": "tiny",
            "stream": false,
            "tools": [{ "type": "function", "function": function }],
            "tool_choice": wire,
            "parallel_tool_calls": false,
            "temperature": 0.25,
            "top_p": 0.5,
            "max_tokens": 77,
            "seed": u64::MAX,
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_models_name_is_only_a_name() {
    // genai alone would cut the first to `m` with an effort, and the second to `m`.
    for name in ["m-high", "openai::m", "groq::m-none", "org/m:7b"] {
        let body = Case { model: name, ..Case::default() }.body(|model| model).await;
        assert_eq!(body["model"], name);
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    }
}

#[tokio::test]
async fn history_goes_in_the_apis_order_with_the_arguments_verbatim() {
    let odd = r#" {"n":1,"n":2, "z":1.50,"a":0}"#;
    let messages = vec![
        user("one"),
        Message::Assistant { text: None, calls: vec![call("c2", odd), call("c1", "{}")] },
        result("c2"),
        result("c1"),
        Message::Assistant { text: Some(" thinking ".to_owned()), calls: vec![call("c3", "{\"n\":3}")] },
        result("c3"),
        Message::Assistant { text: None, calls: vec![] },
        Message::Assistant { text: Some("well".to_owned()), calls: vec![] },
        user("two"),
    ];
    let body = Case { messages, ..Case::default() }.body(|model| model).await;
    let wire = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "count", "arguments": arguments } });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": r#"{"error":"no"}"# });
    let expected = json!([
        { "role": "system", "content": "be brief" },
        { "role": "user", "content": "one" },
        { "role": "assistant", "content": null, "tool_calls": [wire("c2", odd), wire("c1", "{}")] },
        result("c2"),
        result("c1"),
        { "role": "assistant", "content": " thinking ", "tool_calls": [wire("c3", "{\"n\":3}")] },
        result("c3"),
        { "role": "assistant", "content": "" },
        { "role": "assistant", "content": "well" },
        { "role": "user", "content": "two" },
    ]);
    assert_eq!(body["messages"], expected);
}

#[tokio::test]
async fn arguments_that_servers_would_choke_on_are_wrapped_whole() {
    for (text, wire) in [
        (r#"{"n":1,"n":2}"#, r#"{"n":1,"n":2}"#),
        (" { } ", " { } "),
        ("sorry, \"no\"", r#"{"unparsed":"sorry, \"no\""}"#),
        ("[1]", r#"{"unparsed":"[1]"}"#),
        ("", r#"{"unparsed":""}"#),
        ("{\"n\":", r#"{"unparsed":"{\"n\":"}"#),
    ] {
        let messages =
            vec![user("one"), Message::Assistant { text: None, calls: vec![call("c", text)] }, result("c")];
        let body = Case { messages, ..Case::default() }.body(|model| model).await;
        assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["arguments"], wire);
    }
}

/// `(tools, format)`: whether the request offers tools, and whether it asks for a format.
async fn sent(when: SendSchema, choice: ToolChoice, with_tools: bool) -> (bool, bool) {
    let case = Case {
        tools: if with_tools { tools() } else { vec![] },
        schema: Some(schema()),
        parameters: Parameters { tool_choice: choice, ..Parameters::default() },
        ..Case::default()
    };
    let body = case.body(|model| model.send_schema(when)).await;
    assert_eq!(body.get("tools").is_some(), body.get("tool_choice").is_some(), "{body}");
    (body.get("tools").is_some(), body.get("response_format").is_some())
}

#[tokio::test]
async fn the_schema_is_sent_when_it_can_be_met() {
    use SendSchema::{Always, Never, WithoutTools};
    use ToolChoice::{Auto, None, Required};
    for (when, choice, with_tools, expected) in [
        (WithoutTools, Auto, false, (false, true)),
        (WithoutTools, Auto, true, (true, false)),
        (WithoutTools, Required, true, (true, false)),
        (WithoutTools, None, true, (false, true)),
        (Always, Auto, false, (false, true)),
        (Always, Auto, true, (true, true)),
        (Always, None, true, (true, true)),
        (Never, Auto, false, (false, false)),
        (Never, None, true, (true, false)),
    ] {
        assert_eq!(sent(when, choice, with_tools).await, expected, "{when:?} {choice:?} {with_tools}");
    }
}

#[tokio::test]
async fn a_strict_schema_is_closed_and_another_is_sent_as_it_is() {
    let case = Case { schema: Some(schema()), ..Case::default() };
    let strict = case.body(|model| model).await;
    let format = &strict["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["name"]), (&json!("json_schema"), &json!("output")));
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(format["json_schema"]["schema"]["additionalProperties"], false);
    assert_eq!(format["json_schema"]["schema"]["required"], json!(["a", "b"]));
    let loose = case.body(|model| model.strict_schema(false)).await;
    let expected = json!({ "name": "output", "strict": false, "schema": schema() });
    assert_eq!(loose["response_format"], json!({ "type": "json_schema", "json_schema": expected }));
}

#[tokio::test]
async fn insisting_replaces_auto_until_there_are_results() {
    let calls = Message::Assistant { text: None, calls: vec![call("c", "{}")] };
    let history = [user("one"), calls.clone(), result("c"), calls, result("c")];
    for (length, choice, expected) in [
        (1, ToolChoice::Auto, Some("required")),
        (3, ToolChoice::Auto, Some("required")),
        (5, ToolChoice::Auto, None),
        (5, ToolChoice::Required, Some("required")),
    ] {
        let case = Case {
            messages: history[..length].to_vec(),
            tools: tools(),
            schema: Some(schema()),
            parameters: Parameters { tool_choice: choice, ..Parameters::default() },
            ..Case::default()
        };
        let body = case.body(|model| model.insist_on_tools(2)).await;
        assert_eq!(body.get("tool_choice").and_then(Value::as_str), expected, "{length} {choice:?}");
        assert_eq!(body.get("response_format").is_some(), expected.is_none());
    }
}

#[tokio::test]
async fn sampling_that_is_no_number_is_refused_before_it_is_sent() {
    let server = Server::start([]).await;
    let model = HttpModel::openai_compatible(server.url(), "tiny", Eu).build().unwrap();
    for (temperature, top_p) in [(Some(f64::NAN), None), (None, Some(f64::INFINITY))] {
        let parameters = Parameters { temperature, top_p, ..Parameters::default() };
        let request = ModelRequest {
            system: "",
            messages: &[],
            tools: &[],
            output_schema: None,
            parameters: &parameters,
            time_limit: Duration::from_secs(15),
        };
        assert!(model.generate(request).await.unwrap_err().message.contains("finite"));
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn calls_reach_the_loop_as_the_provider_wrote_them() {
    // genai alone fails on the second and third, and on the fourth for its missing id; the first would lose a key.
    let answer = r#"{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[
        {"id":"b","type":"function","function":{"name":"count","arguments":"{\"n\":1,\"n\":9000000000000000001}"}},
        {"id":"a","type":"function","function":{"name":"count","arguments":"I will not"}},
        {"id":"c","type":"function","function":{"name":"count","arguments":"{\"n\":"}},
        {"type":"function","function":{"name":"no such tool","arguments":"{}"}}
    ]}}],"usage":{"prompt_tokens":11,"completion_tokens":7},"system_fingerprint":"fp_9"}"#;
    let (_, response) =
        Case { tools: tools(), ..Case::default() }.exchange(Reply::ok(answer), |model| model).await;
    let calls: Vec<_> = response
        .calls
        .iter()
        .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
        .collect();
    let expected = [
        ("b", "count", r#"{"n":1,"n":9000000000000000001}"#),
        ("a", "count", "I will not"),
        ("c", "count", "{\"n\":"),
        ("fuze-1-3", "no such tool", "{}"),
    ];
    assert_eq!(calls, expected);
    assert_eq!(response.finish, FinishReason::ToolCalls);
    assert_eq!((response.usage.input_tokens, response.usage.output_tokens), (Some(11), Some(7)));
    assert_eq!(response.system_fingerprint.as_deref(), Some("fp_9"));
}

#[tokio::test]
async fn an_empty_answer_reaches_the_loop() {
    let answer = r#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"length"}]}"#;
    let (_, response) = Case::default().exchange(Reply::ok(answer), |model| model).await;
    assert_eq!((response.text, response.calls.len(), response.finish), (None, 0, FinishReason::Length));
}

#[test]
fn the_residency_is_the_one_that_was_stated() {
    fn stated<M: Model>(_: &M) -> &'static str {
        <M::Residency as Residency>::NAME
    }
    let eu = HttpModel::openai_compatible("http://127.0.0.1/v1", "tiny", Eu).build().unwrap();
    let other = HttpModel::openai_compatible("http://127.0.0.1/v1", "tiny", Other).build().unwrap();
    assert_eq!((stated(&eu), stated(&other)), ("eu", "other"));
}
