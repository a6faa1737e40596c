// rule 17 · GDPR Art. 44 · the relation that lets data go anywhere
use fuze_agent::boundary::{Anywhere, Within};
use fuze_agent::law::residency;

impl Within<residency::Eu> for Anywhere {}

fn main() {}
