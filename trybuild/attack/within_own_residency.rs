// rule 17 · GDPR Art. 44 · an egress within a residency of one's own
use fuze_agent::boundary::{Anywhere, Within};

pub struct Moon;

impl Within<Moon> for Anywhere {}

fn main() {}
