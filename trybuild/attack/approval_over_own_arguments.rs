// rule 17 · AI Act Art. 14 · `Never` made to count as always, over arguments of one's own
use fuze_agent::law::oversight::{Approval, Never};
use fuze_agent::logic::Yes;

pub struct Mine;

impl Approval<Mine> for Never {
    type Always = Yes;
    type Possible = Yes;
    fn needed(_: &Mine) -> bool {
        false
    }
}

fn main() {}
