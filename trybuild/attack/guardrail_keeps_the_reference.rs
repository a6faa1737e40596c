// rule 16 · AI Act Art. 15 · a guardrail that keeps the reference to its handle
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};

pub struct Watch(std::sync::Mutex<Option<&'static GuardrailModel>>);

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
        *self.0.lock().unwrap() = Some(model);
        let _ = content;
        Ok(Verdict::Pass)
    }
}

fn main() {}
