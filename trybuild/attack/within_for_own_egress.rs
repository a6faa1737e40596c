// rule 17 · GDPR Art. 44 · an egress of one's own within every residency
use fuze_agent::boundary::Within;
use fuze_agent::law::residency;

pub struct Homeward;

impl<R: residency::Residency> Within<R> for Homeward {}

fn main() {}
