// rule 16 · AI Act Art. 15 · a guardrail that sends a request of its own making to the model
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};

pub struct Watch;

#[async_trait::async_trait]
impl Guardrail for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::Output
    }
    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        model.generate(content).await?;
        Ok(Verdict::Pass)
    }
}

fn main() {}
