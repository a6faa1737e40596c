//! One question, one answer, of which a stated number of bytes is read.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{StatusCode, Url};

use crate::EngineError;

/// One question, one answer: its body.
pub(super) async fn post(
    client: &reqwest::Client,
    url: &Url,
    question: Vec<u8>,
    time_limit: Duration,
    answer_limit_bytes: usize,
) -> Result<Vec<u8>, EngineError> {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => EngineError::TimedOut { limit_ms: time_limit.as_millis() },
        // Without the URL, and with the cause, which reqwest leaves out of its own words.
        false => EngineError::Unreachable(causes(&error.without_url())),
    };
    let request = client.post(url.clone()).header(CONTENT_TYPE, JSON).header(ACCEPT, JSON).body(question);
    let mut answer = request.send().await.map_err(failed)?;
    // Of a body that explains the status nothing is told: it may repeat the question.
    if answer.status() != StatusCode::OK {
        return Err(EngineError::Unreachable(match answer.status().is_redirection() {
            true => format!("it answers {}, a redirect, which is not followed", answer.status().as_u16()),
            false => format!("it answers {}, expected 200", answer.status().as_u16()),
        }));
    }
    if !is_json(answer.headers()) {
        return Err(EngineError::Malformed(format!("its `content-type` is not `{JSON}`")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > answer_limit_bytes {
            return Err(EngineError::Malformed(format!("it has more than {answer_limit_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

const JSON: &str = "application/json";

/// Whether the body is said to be JSON as it is. Somebody between here and the server may answer 200 with a page of their own.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return false };
    let kind = kind.to_str().ok().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(JSON) && !headers.contains_key(CONTENT_ENCODING)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said.push_str(": ");
        said.push_str(&cause.to_string());
        next = cause.source();
    }
    // A certificate's names are the other side's text: on one line, and not too much of it.
    said.chars().take(LONGEST_CAUSE).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Characters of a cause that are told.
const LONGEST_CAUSE: usize = 512;
