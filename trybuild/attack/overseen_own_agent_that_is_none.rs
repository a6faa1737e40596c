// rule 17 · AI Act Art. 14 · tools overseen for a type that is no agent
use fuze_agent::law::oversight::Overseen;
use fuze_agent_proof::tools::ReadDossier;

pub struct Nothing;

impl Overseen<Nothing> for (ReadDossier,) {}

fn main() {}
