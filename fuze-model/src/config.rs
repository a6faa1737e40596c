//! What an operator states about a model, checked when it is built.

use std::fmt;

use fuze_agent::law::residency::Residency;
use fuze_http::Endpoint;
pub use fuze_http::Refused;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::client;
use crate::http::HttpModel;

/// A model in the making; see [`HttpModel::openai_compatible`].
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<R: Residency> {
    residency: R,
    base_url: String,
    model: String,
    provider: Option<String>,
    snapshot: Option<String>,
    api_key: Option<Zeroizing<String>>,
    proxy: Option<String>,
    roots: Option<Vec<u8>>,
    pub(crate) wire: Wire,
}

/// How requests are written and answers bounded.
pub(crate) struct Wire {
    pub(crate) send_schema: SendSchema,
    pub(crate) strict: bool,
    pub(crate) parallel_tool_calls: Option<bool>,
    pub(crate) insist_on_results: usize,
    pub(crate) answer_limit_bytes: usize,
    pub(crate) fields: Map<String, Value>,
}

/// What the loop's request decides: no field of an operator's may stand in its place.
const DECIDED: [&str; 15] = [
    "function_call",
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "parallel_tool_calls",
    "response_format",
    "seed",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];

/// When the schema of the final answer is sent, as `response_format: json_schema`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendSchema {
    /// When the model cannot call a tool in this request: none is on offer, or the tool choice is `none`. The default,
    /// because servers that constrain the text by grammar (llama.cpp, vLLM) cannot let the model choose between a call and
    /// an answer of a schema. The tools are then left out of the request. Until then the model knows what to answer from
    /// its instructions alone.
    #[default]
    WithoutTools,
    /// Always, beside the tools. For providers that take both (OpenAI, Mistral).
    Always,
    /// Never. For endpoints that refuse `response_format`.
    Never,
}

impl<R: Residency> Builder<R> {
    pub(crate) fn new(base_url: String, model: String, residency: R) -> Self {
        Self {
            residency,
            base_url,
            model,
            provider: None,
            snapshot: None,
            api_key: None,
            proxy: None,
            roots: None,
            wire: Wire {
                send_schema: SendSchema::default(),
                strict: true,
                parallel_tool_calls: None,
                insist_on_results: 0,
                answer_limit_bytes: 4 * 1024 * 1024,
                fields: Map::new(),
            },
        }
    }

