// rule 17 · GDPR Art. 9(2) · an Art. 9(2) basis of one's own
use fuze_agent::law::art9;
use fuze_agent::logic::Yes;

pub struct Convenience;

impl art9::Basis for Convenience {
    const NAME: &'static str = "convenience";
    const ARTICLE: &'static str = "Art. 9(2)(z)";
    const LAW: Option<&'static str> = None;
    type AdmitsAutomatedDecisions = Yes;
}

fn main() {}
