// rule 17 · GDPR Art. 5(2) · a tool made of somebody else's type
use fuze_agent::Tool;
use fuze_agent_proof::{Deps, Query};

impl Tool for Deps {
    type Args = Query;
}

fn main() {}
