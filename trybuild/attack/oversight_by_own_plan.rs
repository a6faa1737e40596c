// rule 17 · AI Act Art. 14 · human approval implemented for a type that is no plan
use fuze_agent::law::oversight::{HumanApproval, Oversight};

pub struct NoPlan;

impl Oversight for HumanApproval<NoPlan> {
    const PLAN: Option<&'static str> = None;
    const TRAINING: Option<&'static str> = None;
}

fn main() {}
