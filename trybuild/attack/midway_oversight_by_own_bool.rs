// rule 17 · AI Act Art. 14(4)(e) · a truth value of one's own that may ask in the midst of `once`
use fuze_agent::effect::{MidwayOversight, Once};

pub struct Maybe;

impl MidwayOversight<Once> for Maybe {}

fn main() {}
