// rule 9 · GDPR Art. 4(1), 15, 17 · a run rebuilt with a subject of one's own
use fuze_agent::run::Run;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::agents::Screener;

pub struct Nobody;

pub fn rebuild(run: Run<Screener, ScriptedModel>) -> Run<Screener, ScriptedModel, Nobody> {
    Run { subject: Nobody, ..run }
}

fn main() {}
