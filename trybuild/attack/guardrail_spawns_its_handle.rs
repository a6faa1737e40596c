// rule 16 · AI Act Art. 15 · a guardrail that asks on after its check
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
        tokio::spawn(async move { model.ask("still there?").await });
        let _ = content;
        Ok(Verdict::Pass)
    }
}

fn main() {}
