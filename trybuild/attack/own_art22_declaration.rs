// rule 17 · GDPR Art. 22 · a declaration of one's own that decides and says it does not
use fuze_agent::law::art22;
use fuze_agent::logic::No;

pub struct Quietly;

impl art22::Declaration for Quietly {
    const NAME: &'static str = "none";
    type Decides = No;
}

fn main() {}
