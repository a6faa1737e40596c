// rule 11 · AI Act Art. 12, 14 · tools erased with something that looks like the key
use fuze_agent::Agent;
use fuze_agent::agent::Fits;
use fuze_agent_proof::agents::Screener;

struct Internal;

pub fn steal(agent: &Screener) {
    let _ = Fits::<Screener>::erase(agent.tools(), Internal);
}

fn main() {}
