// rule 17 · GDPR Art. 9(2) · the missing basis turned into a basis
use fuze_agent::law::art9;
use fuze_agent::logic::Yes;

impl art9::Basis for art9::Unstated {
    const NAME: &'static str = "unstated";
    const ARTICLE: &'static str = "none";
    const LAW: Option<&'static str> = None;
    type AdmitsAutomatedDecisions = Yes;
}

fn main() {}
