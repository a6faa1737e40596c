// rule 16 · AI Act Art. 15 · a guardrail that keeps its handle, for a tool to ask the model by
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};

pub struct Watch(std::sync::Mutex<Option<GuardrailModel>>);

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
        let kept: GuardrailModel = model.clone();
        *self.0.lock().unwrap() = Some(kept);
        let _ = content;
        Ok(Verdict::Pass)
    }
}

fn main() {}
