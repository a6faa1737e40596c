// rule 17 · GDPR Art. 22(2) · an Art. 22(2) basis of one's own
use fuze_agent::law::art22;

pub struct Because;

impl art22::Basis for Because {
    const NAME: &'static str = "contract_necessity";
    const ARTICLE: &'static str = "Art. 22(2)(a)";
}

fn main() {}
