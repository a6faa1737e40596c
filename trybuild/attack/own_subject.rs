// rule 17 · GDPR Art. 4(1), 15, 17 · a subject of one's own that is nobody
use fuze_agent::logic::Bool;

pub struct Nobody;

impl<P: Bool> fuze_agent::run::EnoughFor<P> for Nobody {}

fn main() {}
