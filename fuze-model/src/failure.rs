//! From what went wrong to the loop's kinds of error, in words that hold neither the API key nor the request.

use std::error::Error as _;

use fuze_agent::model::{ModelError, ModelErrorKind};
use genai::webc;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// The most characters of a provider's words in an error.
const EXCERPT_CHARS: usize = 1_000;

pub(crate) fn describe(error: genai::Error, key: Option<&str>) -> ModelError {
    let error = match error {
        genai::Error::WebModelCall { webc_error, .. } | genai::Error::WebAdapterCall { webc_error, .. } => {
            web(webc_error)
        }
        genai::Error::HttpError { status, body, headers, .. } => http(status, &body, &headers),
        // Never printed as it is: other variants may hold the request. None of them comes from a request that was sent.
        _ => {
            ModelError::new(ModelErrorKind::Malformed, "genai could not write the request or read the answer")
        }
    };
    scrub(error, key)
}

/// Takes the key out of an error's words: some providers repeat it. Then cuts them.
pub(crate) fn scrub(mut error: ModelError, key: Option<&str>) -> ModelError {
    if let Some(key) = key {
        error.message = error.message.replace(key, "[api key]");
    }
    error.message = cut(&error.message);
    error
}

/// A provider's words from a JSON body, uncut; the caller scrubs.
pub(crate) fn excerpt(body: &Value) -> String {
    ["/error/message", "/message", "/error", "/detail"]
        .into_iter()
        .find_map(|path| body.pointer(path).and_then(Value::as_str))
        .map_or_else(|| body.to_string(), str::to_owned)
}

fn web(error: webc::Error) -> ModelError {
    match error {
        webc::Error::ResponseFailedStatus { status, body, headers } => http(status, &body, &headers),
        webc::Error::ResponseFailedNotJson { content_type, body } => ModelError::new(
            ModelErrorKind::Malformed,
            format!("expected `application/json`, found `{content_type}`: {body}"),
        ),
        webc::Error::ResponseFailedInvalidJson { cause, .. } => {
            ModelError::new(ModelErrorKind::Malformed, format!("not JSON: {cause}"))
        }
        webc::Error::JsonValueExt(_) => {
            ModelError::new(ModelErrorKind::Malformed, "an unexpected shape of JSON")
        }
        webc::Error::Reqwest(error) => transport(error),
    }
}

fn http(status: StatusCode, body: &str, headers: &HeaderMap) -> ModelError {
    let kind = match status.as_u16() {
        429 => ModelErrorKind::RateLimited,
        300..=499 => ModelErrorKind::Refused,
        500..=599 => ModelErrorKind::Unavailable,
        _ => ModelErrorKind::Malformed,
    };
    let words = serde_json::from_str::<Value>(body).map_or_else(|_| body.to_owned(), |body| excerpt(&body));
    let mut message = format!("HTTP {}", status.as_u16());
    if status.is_redirection() {
        message.push_str(", a redirect, which is not followed: put the right address into the base URL");
    }
    if let Some(wait) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) {
        message.push_str(&format!(", retry after `{wait}`"));
    }
    if !words.is_empty() {
        message.push_str(": ");
        message.push_str(&words);
    }
    ModelError::new(kind, message)
}

/// A connection that failed: the innermost cause says most. The URL is left out, as its query may hold a key.
fn transport(error: reqwest::Error) -> ModelError {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = error.source();
    // Bounded: a chain of causes is short, and no one promises that it ends.
    for _ in 0..8 {
        let Some(inner) = cause else { break };
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    ModelError::new(ModelErrorKind::Transport, message)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
