// rule 17 · GDPR Art. 44 · a model anywhere that counts as one in the EU
use fuze_agent::law::residency;

impl residency::HostedWithin<residency::Eu> for residency::Other {}

fn main() {}
