// rule 17 · GDPR Art. 44 · a declared residency of one's own that admits every model
use fuze_agent::law::residency;

pub struct Moon;

impl residency::HostedWithin<Moon> for residency::Other {}

fn main() {}
