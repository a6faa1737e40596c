// rule 17 · GDPR Art. 9, 44 · a residency of one's own that counts as the EU
use fuze_agent::law::residency;

pub struct Moon;

impl residency::EuOnly for Moon {}

fn main() {}
