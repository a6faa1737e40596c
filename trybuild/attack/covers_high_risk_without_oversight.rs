// rule 17 · AI Act Art. 14 · no oversight made enough for a point of Annex III
use fuze_agent::law::oversight::{Covers, NoOversight};
use fuze_agent::law::{annex_iii, art22};

impl Covers<annex_iii::employment::Recruitment, art22::None> for NoOversight {}

fn main() {}
