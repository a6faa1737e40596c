// rule 17 · GDPR Art. 5(2) · tools made to fit a type that is no agent
use fuze_agent::agent::Fits;
use fuze_agent_proof::tools::ReadDossier;

pub struct Nothing;

impl Fits<Nothing> for (ReadDossier,) {}

fn main() {}
