// rule 17 · GDPR Art. 5(2) · the seal of lists named

pub struct Mine;

impl fuze_agent::sealed::SealedTools for Mine {}

fn main() {}
