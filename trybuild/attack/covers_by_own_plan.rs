// rule 17 · AI Act Art. 14 · human approval by a type that is no plan made enough
use fuze_agent::law::oversight::{Covers, HumanApproval};
use fuze_agent::law::{annex_iii, art22};

pub struct NoPlan;

impl Covers<annex_iii::employment::Recruitment, art22::None> for HumanApproval<NoPlan> {}

fn main() {}
