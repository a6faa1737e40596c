// rule 17 · AI Act Annex III · a point of one's own that is not high-risk
use fuze_agent::law::annex_iii;
use fuze_agent::logic::No;

pub struct Harmless;

impl annex_iii::Point for Harmless {
    const NAME: &'static str = "employment.recruitment";
    const POINT: &'static str = "4a";
    type HighRisk = No;
}

fn main() {}
