// rule 17 · GDPR Art. 4(1), 15, 17 · no subject made enough for a truth value of one's own

pub struct Maybe;

impl fuze_agent::run::EnoughFor<Maybe> for fuze_agent::run::NoSubject {}

fn main() {}
