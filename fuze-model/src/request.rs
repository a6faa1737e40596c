//! From the loop's request to the body on the wire.
//!
//! genai writes tools, sampling and the answer's format. The messages are written here, because genai parses the arguments
//! of earlier calls and writes them anew, and the model's name, because genai reads endings such as `-high` as settings.

use fuze_agent::model::{
    Message, ModelError, ModelErrorKind, ModelRequest, RequestedCall, ToolChoice, ToolSpec,
};
use genai::chat::{self, ChatOptions, ChatRequest, JsonSpec, ReasoningEffort, Tool};
use serde_json::{Map, Value, json};

use crate::config::{SendSchema, Wire};

/// What the schema of the final answer is called on the wire.
const OUTPUT_NAME: &str = "output";

/// A request as genai takes it.
pub(crate) struct Outgoing {
    pub(crate) chat: ChatRequest,
    pub(crate) options: ChatOptions,
}

impl Outgoing {
    pub(crate) fn write(request: &ModelRequest<'_>, model: &str, wire: &Wire) -> Result<Self, ModelError> {
        let parameters = request.parameters;
        for (name, value) in [("temperature", parameters.temperature), ("top_p", parameters.top_p)] {
            if value.is_some_and(|value| !value.is_finite()) {
                return Err(ModelError::new(
                    ModelErrorKind::Refused,
                    format!("`{name}` must be a finite number"),
                ));
            }
        }
        let choice = tool_choice(parameters.tool_choice, request.messages, wire.insist_on_results);
        let callable = !request.tools.is_empty() && choice != ToolChoice::None;
        let schema = match wire.send_schema {
            SendSchema::WithoutTools if callable => None,
            SendSchema::WithoutTools | SendSchema::Always => request.output_schema,
            SendSchema::Never => None,
        };
        // A grammar for the answer and one for the calls exclude each other.
        let offer_tools = !request.tools.is_empty()
            && (callable || schema.is_none() || wire.send_schema == SendSchema::Always);

        let mut extra = wire.fields.clone();
        extra.insert("model".to_owned(), json!(model));
        extra.insert("messages".to_owned(), messages(request.system, request.messages));

        // `Budget` writes nothing and keeps genai from reading an effort out of the model's name.
        let mut options = ChatOptions::default()
            .with_capture_raw_body(true)
            .with_reasoning_effort(ReasoningEffort::Budget(0));
        options.temperature = parameters.temperature;
        options.top_p = parameters.top_p;
        options.max_tokens = parameters.max_tokens;
        options.seed = parameters.seed;
        let mut chat = ChatRequest::default();
        if offer_tools {
            chat.tools = Some(request.tools.iter().map(tool).collect());
            options.tool_choice = Some(match choice {
                ToolChoice::Auto => chat::ToolChoice::Auto,
                ToolChoice::Required => chat::ToolChoice::Required,
                ToolChoice::None => chat::ToolChoice::None,
            });
            if let Some(allow) = wire.parallel_tool_calls {
                extra.insert("parallel_tool_calls".to_owned(), json!(allow));
            }
        }
        if let Some(schema) = schema {
            if wire.strict {
                options.response_format = Some(JsonSpec::new(OUTPUT_NAME, schema.clone()).into());
            } else {
                extra.insert(
                    "response_format".to_owned(),
                    json!({
                        "type": "json_schema",
                        "json_schema": { "name": OUTPUT_NAME, "strict": false, "schema": schema },
                    }),
                );
            }
        }
        options.extra_body = Some(Value::Object(extra));
        Ok(Self { chat, options })
    }
}

/// The choice that is sent for the loop's.
fn tool_choice(asked: ToolChoice, history: &[Message], insist_on_results: usize) -> ToolChoice {
    if asked != ToolChoice::Auto || insist_on_results == 0 {
        return asked;
    }
    let results = history.iter().filter(|message| matches!(message, Message::Tool { .. })).count();
    if results < insist_on_results { ToolChoice::Required } else { ToolChoice::None }
}

fn tool(spec: &ToolSpec) -> Tool {
    Tool::new(spec.name).with_description(spec.description).with_schema(spec.parameters.clone())
}

/// The history in the API's order and words.
fn messages(system: &str, history: &[Message]) -> Value {
    let mut messages = Vec::with_capacity(history.len().saturating_add(1));
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(history.iter().map(message));
    Value::Array(messages)
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "content": text }),
        Message::Assistant { text, calls } if calls.is_empty() => {
            json!({ "role": "assistant", "content": text.as_deref().unwrap_or_default() })
        }
        Message::Assistant { text, calls } => {
            let calls: Vec<Value> = calls.iter().map(call).collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
        // The name and whether it is an error are not part of the API: the content says both.
        Message::Tool { call_id, content, name: _, is_error: _ } => {
            json!({ "role": "tool", "tool_call_id": call_id, "content": content })
        }
    }
}

fn call(call: &RequestedCall) -> Value {
    let arguments = if serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok() {
        call.arguments.clone()
    } else {
        // llama.cpp and vLLM parse the history's arguments and refuse the request when they cannot: one bad call would
        // otherwise end the run.
        json!({ "unparsed": call.arguments }).to_string()
    };
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}
