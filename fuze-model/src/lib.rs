//! Real models over HTTP for fuze-agent: one client for every endpoint that speaks OpenAI's chat completions, built on
//! the [`genai`](https://docs.rs/genai/0.7.2) crate. It adds no retries, no streaming, no caching and no prompt of its own.
//!
//! ```no_run
//! use fuze_agent::law::residency;
//! use fuze_model::HttpModel;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = HttpModel::openai_compatible("https://api.mistral.ai/v1", "mistral-large-2512", residency::Eu)
//!     .api_key(std::env::var("MISTRAL_API_KEY")?)
//!     .provider("mistral")
//!     .build()?;
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! # Residency
//! [`residency::Eu`](fuze_agent::law::residency::Eu) above is a statement: whoever configures the endpoint says where it is
//! hosted, and the type carries it to the agent, which does not compile with a model outside its tools' residency. Nothing
//! here can check that the statement is true.
//!
//! # One request, no more
//! [`Model::generate`](fuze_agent::model::Model::generate) sends exactly one HTTP request, whatever comes back, because the
//! loop alone decides and records repetitions:
//! - the HTTP client's own repeats (protocol refusals, stale connections) are off: HTTP/1.1, a new connection a request;
//! - `Retry-After` is told in the error's words and not obeyed;
//! - redirects are not followed: a `3xx` is [`Refused`](fuze_agent::model::ModelErrorKind::Refused), and the API key goes to
//!   no other host;
//! - proxies in the environment (`HTTPS_PROXY` and the like) are ignored; [`Builder::proxy`] names one.
//!
//! | what happens | error |
//! |---|---|
//! | no whole answer within the request's time limit | `Timeout` |
//! | 429 | `RateLimited` |
//! | 5xx | `Unavailable` |
//! | other 4xx, 3xx | `Refused` |
//! | no connection (within 20 s), no trust, cut off on the way | `Transport` |
//! | not JSON, no choice, a call that cannot be read, longer than [`Builder::answer_limit_bytes`] | `Malformed` |
//!
//! A request that is dropped or out of time closes its connection; whether the provider goes on computing is its affair.
//!
//! # What reaches the loop
//! Arguments of calls are the provider's text, byte for byte, taken from the answer's body: duplicate keys, odd numbers and
//! text that is not JSON at all are there for the loop to refuse and record. (A provider that sends an object where the API
//! has a string gets it as JSON text; there, duplicate keys are gone.) Calls keep their order and ids; a missing, empty or
//! repeated id becomes `fuze-<messages>-<index>`: the number of messages in the request and the call's place in the answer.
//! An answer without text and calls is returned as it is. Reasoning that a provider returns beside the answer is dropped.
//!
//! # What reaches the provider
//! System, user, assistant with its calls, results, in this order, calls verbatim. One exception: arguments that are no
//! JSON object go back as `{"unparsed": "<the text>"}`, because llama.cpp and vLLM refuse a history that holds them.
//! When the final answer has a schema, [`SendSchema`] says when it is sent.
//!
//! # Limits
//! genai reads an answer whole before this crate sees it, so [`Builder::answer_limit_bytes`] bounds what goes on to the
//! loop and the evidence, not what is read; the time limit bounds that. Compressed answers are not asked for. Invalid UTF-8
//! in an answer arrives as U+FFFD. The API key is wiped from this crate's memory when the model is dropped; the copies that
//! genai and the HTTP client make for a request are not.

mod answer;
mod client;
mod config;
mod failure;
mod http;
mod request;

pub use config::{Builder, ConfigError, Refused, SendSchema};
pub use http::HttpModel;
