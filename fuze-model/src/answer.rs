//! From the body of an answer to what the loop takes. It checks the shape and nothing of the content: names, arguments and
//! text stay what the provider sent.

use std::collections::BTreeSet;

use fuze_agent::model::{FinishReason, ModelError, ModelErrorKind, ModelResponse, RequestedCall, Usage};
use genai::chat::StopReason;
use serde_json::Value;

use crate::failure;

/// How ids begin that are made here.
const MADE_HERE: &str = "fuze-";

/// Reads the body of a successful answer. `history_len` is the number of messages in the request, for the ids of calls
/// that have none.
pub(crate) fn read(
    body: &Value,
    history_len: usize,
    limit_bytes: usize,
) -> Result<ModelResponse, ModelError> {
    let Some(choice) = body.pointer("/choices/0") else {
        // Some gateways report errors with status 200.
        return Err(malformed(format!("the answer has no choice: {}", failure::excerpt(body))));
    };
    let Some(message) = choice.get("message").filter(|message| message.is_object()) else {
        return Err(malformed("the answer's first choice has no message"));
    };
    let calls = calls(message.get("tool_calls"), history_len)?;
    let refusal = message.get("refusal").and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = match text(message.get("content"))? {
        Some(text) => Some(text),
        None => refusal.map(str::to_owned),
    };
    let finish = match choice.get("finish_reason").and_then(Value::as_str) {
        _ if refusal.is_some() => FinishReason::ContentFilter,
        Some(reason) => finish(reason),
        None => FinishReason::Unknown,
    };
    let size = calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len()).sum::<usize>()
        + text.as_ref().map_or(0, String::len);
    if size > limit_bytes {
        return Err(malformed(format!("the answer holds {size} bytes, the limit is {limit_bytes}")));
    }
    let tokens = |name| body.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    Ok(ModelResponse {
        text,
        calls,
        finish,
        usage: Usage { input_tokens: tokens("prompt_tokens"), output_tokens: tokens("completion_tokens") },
        system_fingerprint: body
            .get("system_fingerprint")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
    })
}

/// The text of a message: a string, or Mistral's chunks, of which those of type `text` count.
fn text(content: Option<&Value>) -> Result<Option<String>, ModelError> {
    let text = match content {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(chunks)) => chunks
            .iter()
            .filter(|chunk| chunk.get("type").and_then(Value::as_str) == Some("text"))
            .filter_map(|chunk| chunk.get("text").and_then(Value::as_str))
            .collect(),
        Some(_) => return Err(malformed("the answer's content is neither text nor a list")),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn calls(calls: Option<&Value>, history_len: usize) -> Result<Vec<RequestedCall>, ModelError> {
    let calls = match calls {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(calls)) => calls,
        Some(_) => return Err(malformed("`tool_calls` is not a list")),
    };
    let mut taken = BTreeSet::new();
    calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let given = call.get("id").and_then(Value::as_str).unwrap_or_default();
            // A result answers exactly one call, so no two ids are the same: neither two given ones, nor a given one and
            // one made here.
            let usable = !given.is_empty() && !given.starts_with(MADE_HERE) && taken.insert(given);
            let id = if usable { given.to_owned() } else { format!("{MADE_HERE}{history_len}-{index}") };
            let name = call.pointer("/function/name").and_then(Value::as_str);
            let Some(name) = name else {
                return Err(malformed(format!("call {index} of the answer names no function")));
            };
            let arguments = match call.pointer("/function/arguments") {
                Some(Value::String(text)) => text.clone(),
                // Left out: not the same as `{}`; the loop says what it makes of it.
                None => String::new(),
                Some(other) => other.to_string(),
            };
            Ok(RequestedCall { id, name: name.to_owned(), arguments })
        })
        .collect()
}

fn finish(reason: &str) -> FinishReason {
    match StopReason::from(reason.to_owned()) {
        StopReason::Completed(_) | StopReason::StopSequence(_) => FinishReason::Stop,
        StopReason::ToolCall(_) => FinishReason::ToolCalls,
        StopReason::MaxTokens(_) => FinishReason::Length,
        StopReason::ContentFilter(_) => FinishReason::ContentFilter,
        StopReason::Other(_) => FinishReason::Unknown,
    }
}

