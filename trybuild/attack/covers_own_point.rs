// rule 17 · AI Act Art. 14 · no oversight made enough for a point of one's own
use fuze_agent::law::art22;
use fuze_agent::law::oversight::{Covers, NoOversight};

pub struct Harmless;

impl Covers<Harmless, art22::None> for NoOversight {}

fn main() {}
