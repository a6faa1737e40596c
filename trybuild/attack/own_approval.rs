// rule 17 · AI Act Art. 14 · an approval of one's own that counts as always and never asks
use fuze_agent::law::oversight::Approval;
use fuze_agent::logic::{No, Yes};

pub struct Automatic;

impl<Args> Approval<Args> for Automatic {
    type Always = Yes;
    type Possible = No;
    fn needed(_: &Args) -> bool {
        false
    }
}

fn main() {}