fn malformed(message: impl Into<String>) -> ModelError {
    ModelError::new(ModelErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(message: Value) -> Result<ModelResponse, ModelError> {
        read(&json!({ "choices": [{ "message": message, "finish_reason": "stop" }] }), 3, 1000)
    }

    fn call(id: Value, arguments: Value) -> Value {
        json!({ "id": id, "type": "function", "function": { "name": "pay", "arguments": arguments } })
    }

    #[test]
    fn arguments_stay_the_providers_text() {
        for text in [
            r#"{"b":1,"a":2,"b":3}"#,
            r#" { "amount" : 1e400 } "#,
            "{\"amount\": 10000000000000000000000001}",
            "sorry, I cannot",
            "{\"truncated\": ",
            "",
            "null",
        ] {
            let response = message(json!({ "tool_calls": [call(json!("c1"), json!(text))] })).unwrap();
            assert_eq!(response.calls[0].arguments, text);
        }
    }

    #[test]
    fn arguments_of_another_type_become_json_text_and_left_out_ones_no_object() {
        let calls = json!([
            call(json!("a"), json!({ "x": [1] })),
            call(json!("b"), json!(7)),
            call(json!("c"), Value::Null),
            { "id": "d", "function": { "name": "pay" } },
        ]);
        let calls = message(json!({ "tool_calls": calls })).unwrap().calls;
        let arguments: Vec<&str> = calls.iter().map(|call| call.arguments.as_str()).collect();
        assert_eq!(arguments, [r#"{"x":[1]}"#, "7", "null", ""]);
    }

    #[test]
    fn calls_keep_order_and_ids_and_every_result_can_name_its_call() {
        let calls = json!([
            call(json!("z"), json!("{}")),
            call(json!("a"), json!("{}")),
            call(json!("z"), json!("{}")),
            call(json!(""), json!("{}")),
            call(Value::Null, json!("{}")),
            call(json!("fuze-3-2"), json!("{}")),
        ]);
        let body = json!({ "tool_calls": calls });
        let ids: Vec<String> = message(body.clone()).unwrap().calls.into_iter().map(|call| call.id).collect();
        assert_eq!(ids, ["z", "a", "fuze-3-2", "fuze-3-3", "fuze-3-4", "fuze-3-5"]);
        let again: Vec<String> = message(body).unwrap().calls.into_iter().map(|call| call.id).collect();
        assert_eq!(ids, again);
    }

    #[test]
    fn text_is_not_trimmed_and_an_empty_answer_is_an_answer() {
        assert_eq!(message(json!({ "content": " a\n" })).unwrap().text.as_deref(), Some(" a\n"));
        for empty in [json!({}), json!({ "content": null }), json!({ "content": "", "tool_calls": [] })] {
            let response = message(empty).unwrap();
            assert_eq!((response.text, response.calls), (None, vec![]));
        }
    }

    #[test]
    fn chunks_of_text_are_joined_and_reasoning_is_left_out() {
        let content = json!([
            { "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] },
            { "type": "text", "text": "yes" },
            { "type": "text", "text": "!" },
        ]);
        assert_eq!(message(json!({ "content": content })).unwrap().text.as_deref(), Some("yes!"));
    }

    #[test]
    fn a_refusal_is_kept_and_told() {
        let response = message(json!({ "content": null, "refusal": "no" })).unwrap();
        assert_eq!((response.text.as_deref(), response.finish), (Some("no"), FinishReason::ContentFilter));
    }

    #[test]
    fn every_finish_reason_is_told_apart() {
        for (wire, expected) in [
            (json!("stop"), FinishReason::Stop),
            (json!("tool_calls"), FinishReason::ToolCalls),
            (json!("length"), FinishReason::Length),
            (json!("content_filter"), FinishReason::ContentFilter),
            (json!("weather"), FinishReason::Unknown),
            (Value::Null, FinishReason::Unknown),
            (json!(1), FinishReason::Unknown),
        ] {
            let body = json!({ "choices": [{ "message": {}, "finish_reason": wire }] });
            assert_eq!(read(&body, 0, 10).unwrap().finish, expected, "{wire}");
        }
    }

    #[test]
    fn usage_and_fingerprint_are_told_only_when_the_provider_does() {
        let mut body = json!({ "choices": [{ "message": {} }] });
        assert_eq!(read(&body, 0, 10).unwrap().usage, Usage::default());
        body["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 4_294_967_296_u64 });
        body["system_fingerprint"] = json!("fp_1");
        let response = read(&body, 0, 10).unwrap();
        assert_eq!(response.usage, Usage { input_tokens: Some(0), output_tokens: Some(4_294_967_296) });
        assert_eq!(response.system_fingerprint.as_deref(), Some("fp_1"));
        body["usage"] = json!({ "prompt_tokens": -1, "completion_tokens": "7" });
        assert_eq!(read(&body, 0, 10).unwrap().usage, Usage::default());
    }

    #[test]
    fn what_has_no_shape_is_malformed() {
        for body in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "choices": [] }),
            json!({ "choices": {} }),
            json!({ "choices": [null] }),
            json!({ "choices": [{ "text": "legacy" }] }),
            json!({ "choices": [{ "message": "hello" }] }),
            json!({ "choices": [{ "message": { "content": 7 } }] }),
            json!({ "choices": [{ "message": { "tool_calls": {} } }] }),
            json!({ "choices": [{ "message": { "tool_calls": ["pay"] } }] }),
            json!({ "choices": [{ "message": { "tool_calls": [{ "id": "a", "function": {} }] } }] }),
            json!({ "error": { "message": "overloaded" } }),
        ] {
            assert_eq!(read(&body, 0, 1000).unwrap_err().kind, ModelErrorKind::Malformed, "{body}");
        }
    }

    #[test]
    fn an_answer_longer_than_the_limit_is_malformed() {
        let body = |length: usize| json!({ "choices": [{ "message": { "content": "a".repeat(length) } }] });
        assert!(read(&body(10), 0, 10).is_ok());
        assert_eq!(read(&body(11), 0, 10).unwrap_err().kind, ModelErrorKind::Malformed);
    }

    /// Changed, cut and doubled bodies: no panic, and what is read keeps what the rest of the loop relies on.
    #[test]
    fn changed_bodies_are_read_or_refused() {
        let body = r#"{"choices":[{"finish_reason":"tool_calls","message":{"content":[{"type":"text","text":"a"}],"refusal":"",
            "tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}},{"id":"c","function":{"name":"f"}}]}}],
            "usage":{"prompt_tokens":11,"completion_tokens":7},"system_fingerprint":"fp"}"#;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let (mut read_well, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = body.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = br#"{}[]",:0a-n\u"#[next(13)],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, bytes[next(bytes.len())]),
                }
            }
            let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
            match read(&value, 1, 200) {
                Ok(response) => {
                    read_well += 1;
                    let ids: BTreeSet<&str> = response.calls.iter().map(|call| call.id.as_str()).collect();
                    assert_eq!(ids.len(), response.calls.len());
                    assert!(!ids.contains("") && response.text.as_deref() != Some(""));
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind, ModelErrorKind::Malformed);
                }
            }
        }
        assert!(read_well > 500 && refused > 100, "{read_well} {refused}");
    }
}