    /// The API key, sent as `Authorization: Bearer`. It is never formatted, and replaced wherever a provider's error repeats
    /// it. Without one no such header is sent.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Zeroizing::new(key.into()));
        self
    }

    /// The provider's name in the evidence. Default: the endpoint's host.
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.provider = Some(name.into());
        self
    }

    /// The snapshot that you pin, for the evidence and the drift check on resume. Default: the model's name.
    pub fn snapshot(mut self, name: impl Into<String>) -> Self {
        self.snapshot = Some(name.into());
        self
    }

    /// A proxy for everything, such as `http://proxy.intern:3128`. Only with `https`: it sees host and port, no more.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts exactly the certificate authorities in this PEM text, in place of the system's.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// When the schema of the final answer is sent.
    pub fn send_schema(mut self, when: SendSchema) -> Self {
        self.wire.send_schema = when;
        self
    }

    /// Whether the schema of the final answer is sent as `strict`, rewritten by genai to the subset that OpenAI takes (all
    /// properties required, none besides). Default: true. `false` sends it as it is.
    pub fn strict_schema(mut self, strict: bool) -> Self {
        self.wire.strict = strict;
        self
    }

    /// Whether the model may ask for several calls in one answer. Default: not said, which leaves it to the provider. Sent
    /// only beside tools.
    pub fn parallel_tool_calls(mut self, allow: bool) -> Self {
        self.wire.parallel_tool_calls = Some(allow);
        self
    }

    /// For small models that do not call tools of their own accord: where the loop says
    /// [`Auto`](fuze_agent::model::ToolChoice::Auto), sends `required` until the history holds this many tool results, then
    /// `none`. Default: 0, which leaves `auto` as it is.
    pub fn insist_on_tools(mut self, results: usize) -> Self {
        self.wire.insist_on_results = results;
        self
    }

    /// A field of the provider's own in every request's body, such as `store: false` (OpenAI: keep nothing) or
    /// `safe_prompt: true` and `random_seed` (Mistral). Fields that the loop's request decides are refused.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.wire.fields.insert(name.into(), value.into());
        self
    }

    /// The most bytes of text, names, ids and arguments in one answer; more is
    /// [`Malformed`](fuze_agent::model::ModelErrorKind::Malformed). Default: 4 MiB.
    pub fn answer_limit_bytes(mut self, limit: usize) -> Self {
        self.wire.answer_limit_bytes = limit;
        self
    }

    /// Checks everything and makes the model. Connects to nothing.
    ///
    /// # Errors
    /// When a value is not usable; the error says which and how to mend it.
    pub fn build(self) -> Result<HttpModel<R>, ConfigError> {
        let endpoint = Endpoint::below(&self.base_url, "chat/completions")?;
        let model = checked_name("model", self.model)?;
        let provider = match self.provider {
            Some(name) => checked_name("provider", name)?,
            None => checked_name("provider", endpoint.host().to_owned())
                .unwrap_or_else(|_| "openai-compatible".to_owned()),
        };
        let snapshot = match self.snapshot {
            Some(name) => checked_name("snapshot", name)?,
            None => model.clone(),
        };
        if let Some(key) = &self.api_key
            && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(ConfigError::ApiKey);
        }
        if let Some(name) = self.wire.fields.keys().find(|name| DECIDED.contains(&name.as_str())) {
            return Err(ConfigError::Field { name: name.clone() });
        }
        if self.proxy.is_some() && endpoint.is_plain() {
            return Err(ConfigError::ProxyWithoutTls);
        }
        let client = client::client(&endpoint, self.proxy.as_deref(), self.roots.as_deref())?;
        Ok(HttpModel::assemble(
            self.residency,
            endpoint,
            client,
            [provider, model, snapshot],
            self.api_key,
            self.wire,
        ))
    }
}

impl<R: Residency> fmt::Debug for Builder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the base URL, which may hold credentials until `build` has refused them, nor the provider's own fields.
        f.debug_struct("Builder")
            .field("residency", &R::NAME)
            .field("model", &self.model)
            .field("has_api_key", &self.api_key.is_some())
            .finish_non_exhaustive()
    }
}

/// A name that may stand in the evidence.
fn checked_name(what: &'static str, name: String) -> Result<String, ConfigError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(fits) {
        Ok(name)
    } else {
        Err(ConfigError::Name { what, found: name.chars().take(128).collect() })
    }
}

