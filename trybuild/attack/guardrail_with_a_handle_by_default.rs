// rule 16 · AI Act Art. 15 · a handle by default
use fuze_agent::guardrail::GuardrailModel;

pub fn forge() -> GuardrailModel {
    Default::default()
}

fn main() {}
