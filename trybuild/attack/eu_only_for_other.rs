// rule 17 · GDPR Art. 9, 44 · `other` made to count as the EU
use fuze_agent::law::residency;

impl residency::EuOnly for residency::Other {}

fn main() {}
