// rule 17 · AI Act Art. 14 · an oversight of one's own that covers everything
use fuze_agent::law::oversight::Covers;
use fuze_agent::law::{annex_iii, art22};

pub struct Trust;

impl<D: annex_iii::Point, A: art22::Declaration> Covers<D, A> for Trust {}

fn main() {}
