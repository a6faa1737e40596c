// rule 17 · GDPR Art. 9(2)(h) · an Art. 9(2) basis implemented for a law of one's own that cites nothing
use fuze_agent::law::art9;
use fuze_agent::logic::Yes;

pub struct Nothing;

impl art9::Basis for art9::HealthOrSocialCare<Nothing> {
    const NAME: &'static str = "health_or_social_care";
    const ARTICLE: &'static str = "Art. 9(2)(h)";
    const LAW: Option<&'static str> = None;
    type AdmitsAutomatedDecisions = Yes;
}

fn main() {}
