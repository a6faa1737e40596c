// rule 8 · GDPR Art. 5(1)(e) · a retention without an id
use fuze_agent::Retention;

const NAMELESS: Retention = Retention::days("", 30, 365, 365);

fn main() {}
