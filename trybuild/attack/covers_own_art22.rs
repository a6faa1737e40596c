// rule 17 · AI Act Art. 14 · no oversight made enough for an Art. 22 declaration of one's own
use fuze_agent::law::annex_iii;
use fuze_agent::law::oversight::{Covers, NoOversight};

pub struct Harmless;

impl Covers<annex_iii::None, Harmless> for NoOversight {}

fn main() {}
