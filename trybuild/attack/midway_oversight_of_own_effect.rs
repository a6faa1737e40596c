// rule 17 · AI Act Art. 14(4)(e) · an effect of one's own allowed to ask in its midst
use fuze_agent::effect::MidwayOversight;
use fuze_agent::logic::Yes;

pub struct Sometimes;

impl MidwayOversight<Sometimes> for Yes {}

fn main() {}
