// rule 10 · AI Act Art. 12, 14 · arguments that are written as another type's
use fuze_agent::tool::ToolArgument;
use fuze_agent_proof::Query;

pub struct Mine;

impl ToolArgument for Mine {
    type Itself = Query;
}

fn main() {}
