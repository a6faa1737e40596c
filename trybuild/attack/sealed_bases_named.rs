// rule 17 · GDPR Art. 6(1) · the seal of sets of bases named

pub struct Mine;

impl fuze_agent::sealed::SealedBases for Mine {}

fn main() {}
