// rule 17 · AI Act Art. 14 · no approval made enough for a risk of one's own
use fuze_agent::logic::No;

pub struct Low;

impl fuze_agent::law::oversight::Suffices<Low> for No {}

fn main() {}
