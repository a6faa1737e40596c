// rule 10 · AI Act Art. 12, 14 · the opening of tool calls implemented anew
use fuze_agent::{ToolCall, ToolError};
use fuze_agent_proof::Query;
use fuze_agent_proof::tools::ReadDossier;

impl fuze_policy::Call for ToolCall<ReadDossier> {
    type Args = Query;
    type Error = ToolError;
    fn open(self, _: fuze_policy::Opening) -> Result<Query, ToolError> {
        Ok(Query { id: "8".into() })
    }
}

fn main() {}
