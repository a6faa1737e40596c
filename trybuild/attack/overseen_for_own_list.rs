// rule 17 · AI Act Art. 14 · a list of one's own made to count as overseen
use fuze_agent::law::oversight::Overseen;
use fuze_agent_proof::agents::Screener;

pub struct Pretty;

impl Overseen<Screener> for Pretty {}

fn main() {}
