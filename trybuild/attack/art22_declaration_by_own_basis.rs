// rule 17 · GDPR Art. 22(2) · a decision on a basis of one's own that says it is none
use fuze_agent::law::art22;
use fuze_agent::logic::No;

pub struct Because;

impl art22::Declaration for art22::Decides<Because> {
    const NAME: &'static str = "none";
    type Decides = No;
}

fn main() {}
