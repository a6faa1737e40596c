// rule 17 · GDPR Art. 6(1) · a lawful basis of one's own that is in every set
use fuze_agent::law::lawful;
use fuze_agent::logic::Yes;

pub struct Because;

impl lawful::Basis for Because {
    const NAME: &'static str = "contract";
    const ARTICLE: &'static str = "Art. 6(1)(b)";
    type In<S: lawful::Bases> = Yes;
    type IsConsent = Yes;
    type IsContract = Yes;
    type IsLegalObligation = Yes;
    type IsVitalInterests = Yes;
    type IsPublicTask = Yes;
    type IsLegitimateInterests = Yes;
}

fn main() {}
