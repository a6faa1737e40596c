// rule 5 · GDPR Art. 44 · a model hosted outside, behind an object that says otherwise
use fuze_agent::law::residency::{Eu, Us};
use fuze_agent::model::{Model, ModelError, ModelIdentity, ModelRequest, ModelResponse};

pub struct Elsewhere;

#[async_trait::async_trait]
impl Model for Elsewhere {
    type Residency = Us;
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "p".into(), model: "m".into(), snapshot: "s".into() }
    }
    async fn generate(&self, _: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        std::future::pending().await
    }
}

pub fn here() -> Box<dyn Model<Residency = Eu>> {
    Box::new(Elsewhere)
}

fn main() {}
