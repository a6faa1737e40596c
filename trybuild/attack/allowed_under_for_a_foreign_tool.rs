// rule 17 · GDPR Art. 6(1) · somebody else's tool allowed under another basis
use fuze_agent::law::lawful;
use fuze_agent_proof::tools::ReadDossier;

impl lawful::AllowedUnder<lawful::Consent> for ReadDossier {}

fn main() {}
