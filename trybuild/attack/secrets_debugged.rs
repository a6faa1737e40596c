// rule 12 · GDPR Art. 32 · all secrets written into a log
use fuze_agent::Secrets;

pub fn log(secrets: &Secrets) -> String {
    format!("{secrets:?}")
}

fn main() {}
