// rule 9 · GDPR Art. 4(1), 15, 17 · a run without a subject taken for one with
use fuze_agent::run::Run;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::agents::Screener;

pub fn recast(run: Run<Screener, ScriptedModel>) -> Run<Screener, ScriptedModel, fuze_agent::run::Subject> {
    run.into()
}

fn main() {}
