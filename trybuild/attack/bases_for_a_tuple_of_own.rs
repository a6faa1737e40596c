// rule 17 · GDPR Art. 6(1) · a tuple with a type of one's own as a set of bases
use fuze_agent::law::lawful;
use fuze_agent::logic::Yes;

pub struct Because;

impl lawful::Bases for (Because,) {
    const NAMES: &'static [&'static str] = &[];
    type Consent = Yes;
    type Contract = Yes;
    type LegalObligation = Yes;
    type VitalInterests = Yes;
    type PublicTask = Yes;
    type LegitimateInterests = Yes;
}

fn main() {}
