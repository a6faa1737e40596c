// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a resume whose decisions are exchanged
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::agents::Screener;

pub fn change<From>(resume: &mut fuze_agent::resume::Resume<Screener, ScriptedModel>, from: From) {
    resume.from = from;
}

fn main() {}
