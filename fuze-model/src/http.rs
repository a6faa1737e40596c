//! The model: one request, one answer.

use std::fmt;

use async_trait::async_trait;
use fuze_agent::law::residency::Residency;
use fuze_agent::model::{Model, ModelError, ModelErrorKind, ModelIdentity, ModelRequest, ModelResponse};
use fuze_http::Endpoint;
use genai::adapter::AdapterKind;
use genai::resolver::AuthData;
use genai::{Headers, ModelIden, ServiceTarget};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::answer;
use crate::config::{Builder, Wire};
use crate::failure;
use crate::request::Outgoing;

/// A model behind an endpoint that speaks OpenAI's chat completions. `R` is where it is hosted, as its configuration states.
pub struct HttpModel<R: Residency> {
    residency: R,
    endpoint: Endpoint,
    client: genai::Client,
    identity: ModelIdentity,
    api_key: Option<Zeroizing<String>>,
    wire: Wire,
}

impl<R: Residency> HttpModel<R> {
    /// A model behind `base_url`, such as `https://api.mistral.ai/v1`, asked for by the name `model`. By passing `residency`
    /// you state where it is hosted. `https` is required, except on this machine.
    pub fn openai_compatible(
        base_url: impl Into<String>,
        model: impl Into<String>,
        residency: R,
    ) -> Builder<R> {
        Builder::new(base_url.into(), model.into(), residency)
    }

    pub(crate) fn assemble(
        residency: R,
        endpoint: Endpoint,
        client: genai::Client,
        [provider, model, snapshot]: [String; 3],
        api_key: Option<Zeroizing<String>>,
        wire: Wire,
    ) -> Self {
        let identity = ModelIdentity { provider, model, snapshot };
        Self { residency, endpoint, client, identity, api_key, wire }
    }

    /// Where it is hosted, as stated.
    #[must_use]
    pub fn residency(&self) -> &R {
        &self.residency
    }

    fn target(&self) -> ServiceTarget {
        let headers = match &self.api_key {
            Some(key) => Headers::from(("authorization", format!("Bearer {}", key.as_str()))),
            None => Headers::default(),
        };
        let url = self.endpoint.url().to_string();
        ServiceTarget {
            endpoint: genai::resolver::Endpoint::from_owned(url.as_str()),
            // Takes the URL and the headers as they are; with any other kind genai insists on a key.
            auth: AuthData::RequestOverride { url, headers },
            model: ModelIden::new(AdapterKind::OpenAI, self.identity.model.as_str()),
        }
    }

    fn key(&self) -> Option<&str> {
        self.api_key.as_ref().map(|key| key.as_str())
    }
}

#[async_trait]
impl<R: Residency> Model for HttpModel<R> {
    type Residency = R;

    fn identity(&self) -> ModelIdentity {
        self.identity.clone()
    }

    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        let out_of_time = || {
            ModelError::new(
                ModelErrorKind::Timeout,
                format!("no whole answer within {} ms", request.time_limit.as_millis()),
            )
        };
        if request.time_limit.is_zero() {
            return Err(out_of_time());
        }
        let Outgoing { chat, options } = Outgoing::write(&request, &self.identity.model, &self.wire)?;
        let sent = self.client.exec_chat(self.target(), chat, Some(&options));
        let body = match timeout(request.time_limit, sent).await {
            Err(_elapsed) => return Err(out_of_time()),
            Ok(Ok(response)) => response.captured_raw_body,
            // genai could not make sense of the body, but it was JSON: it is read here, and by stricter or laxer rules.
            Ok(Err(genai::Error::ChatResponseGeneration { response_body, .. })) => Some(*response_body),
            Ok(Err(error)) => return Err(failure::describe(error, self.key())),
        };
        let Some(body) = body else {
            return Err(ModelError::new(ModelErrorKind::Malformed, "genai returned no body"));
        };
        answer::read(&body, request.messages.len(), self.wire.answer_limit_bytes)
            .map_err(|error| failure::scrub(error, self.key()))
    }
}

impl<R: Residency> fmt::Debug for HttpModel<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No key, of the URL the host alone (a query may hold one), and none of the provider's own fields.
        f.debug_struct("HttpModel")
            .field("residency", &R::NAME)
            .field("host", &self.endpoint.host())
            .field("identity", &self.identity)
            .field("has_api_key", &self.api_key.is_some())
            .finish_non_exhaustive()
    }
}
