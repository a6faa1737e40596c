// rule 17 · AI Act Art. 14 · an oversight of one's own, without a plan
use fuze_agent::law::oversight::Oversight;

pub struct Trust;

impl Oversight for Trust {
    const PLAN: Option<&'static str> = None;
    const TRAINING: Option<&'static str> = None;
}

fn main() {}
