// rule 17 · GDPR Art. 44 · a residency of one's own for models in the EU
use fuze_agent::law::residency;

pub struct Moon;

impl residency::HostedWithin<residency::Eu> for Moon {}

fn main() {}
