// rule 11 · AI Act Art. 12, 14 · tools erased with the key that only the crate has
use fuze_agent::Agent;
use fuze_agent::agent::Fits;
use fuze_agent_proof::agents::Screener;

pub fn steal(agent: &Screener) {
    let _ = Fits::<Screener>::erase(agent.tools(), fuze_agent::sealed::Internal);
}

fn main() {}
