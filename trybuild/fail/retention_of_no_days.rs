// rule 8 · GDPR Art. 5(1)(e) · a retention window of no days
use fuze_agent::Retention;

const NEVER: Retention = Retention::days("never", 0, 365, 365);

fn main() {}
