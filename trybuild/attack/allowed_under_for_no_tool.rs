// rule 17 · GDPR Art. 6(1) · the relation for a type that is no tool
use fuze_agent::law::lawful;

pub struct Nothing;

impl lawful::AllowedUnder<lawful::Consent> for Nothing {}

fn main() {}
