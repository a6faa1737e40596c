// rule 17 · AI Act Art. 14(4)(e) · an effect class of one's own that is never once
use fuze_agent::effect::Effect;
use fuze_agent::logic::{No, Yes};

pub struct Sometimes;

impl Effect for Sometimes {
    const NAME: &'static str = "read";
    type IsOnce = No;
    type IsRead = Yes;
}

fn main() {}
