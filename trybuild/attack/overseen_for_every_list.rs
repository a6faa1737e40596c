// rule 17 · AI Act Art. 14 · every list of tools made to count as overseen
use fuze_agent::agent::ToolList;
use fuze_agent::law::oversight::Overseen;
use fuze_agent_proof::agents::Screener;

impl<L: ToolList> Overseen<Screener> for L {}

fn main() {}
