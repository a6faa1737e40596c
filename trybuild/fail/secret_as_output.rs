// rule 12 · GDPR Art. 32 · a secret as the output of a tool
use fuze_agent::Secret;

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Leak {
    key: Secret,
}

fn main() {}
