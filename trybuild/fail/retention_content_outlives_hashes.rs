// rule 8 · GDPR Art. 5(1)(e) · content kept longer than the hashes that prove it
use fuze_agent::Retention;

const LONG: Retention = Retention::days("long", 365, 30, 365);

fn main() {}
