// rule 17 · GDPR Art. 22(2) · the missing basis turned into a basis
use fuze_agent::law::art22;

impl art22::Basis for art22::Unstated {
    const NAME: &'static str = "unstated";
    const ARTICLE: &'static str = "none";
}

fn main() {}
