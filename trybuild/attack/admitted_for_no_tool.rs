// rule 17 · GDPR Art. 22(4) · the relation for a type that is no tool
use fuze_agent::law::art22;
use fuze_agent::law::data::AdmittedBy;

pub struct Nothing;

impl AdmittedBy<art22::None> for Nothing {}

fn main() {}
