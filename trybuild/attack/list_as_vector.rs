// rule 17 · GDPR Art. 5(2) · a vector of tools, whose questions have no answer in types
use fuze_agent::agent::ToolList;
use fuze_agent_proof::tools::ReadDossier;

pub struct Hiring;

pub fn list<L: ToolList>(_: L) {}

pub fn ask() {
    list(vec![ReadDossier]);
}

fn main() {}
