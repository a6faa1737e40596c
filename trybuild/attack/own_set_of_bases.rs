// rule 17 · GDPR Art. 6(1) · a set of lawful bases of one's own that holds all of them and names none
use fuze_agent::law::lawful;
use fuze_agent::logic::Yes;

pub struct All;

impl lawful::Bases for All {
    const NAMES: &'static [&'static str] = &[];
    type Consent = Yes;
    type Contract = Yes;
    type LegalObligation = Yes;
    type VitalInterests = Yes;
    type PublicTask = Yes;
    type LegitimateInterests = Yes;
}

fn main() {}
