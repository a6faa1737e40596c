// rule 17 · GDPR Art. 5(2) · a type of one's own that counts as true
use fuze_agent::logic::True;

pub struct Maybe;

impl True for Maybe {}

fn main() {}
