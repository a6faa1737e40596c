// rule 17 · GDPR Art. 44 · a residency of one's own that admits every place
use fuze_agent::law::residency;
use fuze_agent::logic::Yes;

pub struct Moon;

impl residency::Residency for Moon {
    const NAME: &'static str = "eu";
    type Admits<Host: residency::Residency> = Yes;
    type WithinEu = Yes;
    type WithinEea = Yes;
    type WithinAdequate = Yes;
    type WithinUs = Yes;
    type WithinOther = Yes;
}

fn main() {}
