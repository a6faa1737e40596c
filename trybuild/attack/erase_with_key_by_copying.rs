// rule 11 · AI Act Art. 12, 14 · tools erased with a copy of one that passes by
use fuze_agent::Agent;
use fuze_agent::agent::Fits;
use fuze_agent_proof::agents::Screener;

pub fn steal<K: Clone>(agent: &Screener, key: &K) {
    let _ = Fits::<Screener>::erase(agent.tools(), key.clone());
}

fn main() {}
