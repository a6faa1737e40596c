// rule 11 · AI Act Art. 12, 14 · tools erased with a key deserialised
use fuze_agent::Agent;
use fuze_agent::agent::Fits;
use fuze_agent_proof::agents::Screener;

pub fn steal(agent: &Screener) {
    let _ = Fits::<Screener>::erase(agent.tools(), serde_json::from_str("null").unwrap());
}

fn main() {}
