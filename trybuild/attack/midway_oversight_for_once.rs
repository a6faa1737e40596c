// rule 17 · AI Act Art. 14(4)(e) · a `once` tool allowed to ask in its midst
use fuze_agent::effect::{MidwayOversight, Once};
use fuze_agent::logic::Yes;

impl MidwayOversight<Once> for Yes {}

fn main() {}
