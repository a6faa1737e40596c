// rule 16 · AI Act Art. 15 · a guardrail that leaks what it is lent, to have it for good
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};

pub struct Leaks;

#[async_trait::async_trait]
impl Guardrail for Leaks {
    fn name(&self) -> &'static str {
        "leaks"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::Input
    }
    async fn check(&self, _: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        let _kept: &'static &'static GuardrailModel = Box::leak(Box::new(model));
        Ok(Verdict::Pass)
    }
}

fn main() {}
