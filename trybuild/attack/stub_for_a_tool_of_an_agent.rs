// rule 17 · AI Act Art. 14 · what the macro puts where no tool stands, made to speak for a tool
use fuze_agent::__private::{Listed, NotATool};
use fuze_agent_proof::tools::ReadDossier;

impl NotATool<ReadDossier> for Listed<ReadDossier> {
    const PERSONAL: bool = false;
}

fn main() {}
