// rule 13 · AI Act Art. 12 · an output that is recorded as another type's
use fuze_agent::tool::ToolOutput;
use fuze_agent_proof::Query;

pub struct Mine;

impl ToolOutput for Mine {
    type Itself = Query;
}

fn main() {}
