// rule 17 · GDPR Art. 44 · an egress of one's own that claims to stay in the EU
use fuze_agent::boundary::Egress;
use fuze_agent::law::residency;

pub struct Homeward;

impl Egress for Homeward {
    const NAME: &'static str = "eu";
    const HOSTS: &'static [&'static str] = &[];
    type Reach = residency::Eu;
}

fn main() {}
