// rule 17 · GDPR Art. 32 · the egress implemented for a list of one's own that names no hosts
use fuze_agent::boundary::{Egress, Hosts};
use fuze_agent::law::residency;

pub struct Secretly;

impl Egress for Hosts<residency::Eu, Secretly> {
    const NAME: &'static str = "none";
    const HOSTS: &'static [&'static str] = &[];
    type Reach = residency::Eu;
}

fn main() {}
