// rule 17 · GDPR Art. 5(2) · a list of one's own made to fit
use fuze_agent::agent::Fits;
use fuze_agent_proof::agents::Screener;

pub struct Pretty;

impl Fits<Screener> for Pretty {}

fn main() {}
