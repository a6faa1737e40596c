// rule 17 · AI Act Art. 14 · a predicate of one's own made to count as always
use fuze_agent::law::oversight::{Approval, When};
use fuze_agent::logic::Yes;

pub struct Mine;
pub struct Automatic;

impl Approval<Mine> for When<Automatic> {
    type Always = Yes;
    type Possible = Yes;
    fn needed(_: &Mine) -> bool {
        false
    }
}

fn main() {}
