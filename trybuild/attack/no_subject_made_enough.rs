// rule 17 · GDPR Art. 4(1), 15, 17 · no subject made enough for personal data
use fuze_agent::logic::Yes;

impl fuze_agent::run::EnoughFor<Yes> for fuze_agent::run::NoSubject {}

fn main() {}
