// rule 16 · AI Act Art. 15 · a handle made from its field
use fuze_agent::guardrail::GuardrailModel;

pub fn forge(other: GuardrailModel) -> GuardrailModel {
    GuardrailModel { ..other }
}

fn main() {}
