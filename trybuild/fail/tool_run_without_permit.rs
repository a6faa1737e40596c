// rule 10 · AI Act Art. 12, 14 · a tool run with its arguments and no permit
use fuze_agent::Tool;
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

pub async fn run() {
    let _ = ReadDossier.run(Query { id: "7".into() }).await;
}

fn main() {}
