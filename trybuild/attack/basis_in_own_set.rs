// rule 17 · GDPR Art. 6(1) · a basis asked about a set of one's own
use fuze_agent::law::lawful;
use fuze_agent::logic::Bool;

pub struct All;

pub fn holds() -> bool {
    <<lawful::Contract as lawful::Basis>::In<All> as Bool>::VALUE
}

fn main() {}