/// Why a model cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL, or whom to trust there.
    Connection(Refused),
    /// A name cannot stand in the evidence.
    Name {
        /// Whose.
        what: &'static str,
        /// The name, cut to 128 characters.
        found: String,
    },
    /// The API key is empty or holds characters that no header takes. It is not repeated here.
    ApiKey,
    /// A field of the body that the loop's request decides.
    Field {
        /// Its name.
        name: String,
    },
    /// A proxy was named for an endpoint without TLS.
    ProxyWithoutTls,
    /// The proxy's URL cannot be used.
    Proxy,
    /// The HTTP client cannot be built.
    Client {
        /// Why.
        cause: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(refused) => write!(f, "the model's server cannot be used: {refused}"),
            Self::Name { what, found } => write!(
                f,
                "the {what}'s name `{found}` cannot stand in the evidence: expected 1 to 128 characters of \
                 `A-Z a-z 0-9 . _ : / @ + -`"
            ),
            Self::ApiKey => f.write_str(
                "the API key is empty or holds a space, a line break or a character outside ASCII: pass the key alone",
            ),
            Self::Field { name } => write!(
                f,
                "the field `{name}` is decided by each request of the loop, which records it: set it there, or through the \
                 builder's own methods"
            ),
            Self::ProxyWithoutTls => f.write_str(
                "a proxy for an endpoint without TLS would carry the data off this machine in clear: leave the proxy out, \
                 or use `https`",
            ),
            Self::Proxy => {
                f.write_str("the proxy's URL cannot be used: expected one such as `http://proxy.intern:3128`")
            }
            Self::Client { cause } => write!(f, "the HTTP client cannot be built: {cause}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<Refused> for ConfigError {
    fn from(refused: Refused) -> Self {
        Self::Connection(refused)
    }
}

#[cfg(test)]
mod tests {
    use fuze_agent::law::residency::Eu;
    use fuze_agent::model::Model;

    use super::*;

    fn local() -> Builder<Eu> {
        HttpModel::openai_compatible("http://127.0.0.1:9/v1", "tiny", Eu)
    }

    fn refused(builder: Builder<Eu>, part: &str) {
        let error = builder.build().expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.starts_with(char::is_lowercase) && !error.ends_with('.'), "{error}");
    }

    #[test]
    fn the_identity_has_defaults_that_fit_the_evidence() {
        let identity = local().build().unwrap().identity();
        assert_eq!((identity.provider.as_str(), identity.model.as_str()), ("127.0.0.1", "tiny"));
        assert_eq!(identity.snapshot, "tiny");
        let identity = HttpModel::openai_compatible("http://[::1]/v1", "org/m:7b@q4", Eu)
            .snapshot("2026-11")
            .build()
            .unwrap();
        let identity = identity.identity();
        assert_eq!((identity.provider.as_str(), identity.snapshot.as_str()), ("::1", "2026-11"));
    }

    #[test]
    fn names_that_cannot_stand_in_the_evidence_are_refused() {
        for name in ["", "with space", "zeile\n", "ümlaut", &"a".repeat(129)] {
            refused(HttpModel::openai_compatible("http://127.0.0.1/v1", name, Eu), "the model's name");
            refused(local().provider(name), "the provider's name");
            refused(local().snapshot(name), "the snapshot's name");
        }
        assert!(local().provider("a".repeat(128)).build().is_ok());
    }

    #[test]
    fn keys_that_no_header_takes_are_refused_and_not_repeated() {
        for key in ["", "sk-hunter2\n", "sk hunter2", "sk-hunter2\r\nX-Other: 1", "sk-hünter2"] {
            refused(local().api_key(key), "the API key");
            let error = local().api_key(key).build().unwrap_err();
            assert!(!format!("{error:?} {error}").contains("nter2"));
        }
    }

    #[test]
    fn no_debug_output_holds_the_key() {
        let builder = local().api_key("sk-hunter2").field("user", "sk-hunter2");
        assert!(!format!("{builder:?}").contains("hunter2"));
        let model = builder.build().unwrap();
        let debug = format!("{model:?}");
        assert!(!debug.contains("hunter2") && debug.contains("\"eu\""), "{debug}");
    }

    #[test]
    fn fields_that_the_loop_decides_are_refused() {
        for name in DECIDED {
            refused(local().field(name, 1), name);
        }
        assert!(local().field("store", false).build().is_ok());
    }

    #[test]
    fn a_base_url_that_cannot_be_used_is_refused() {
        let at = |url: &str| HttpModel::openai_compatible(url, "m", Eu);
        refused(at("api.mistral.ai/v1"), "not a URL");
        refused(at("ftp://host/v1"), "`ftp`");
        refused(at("http://localhost.example.eu/v1"), "must be `https`");
        refused(at("https://hunter2@host/v1"), "credentials");
    }

    #[test]
    fn a_proxy_needs_tls_and_a_usable_url() {
        refused(local().proxy("http://127.0.0.1:1"), "in clear");
        let misspelt =
            || HttpModel::openai_compatible("https://host/v1", "m", Eu).proxy("http://sk-hunter2@[");
        refused(misspelt(), "the proxy's URL");
        assert!(!misspelt().build().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            refused(
                HttpModel::openai_compatible("https://host/v1", "m", Eu).root_certificates(pem),
                "no certificate authorities",
            );
        }
    }
}
